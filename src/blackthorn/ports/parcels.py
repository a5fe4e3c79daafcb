"""The port to the store of parcels in transit, and of the order of Commits.

Devices are named by their row numbers (`DeviceRecord.number`). A `seq` is the place of a parcel
in the order of delivery; the caller gives it out, rising over all devices. A parcel that its
device could not decrypt is *undecryptable*: it is kept for a while, apart from those that wait.
Commands and queries raise DiskError and DamageError only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from blackthorn.ports.store import Command, Query

Place = tuple[int, int]
"""(device, seq) of a parcel."""


class SharedParcel(NamedTuple):
    """One sealed parcel for several devices, stored once."""

    seq: int
    sealed: bytes
    devices: Sequence[int]


@dataclass(slots=True)
class Parcels:
    """Parcels to store: each single one is (device, seq, sealed)."""

    single: list[tuple[int, int, bytes]] = field(default_factory=list)
    shared: list[SharedParcel] = field(default_factory=list)


class CommitPosition(NamedTuple):
    """Where a Commit stands: 32-byte handle, epoch, 16-byte token."""

    handle: bytes
    epoch: int
    token: bytes


class CommitOutcome(Enum):
    """What became of a Commit."""

    STORED = "it was the first at its epoch"
    REPEATED = "this very Commit was stored before"
    LATE = "another Commit took its epoch"
    AHEAD = "the conversation has not come to its epoch"
    NEW = "it was only asked for, and was not stored before"


class Tally(NamedTuple):
    """Parcels of one device and their bytes: those that wait, and the undecryptable ones."""

    waiting: int
    waiting_bytes: int
    undecryptable: int
    undecryptable_bytes: int


class TallyPage(NamedTuple):
    """Tallies of the first devices asked for.

    If `after` is not 0 the last of them is only a part: it goes on behind that seq.
    """

    tallies: list[Tally]
    after: int


class WaitingParcel(NamedTuple):
    """A parcel that waits for a device, or that it could not decrypt."""

    seq: int
    sealed: bytes
    undecryptable: bool


class Removal(NamedTuple):
    """An undecryptable parcel that was deleted: whose, and its bytes."""

    device: int
    size: int


class StoreParcels(Command[list[CommitOutcome]]):
    """Store parcels; one outcome for each of `ordered`.

    `ordered` holds Commits, each stored only if its place is free (compare-and-set). One with
    None for its parcels is only asked for: REPEATED or NEW. `next_seq` is above every seq given
    out, `day` the Unix day. A parcel for a device that does not exist (any more), or whose
    market's key was destroyed, is left out.
    """

    free: Parcels
    ordered: Sequence[tuple[CommitPosition, Parcels | None]] = ()
    next_seq: int = 0
    day: int = 0


class RemoveParcels(Command[None]):
    """Delete the parcels at these places."""

    places: Sequence[Place]


class RemoveUndecryptable(Command[list[Removal]]):
    """Delete the parcels at these places, as far as they are still there; which were."""

    places: Sequence[Place]


class MarkUndecryptable(Command[None]):
    """The devices could not decrypt the parcels at these places, on this Unix day."""

    places: Sequence[Place]
    day: int


class RemoveOldestUndecryptable(Command[list[Removal]]):
    """Delete the oldest undecryptable parcels of the device, at most `limit`.

    It ends when at least `parcels` parcels and `size` bytes are gone, or nothing is left.
    """

    device: int
    parcels: int
    size: int
    limit: int


class ExpireUndecryptable(Command[list[Removal]]):
    """Delete at most `limit` parcels that were marked undecryptable before that Unix day."""

    before_day: int
    limit: int


class ExpireCommits(Command[int]):
    """Forget the order of at most `limit` Commits of before that Unix day; how many."""

    before_day: int
    limit: int


class FirstSeq(Query[int]):
    """A number above every seq that was ever stored; asked once, at the start."""


class MailboxTallies(Query[TallyPage]):
    """What each of the devices has here, of the first one with a seq above `after`.

    It ends when `limit` parcels were counted; so few devices may be asked for at once.
    """

    devices: Sequence[int]
    after: int = 0
    limit: int = 500


class WaitingParcels(Query[list[WaitingParcel]]):
    """Parcels of the device with a seq above `after`, oldest first, at most `max_parcels`.

    It ends with the parcel that brings the bytes to `max_bytes`. Undecryptable ones are left out
    unless `undecryptable`.
    """

    device: int
    after: int
    undecryptable: bool
    max_parcels: int
    max_bytes: int
