"""The messages of a pairing; `channel` seals and opens them."""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import AddressText, Bytes32
from blackthorn.tlog import limits as tlog_limits
from blackthorn.wire import limits as wire_limits

Part = Annotated[bytes, Meta(min_length=1, max_length=link_limits.MAX_PAIRING_BYTES)]


class Commitment(Struct, frozen=True, tag="commitment"):
    """New to live, with its proof: the hash of its Reveal."""

    hash: Bytes32


class Greeting(Struct, frozen=True, tag="greeting"):
    """Live to new, with its proof: the user, and 32 random bytes."""

    nonce: Bytes32
    address: AddressText


class Reveal(Struct, frozen=True, tag="reveal"):
    """New to live: 32 random bytes, and the new device's description of itself."""

    nonce: Bytes32
    device: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_STATEMENT_BYTES)]


class Confirmed(Struct, frozen=True, tag="confirmed"):
    """New to live: the person confirms that both devices show the same six digits."""


class Draft(Struct, frozen=True, tag="draft"):
    """Live to new: sign this statement, which adds you; again when the chain has moved on."""

    statement: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_STATEMENT_BYTES)]


class Countersigned(Struct, frozen=True, tag="countersigned"):
    """New to live: the statement with the new device's signature."""

    statement: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_STATEMENT_BYTES)]


class Handover(Struct, frozen=True, tag="handover"):
    """Live to new: the statement is stored, and this is the new device's initial state.

    `accepted` is the newest checkpoint that the live device has accepted, encoded by
    `device.account.pairing`. `it_policy` is the enterprise's for devices. The own chain follows as
    a batch.
    """

    config: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    policy: Annotated[str, Meta(min_length=1, max_length=tlog_limits.MAX_POLICY_BYTES)]
    accepted: Annotated[bytes, Meta(max_length=link_limits.MAX_PAIRING_BYTES)]
    domain: str
    pin: Annotated[str, Meta(pattern="^[0-9A-F]{8}$")]
    it_policy: Annotated[bytes, Meta(max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)] = b""


class Batch(Struct, frozen=True, tag="batch"):
    """Live to new: items of one kind (of `device.account.pairing`); `left` more will follow."""

    kind: Annotated[str, Meta(max_length=16)]
    items: list[Part]
    left: int


class TransferAck(Struct, frozen=True, tag="took"):
    """New to live: the last handover or batch is durable; send the next."""


class Finished(Struct, frozen=True, tag="finished"):
    """Live to new: the transfer is complete."""


PairingMessage = (
    Commitment
    | Greeting
    | Reveal
    | Confirmed
    | Draft
    | Countersigned
    | Handover
    | Batch
    | TransferAck
    | Finished
)
