"""The name of a device: 16 bytes of the hash of its identity key, so that it cannot be chosen."""

import hashlib

from blackthorn.ids import DeviceId

IDENTITY_KEY_BYTES = 32
"""An Ed25519 public key (RFC 8032)."""


def device_id(identity_key: bytes) -> DeviceId:
    """The first 16 bytes of SHA-256 of the device's 32-byte Ed25519 identity key."""
    return DeviceId(hashlib.sha256(identity_key).digest()[:16])
