"""Frames of parcels and key packages."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from blackthorn.link import limits as link_limits
from blackthorn.link.frames import types
from blackthorn.wire import limits as wire_limits


class Fanout(types.Frame, tag=10, frozen=True):
    """Device to server: the list behind a fan-out id, held in memory only.

    The server checks that `id` is the hash of `devices` (`link.fanout`).
    """

    id: types.Id16
    devices: Annotated[list[types.Id16], Meta(min_length=1, max_length=link_limits.MAX_RECIPIENTS)]


class Parcel(Struct, array_like=True, frozen=True, gc=False):
    """One sealed parcel and the fan-out id of its devices."""

    fanout: types.Id16
    sealed: types.Sealed


class Order(Struct, array_like=True, frozen=True, gc=False):
    """The compare-and-set of a Commit: accepted only if `epoch` is the conversation's epoch.

    An unknown handle starts at the epoch first named. `token` is 16 random bytes of the committer:
    a repeated token is the same Commit, whose answer was lost, and is accepted again.
    """

    handle: types.Bytes32
    epoch: types.Uint64
    token: types.Id16


class Posting(Struct, array_like=True, frozen=True, gc=False):
    """Parcels accepted or refused as one: a message, or a Commit with its Welcome."""

    id: types.Id16
    parcels: Annotated[
        list[Parcel], Meta(min_length=1, max_length=link_limits.MAX_PARCELS_PER_POSTING)
    ]
    order: Order | None = None


class Send(types.Frame, tag=11, frozen=True):
    """Device to server: postings to store and deliver, in this order."""

    postings: Annotated[
        list[Posting], Meta(min_length=1, max_length=link_limits.MAX_POSTINGS_PER_FRAME)
    ]


class LeftOut(Struct, array_like=True, frozen=True, gc=False):
    """Devices that do not get an accepted posting. `code` says why: "mailbox-full",
    "recipient-unknown" or "market-left" (`link.codes`).
    """

    code: Annotated[str, Meta(max_length=64)]
    devices: Annotated[
        list[types.Id16],
        Meta(max_length=link_limits.MAX_RECIPIENTS * link_limits.MAX_PARCELS_PER_POSTING),
    ]


class Accepted(types.Frame, tag=12, frozen=True):
    """Server to device: these postings are durable for all their devices but those in `left_out`.

    All postings of one frame have left out the same devices.
    """

    ids: types.Ids
    left_out: Annotated[list[LeftOut], Meta(max_length=8)] = msgspec.field(default_factory=list)


class Refused(types.Frame, tag=13, frozen=True):
    """Server to device: this posting was not stored and will not be. `code`: `link.codes`.

    With "epoch-taken", `winner` is the digest of the Commit that was accepted, if it is known.
    """

    id: types.Id16
    code: Annotated[str, Meta(max_length=64)]
    text: Annotated[str, Meta(max_length=512)]
    winner: types.Digest = b""


class FanoutUnknown(types.Frame, tag=14, frozen=True):
    """Server to device: send these fan-out lists, then these postings again."""

    fanouts: types.Ids
    postings: types.Ids


class SlowDown(types.Frame, tag=23, frozen=True):
    """Server to device: a budget is overdrawn; send these postings again in `retry_ms`.

    Those sent sooner are not stored either. Since link version 3.
    """

    budget: Annotated[str, Meta(max_length=64)]
    retry_ms: types.Uint64
    postings: types.Ids


class Resume(types.Frame, tag=15, frozen=True):
    """Device to server: deliver from now on, oldest first; `set_aside`: also undecryptable ones.

    The newest connection receives; the device's earlier one gets `Superseded`.
    """

    set_aside: bool = False


class Superseded(types.Frame, tag=16, frozen=True):
    """Server to device: another connection of this device receives now."""


class Delivery(Struct, array_like=True, frozen=True, gc=False):
    """One parcel on its way to a device; `seq` rises within the device's mailbox."""

    seq: types.Uint64
    sealed: types.Sealed


class Deliver(types.Frame, tag=17, frozen=True):
    """Server to device: parcels, oldest first."""

    parcels: list[Delivery]


class Drained(types.Frame, tag=18, frozen=True):
    """Server to device: all parcels that waited at Resume are delivered.

    `missed` counts the Commits that its full mailbox did not take, `digests` joins the first
    MISSED_DIGEST_BYTES of the SHA-256 of the newest ones, as they were sealed.
    """

    missed: types.Uint64 = 0
    digests: Annotated[
        bytes, Meta(max_length=link_limits.MAX_MISSED_DIGESTS * link_limits.MISSED_DIGEST_BYTES)
    ] = b""


class Acknowledge(types.Frame, tag=19, frozen=True):
    """Device to server: decrypted and saved; delete these. `missed`: the count of it was read."""

    seqs: types.Seqs
    missed: types.Uint64 = 0


class SetAside(types.Frame, tag=20, frozen=True):
    """Device to server: these could not be decrypted; keep them until retention ends.

    Never an acknowledgement.
    """

    seqs: types.Seqs


class AskOrders(types.Exchange, tag=21, frozen=True):
    """Device to server: which of these handles have a Commit? The device pads with random ones."""

    handles: Annotated[
        list[types.Bytes32],
        Meta(min_length=link_limits.ORDERS_PER_FRAME, max_length=link_limits.ORDERS_PER_FRAME),
    ]


class Orders(types.Exchange, tag=22, frozen=True):
    """Server to device: whether each handle is taken, in the order of AskOrders.

    `digests` are those of the handles' Commits, empty where there is none or it is not known.
    """

    taken: Annotated[list[bool], Meta(max_length=link_limits.ORDERS_PER_FRAME)]
    digests: Annotated[list[types.Digest], Meta(max_length=link_limits.ORDERS_PER_FRAME)] = (
        msgspec.field(default_factory=list)
    )


class PublishKeyPackages(types.Frame, tag=30, frozen=True):
    """Device to server: more one-time key packages, and a new last-resort one if given.

    `not_after` and `last_resort_not_after` are the last whole Unix days of their lifetimes; 0: not
    stated. With `replace` they replace all one-time packages of the device.
    """

    packages: Annotated[
        list[types.KeyPackageBytes], Meta(max_length=link_limits.MAX_KEY_PACKAGES_PER_DEVICE)
    ]
    last_resort: types.KeyPackageBytes | None = None
    not_after: types.Day = 0
    last_resort_not_after: types.Day = 0
    replace: bool = False


class KeyPackageStock(types.Frame, tag=31, frozen=True):
    """Server to device: durable; so many one-time key packages are unclaimed now.

    Also unasked, when few are left.
    """

    count: int


class ClaimKeyPackages(types.Exchange, tag=32, frozen=True):
    """Device to server: one key package of each device of these users.

    With `devices`, of these only, so that none is used up in vain.
    """

    addresses: Annotated[
        list[types.AddressText], Meta(min_length=1, max_length=link_limits.MAX_CLAIM_ADDRESSES)
    ]
    devices: Annotated[list[types.Id16], Meta(max_length=wire_limits.MAX_DEVICES_PER_USER)] = (
        msgspec.field(default_factory=list)
    )


class ClaimedKeyPackage(Struct, array_like=True, frozen=True, gc=False):
    """A key package for one use, unless it is the last-resort one."""

    address: types.AddressText
    device: types.Id16
    package: types.KeyPackageBytes


class KeyPackages(types.Exchange, tag=33, frozen=True):
    """Server to device. `unknown` are no users; `without` have no packages.

    An address in none of the three lists did not fit: ask again for it. With `retry_ms` the user
    has asked for too many: ask again after that time.
    """

    claimed: list[ClaimedKeyPackage]
    unknown: list[types.AddressText]
    without: list[types.AddressText]
    retry_ms: types.Uint64 = 0


MessagingFrame = (
    Fanout
    | Send
    | Accepted
    | Refused
    | FanoutUnknown
    | SlowDown
    | Resume
    | Superseded
    | Deliver
    | Drained
    | Acknowledge
    | SetAside
    | AskOrders
    | Orders
    | PublishKeyPackages
    | KeyPackageStock
    | ClaimKeyPackages
    | KeyPackages
)
