"""A package that somebody compressed (gzip, RFC 1952): read as if it were not, within bounds."""

import zlib
from collections.abc import Callable
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.governance import limits
from blackthorn.governance.package.tar import BLOCK

MAGIC: Final = b"\x1f\x8b"

_PIECE: Final = 64 * 1024
_MOST: Final = limits.MAX_PACKAGE_BYTES + 4 * BLOCK * limits.MAX_PACKAGE_FILES


def gunzip(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """`read` over what the one gzip member in `read` holds; memory does not grow with it.

    The new `read` raises `VerificationError` (P1, P5).
    """
    inflate, given = zlib.decompressobj(16 + zlib.MAX_WBITS), 0

    def read_plain(size: int) -> bytes:
        nonlocal given
        piece = b""
        while size and not piece and not inflate.eof:
            data = inflate.unconsumed_tail or read(_PIECE)
            try:
                piece = inflate.decompress(data, size)
            except zlib.error:
                raise VerificationError("P1", "the compressed package is damaged") from None
            if not data and not piece and not inflate.eof:
                raise VerificationError("P1", "the compressed package ends in the middle")
        given += len(piece)
        if given > _MOST:
            raise VerificationError("P5", "the package is larger than one may be")
        if inflate.eof and not piece and (inflate.unused_data or read(1)):
            raise VerificationError("P1", "something is hidden behind the end of the package")
        return piece

    return read_plain
