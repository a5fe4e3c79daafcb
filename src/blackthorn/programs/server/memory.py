"""How the server's memory is given back: large blocks, such as mails, and cycles of objects."""

import ctypes
import gc
from contextlib import suppress
from typing import Final

from blackthorn.wire.units import MIB

_M_MMAP_THRESHOLD: Final = -3
"""The parameter's number in glibc's malloc.h."""

_LARGE_BYTES: Final = MIB

_CYCLES: Final = (20_000, 20, 50)
"""Objects made, and collections of younger ones, after which cycles are looked for.

Few are ever made here, and parcels under way live for milliseconds: looking after every 700 objects
looks at each of them several times.
"""


def map_large_blocks() -> None:
    """Have glibc return each freed block of 1 MiB and more to the system at once.

    By default it stops doing so after the first large mail, and keeps fragmented blocks. No-op with
    another C library.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def collect_seldom() -> None:
    """Look for cycles of objects that hold each other less often than Python's default."""
    gc.set_threshold(*_CYCLES)
