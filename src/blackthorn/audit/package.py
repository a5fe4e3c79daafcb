"""`blackthorn audit package`: reads a package from a tar file or a folder and checks it.

No name becomes a path: tar files are streamed, folders listed without following links.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tarfile import TarError, TarInfo
from typing import BinaryIO, Final

from blackthorn.errors import UserError, VerificationError, system_error
from blackthorn.governance import limits
from blackthorn.governance.package import layout
from blackthorn.governance.package.check import VerifiedPackage, check
from blackthorn.governance.package.tar import BLOCK, TarEntry, read_tar
from blackthorn.tlog.policy import Policy, parse_policy
from blackthorn.wire.note import VerifierKey, parse_vkey
from blackthorn.wire.units import KIB, MIB

_MAGIC: Final = b"ustar"
_NO_PACKAGE: Final = "is no package of a directive: a package is a tar file, or its folder"

_PIECE: Final = 256 * KIB
_MOST: Final = limits.MAX_PACKAGE_BYTES + 2 * KIB * limits.MAX_PACKAGE_FILES


def check_package(target: Path, register: str | None, policy: Path | None) -> VerifiedPackage:
    """Check a tar file or an unpacked folder. `register` is a vkey or a file of one.

    Raises VerificationError with the broken rule, UserError if it cannot be read or is plainly no
    package.
    """
    key = None if register is None else read_register(register)
    given = None if policy is None else _policy(policy)
    with system_error(UserError, f"{target} cannot be read"):
        if target.is_dir():
            if not any((target / name).exists() for name in layout.TOP):
                raise UserError(f"{target} {_NO_PACKAGE}")
            return check(_folder(target), key, given)
        with target.open("rb") as file:
            first = file.peek(BLOCK)[:BLOCK]
            zipped = first.startswith(b"\x1f\x8b")
            if not zipped and not _is_tar(first):
                raise UserError(f"{target} {_NO_PACKAGE}")
            read = gunzip(file) if zipped else file.read
            return check(read_tar(read, repacked=True), key, given)


def _is_tar(first: bytes) -> bool:
    """Whether a tar file may begin so, damaged or not."""
    try:
        TarInfo.frombuf(first, "utf-8", "replace")
    except TarError:
        return _MAGIC in first
    return True


def gunzip(file: BinaryIO) -> Callable[[int], bytes]:
    """`read` of what a gzip file holds, up to the bound of a package. Raises P1, P5, OSError."""
    unpacked, given = gzip.GzipFile(fileobj=file), 0

    def read(size: int) -> bytes:
        nonlocal given
        try:
            piece = unpacked.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise VerificationError("P1", "the compressed package is damaged") from None
        given += len(piece)
        if given > _MOST:
            raise VerificationError("P5", "the package is larger than one may be")
        return piece

    return read


def read_register(text: str) -> VerifierKey:
    """A key from a vkey or a file of one. Raises UserError."""
    try:
        vkey = text if "+" in text else _small(Path(text)).decode("utf-8", "replace").strip()
        return parse_vkey(vkey)
    except VerificationError as error:
        raise UserError(f"--register: {error}") from None


def _policy(path: Path) -> Policy:
    try:
        return parse_policy(_small(path))
    except VerificationError as error:
        raise UserError(f"{path}: {error}") from None


def _small(path: Path) -> bytes:
    with system_error(UserError, f"{path} cannot be read"), path.open("rb") as file:
        return file.read(MIB)


def _folder(root: Path) -> Iterator[TarEntry]:
    """Every file below `root`, opened when reached. Raises P3, OSError."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(root / prefix) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            name = prefix + entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                waiting.append(f"{name}/")
                yield TarEntry(f"{name}/", 0, iter(()))
            elif stat.S_ISREG(mode):
                size = entry.stat(follow_symlinks=False).st_size
                yield TarEntry(name, size, _pieces(root / name))
            else:
                raise VerificationError("P3", f"{name!r} is neither a file nor a folder")


def _pieces(path: Path) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(_PIECE):
            yield piece
