"""The id of a device: 16 bytes of the hash of its identity key, so that it cannot be chosen.

The link says the same by a line of its own; a test holds the two together.
"""

import hashlib

from blackthorn.ids import DeviceId


def device_id(ed25519: bytes) -> DeviceId:
    """The first 16 bytes of SHA-256 of the device's 32-byte Ed25519 identity key."""
    return DeviceId(hashlib.sha256(ed25519).digest()[:16])
