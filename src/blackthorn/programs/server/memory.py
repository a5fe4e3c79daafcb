"""The allocator's handling of large blocks, such as mails."""

import ctypes
from contextlib import suppress
from typing import Final

from blackthorn.wire.units import MIB

_M_MMAP_THRESHOLD: Final = -3
"""The parameter's number in glibc's malloc.h."""

_LARGE_BYTES: Final = MIB


def map_large_blocks() -> None:
    """Have glibc return each freed block of 1 MiB and more to the system at once.

    By default it stops doing so after the first large mail, and keeps fragmented blocks. No-op with
    another C library.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
