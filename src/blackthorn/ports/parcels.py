"""The port to the store of parcels in transit, and of the order of Commits.

Reads answer from the last durable commit. Writes come as jobs for the `Writer`. Devices are
named by their row numbers (`DeviceRecord.number`); a `seq` is the place of a parcel in the
order of delivery, given out by the caller, rising over all devices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from blackthorn.ports.writer import Job


class SharedParcel(NamedTuple):
    """One sealed thing for several devices, stored once."""

    seq: int
    sealed: bytes
    devices: Sequence[int]


class Placement(NamedTuple):
    """Where a Commit stands: 32-byte handle, epoch, 16-byte token."""

    handle: bytes
    epoch: int
    token: bytes


class Placed(Enum):
    """What became of a Commit."""

    STORED = "it was the first at its epoch"
    REPEATED = "this very Commit was stored before"
    LATE = "another Commit took its epoch"
    AHEAD = "the conversation has not come to its epoch"
    NEW = "it was only asked for, and was not stored before"


@dataclass(slots=True)
class Parcels:
    """Parcels to store: each single one is (device, seq, sealed)."""

    single: list[tuple[int, int, bytes]] = field(default_factory=list)
    shared: list[SharedParcel] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """What one job stores. `ordered` holds Commits, each stored only if its place is free.

    A Commit with None in place of parcels is only asked for: REPEATED or NEW. `day` is the
    Unix day of the Commits.
    """

    free: Parcels = field(default_factory=Parcels)
    ordered: list[tuple[Placement, Parcels | None]] = field(default_factory=list)
    next_seq: int = 0
    day: int = 0


class Tally(NamedTuple):
    """Parcels of one device and their bytes: those that wait, and those set aside."""

    waiting: int
    waiting_bytes: int
    aside: int
    aside_bytes: int


class Waiting(NamedTuple):
    """A parcel that waits for a device, or was set aside by it."""

    seq: int
    sealed: bytes
    aside: bool


Dropped = list[tuple[int, int]]
"""(device, bytes) of each parcel that was set aside and is deleted."""


class ParcelStore(Protocol):
    """Parcels until they are acknowledged."""

    def first_seq(self) -> int:
        """A number above every seq that was ever stored; asked once, at the start."""
        ...

    def count(self, device: int) -> Tally:
        """What the device has here."""
        ...

    def read(
        self, device: int, after: int, *, set_aside: bool, max_parcels: int, max_bytes: int
    ) -> list[Waiting]:
        """What waits with a seq above `after`, oldest first.

        At most `max_parcels`; it ends with the parcel that brings the bytes to `max_bytes`.
        Parcels set aside are left out unless `set_aside`.
        """
        ...

    def put(self, batch: Batch) -> Job[list[Placed]]:
        """Store the batch; one Placed for each of `ordered`."""
        ...

    def remove(self, acknowledged: Sequence[tuple[int, int]]) -> Job[None]:
        """Delete what waits at each (device, seq)."""
        ...

    def remove_aside(self, acknowledged: Sequence[tuple[int, int]]) -> Job[Dropped]:
        """Delete what was set aside at each (device, seq), as far as it is still there."""
        ...

    def set_aside(self, entries: Sequence[tuple[int, int]], day: int) -> Job[None]:
        """Mark each (device, seq) as set aside on this Unix day."""
        ...

    def trim(self, device: int, max_parcels: int, max_bytes: int) -> Job[Dropped]:
        """Delete the oldest that the device has set aside, until no more than this is left."""
        ...

    def expire(self, before_day: int, commits_before_day: int) -> Job[Dropped]:
        """Delete what was set aside before that Unix day, and the order of Commits of before
        `commits_before_day`."""
        ...
