"""Frames of the ledger (docs/specs/ledger.md)."""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.crypto import limits as crypto_limits
from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import AddressText, Exchange, Frame, Proof, StatementBytes, Uint64
from blackthorn.tlog import limits as tlog_limits
from blackthorn.wire import limits as wire_limits


class EpochPart(Struct, array_like=True, frozen=True, gc=False):
    """The newest epoch's cosigned note, head and head's proof (`directory.lookup.EpochPart`)."""

    checkpoint: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_NOTE_BYTES)]
    head: Annotated[bytes, Meta(max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    proof: Proof


class LookUp(Exchange, tag=60, frozen=True):
    """Device to server: the ledger's entries of these users.

    `have` is the size of the newest accepted checkpoint, 0 for none. Without an address it asks for
    the newest checkpoint only.
    """

    addresses: Annotated[list[AddressText], Meta(max_length=link_limits.MAX_LOOKUP_ADDRESSES)]
    have: Uint64


class Answer(Struct, array_like=True, frozen=True, gc=False):
    """One user in the map, or their absence when `value` is empty (`directory.lookup.Answer`)."""

    address: AddressText
    vrf_proof: Annotated[bytes, Meta(min_length=80, max_length=80)]
    version: Uint64
    value: Annotated[bytes, Meta(max_length=37)]
    opening: Annotated[bytes, Meta(max_length=16)]
    map_proof: Annotated[bytes, Meta(max_length=wire_limits.MAX_MAP_PROOF_BYTES)]


class LookedUp(Exchange, tag=61, frozen=True):
    """Server to device. `consistency` proves `have` into the checkpoint of `epoch`.

    The first entries of `pending` users are unpublished; nothing is proved of them.
    """

    epoch: EpochPart
    consistency: Proof
    answers: Annotated[list[Answer], Meta(max_length=link_limits.MAX_LOOKUP_ADDRESSES)]
    pending: Annotated[list[AddressText], Meta(max_length=link_limits.MAX_LOOKUP_ADDRESSES)]


class FetchChain(Exchange, tag=62, frozen=True):
    """Device to server: the published statements of a user's chain with a seq above `after`."""

    address: AddressText
    after: Uint64


class Receipt(Struct, array_like=True, frozen=True, gc=False):
    """When the ledger logged the statement `seq` (`directory.lookup.Receipt`)."""

    seq: Uint64
    version: Uint64
    value: Annotated[bytes, Meta(max_length=37)]
    opening: Annotated[bytes, Meta(max_length=16)]
    vrf_proof: Annotated[bytes, Meta(max_length=80)]
    mutation: Annotated[bytes, Meta(max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    index: Uint64
    proof: Proof
    head: Annotated[bytes, Meta(max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    head_index: Uint64
    head_proof: Proof


class ChainPart(Exchange, tag=63, frozen=True):
    """Server to device. `receipts` are of all resets and cancels of the whole chain.

    Their proofs are for the tree of `size`. `certificate` may be empty. `more`: ask again.
    `compatible` is the certificate for other programs, empty without.
    """

    address: AddressText
    size: Uint64
    statements: Annotated[list[StatementBytes], Meta(max_length=wire_limits.MAX_CHAIN_STATEMENTS)]
    receipts: Annotated[list[Receipt], Meta(max_length=wire_limits.MAX_CHAIN_RECEIPTS)]
    certificate: Annotated[bytes, Meta(max_length=crypto_limits.MAX_CERTIFICATE_BYTES)]
    more: bool
    compatible: Annotated[bytes, Meta(max_length=crypto_limits.MAX_CERTIFICATE_BYTES)] = b""


class SubmitStatement(Exchange, tag=64, frozen=True):
    """Device to server: append this to the user's chain; one that names a certificate has it."""

    statement: StatementBytes
    certificate: Annotated[bytes, Meta(max_length=crypto_limits.MAX_CERTIFICATE_BYTES)] = b""


class StatementStored(Exchange, tag=65, frozen=True):
    """Server to device: durable, for the next epoch; or refused.

    A repeated statement counts as stored, with an empty `refusal`.
    """

    refusal: Annotated[str, Meta(max_length=512)]


class ProveConsistency(Exchange, tag=66, frozen=True):
    """Device to server: prove that the tree of `old` leaves is a prefix of that of `new`."""

    old: Uint64
    new: Uint64


class Consistency(Exchange, tag=67, frozen=True):
    """Server to device: the proof; `known` is False for an unknown size."""

    known: bool
    proof: Proof


class FetchEntries(Exchange, tag=68, frozen=True):
    """Device to server: published entries of the log from index `start` on, for a replay."""

    start: Uint64


class Entries(Exchange, tag=69, frozen=True):
    """Server to device: entries from `start` on, as many as fit; `size` is the published one."""

    start: Uint64
    size: Uint64
    entries: Annotated[
        list[Annotated[bytes, Meta(max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]],
        Meta(max_length=link_limits.MAX_ENTRIES_PER_FRAME),
    ]


class LeafChanged(Frame, tag=70, frozen=True):
    """Server to a receiving device: its user's entry in the ledger has changed."""


class FetchEpochs(Frame, tag=74, frozen=True):
    """Device to server: whose entries have changed since the tree of `since` leaves?"""

    since: Uint64


class EpochPushed(Frame, tag=75, frozen=True):
    """Server to device: entries of the map have changed between the trees of these sizes.

    `prefixes` are the first 8 bytes of their indices, unsigned. Not `whole`: there are more than
    MAX_PUSHED_PREFIXES, and none is named. Sent for each published epoch, and for FetchEpochs.
    """

    since: Uint64
    size: Uint64
    prefixes: Annotated[
        list[Annotated[bytes, Meta(min_length=8, max_length=8)]],
        Meta(max_length=link_limits.MAX_PUSHED_PREFIXES),
    ]
    whole: bool = True


class TellCheckpoint(Frame, tag=71, frozen=True):
    """Device to server: a checkpoint of yours, newer than the published one."""

    checkpoint: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_NOTE_BYTES)]


class FetchTrust(Exchange, tag=72, frozen=True):
    """Device to server: the ledger's configuration and policy now."""


class Trust(Exchange, tag=73, frozen=True):
    """Server to device: the configuration record and the policy's text.

    A device that pinned others keeps them until its user accepts these.
    """

    config: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    policy: Annotated[str, Meta(min_length=1, max_length=tlog_limits.MAX_POLICY_BYTES)]


LedgerFrame = (
    LookUp
    | LookedUp
    | FetchChain
    | ChainPart
    | SubmitStatement
    | StatementStored
    | ProveConsistency
    | Consistency
    | FetchEntries
    | Entries
    | LeafChanged
    | FetchEpochs
    | EpochPushed
    | TellCheckpoint
    | FetchTrust
    | Trust
)
