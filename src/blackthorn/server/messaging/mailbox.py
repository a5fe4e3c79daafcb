"""A device's mailbox in memory: tallies, and the connection that receives. Parcels are stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address
from blackthorn.link.window import Window
from blackthorn.ports.enterprise import DeviceRecord, Standing
from blackthorn.ports.parcels import Tally
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.postings import Reason

Numbered = tuple[int, bytes]
"""(seq, sealed bytes) of a parcel on its way to a device."""


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

    @property
    def paused(self) -> bool:
        """Whether the peer does not read what it is sent."""

    def accepted(self, postings: Sequence[bytes]) -> None:
        """The postings of these ids are durable."""

    def refused(self, posting: bytes, reason: Reason, text: str = "") -> None:
        """The posting was not stored and will not be; `text` in place of the reason's own."""

    def fanouts_unknown(self, fanouts: Sequence[bytes], postings: Sequence[bytes]) -> None:
        """Tell these lists, then send these postings again."""

    def deliver(self, parcels: Sequence[Numbered]) -> None:
        """Parcels for the device, oldest first."""

    def drained(self) -> None:
        """All that waited for the device has been delivered."""

    def superseded(self) -> None:
        """Another connection of the device receives now."""

    def failed(self, error: BlackthornError) -> None:
        """Something could not be done for it: end it."""

    def hold(self, size: int, crowded: bool) -> None:
        """Count `size` bytes of postings as unanswered; take no more when that is too much."""

    def release(self, size: int) -> None:
        """The postings of these `size` bytes are answered."""


@dataclass(eq=False, slots=True)
class Receiver:
    """The connection that a device receives on, and how far delivery has come.

    While `live`, all that waits in the store has been delivered, and new parcels go from memory;
    else they are read from the store from `cursor` on, as the window allows. `undecryptable` are
    those delivered here that had been marked so before, `settled` those that the device had
    answered over an earlier connection when this one began. `overtaken` says that parcels came
    while the store was read that its answer may lack.
    """

    connection: DeviceConnection
    wants_undecryptable: bool
    settled: frozenset[int]
    window: Window = field(default_factory=Window)
    undecryptable: set[int] = field(default_factory=set)
    cursor: int = 0
    live: bool = False
    drained: bool = False
    overtaken: bool = False


@dataclass(eq=False, slots=True)
class Load:
    """So many parcels of so many bytes."""

    parcels: int
    bytes: int

    def add(self, size: int) -> None:
        """One parcel more."""
        self.parcels += 1
        self.bytes += size

    def take(self, size: int) -> None:
        """One parcel less."""
        self.parcels -= 1
        self.bytes -= size


class Mailbox:
    """What one device has here: parcels that wait, undecryptable ones, the receiver.

    While `reading`, its parcels are read from the store: once at a time, however often it resumes.
    """

    __slots__ = (
        "address",
        "id",
        "live",
        "number",
        "reading",
        "receiver",
        "trimming",
        "undecryptable",
        "waiting",
    )

    def __init__(self, device: DeviceRecord, tally: Tally) -> None:
        self.id = device.id
        self.number = device.number
        self.address: Address = device.address
        self.live = device.standing is Standing.LIVE
        self.waiting = Load(tally.waiting, tally.waiting_bytes)
        self.undecryptable = Load(tally.undecryptable, tally.undecryptable_bytes)
        self.trimming = False
        self.reading = False
        self.receiver: Receiver | None = None

    def has_room(self, parcels: int, size: int) -> bool:
        """Whether so many parcels more, of so many bytes in all, may wait."""
        return (
            self.waiting.parcels + parcels <= limits.MAX_MAILBOX_PARCELS
            and self.waiting.bytes + size <= limits.MAX_MAILBOX_BYTES
        )

    @property
    def too_many_undecryptable(self) -> bool:
        """Whether the oldest undecryptable parcels must go."""
        return (
            self.undecryptable.parcels > limits.MAX_UNDECRYPTABLE_PARCELS
            or self.undecryptable.bytes > limits.MAX_UNDECRYPTABLE_BYTES
        )
