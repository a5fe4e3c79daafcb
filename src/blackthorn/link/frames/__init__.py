"""The frames of the link: what a device and the server say to each other.

One frame is one WebSocket binary message: a MessagePack array whose first element is the
frame's number (msgspec, `array_like`). Both sides decode by these types alone, so that every
length is bounded before anything acts on it. The frames are shared by both directions;
which of them are allowed when is the table in `link.session`.

What never appears here: addresses of senders, names of conversations, anything unsealed.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from blackthorn.errors import DecodeError
from blackthorn.link import limits as link_limits
from blackthorn.link.frames.decisions import (
    Decision,
    Decisions,
    DecisionTaken,
    ExitFacts,
    ExitTold,
    FetchDecisions,
    FetchExit,
    FetchProduction,
    FetchReceipt,
    MarketNotice,
    ProductionPart,
    ReceiptPart,
    SubmitDecision,
    TellExit,
)
from blackthorn.link.frames.ledger import (
    Answer,
    ChainPart,
    Consistency,
    Entries,
    EpochPart,
    FetchChain,
    FetchEntries,
    FetchTrust,
    LeafChanged,
    LookedUp,
    LookUp,
    ProveConsistency,
    Receipt,
    StatementStored,
    SubmitStatement,
    TellCheckpoint,
    Trust,
)
from blackthorn.link.frames.pairing import (
    JoinPairing,
    OpenPairing,
    Paired,
    PairingEnded,
    PairingOpened,
    Recognised,
    Recover,
    Relay,
)
from blackthorn.link.frames.types import (
    AddressText,
    Bytes32,
    Frame,
    Id16,
    Ids,
    KeyPackageBytes,
    Sealed,
    Seqs,
    Signature,
    Uint64,
)
from blackthorn.wire import limits as wire_limits

__all__ = [
    "Answer",
    "ChainPart",
    "Consistency",
    "Decision",
    "DecisionTaken",
    "Decisions",
    "Entries",
    "EpochPart",
    "ExitFacts",
    "ExitTold",
    "FetchChain",
    "FetchDecisions",
    "FetchEntries",
    "FetchExit",
    "FetchProduction",
    "FetchReceipt",
    "FetchTrust",
    "Frame",
    "JoinPairing",
    "LeafChanged",
    "LookUp",
    "LookedUp",
    "MarketNotice",
    "OpenPairing",
    "Paired",
    "PairingEnded",
    "PairingOpened",
    "ProductionPart",
    "ProveConsistency",
    "Receipt",
    "ReceiptPart",
    "Recognised",
    "Recover",
    "Relay",
    "StatementStored",
    "SubmitDecision",
    "SubmitStatement",
    "TellCheckpoint",
    "TellExit",
    "Trust",
]
# What comes from the two modules beside it; all that is defined here is public too.

LINK_VERSION = 1


# --- Opening ------------------------------------------------------------------------------


class Hello(Frame, tag=1, frozen=True):
    """Device to server, first. Signed over the TLS channel binding (`link.hello`)."""

    version: int
    device: Id16
    signature: Signature


class Ready(Frame, tag=2, frozen=True):
    """Server to device: hello accepted. `key_packages` is the stock still unclaimed."""

    version: int
    key_packages: int


class Bye(Frame, tag=3, frozen=True):
    """Either side, last: why the link ends. `code` is one of `link.codes`."""

    code: Annotated[str, Meta(max_length=64)]
    text: Annotated[str, Meta(max_length=512)]


class Ping(Frame, tag=4, frozen=True):
    """Either side: are you there?"""

    nonce: Uint64


class Pong(Frame, tag=5, frozen=True):
    """The answer to Ping, with its nonce."""

    nonce: Uint64


# --- Parcels ------------------------------------------------------------------------------


class Fanout(Frame, tag=10, frozen=True):
    """Device to server: the list behind a fan-out id. Held in memory only.

    `id` must be the hash of `devices` as `link.fanout` makes it; the server checks.
    """

    id: Id16
    devices: Annotated[list[Id16], Meta(min_length=1, max_length=link_limits.MAX_RECIPIENTS)]


class Parcel(Struct, array_like=True, frozen=True, gc=False):
    """One sealed thing and the fan-out id of the devices it is for."""

    fanout: Id16
    sealed: Sealed


class Order(Struct, array_like=True, frozen=True, gc=False):
    """The compare-and-set of a Commit: accepted only if `epoch` is the conversation's epoch.

    A handle that the server has never seen stands at the epoch first named. `token` is 16
    random bytes of the committer: the same token again is the same Commit, whose answer was
    lost, and is accepted once more without being stored twice.
    """

    handle: Bytes32
    epoch: Uint64
    token: Id16


class Posting(Struct, array_like=True, frozen=True, gc=False):
    """Parcels that are accepted or refused as one: a message, or a Commit with its Welcome."""

    id: Id16
    parcels: Annotated[
        list[Parcel], Meta(min_length=1, max_length=link_limits.MAX_PARCELS_PER_POSTING)
    ]
    order: Order | None = None


class Send(Frame, tag=11, frozen=True):
    """Device to server: postings to store and deliver, in this order."""

    postings: Annotated[
        list[Posting], Meta(min_length=1, max_length=link_limits.MAX_POSTINGS_PER_FRAME)
    ]


class Accepted(Frame, tag=12, frozen=True):
    """Server to device: these postings are durable."""

    ids: Ids


class Refused(Frame, tag=13, frozen=True):
    """Server to device: this posting was not stored and will not be. `code`: `link.codes`."""

    id: Id16
    code: Annotated[str, Meta(max_length=64)]
    text: Annotated[str, Meta(max_length=512)]


class FanoutUnknown(Frame, tag=14, frozen=True):
    """Server to device: send these fan-out lists, then these postings again."""

    fanouts: Ids
    postings: Ids


class Resume(Frame, tag=15, frozen=True):
    """Device to server: deliver to me from now on, oldest first.

    The newest connection that asks receives; an older one of the same device is told
    `Superseded`. `set_aside` asks for those that were set aside as well.
    """

    set_aside: bool = False


class Superseded(Frame, tag=16, frozen=True):
    """Server to device: another connection of this device receives now."""


class Delivery(Struct, array_like=True, frozen=True, gc=False):
    """One parcel on its way to a device; `seq` rises within the device's mailbox."""

    seq: Uint64
    sealed: Sealed


class Deliver(Frame, tag=17, frozen=True):
    """Server to device: parcels, oldest first."""

    parcels: list[Delivery]


class Drained(Frame, tag=18, frozen=True):
    """Server to device: all that waited when Resume came has been delivered."""


class Acknowledge(Frame, tag=19, frozen=True):
    """Device to server: decrypted and saved; delete these."""

    seqs: Seqs


class SetAside(Frame, tag=20, frozen=True):
    """Device to server: could not open these. Keep them until retention ends, send on request.

    Never an acknowledgement: a device acknowledges only what it could decrypt and save.
    """

    seqs: Seqs


# --- Key packages -------------------------------------------------------------------------


class PublishKeyPackages(Frame, tag=30, frozen=True):
    """Device to server: more one-time key packages, and a new last-resort one if given."""

    packages: Annotated[
        list[KeyPackageBytes], Meta(max_length=link_limits.MAX_KEY_PACKAGES_PER_DEVICE)
    ]
    last_resort: KeyPackageBytes | None = None


class KeyPackageStock(Frame, tag=31, frozen=True):
    """Server to device: durable; so many one-time key packages are unclaimed now."""

    count: int


class ClaimKeyPackages(Frame, tag=32, frozen=True):
    """Device to server: one key package of each device of these users.

    With `devices`, of these devices of theirs alone: so that none is used up in vain.
    """

    request: Uint64
    addresses: Annotated[
        list[AddressText], Meta(min_length=1, max_length=link_limits.MAX_CLAIM_ADDRESSES)
    ]
    devices: Annotated[list[Id16], Meta(max_length=wire_limits.MAX_DEVICES_PER_USER)] = (
        msgspec.field(default_factory=list)
    )


class ClaimedKeyPackage(Struct, array_like=True, frozen=True, gc=False):
    """A key package that will not be handed out again, unless it is the last-resort one."""

    address: AddressText
    device: Id16
    package: KeyPackageBytes


class KeyPackages(Frame, tag=33, frozen=True):
    """Server to device: the answer. `unknown` are no users; `without` have none to give.

    An address in none of the three lists did not fit the answer: ask for it again.
    """

    request: Uint64
    claimed: list[ClaimedKeyPackage]
    unknown: list[AddressText]
    without: list[AddressText]


# --- Mail ---------------------------------------------------------------------------------


class ListMail(Frame, tag=40, frozen=True):
    """Device to server: sealed mail of my user with a uid above `after`, oldest first."""

    request: Uint64
    after: Uint64


class MailEntry(Struct, array_like=True, frozen=True, gc=False):
    """One sealed mail on the server."""

    uid: Uint64
    size: Uint64
    received_ms: Uint64


class MailListing(Frame, tag=41, frozen=True):
    """Server to device. `more` says that a further ListMail will find more."""

    request: Uint64
    entries: Annotated[list[MailEntry], Meta(max_length=link_limits.MAX_MAIL_LISTING)]
    more: bool


class FetchMail(Frame, tag=42, frozen=True):
    """Device to server: the sealed bytes of one mail from `offset` on."""

    request: Uint64
    uid: Uint64
    offset: Uint64


class MailChunk(Frame, tag=43, frozen=True):
    """Server to device. `total` is 0 when the mail is not there (any more)."""

    request: Uint64
    uid: Uint64
    offset: Uint64
    total: Uint64
    data: Annotated[bytes, Meta(max_length=link_limits.MAX_MAIL_CHUNK_BYTES)]


class MailArrived(Frame, tag=44, frozen=True):
    """Server to a device that has resumed: there is new mail, up to this uid."""

    uid: Uint64


# --- Activation (specified in docs/specs/activation.md) -----------------------------------


class ActivateBegin(Frame, tag=50, frozen=True):
    """Device to server instead of Hello: the nameplate of a code, and SPAKE2's first message."""

    version: int
    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class ActivateChallenge(Frame, tag=51, frozen=True):
    """Server to device: SPAKE2's second message and the server's proof of the code.

    `payload` says whose the code is, sealed to whoever knows it.
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
    """Server to device: durable. `payload` says who the device is, sealed to the session."""

    payload: Annotated[bytes, Meta(max_length=link_limits.MAX_ACTIVATION_PAYLOAD_BYTES)]


AnyFrame = (
    Hello
    | Ready
    | Bye
    | Ping
    | Pong
    | Fanout
    | Send
    | Accepted
    | Refused
    | FanoutUnknown
    | Resume
    | Superseded
    | Deliver
    | Drained
    | Acknowledge
    | SetAside
    | PublishKeyPackages
    | KeyPackageStock
    | ClaimKeyPackages
    | KeyPackages
    | ListMail
    | MailListing
    | FetchMail
    | MailChunk
    | MailArrived
    | ActivateBegin
    | ActivateChallenge
    | ActivateProve
    | Activated
    | LookUp
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
    | TellCheckpoint
    | FetchTrust
    | Trust
    | OpenPairing
    | PairingOpened
    | JoinPairing
    | Paired
    | Relay
    | PairingEnded
    | Recover
    | Recognised
    | FetchDecisions
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

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyFrame] = msgspec.msgpack.Decoder(AnyFrame)


def encode(frame: AnyFrame) -> bytes:
    """The bytes of one frame, for one WebSocket binary message."""
    return _encoder.encode(frame)


def decode(data: bytes | memoryview) -> AnyFrame:
    """One frame of at most MAX_FRAME_BYTES bytes.

    Raises DecodeError when the bytes are no frame, or break a bound.
    """
    if len(data) > link_limits.MAX_FRAME_BYTES:
        raise DecodeError(f"the frame has {len(data)} bytes; at most {link_limits.MAX_FRAME_BYTES}")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not a link frame: {error}") from None
