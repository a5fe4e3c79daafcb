"""A device's mailbox as the server keeps it in memory: counts, and who receives now.

The parcels themselves are on disk.
"""

from blackthorn.ids import Address, DeviceId
from blackthorn.link.window import Window
from blackthorn.ports.enterprise import DeviceRecord, Enterprise, Standing
from blackthorn.ports.parcels import ParcelStore, Tally
from blackthorn.server.handlers.session import Session
from blackthorn.server.messaging import limits


class Receiver:
    """The session that a device receives on, and how far it has come.

    While `live`, all that waits on disk has been delivered, and new parcels go from memory;
    else they are read from disk from `cursor` on, as the window allows. `aside` are those
    delivered here that had been set aside before.
    """

    __slots__ = ("aside", "cursor", "drained", "live", "session", "set_aside", "window")

    def __init__(self, session: Session, set_aside: bool) -> None:
        self.session = session
        self.set_aside = set_aside
        self.window = Window()
        self.aside: set[int] = set()
        self.cursor = 0
        self.live = False
        self.drained = False


class Load:
    """So many parcels of so many bytes."""

    __slots__ = ("bytes", "parcels")

    def __init__(self, parcels: int, size: int) -> None:
        self.parcels = parcels
        self.bytes = size

    def add(self, size: int) -> None:
        """One parcel more."""
        self.parcels += 1
        self.bytes += size

    def take(self, size: int) -> None:
        """One parcel less."""
        self.parcels -= 1
        self.bytes -= size


class Mailbox:
    """What one device has here: what waits, what it has set aside, its links, its receiver."""

    __slots__ = (
        "address",
        "aside",
        "id",
        "live",
        "number",
        "receiver",
        "sessions",
        "trimming",
        "waiting",
    )

    def __init__(self, device: DeviceRecord, tally: Tally) -> None:
        self.id = device.id
        self.number = device.number
        self.address: Address = device.address
        self.live = device.standing is Standing.LIVE
        self.waiting = Load(tally.waiting, tally.waiting_bytes)
        self.aside = Load(tally.aside, tally.aside_bytes)
        self.trimming = False
        self.sessions: list[Session] = []
        self.receiver: Receiver | None = None

    def has_room(self, parcels: int, size: int) -> bool:
        """Whether so many parcels more, of so many bytes in all, may wait."""
        return (
            self.waiting.parcels + parcels <= limits.MAX_MAILBOX_PARCELS
            and self.waiting.bytes + size <= limits.MAX_MAILBOX_BYTES
        )

    @property
    def too_many_undecryptable(self) -> bool:
        """Whether the oldest of what was set aside must go."""
        return (
            self.aside.parcels > limits.MAX_UNDECRYPTABLE_PARCELS
            or self.aside.bytes > limits.MAX_UNDECRYPTABLE_BYTES
        )


class Mailboxes:
    """The mailboxes of all devices that were asked for since the start."""

    def __init__(self, enterprise: Enterprise, store: ParcelStore) -> None:
        self._enterprise = enterprise
        self._store = store
        self._by_id: dict[DeviceId, Mailbox] = {}
        self._by_number: dict[int, Mailbox] = {}

    def of(self, device: DeviceId) -> Mailbox | None:
        """The mailbox of a device; None when there is no such device."""
        mailbox = self._by_id.get(device)
        if mailbox is None:
            record = self._enterprise.device(device)
            if record is None:
                return None
            mailbox = Mailbox(record, self._store.count(record.number))
            self._by_id[device] = self._by_number[record.number] = mailbox
        return mailbox

    def known(self, number: int) -> Mailbox | None:
        """The mailbox of that row number, if it was asked for before."""
        return self._by_number.get(number)

    def rename(self, old: DeviceId, new: DeviceId) -> None:
        """The device has a new id; what waits for it stays."""
        mailbox = self._by_id.pop(old, None)
        if mailbox is not None:
            mailbox.id = new
            self._by_id[new] = mailbox

    def refresh(self, device: DeviceRecord) -> bool:
        """Know how the device stands now; whether that has changed."""
        mailbox = self._by_id.get(device.id)
        live = device.standing is Standing.LIVE
        if mailbox is None or mailbox.live == live:
            return False
        mailbox.live = live
        return True

    def forget(self, device: DeviceId) -> Mailbox | None:
        """Forget a device that was removed; returns the mailbox it had."""
        mailbox = self._by_id.pop(device, None)
        if mailbox is not None:
            del self._by_number[mailbox.number]
        return mailbox
