"""The tar file of a package (POSIX.1-1988, ustar), written deterministically, read strictly.

Only files and folders are allowed (P3). Repacking changes no content: names may begin with `./` or
lack the top folder, and pax headers (POSIX.1-2001) or GNU's long names are read. Nothing is
unpacked.
"""

import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.governance import limits
from blackthorn.governance.package import layout

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""Two empty blocks end the archive."""

_PIECE: Final = 64 * 1024
_FILES: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)
_PAX: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE)
_NOTES: Final = re.compile(
    rb"(?:[acm]time|[ug]id|[ug]name|comment|SCHILY\.(?:dev|ino|nlink|fflags)|"
    rb"LIBARCHIVE\.creationtime|(?:SCHILY\.(?:xattr|acl)|LIBARCHIVE\.xattr|RHT\.security)\..+)"
)
"""Keys of pax records that say nothing of a file's name, kind or bytes."""


@dataclass(frozen=True, slots=True)
class TarEntry:
    """A file: its name below the top folder, and its bytes, to be read once."""

    name: str
    size: int
    pieces: Iterator[bytes]


def header(name: str, size: int, seconds: int) -> bytes:
    """The 512-byte header of a file, or of a folder whose name ends in a slash."""
    info = tarfile.TarInfo(name.rstrip("/"))
    info.mtime, info.size, info.mode = seconds, size, 0o644
    if name.endswith("/"):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def read_tar(read: Callable[[int], bytes], *, repacked: bool = False) -> Iterator[TarEntry]:
    """Each file below the one top folder, in order; a folder's name ends in a slash.

    Read a file before requesting the next; the rest of it is skipped. `read` returns at most the
    requested bytes, b"" at the end. `repacked` allows extensions. Raises P1, P2, P3, P5.
    """
    files, first = 0, None
    said: dict[bytes, bytes] = {}
    while (block := _exactly(read, BLOCK)) != END[:BLOCK]:
        files += 1
        if files > 2 * limits.MAX_PACKAGE_FILES:
            raise VerificationError("P5", "the package has too many entries")
        info = _info(block)
        if info.type not in (*_FILES, tarfile.DIRTYPE):
            if said or not repacked:
                raise VerificationError("P3", "an extension of the tar format where none may be")
            said = _extension(info, _extension_bytes(read, info))
            continue
        _extend(info, said)
        said = {}
        name, first = _place(info, first)
        if info.type == tarfile.DIRTYPE:
            if info.size:
                raise VerificationError("P3", f"the folder {info.name!r} has bytes of its own")
            yield TarEntry(f"{name.rstrip('/')}/", 0, iter(()))
            continue
        pieces = _pieces(read, info.size)
        yield TarEntry(name, info.size, pieces)
        for _ in pieces:
            pass
        if any(_exactly(read, -info.size % BLOCK)):
            raise VerificationError("P1", f"something is hidden behind {info.name!r}")
    if said:
        raise VerificationError("P1", "the package ends in the middle")
    while rest := read(_PIECE):
        if any(rest):
            raise VerificationError("P1", "something is hidden behind the end of the package")


def _place(info: tarfile.TarInfo, first: str | None) -> tuple[str, str | None]:
    """A name below the top folder, and that folder: None as long as it is not known.

    It is empty when the files were packed without their folder.
    """
    path = re.sub(r"^(?:\./+)+", "", info.name)
    top, _, name = path.partition("/")
    if path in ("", ".") and info.type == tarfile.DIRTYPE:
        return "", first
    if layout.is_finders(path):
        return path, first
    if first is None:
        first = "" if top in layout.TOP else top
    if (first and top != first) or top in ("", ".", ".."):
        raise VerificationError("P2", f"{info.name[:80]!r} lies outside of the folder")
    return name if first else path, first


def _info(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise VerificationError("P1", "the package is not a tar file, or is damaged") from error
    if info.type not in (*_FILES, *_PAX, tarfile.DIRTYPE, tarfile.GNUTYPE_LONGNAME):
        raise VerificationError("P3", f"{info.name!r} is neither a file nor a folder")
    _check_size(info)
    return info


def _check_size(info: tarfile.TarInfo) -> None:
    if info.size < 0:
        raise VerificationError("P1", f"{info.name!r} has an impossible size")
    if info.size > limits.MAX_PACKAGE_BYTES:
        raise VerificationError("P5", f"{info.name!r} claims {info.size} bytes: too large")


def _extension_bytes(read: Callable[[int], bytes], info: tarfile.TarInfo) -> bytes:
    if not 0 < info.size <= limits.MAX_TAR_EXTENSION_BYTES:
        raise VerificationError("P3", f"an extension of the tar format has {info.size} bytes")
    data = _exactly(read, info.size)
    if any(_exactly(read, -info.size % BLOCK)):
        raise VerificationError("P1", "something is hidden behind an extension")
    return data


def _extension(info: tarfile.TarInfo, data: bytes) -> dict[bytes, bytes]:
    """The name and the size that the extension says of the file behind it."""
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {b"path": data.removesuffix(b"\0")}
    said: dict[bytes, bytes] = {}
    while data:
        length = data.partition(b" ")[0]
        size = int(length) if re.fullmatch(rb"[1-9][0-9]{0,5}", length) else 0
        key, equals, value = data[len(length) + 1 : max(size - 1, 0)].partition(b"=")
        if not equals or data[size - 1 : size] != b"\n":
            raise VerificationError("P1", "an extension of the tar format is damaged")
        if key in (b"path", b"size") and info.type == tarfile.XHDTYPE:
            said[key] = value
        elif not _NOTES.fullmatch(key):
            raise VerificationError("P3", "an extension of the tar format that changes content")
        data = data[size:]
    return said


def _extend(info: tarfile.TarInfo, said: dict[bytes, bytes]) -> None:
    try:
        if b"path" in said:
            name = said[b"path"].decode()
            info.name = name.rstrip("/") if info.type == tarfile.DIRTYPE else name
        if b"size" in said:
            info.size = int(said[b"size"]) if said[b"size"].isdigit() else -1
    except ValueError:  # no UTF-8, or thousands of digits
        raise VerificationError("P1", "an extension of the tar format is damaged") from None
    _check_size(info)


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = read(size - len(data))
        if not piece:
            raise VerificationError("P1", "the package ends in the middle")
        data += piece
    return data


def _pieces(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    while size:
        piece = read(min(size, _PIECE))
        if not piece:
            raise VerificationError("P1", "the package ends in the middle of a file")
        size -= len(piece)
        yield piece
