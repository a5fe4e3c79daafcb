"""What is submitted, whatever protocol brought it, and why it may be refused."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol


class Reason(Enum):
    """Why a posting was refused."""

    STORAGE = auto()
    RECIPIENT_UNKNOWN = auto()
    MAILBOX_FULL = auto()
    MARKET_LEFT = auto()
    EPOCH_TAKEN = auto()
    EPOCH_AHEAD = auto()


class Parcel(Protocol):
    """One sealed parcel and the fan-out id of the devices it is for."""

    @property
    def fanout(self) -> bytes:
        """16 bytes."""

    @property
    def sealed(self) -> bytes:
        """What only those devices can open."""


class Order(Protocol):
    """The compare-and-set of a Commit: see `ports.parcels.CommitPosition`."""

    @property
    def handle(self) -> bytes:
        """32 bytes."""

    @property
    def epoch(self) -> int:
        """The epoch that the Commit starts from."""

    @property
    def token(self) -> bytes:
        """16 bytes."""


class Posting(Protocol):
    """Parcels that are accepted or refused as one: a message, or a Commit with its Welcome."""

    @property
    def id(self) -> bytes:
        """16 bytes by which it is answered."""

    @property
    def parcels(self) -> Sequence[Parcel]:
        """At least one."""

    @property
    def order(self) -> Order | None:
        """Only of a Commit."""
