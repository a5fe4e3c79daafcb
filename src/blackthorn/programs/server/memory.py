"""How the server's allocator treats large blocks, such as mails."""

import ctypes
from contextlib import suppress
from typing import Final

from blackthorn.wire.units import MIB

_M_MMAP_THRESHOLD: Final = -3
"""The parameter's number in glibc's malloc.h."""

_LARGE_BYTES: Final = MIB


def map_large_blocks() -> None:
    """Have glibc give each block of 1 MiB and more back to the system as soon as it is freed.

    By default glibc stops doing so after the first large mail, and what it keeps grows with every
    block that another one follows. Does nothing with another C library.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
