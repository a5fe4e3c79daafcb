"""Names for the identifiers that cross module borders, so that they cannot be mixed up."""

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
"""16 random bytes chosen by the sending device; accepted, refused or repeated under this name."""

ConversationHandle = NewType("ConversationHandle", bytes)
"""32 bytes that the members of a conversation share; the server orders Commits by it."""

Fingerprint = NewType("Fingerprint", bytes)
"""32 bytes: SHA-256 of a DER SubjectPublicKeyInfo (RFC 7469, 2.4)."""


def device_id(ed25519: bytes) -> DeviceId:
    """The first 16 bytes of SHA-256 of the device's 32-byte Ed25519 identity key.

    A device cannot choose its id: the hash fixes it.
    """
    return DeviceId(hashlib.sha256(ed25519).digest()[:16])
