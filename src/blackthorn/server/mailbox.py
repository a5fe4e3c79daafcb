"""A device's mailbox as the server keeps it in memory: a count, and who receives now.

The parcels themselves are on disk.
"""

from blackthorn.ids import DeviceId
from blackthorn.link.window import Window
from blackthorn.ports.enterprise import DeviceRecord, Enterprise
from blackthorn.ports.parcels import ParcelStore
from blackthorn.server.session import Session


class Receiver:
    """The session that a device receives on, and how far it has come.

    While `live`, all that waits on disk has been delivered, and new parcels go from memory;
    else they are read from disk from `cursor` on, as the window allows.
    """

    __slots__ = ("cursor", "drained", "live", "session", "set_aside", "window")

    def __init__(self, session: Session, set_aside: bool) -> None:
        self.session = session
        self.set_aside = set_aside
        self.window = Window()
        self.cursor = 0
        self.live = False
        self.drained = False


class Mailbox:
    """What waits for one device: how many parcels, and its receiver if it is on line."""

    __slots__ = ("id", "number", "receiver", "waiting")

    def __init__(self, device: DeviceRecord, waiting: int) -> None:
        self.id = device.id
        self.number = device.number
        self.waiting = waiting
        self.receiver: Receiver | None = None


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

    def forget(self, device: DeviceId) -> Mailbox | None:
        """Forget a device that was removed; returns the mailbox it had."""
        mailbox = self._by_id.pop(device, None)
        if mailbox is not None:
            del self._by_number[mailbox.number]
        return mailbox
