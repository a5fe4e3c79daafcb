"""Typed identifiers that cross module borders."""

import hashlib
from typing import NewType

Address = NewType("Address", str)
"""A normalised mail address, `local@domain`, lower case, at most 254 bytes (RFC 5321, 4.5.3.1)."""

DeviceId = NewType("DeviceId", bytes)
"""16 bytes: the first 16 of SHA-256 of the device's Ed25519 identity key."""

ParcelId = NewType("ParcelId", bytes)
"""16 bytes: the first 16 of SHA-256 of the parcel's sealed bytes."""

FanoutId = NewType("FanoutId", bytes)
"""16 bytes: the first 16 of SHA-256 of the sorted, joined device ids it stands for."""

PostingId = NewType("PostingId", bytes)
"""16 random bytes from the sending device that identify a posting, retries included."""

ConversationHandle = NewType("ConversationHandle", bytes)
"""32 bytes shared by a conversation's members; the server orders its Commits by it."""

Fingerprint = NewType("Fingerprint", bytes)
"""32 bytes: SHA-256 of a DER SubjectPublicKeyInfo (RFC 7469, 2.4)."""


def device_id(ed25519: bytes) -> DeviceId:
    """The first 16 bytes of SHA-256 of a device's Ed25519 key, so no device can choose its id."""
    return DeviceId(hashlib.sha256(ed25519).digest()[:16])
