"""Submitted postings, independent of the protocol, and reasons for refusing one."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from blackthorn.ids import DeviceId


class Reason(Enum):
    STORAGE = auto()
    RECIPIENT_UNKNOWN = auto()
    MAILBOX_FULL = auto()
    MARKET_LEFT = auto()
    EPOCH_TAKEN = auto()
    EPOCH_AHEAD = auto()


LeftOut = tuple[tuple[Reason, tuple[DeviceId, ...]], ...]
"""Devices that did not get an accepted posting, by the reason."""


class Parcel(Protocol):
    """One sealed parcel and the 16-byte fan-out id of its devices."""

    @property
    def fanout(self) -> bytes: ...
    @property
    def sealed(self) -> bytes: ...


class Order(Protocol):
    """The compare-and-set of a Commit, as `ports.parcels.CommitPosition`."""

    @property
    def handle(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def token(self) -> bytes: ...


class Posting(Protocol):
    """A message, or a Commit (with `order`) and its Welcome; accepted or refused whole.

    The id has 16 bytes; there is at least one parcel.
    """

    @property
    def id(self) -> bytes: ...
    @property
    def parcels(self) -> Sequence[Parcel]: ...
    @property
    def order(self) -> Order | None: ...
