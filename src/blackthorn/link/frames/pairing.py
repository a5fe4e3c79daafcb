"""The frames by which a device joins its user's others: pairing, and recovery by the printed key.

A part of `link.frames`, which has the rest; specified in docs/specs/pairing.md.
"""

from typing import Annotated

from msgspec import Meta

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import AddressText, Bytes32, Frame, Signature, Uint64
from blackthorn.tlog import limits as tlog_limits
from blackthorn.wire import limits as wire_limits

# --- Pairing of two devices of one user (specified in docs/specs/pairing.md) ---------------


class OpenPairing(Frame, tag=80, frozen=True):
    """Live device to server: whoever joins under this nameplate is to be connected with me.

    `message` is SPAKE2's first. At most one pairing of a device is open at a time.
    """

    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class PairingOpened(Frame, tag=81, frozen=True):
    """Server to device: it waits, or `refusal` says why not (the nameplate is taken)."""

    refusal: Annotated[str, Meta(max_length=512)]


class JoinPairing(Frame, tag=82, frozen=True):
    """New device to server instead of Hello: SPAKE2's second message for that nameplate."""

    version: int
    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class Paired(Frame, tag=83, frozen=True):
    """Server to both: the other side is there; this is its SPAKE2 message."""

    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class Relay(Frame, tag=84, frozen=True):
    """Either device by way of the server: sealed bytes for the other one."""

    data: Annotated[bytes, Meta(min_length=1, max_length=link_limits.MAX_PAIRING_BYTES)]


class PairingEnded(Frame, tag=85, frozen=True):
    """Either side: the pairing is over; the reason is in `link.codes` or empty when it is done."""

    code: Annotated[str, Meta(max_length=64)]


# --- Recovery by the printed key (specified in docs/specs/pairing.md) -----------------------


class Recover(Frame, tag=86, frozen=True):
    """New device to server instead of Hello: I hold the recovery key of this user.

    Signed by both halves of that key over the TLS channel binding (`link.hello`).
    """

    version: int
    address: AddressText
    ed25519: Signature
    ml_dsa: Annotated[bytes, Meta(min_length=3309, max_length=3309)]


class Recognised(Frame, tag=87, frozen=True):
    """Server to device: where the user's chain stands, and what a device pins.

    A SubmitStatement may follow that adds the device; then the device connects anew.
    """

    seq: Uint64
    head: Bytes32
    domain: Annotated[str, Meta(max_length=254)]
    pin: Annotated[str, Meta(pattern="^[0-9A-F]{8}$")]
    config: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    policy: Annotated[str, Meta(min_length=1, max_length=tlog_limits.MAX_POLICY_BYTES)]
