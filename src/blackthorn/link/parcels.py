"""What a sealed parcel shows: whether it is one of two parts of a message."""

import hashlib
from collections.abc import Sequence
from typing import Final

PART: Final = 0x03
"""First byte of a parcel that has one half of a message."""


def is_part(sealed: bytes) -> bool:
    return sealed[:1] == bytes([PART])


def commit_digest(sealed: Sequence[bytes]) -> bytes:
    """SHA-256 of the Commit of a posting: the first parcel, and the second if both are parts."""
    count = 2 if len(sealed) > 1 and is_part(sealed[0]) and is_part(sealed[1]) else 1
    return hashlib.sha256(b"".join(sealed[:count])).digest()
