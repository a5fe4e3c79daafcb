"""Options that several command families share, and the device and addresses that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from blackthorn.ids import Address
    from blackthorn.programs.device.program import DeviceProgram

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
