"""Devices and users that the administrator has stopped until the server's restart.

A file in the server's folder, one device id or address a line: the command on the host writes it,
the running server reads it every few seconds, and the next start removes it.
"""

from pathlib import Path
from typing import Final

from blackthorn.errors import DecodeError, UserError
from blackthorn.storage.files import atomic
from blackthorn.storage.files.server import ServerFolder
from blackthorn.wire.address import parse_address

ID_BYTES: Final = 16
MAX_STOPPED: Final = 1_000


def stop(path: Path, who: str) -> str:
    """Stop a device, by its id in hexadecimal digits, or all devices of an address.

    Returns how it was written down. Raises UserError.
    """
    folder = ServerFolder(path)
    try:
        name = who.lower() if _device(who) is not None else str(parse_address(who.lower()))
    except DecodeError:
        raise UserError(f"{who!r} is neither a device's id of 32 digits nor an address") from None
    lines = list(dict.fromkeys([*_lines(folder), name]))
    if len(lines) > MAX_STOPPED:
        raise UserError(f"{MAX_STOPPED} devices are stopped already: restart the server")
    atomic.replace(folder.throttled, "".join(f"{line}\n" for line in lines).encode())
    return name


def stopped(folder: ServerFolder) -> frozenset[bytes | str]:
    """Ids of devices, and addresses."""
    return frozenset(_device(line) or line for line in _lines(folder))


def clear(folder: ServerFolder) -> None:
    """The server starts: nobody is stopped."""
    folder.throttled.unlink(missing_ok=True)


def _lines(folder: ServerFolder) -> list[str]:
    try:
        return folder.throttled.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []


def _device(text: str) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == ID_BYTES else None
