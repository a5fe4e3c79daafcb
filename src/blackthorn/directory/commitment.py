"""A user's value in the map, and the commitment to it that the log shows.

The commitment is KEYTRANS's (draft-ietf-keytrans-protocol, "Commitment"): HMAC-SHA256 under its
fixed key, so that without the opening no guess can be confirmed.
"""

import hmac
import struct
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError

PENDING_RESET: Final = 1
"""Flag: the chain ends in a reset."""

CLOSED: Final = 2
"""Flag: the account was closed."""

VALUE_BYTES: Final = 37
OPENING_BYTES: Final = 16

LABEL_BYTES: Final = 255
"""Longest label of a commitment; an address has at most 254."""

_KC: Final = bytes.fromhex("d821f8790d97709796b4d7903357c3f5")
_VALUE: Final = struct.Struct(">32sIB")


@dataclass(frozen=True, slots=True)
class Value:
    """The head of a user's identity chain, its sequence number, and flags."""

    head: bytes
    seq: int
    flags: int

    def encode(self) -> bytes:
        """37 bytes."""
        return _VALUE.pack(self.head, self.seq, self.flags)


def decode_value(data: bytes) -> Value:
    """The value in 37 bytes. Raises `VerificationError` (D5)."""
    if len(data) != VALUE_BYTES:
        raise VerificationError("D5", f"a value has {len(data)} bytes, not {VALUE_BYTES}")
    value = Value(*_VALUE.unpack(data))
    if value.flags & ~(PENDING_RESET | CLOSED) or not value.seq:
        raise VerificationError("D5", "a value has unknown flags or no statement")
    return value


def commit(opening: bytes, label: str, version: int, value: bytes) -> bytes:
    """The 32-byte commitment: HMAC(Kc, opening[16] ‖ label<1> ‖ version u32 ‖ value<4>)."""
    name = label.encode()
    head = opening + len(name).to_bytes(1, "big") + name + version.to_bytes(4, "big")
    return hmac.digest(_KC, head + len(value).to_bytes(4, "big") + value, "sha256")


def opening_for(secret: bytes, index: bytes, version: int) -> bytes:
    """The 16-byte opening of one version of a user, derived, not stored.

    `secret` is the server's key with the user's salt; without the salt no opening can be derived.
    """
    message = index + version.to_bytes(4, "big")
    return hmac.digest(secret, message, "sha256")[:OPENING_BYTES]
