"""Frames of activation and recovery (docs/specs/activation.md, docs/specs/pairing.md)."""

from typing import Annotated

from msgspec import Meta

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import AddressText, Bytes32, Frame, Signature, Uint64
from blackthorn.tlog import limits as tlog_limits
from blackthorn.wire import limits as wire_limits


class ActivateBegin(Frame, tag=50, frozen=True):
    """Device to server instead of Hello: the nameplate of a code, and SPAKE2's first message."""

    version: int
    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class ActivateChallenge(Frame, tag=51, frozen=True):
    """Server to device: SPAKE2's second message and the server's proof of the code.

    `payload` is the code's user, sealed under the code.
    """

    message: Annotated[bytes, Meta(min_length=1, max_length=64)]
    proof: Bytes32
    payload: Annotated[bytes, Meta(max_length=512)]


class ActivateProve(Frame, tag=52, frozen=True):
    """Device to server: its proof of the code, over its sealed keys (`payload`)."""

    proof: Bytes32
    signature: Signature
    payload: Annotated[bytes, Meta(max_length=link_limits.MAX_ACTIVATION_PAYLOAD_BYTES)]


class Activated(Frame, tag=53, frozen=True):
    """Server to device: durable. `payload` is the device's identity, sealed to the session."""

    payload: Annotated[bytes, Meta(max_length=link_limits.MAX_ACTIVATION_PAYLOAD_BYTES)]


class Recover(Frame, tag=86, frozen=True):
    """New device to server instead of Hello: I hold the recovery key of this user.

    Both halves of that key sign the TLS channel binding (`link.hello`).
    """

    version: int
    address: AddressText
    ed25519: Signature
    ml_dsa: Annotated[bytes, Meta(min_length=3309, max_length=3309)]


class Recognised(Frame, tag=87, frozen=True):
    """Server to device: the end of the user's chain, and a device's pins.

    `time_ms` is the ledger's time, Unix milliseconds, 0 for none: the statement is dated so.
    `rules` are those that the chain asks for. A SubmitStatement that adds the device may follow;
    then it connects again.
    """

    seq: Uint64
    head: Bytes32
    domain: Annotated[str, Meta(max_length=254)]
    pin: Annotated[str, Meta(pattern="^[0-9A-F]{8}$")]
    config: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    policy: Annotated[str, Meta(min_length=1, max_length=tlog_limits.MAX_POLICY_BYTES)]
    time_ms: Uint64 = 0
    rules: Annotated[int, Meta(ge=1, le=0xFFFF)] = 1


AccountsFrame = ActivateBegin | ActivateChallenge | ActivateProve | Activated | Recover | Recognised
