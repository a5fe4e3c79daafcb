"""Lines in, lines out: every line gets one reply; only `quit` ends the driver."""

import json
from collections.abc import Iterator
from typing import BinaryIO

from blackthorn.errors import InputError
from blackthorn.mls import limits
from blackthorn.mls.driver.commands import COMMANDS
from blackthorn.mls.driver.request import RequestError, read_request
from blackthorn.mls.driver.world import World


def serve(world: World, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer each line until `quit` or the end."""
    for line in _lines(requests):
        reply, last = answer(world, line)
        replies.write(reply + b"\n")
        replies.flush()
        if last:
            return


def answer(world: World, line: bytes) -> tuple[bytes, bool]:
    """The reply to a line, and whether it was `quit`. A refused request changes nothing."""
    reply: dict[str, object] = {"id": None}
    command = ""
    try:
        if len(line) > limits.MLS_DRIVER_MAX_LINE_BYTES:
            raise RequestError("the line is too long")
        request = read_request(line)
        reply["id"] = request.id
        command = request.text("cmd")
        if command in COMMANDS:
            reply |= {"ok": True, **COMMANDS[command](world, request)}
        else:
            reply |= {"ok": False, "error": "unknown command", "unsupported": True}
    except InputError as error:
        reply |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
    except Exception as error:  # a defect of this library: reported, and the driver continues
        reply |= {"ok": False, "error": f"internal error: {type(error).__name__}"}
    return json.dumps(reply).encode(), command == "quit"


def _lines(requests: BinaryIO) -> Iterator[bytes]:
    """Each line; of one that is too long only the bytes that show it."""
    bound = limits.MLS_DRIVER_MAX_LINE_BYTES + 1
    while line := requests.readline(bound):
        rest = line
        while len(rest) == bound and not rest.endswith(b"\n"):
            rest = requests.readline(bound)
        if line.strip():
            yield line
