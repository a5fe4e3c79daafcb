"""Options and printing that the device's command families share."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from blackthorn.ids import Address
    from blackthorn.programs.device.program import DeviceProgram

T = TypeVar("T")

HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="BLACKTHORN_HOME", help="The device's folder."),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar="BLACKTHORN_KEY_FILE",
        help="Unlock by this file of 32 bytes instead of a passphrase.",
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        envvar="BLACKTHORN_SERVER",
        help="Where the server is, unless the URL says it. Default: this machine.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_HOME = Path("~/.blackthorn")


def program(home: Path, key_file: Path | None) -> "DeviceProgram":
    """The unlocked device of a home."""
    from blackthorn.programs.device.home import Home
    from blackthorn.programs.device.program import DeviceProgram

    place = Home(home.expanduser(), key_file.expanduser() if key_file else None)
    return DeviceProgram(place, place.open())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end in an event loop of its own."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def parse_addresses(texts: list[str]) -> "list[Address]":
    """Addresses as typed. Raises UserError."""
    from blackthorn.errors import DecodeError, UserError
    from blackthorn.wire.address import parse_address

    parsed = []
    for text in texts:
        try:
            parsed.append(parse_address(text))
        except DecodeError as error:
            raise UserError(f"{text}: {error}") from None
    return parsed


def rfc3339(time_ms: int) -> str:
    """A time for programs; what lies outside the calendar becomes its beginning."""
    return _time(time_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(time_ms: int) -> str:
    """A time for people; what their calendar does not have is shown as the beginning's."""
    moment = _time(time_ms)
    try:
        moment = moment.astimezone()
    except OverflowError:
        moment = _time(0)
    return moment.strftime("%Y-%m-%d %H:%M")


def _time(time_ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
