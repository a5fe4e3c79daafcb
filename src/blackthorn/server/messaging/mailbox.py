"""A device's mailbox in memory: tallies, and the receiving connection. Parcels are stored."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address
from blackthorn.link.window import Window
from blackthorn.ports.enterprise import DeviceRecord, Standing
from blackthorn.ports.parcels import Missed, Tally
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.postings import LeftOut, Reason

Numbered = tuple[int, bytes, int]
"""(seq, sealed bytes, tag of the sender) of a parcel."""

PARCEL: Final = 1 << 40
"""A parcel without its bytes, where both are counted in one number."""


class DeviceConnection(Protocol):
    """A connection whose device is known. Its methods never raise; after its end they do nothing.

    `missing_named` counts the unknown devices in its fan-out lists; `paused`: the peer does not
    read.
    """

    mailbox: "Mailbox"
    missing_named: int

    @property
    def address(self) -> Address: ...
    @property
    def paused(self) -> bool: ...

    def accepted(self, postings: Sequence[bytes], left_out: LeftOut = ()) -> None:
        """The postings of these ids are durable, for all devices but those left out."""

    def refused(self, posting: bytes, reason: Reason, text: str = "", winner: bytes = b"") -> None:
        """The posting was not stored; `text` replaces the reason's own."""

    def fanouts_unknown(self, fanouts: Sequence[bytes], postings: Sequence[bytes]) -> None:
        """Ask for these lists, then for these postings again."""

    def deliver(self, parcels: Sequence[Numbered]) -> None:
        """Parcels for the device, oldest first."""

    def drained(self, missed: Missed) -> None:
        """All waiting parcels are delivered, without the Commits for which there was no room."""

    def superseded(self) -> None:
        """The device receives on another connection now."""

    def failed(self, error: BlackthornError) -> None:
        """End the connection with the error."""

    def hold(self, size: int, crowded: bool) -> None:
        """Count `size` unanswered bytes of postings; stop reading when that is too much."""

    def release(self, size: int) -> None:
        """The postings of these `size` bytes are answered."""


@dataclass(eq=False, slots=True)
class Receiver:
    """A device's receiving connection and its progress.

    While `live`, new parcels go from memory; else they are read from the store behind `cursor`.
    `undecryptable` were marked so before delivery here; `settled` the device had answered over an
    earlier connection; `overtaken`: parcels came during a read that it may lack; `set_aside`: the
    device has set parcels aside since its Resume.
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
    set_aside: bool = False


@dataclass(eq=False, slots=True)
class Load:
    """Parcels and their bytes."""

    parcels: int
    bytes: int

    def add(self, size: int) -> None:
        self.parcels += 1
        self.bytes += size

    def take(self, size: int) -> None:
        self.parcels -= 1
        self.bytes -= size


class Mailbox:
    """A device's waiting and undecryptable parcels, the `newest` seq, and its receiver.

    `missed` counts Commits for which it had no room, until the device has read that. While
    `reading`, a read from the store is running: one at a time. `load` is what waits, `held`
    what of it is of each sender, by tag: parcels and bytes in one number.
    """

    __slots__ = (
        "_key",
        "_tags",
        "address",
        "held",
        "id",
        "live",
        "load",
        "missed",
        "newest",
        "number",
        "reading",
        "receiver",
        "trimming",
        "undecryptable",
    )

    def __init__(self, device: DeviceRecord, tally: Tally, key: bytes = b"") -> None:
        self._key = key
        self._tags: dict[Address, int] = {}
        self.id = device.id
        self.number = device.number
        self.address: Address = device.address
        self.live = device.standing is Standing.LIVE
        self.load = PARCEL * tally.waiting + tally.waiting_bytes
        self.undecryptable = Load(tally.undecryptable, tally.undecryptable_bytes)
        self.newest = tally.newest
        self.held: dict[int, int] = {}
        for tag, parcels, size in tally.senders:
            self.held[tag] = self.held.get(tag, 0) + PARCEL * parcels + size
        self.missed = tally.missed
        self.trimming = False
        self.reading = False
        self.receiver: Receiver | None = None

    def next_seq(self) -> int:
        """The number of its next parcel; a restart may give out those of deleted ones again."""
        self.newest += 1
        return self.newest

    def tag_of(self, sender: Address) -> int:
        """16 bits by which parcels of this user are counted here; not 0."""
        tag = self._tags.get(sender)
        if tag is None:
            if len(self._tags) >= limits.MAX_CACHED_TAGS:
                self._tags.clear()
            digest = hmac.digest(self._key, sender.encode(), "sha256")
            tag = self._tags[sender] = 1 + int.from_bytes(digest[:4], "big") % 0xFFFF
        return tag

    def add(self, load: int, tag: int) -> None:
        """Parcels of this sender wait: PARCEL and the bytes of each."""
        self.load += load
        self.held[tag] = self.held.get(tag, 0) + load

    def take(self, load: int, tag: int) -> None:
        """Parcels of this sender wait no longer."""
        self.load -= load
        left = self.held.get(tag, 0) - load
        if left > 0:
            self.held[tag] = left
        else:
            self.held.pop(tag, None)

    def has_room(self, parcels: int, size: int, sender: Address, commit: bool) -> bool:
        """Whether so many more parcels of so many bytes in all fit, within the sender's share."""
        count, total = self.load // PARCEL + parcels, self.load % PARCEL + size
        most, most_bytes = limits.MAX_MAILBOX_PARCELS, limits.MAX_MAILBOX_BYTES
        if count * limits.UNSHARED <= most and total * limits.UNSHARED <= most_bytes:
            return True
        percent = limits.KNOWN_PERCENT if sender == self.address else limits.OPEN_PERCENT
        if commit:
            percent = 100
        held = self.held.get(self.tag_of(sender), 0)
        own, own_bytes = held // PARCEL + parcels, held % PARCEL + size
        return _fits(count, own, most * percent // 100) and _fits(
            total, own_bytes, most_bytes * percent // 100
        )

    @property
    def waiting(self) -> Load:
        """Parcels that wait, and their bytes."""
        return Load(self.load // PARCEL, self.load % PARCEL)

    @property
    def too_many_undecryptable(self) -> bool:
        """Whether the oldest undecryptable parcels must go."""
        return (
            self.undecryptable.parcels > limits.MAX_UNDECRYPTABLE_PARCELS
            or self.undecryptable.bytes > limits.MAX_UNDECRYPTABLE_BYTES
        )


def _fits(total: int, own: int, room: int) -> bool:
    """Whether `total` fits the room, and `own` of it the sender's share of what others leave."""
    return total <= room and own * limits.SENDER_SHARE <= room - (total - own)
