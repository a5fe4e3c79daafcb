"""The port to the store of parcels in transit, and of the order of Commits.

Devices are named by row (`DeviceRecord.number`). The caller assigns each parcel a `seq` for each of
its devices, rising within the device's mailbox: its place in the order of delivery. An
*undecryptable* parcel is kept for a while, apart from those that wait. Commands and queries raise
DiskError and DamageError only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from blackthorn.ports.store import Command, Query

Place = tuple[int, int]
"""(device, seq) of a parcel."""


class SharedParcel(NamedTuple):
    """One sealed parcel for several devices, stored once; `senders`: the tag in each mailbox."""

    sealed: bytes
    places: Sequence[Place]
    senders: Sequence[int]


@dataclass(slots=True)
class Parcels:
    """Parcels to store; `single` holds (device, seq, sealed, tag of the sender in the mailbox).

    `missed` holds (device, beginning of a digest): Commits for which a mailbox has no room.
    """

    single: list[tuple[int, int, bytes, int]] = field(default_factory=list)
    shared: list[SharedParcel] = field(default_factory=list)
    missed: list[tuple[int, bytes]] = field(default_factory=list)


class CommitPosition(NamedTuple):
    """Order of a Commit: 32-byte handle, epoch, 16-byte token, SHA-256 of the sealed Commit."""

    handle: bytes
    epoch: int
    token: bytes
    digest: bytes = b""


class CommitOutcome(Enum):
    STORED = "it was the first at its epoch"
    REPEATED = "this very Commit was stored before"
    LATE = "another Commit took its epoch"
    AHEAD = "the conversation has not come to its epoch"
    NEW = "it was only asked for, and was not stored before"


class OrderedCommit(NamedTuple):
    """What became of a Commit; `winner` is the digest of the one that took its epoch.

    It is empty unless the outcome is LATE, and for Commits of servers that stored none.
    """

    outcome: CommitOutcome
    winner: bytes = b""


class Tally(NamedTuple):
    """Parcels of one device and their bytes; `newest` is the largest seq, 0 without a parcel.

    `missed` counts Commits that it could not take, `senders` has for each known tag of a sender
    the waiting parcels and their bytes.
    """

    waiting: int
    waiting_bytes: int
    undecryptable: int
    undecryptable_bytes: int
    newest: int
    missed: int = 0
    senders: tuple[tuple[int, int, int], ...] = ()


class TallyPage(NamedTuple):
    """Tallies of the first devices; `after` not 0: the last is partial, continue behind it.

    `keys` are those of the mailboxes, by which tags of senders are made.
    """

    tallies: list[Tally]
    after: int
    keys: list[bytes]


class Missed(NamedTuple):
    """Commits that a device's full mailbox did not take: how many, and the newest ones' digests."""

    commits: int
    digests: bytes


class WaitingParcel(NamedTuple):
    seq: int
    sealed: bytes
    undecryptable: bool
    sender: int = 0


class Removal(NamedTuple):
    """A deleted undecryptable parcel: its device and its bytes."""

    device: int
    size: int


class StoreParcels(Command[list[OrderedCommit]]):
    """Store parcels; returns one outcome for each of `ordered`.

    A Commit in `ordered` is stored only if its place is free (compare-and-set); one without parcels
    is only looked up: REPEATED or NEW. `day` is the Unix day.
    Parcels for removed devices, or whose market's key was destroyed, are left out.
    """

    free: Parcels
    ordered: Sequence[tuple[CommitPosition, Parcels | None]] = ()
    day: int = 0


class RemoveParcels(Command[None]):
    places: Sequence[Place]


class RemoveUndecryptable(Command[list[Removal]]):
    """Delete these parcels where they still exist; returns those deleted."""

    places: Sequence[Place]


class MarkUndecryptable(Command[None]):
    """The devices could not decrypt these parcels, on this Unix day."""

    places: Sequence[Place]
    day: int


class RemoveOldestUndecryptable(Command[list[Removal]]):
    """Delete undecryptable parcels of the device, at most `limit`, until the rest may be kept.

    It may be at most `parcels` and at most `size` bytes together. Each time the oldest one goes of
    the sender of whom most is kept.
    """

    device: int
    parcels: int
    size: int
    limit: int


class ExpireUndecryptable(Command[list[Removal]]):
    """Delete at most `limit` parcels marked undecryptable before that Unix day."""

    before_day: int
    limit: int


class ExpireCommits(Command[int]):
    """Delete the order of at most `limit` Commits before that Unix day; returns the number."""

    before_day: int
    limit: int


class ForgetMissed(Command[int]):
    """The device has read that it missed so many Commits; returns how many came since."""

    device: int
    count: int


class MissedCommits(Query[Missed]):
    device: int


class TakenHandles(Query[list[bytes | None]]):
    """The digest of the newest Commit of each of these 32-byte handles; None: it has none."""

    handles: Sequence[bytes]


class MailboxTallies(Query[TallyPage]):
    """Tallies of the devices, of the first from behind seq `after`, of `limit` parcels."""

    devices: Sequence[int]
    after: int = 0
    limit: int = 500


class WaitingParcels(Query[list[WaitingParcel]]):
    """At most `max_parcels` of the device with a seq above `after`, oldest first.

    It ends with the parcel that reaches `max_bytes`. Undecryptable ones only if `undecryptable`.
    """

    device: int
    after: int
    undecryptable: bool
    max_parcels: int
    max_bytes: int
