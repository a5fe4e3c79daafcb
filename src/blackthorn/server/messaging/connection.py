"""What the message services need of a connection of a device, whatever protocol it speaks."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address

if TYPE_CHECKING:
    from blackthorn.server.messaging.mailboxes import Mailbox

Numbered = tuple[int, bytes]
"""(seq, sealed bytes) of a parcel on its way to a device."""


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
        ...

    @property
    def sealed(self) -> bytes:
        """What only those devices can open."""
        ...


class Order(Protocol):
    """The compare-and-set of a Commit: see `ports.parcels.CommitPosition`."""

    @property
    def handle(self) -> bytes:
        """32 bytes."""
        ...

    @property
    def epoch(self) -> int:
        """The epoch that the Commit starts from."""
        ...

    @property
    def token(self) -> bytes:
        """16 bytes."""
        ...


class Posting(Protocol):
    """Parcels that are accepted or refused as one: a message, or a Commit with its Welcome."""

    @property
    def id(self) -> bytes:
        """16 bytes by which it is answered."""
        ...

    @property
    def parcels(self) -> Sequence[Parcel]:
        """At least one."""
        ...

    @property
    def order(self) -> Order | None:
        """Only of a Commit."""
        ...


class DeviceConnection(Protocol):
    """A connection whose device is known. Its methods never raise; after its end they do nothing.

    `mailbox` is that of the device; `missing_named` counts the devices that do not exist which it
    has named in fan-out lists.
    """

    mailbox: "Mailbox"
    missing_named: int

    @property
    def address(self) -> Address:
        """The device's user."""
        ...

    @property
    def paused(self) -> bool:
        """Whether the peer does not read what it is sent."""
        ...

    def accepted(self, postings: Sequence[bytes]) -> None:
        """The postings of these ids are durable."""
        ...

    def refused(self, posting: bytes, reason: Reason, text: str = "") -> None:
        """The posting was not stored and will not be; `text` in place of the reason's own."""
        ...

    def fanouts_unknown(self, fanouts: Sequence[bytes], postings: Sequence[bytes]) -> None:
        """Tell these lists, then send these postings again."""
        ...

    def deliver(self, parcels: Sequence[Numbered]) -> None:
        """Parcels for the device, oldest first."""
        ...

    def drained(self) -> None:
        """All that waited for the device has been delivered."""
        ...

    def superseded(self) -> None:
        """Another connection of the device receives now."""
        ...

    def failed(self, error: BlackthornError) -> None:
        """Something could not be done for it: end it."""
        ...

    def hold(self, size: int, crowded: bool) -> None:
        """Count `size` bytes of postings as unanswered; take no more when that is too much."""
        ...

    def release(self, size: int) -> None:
        """The postings of these `size` bytes are answered."""
        ...
