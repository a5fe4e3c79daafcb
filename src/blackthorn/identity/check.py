"""Checks that an MLS leaf or key package is of a live device of its user."""

import hmac

from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import DeviceInfo
from blackthorn.identity.chain import VerifiedChain


def live_device(chain: VerifiedChain, device_id: bytes, mls_key: bytes) -> DeviceInfo:
    """The device of the leaf with that 16-byte id and 32-byte signature key.

    Raises `VerificationError`: I42 when the chain has no such live device, I43 when it has it
    with another MLS key.
    """
    device = chain.device(device_id)
    if device is None:
        raise VerificationError("I42", f"device {device_id.hex()} is not live in its user's chain")
    if not hmac.compare_digest(device.mls_key, mls_key):
        raise VerificationError("I43", f"device {device_id.hex()} has another key in the chain")
    return device
