"""The tar file of a package (POSIX.1-1988, ustar), written deterministically, read strictly.

Only files and folders exist: whatever else a tar file can hold is refused (P3), and a header is
512 bytes, whatever it claims. Nothing is unpacked here; no name becomes a path.
"""

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.governance import limits

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""Two empty blocks end the archive."""

_PIECE: Final = 64 * 1024
_FILES: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One file of a package: its name below the top folder, and its bytes, to be read once."""

    name: str
    size: int
    pieces: Iterator[bytes]


def header(name: str, size: int, seconds: int) -> bytes:
    """The 512 bytes before a file of `size` bytes, or before a folder when its name ends so."""
    info = tarfile.TarInfo(name.rstrip("/"))
    info.mtime, info.size, info.mode = seconds, size, 0o644
    if name.endswith("/"):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    """The zero bytes that fill a file's last block."""
    return bytes(-size % BLOCK)


def read_tar(read: Callable[[int], bytes]) -> Iterator[TarEntry]:
    """Each file below the one top folder, in order; a folder's name ends in a slash.

    A file is to be read before the next one is asked for; what is left of it is passed over.

    `read` gives at most as many bytes as asked for, b"" at the end. Raises `VerificationError`
    (P1, P2, P3, P5).
    """
    files, first = 0, ""
    while (block := _exactly(read, BLOCK)) != END[:BLOCK]:
        files += 1
        if files > limits.MAX_PACKAGE_FILES:
            raise VerificationError("P5", "the package has too many entries")
        info = _info(block)
        top, _, name = info.name.partition("/")
        first = first or top
        if top != first or top in ("", ".", ".."):
            raise VerificationError("P2", f"{info.name[:80]!r} lies outside of the folder")
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
    while rest := read(_PIECE):
        if any(rest):
            raise VerificationError("P1", "something is hidden behind the end of the package")


def _info(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise VerificationError("P1", "the package is no tar file, or damaged") from error
    if info.type not in (*_FILES, tarfile.DIRTYPE):
        raise VerificationError("P3", f"{info.name!r} is neither a file nor a folder")
    if info.size < 0:
        raise VerificationError("P1", f"{info.name!r} has a size that cannot be")
    if info.size > limits.MAX_PACKAGE_BYTES:
        raise VerificationError("P5", f"{info.name!r} claims {info.size} bytes: too large")
    return info


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
