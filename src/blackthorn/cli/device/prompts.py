"""Read lines of standard input while a link is served.

The prompt is shown at a terminal only; programs write answers into a pipe.
"""

import asyncio
import os
import sys

from blackthorn.cli import terminal
from blackthorn.errors import UserError

MAX_LINE_BYTES = 4_096


class LinePrompt:
    """Reads lines of standard input without a blocking thread."""

    def __init__(self) -> None:
        self._data = b""
        self._ended = False

    async def ask(self, text: str) -> str:
        """The next line, stripped. Raises UserError when there is none."""
        if sys.stdin.isatty():
            terminal.prompt(text)
        while b"\n" not in self._data:
            if self._ended or len(self._data) > MAX_LINE_BYTES:
                raise UserError("nobody answered: an answer is one line of standard input")
            descriptor = sys.stdin.fileno()
            await _readable(descriptor)
            read = os.read(descriptor, MAX_LINE_BYTES)
            self._ended = not read
            self._data += read if read else b"\n" * bool(self._data)
        line, _, self._data = self._data.partition(b"\n")
        return line.decode("utf-8", "replace").strip()


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except OSError:
        return  # a file, which can always be read
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
        os.set_blocking(descriptor, True)  # uvloop has changed it; a passphrase may be asked next
