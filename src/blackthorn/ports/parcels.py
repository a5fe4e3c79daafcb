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


@dataclass(slots=True)
class Parcels:
    """Parcels to store: each single one is (device, seq, sealed)."""

    single: list[tuple[int, int, bytes]] = field(default_factory=list)
    shared: list[SharedParcel] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """What one job stores. `ordered` holds Commits, each stored only if its place is free.

    `day` is the Unix day of the Commits.
    """

    free: Parcels = field(default_factory=Parcels)
    ordered: list[tuple[Placement, Parcels]] = field(default_factory=list)
    next_seq: int = 0
    day: int = 0


class ParcelStore(Protocol):
    """Parcels until they are acknowledged."""

    def first_seq(self) -> int:
        """A number above every seq that was ever stored; asked once, at the start."""
        ...

    def count(self, device: int) -> int:
        """Parcels that wait for the device, those set aside included."""
        ...

    def read(
        self, device: int, after: int, *, set_aside: bool, max_parcels: int, max_bytes: int
    ) -> list[tuple[int, bytes]]:
        """(seq, sealed) of what waits with a seq above `after`, oldest first.

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

    def set_aside(self, entries: Sequence[tuple[int, int]], day: int) -> Job[None]:
        """Mark each (device, seq) as set aside on this Unix day."""
        ...

    def expire(self, before_day: int, commits_before_day: int) -> Job[list[int]]:
        """Delete what was set aside before that Unix day; the device of each one deleted.

        The order of Commits of before `commits_before_day` is deleted as well.
        """
        ...
