"""`blackthorn audit package`: reads a package from a tar file or a folder and checks it.

No name becomes a path: tar files are streamed, folders listed without following links.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from blackthorn.errors import UserError, VerificationError, system_error
from blackthorn.governance import limits
from blackthorn.governance.package.check import VerifiedPackage, check
from blackthorn.governance.package.tar import TarEntry, read_tar
from blackthorn.tlog.policy import Policy, parse_policy
from blackthorn.wire.note import VerifierKey, parse_vkey
from blackthorn.wire.units import KIB, MIB

_PIECE: Final = 256 * KIB
_MOST: Final = limits.MAX_PACKAGE_BYTES + 2 * KIB * limits.MAX_PACKAGE_FILES


def check_package(target: Path, register: str | None, policy: Path | None) -> VerifiedPackage:
    """Check a tar file or an unpacked folder. `register` is a vkey or a file of one.

    Raises VerificationError with the broken rule, UserError if it cannot be read.
    """
    key = None if register is None else read_register(register)
    given = None if policy is None else _policy(policy)
    with system_error(UserError, f"{target} cannot be read"):
        if target.is_dir():
            return check(_folder(target), key, given)
        with target.open("rb") as file:
            read = gunzip(file) if file.peek(2)[:2] == b"\x1f\x8b" else file.read
            return check(read_tar(read, repacked=True), key, given)


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
