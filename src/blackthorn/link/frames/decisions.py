"""Frames of decisions and exits (`governance.statements`)."""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.link import limits
from blackthorn.link.frames.types import AddressText, Bytes32, Exchange, Frame, Uint64

DecisionBytes = Annotated[bytes, Meta(min_length=1, max_length=limits.MAX_DECISION_BYTES)]
PrivateBytes = Annotated[bytes, Meta(max_length=limits.MAX_PRIVATE_BYTES)]
CaseName = Annotated[str, Meta(min_length=1, max_length=16)]
Refusal = Annotated[str, Meta(max_length=512)]


class FetchDecisions(Exchange, tag=90, frozen=True):
    """Officer's device to server: decisions with a number above `after`, and proposals."""

    after: Uint64


class Decision(Struct, array_like=True, frozen=True, gc=False):
    """One decision, as `governance.statements` makes it; `private` may be empty.

    `number` rises over all cases, 0 for a proposal; `logged_ms` is when it was taken, Unix
    milliseconds of the server's clock.
    """

    number: Uint64
    signed: DecisionBytes
    private: PrivateBytes
    logged_ms: Uint64


class Decisions(Exchange, tag=91, frozen=True):
    """Server to device. `more`: ask again behind the last; `pending` come with the last part.

    `refusal`: the user is not an officer. `founders` may found the officers, while there are none;
    `log_ms` is the ledger's time.
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
    """Server to device: durable, or refused; `lacks`: missing approvers, in words."""

    refusal: Refusal
    lacks: Annotated[list[str], Meta(max_length=limits.MAX_APPROVALS)]


class FetchProduction(Exchange, tag=94, frozen=True):
    """Officer's device to server: the package of an approved directive, from `offset` on."""

    case: CaseName
    offset: Uint64


class ProductionPart(Exchange, tag=95, frozen=True):
    """Server to device. The approvers of `produce` sign `manifest`; `later`: ask again soon."""

    offset: Uint64
    total: Uint64
    manifest: Bytes32
    items: Uint64
    accounts_with_data: Uint64
    data: Annotated[bytes, Meta(max_length=limits.MAX_MAIL_CHUNK_BYTES)]
    refusal: Refusal = ""
    later: bool = False


class MarketNotice(Frame, tag=96, frozen=True):
    """Server to a device after hello: the exit of its user's market, until it is reported read.

    `state` is of `governance.exits`; dates are Unix milliseconds; `text` is in the user's language.
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
    """Device to server: its user's act: `read`, `exported`, or `forward` to an address.

    `value` is the address, or empty to end the forwarding.
    """

    what: Annotated[str, Meta(max_length=16)]
    value: Annotated[str, Meta(max_length=254)]


class ExitTold(Exchange, tag=98, frozen=True):
    """Server to device: durable, or refused."""

    refusal: Refusal


class FetchReceipt(Exchange, tag=99, frozen=True):
    """Device to server: its user's receipt of a prepared closure."""


class ReceiptPart(Exchange, tag=100, frozen=True):
    """Server to device: the receipt with its place in the closure's tree."""

    receipt: Annotated[bytes, Meta(max_length=limits.MAX_RECEIPT_BYTES)]
    refusal: Refusal = ""


class FetchExit(Exchange, tag=101, frozen=True):
    """Officer's device to server: the users of this market, and its closure."""

    market: Annotated[str, Meta(min_length=2, max_length=2)]


class ExitFacts(Exchange, tag=102, frozen=True):
    """Server to device: `users` and the hash of their list; `fields` of the next decision.

    The hash is SHA-256 of the sorted lower-case addresses, each with a line feed. `fields` are
    those of `destroy` or `close` (`governance.exits`) once the closure has counted them.
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
