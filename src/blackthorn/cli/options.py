"""Options shared by several command families, and their values."""

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from blackthorn.cli import terminal
from blackthorn.cli.times import duration
from blackthorn.errors import DecodeError, DiskError, UnavailableError, UserError, system_error

if TYPE_CHECKING:
    from blackthorn.ids import Address
    from blackthorn.link.activation.code import Invitation
    from blackthorn.programs.device.home import Home
    from blackthorn.programs.device.program import DeviceProgram

HomeOption = Annotated[
    Path, Option("--home", envvar="BLACKTHORN_HOME", help="The device's folder.")
]
KeyFileOption = Annotated[
    Path | None,
    Option(
        "--key-file",
        envvar="BLACKTHORN_KEY_FILE",
        help="Unlock by this file of 32 bytes instead of a passphrase.",
    ),
]
ServerOption = Annotated[
    str | None,
    Option(
        metavar="HOST:PORT",
        envvar="BLACKTHORN_SERVER",
        help="Where the server is, unless the URL says it. Default: this machine.",
    ),
]
OnlyServerOption = Annotated[
    str | None,
    Option(
        "--server",
        metavar="HOST:PORT",
        envvar="BLACKTHORN_SERVER",
        help="Where the server is, as the administrator knows. Default: this machine.",
    ),
]
ServerDirectory = Annotated[
    Path, Argument(metavar="DIR", envvar="BLACKTHORN_DIR", help="The server's folder.")
]
DirectoryOption = Annotated[
    Path, Option("--dir", envvar="BLACKTHORN_DIR", help="The server's folder.")
]
LEDGER_HELP = "A server's ledger URL, a mirror's folder, or a server's own folder."
LedgerOption = Annotated[str, Option(metavar="URL|DIR", help=LEDGER_HELP)]
LedgerPolicyOption = Annotated[
    Path | None, Option(help="The trust policy to hold the ledger to; without one, the log's own.")
]
RegisterOption = Annotated[
    str | None,
    Option(
        "--register", metavar="KEY|FILE", help="The register's key, as its operator publishes it."
    ),
]
NameOption = Annotated[
    str | None,
    Option(
        help="What to call this device. Default: as the host, with four digits for another --home."
    ),
]
AgreeOption = Annotated[bool, Option("--yes", help="Do not ask.")]
JsonOption = Annotated[bool, Option("--json", help="Print JSON.")]

DEFAULT_HOME = Path("~/.blackthorn")
DEFAULT_PORT = 3101


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """The values of --home and --key-file, and the devices opened by them."""

    home: Path
    key_file: Path | None
    opened: "list[DeviceProgram]" = field(default_factory=list)


def on_device(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's parameter `at` by --home and --key-file."""

    @wraps(command)
    def run(*, home: Path, key_file: Path | None, **values: Any) -> None:
        at = DeviceOptions(home, key_file)
        try:
            command(at=at, **values)
        finally:
            _tell_clock(at.opened)

    parameters: list[inspect.Parameter] = []
    for name, known in inspect.signature(command).parameters.items():
        if name == "at":
            parameters += [parameter("home", HomeOption, DEFAULT_HOME)]
            parameters += [parameter("key_file", KeyFileOption, None)]
        else:
            parameters.append(known.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> Any:
    """A command's parameter; required without a default."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def program(at: DeviceOptions) -> "DeviceProgram":
    from blackthorn.programs.device.program import DeviceProgram

    home = home_of(at.home, at.key_file)
    at.opened.append(DeviceProgram(home, home.open()))
    return at.opened[-1]


def _tell_clock(devices: "list[DeviceProgram]") -> None:
    """Tell once that a device's clock and the ledger's time are apart."""
    for device in devices:
        from blackthorn.programs.device.clock import apart_ms

        if found_ms := apart_ms(device):
            side = "ahead of" if found_ms > 0 else "behind"
            terminal.note(
                f"Note: this device's clock is at least {duration(abs(found_ms))} {side} the "
                "ledger's time. Set the clock: your messages carry its time. If it is right, tell "
                "the administrator."
            )


def home_of(home: Path, key_file: Path | None) -> "Home":
    from blackthorn.programs.device.home import Home

    return Home(home.expanduser(), key_file.expanduser() if key_file else None)


def device_name(name: str | None, home: Path) -> str:
    """The name as given, or a default that differs between the homes of one host."""
    from blackthorn.programs.device.activation import own_name

    if name is not None:
        return name
    folder = home.expanduser().resolve()
    return own_name(None if folder == DEFAULT_HOME.expanduser().resolve() else folder)


def server_address(server: str | None) -> tuple[str, int]:
    """Host and port of the option, or of this machine. Raises UserError."""
    if server is None:
        return "127.0.0.1", int(os.environ.get("BLACKTHORN_LINK_PORT") or DEFAULT_PORT)
    host, colon, port = server.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"{server}: not a HOST:PORT address, such as 127.0.0.1:3101")
    return host.strip("[]"), int(port)


@contextmanager
def reaching(server: str | None, url: "Invitation | None" = None) -> Iterator[tuple[str, int]]:
    """Host and port of the server: as the URL says, or the option, or this machine.

    Without `url` the command takes none. When nothing answers, the UnavailableError says what to
    do, and whether a server was named at all.
    """
    try:
        if url is not None and url.host is not None and url.port is not None:
            yield url.host, url.port
        else:
            yield server_address(server)
    except UnavailableError as error:
        named = server is not None or (url is not None and url.host is not None)
        raise UnavailableError(f"{error}; {_how_to_reach(error, named, url is not None)}") from None


def _how_to_reach(error: UnavailableError, named: bool, code: bool) -> str:
    """Advice when the server did not answer: whether it was `named`, and there is a `code`."""
    from blackthorn.edges.link.client import NotConnectedError

    advice = "check the address, or ask the administrator"
    if not named:
        advice = "give --server HOST:PORT"
        advice = f"words name no server: {advice}, or the URL" if code else advice
    unused = code and isinstance(error, NotConnectedError)
    return f"{advice}. Your code is not used up" if unused else advice


def write_new(path: Path, data: bytes) -> None:
    """Write a new file for the user. Raises UserError when it is there already, DiskError."""
    from blackthorn.storage.files import atomic

    with system_error(DiskError, f"{path} cannot be written"):
        try:
            atomic.write_new(path, data)
        except FileExistsError:
            raise UserError(
                f"{path} is there already: nothing was written; give another name"
            ) from None


def require_reached(unreached: str) -> None:
    """Raises UnavailableError with this reason, unless it is "": stored data was shown."""
    if unreached:
        raise UnavailableError(f"{unreached.rstrip('.')}. Only stored data was shown")


def parse_addresses(texts: list[str]) -> "list[Address]":
    """Parse typed addresses. Raises UserError."""
    from blackthorn.wire.address import parse_address

    parsed = []
    for text in texts:
        try:
            parsed.append(parse_address(text))
        except DecodeError as error:
            raise UserError(f"{text}: {error}") from None
    return parsed
