"""The frames of decisions and exits: what officers' devices and the server say to each other.

A part of `link.frames`, which has the rest. What a decision is says `governance.statements`.
"""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.link import limits
from blackthorn.link.frames.types import AddressText, Bytes32, Exchange, Frame, Uint64

DecisionBytes = Annotated[bytes, Meta(min_length=1, max_length=limits.MAX_DECISION_BYTES)]
PrivateBytes = Annotated[bytes, Meta(max_length=limits.MAX_PRIVATE_BYTES)]
CaseName = Annotated[str, Meta(min_length=1, max_length=16)]
Refusal = Annotated[str, Meta(max_length=512)]


class FetchDecisions(Exchange, tag=90, frozen=True):
    """Officer's device to server: the decisions with a number above `after`, and what waits."""

    after: Uint64


class Decision(Struct, array_like=True, frozen=True, gc=False):
    """One decision: `signed` by `governance.statements`, `private` as kept, empty for none.

    `number` rises over all cases, 0 while it waits for approvers; `logged_ms` is when it was
    taken, Unix milliseconds by the server's clock.
    """

    number: Uint64
    signed: DecisionBytes
    private: PrivateBytes
    logged_ms: Uint64


class Decisions(Exchange, tag=91, frozen=True):
    """Server to device. `more`: ask again behind the last; `pending` come with the last part.

    A device whose user is no officer gets a `refusal`. `founders` are the two users who may
    found the officers, while there are none; `log_ms` is the ledger's time.
    """

    decisions: Annotated[list[Decision], Meta(max_length=limits.MAX_DECISIONS_PER_FRAME)]
    pending: Annotated[list[Decision], Meta(max_length=limits.MAX_PENDING_DECISIONS)]
    founders: Annotated[list[AddressText], Meta(max_length=2)]
    log_ms: Uint64
    more: bool
    refusal: Refusal = ""


class SubmitDecision(Exchange, tag=92, frozen=True):
    """Device to server: a decision with its approvals so far, and its private part."""

    signed: DecisionBytes
    private: PrivateBytes


class DecisionTaken(Exchange, tag=93, frozen=True):
    """Server to device: durable, or why it is refused.

    `lacks` are the approvers still wanted, in words; it is empty once the decision is taken.
    """

    refusal: Refusal
    lacks: Annotated[list[str], Meta(max_length=limits.MAX_APPROVALS)]


class FetchProduction(Exchange, tag=94, frozen=True):
    """Officer's device to server: the package of an approved directive, from `offset` on."""

    case: CaseName
    offset: Uint64


class ProductionPart(Exchange, tag=95, frozen=True):
    """Server to device. `manifest` is what the approvers of `produce` sign; `refusal` why not."""

    offset: Uint64
    total: Uint64
    manifest: Bytes32
    items: Uint64
    accounts_with_data: Uint64
    data: Annotated[bytes, Meta(max_length=limits.MAX_MAIL_CHUNK_BYTES)]
    refusal: Refusal = ""


class MarketNotice(Frame, tag=96, frozen=True):
    """Server to a device that has opened the link: its user's market is being left, or was to be.

    `state` is of `governance.exits`; dates are Unix milliseconds. `text` is the notice in the
    user's language. It is said again with every link until the device has told it was read.
    """

    exit: CaseName
    state: Annotated[str, Meta(max_length=16)]
    read_only_ms: Uint64
    stop_ms: Uint64
    retrieval_end_ms: Uint64
    forwarding_end_ms: Uint64
    text: Annotated[str, Meta(max_length=8192)]
    read: bool


class TellExit(Exchange, tag=97, frozen=True):
    """Device to server: what its person has done: `read`, `exported`, or `forward` to an address.

    `value` is the address, or empty to take the forwarding back.
    """

    what: Annotated[str, Meta(max_length=16)]
    value: Annotated[str, Meta(max_length=254)]


class ExitTold(Exchange, tag=98, frozen=True):
    """Server to device: durable, or why it is refused."""

    refusal: Refusal


class FetchReceipt(Exchange, tag=99, frozen=True):
    """Device to server: my user's receipt of the closure, once it was prepared."""


class ReceiptPart(Exchange, tag=100, frozen=True):
    """Server to device: the receipt, by which the person finds its place in the closure's tree."""

    receipt: Annotated[bytes, Meta(max_length=limits.MAX_RECEIPT_BYTES)]
    refusal: Refusal = ""


class FetchExit(Exchange, tag=101, frozen=True):
    """Officer's device to server: whom leaving this market concerns, and how its closure stands."""

    market: Annotated[str, Meta(min_length=2, max_length=2)]


class ExitFacts(Exchange, tag=102, frozen=True):
    """Server to device: `users` and the hash of their list; `fields` of the next decision.

    The list is SHA-256 over the sorted lower-case addresses, each ended by a line feed. `fields`
    are those of `destroy` or `close` (`governance.exits`) as the closure counted them, or none yet.
    """

    users: Uint64
    list: Bytes32
    fields: Annotated[dict[str, int | bytes], Meta(max_length=16)]
    refusal: Refusal = ""


DecisionsFrame = (
    FetchDecisions
    | Decisions
    | SubmitDecision
    | DecisionTaken
    | FetchProduction
    | ProductionPart
    | MarketNotice
    | TellExit
    | ExitTold
    | FetchReceipt
    | ReceiptPart
    | FetchExit
    | ExitFacts
)
