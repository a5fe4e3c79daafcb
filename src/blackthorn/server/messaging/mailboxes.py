"""Mailboxes in memory, each loaded page by page when its device is first needed."""

from collections.abc import Mapping, Sequence
from typing import Final

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import DeviceRecord, Standing
from blackthorn.ports.parcels import MailboxTallies, Removal, Tally, TallyPage
from blackthorn.ports.store import Done, Reader, unless_failed
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.messaging.mailbox import Mailbox

PAGE: Final = 64
"""Mailboxes counted by one query."""

NONE: Final = Tally(0, 0, 0, 0, 0)


class Mailboxes:
    """The loaded mailboxes."""

    def __init__(self, enterprise: EnterpriseCache, reader: Reader) -> None:
        self.enterprise = enterprise
        self.reader = reader
        self._by_id: dict[DeviceId, Mailbox] = {}
        self._by_number: dict[int, Mailbox] = {}
        self._by_address: dict[Address, set[Mailbox]] = {}
        self._loads: list[_Load] = []

    def find(self, device: DeviceId) -> Mailbox | None:
        return self._by_id.get(device)

    def at(self, number: int) -> Mailbox | None:
        """The mailbox of that row number."""
        return self._by_number.get(number)

    def of_user(self, address: Address) -> tuple[Mailbox, ...]:
        """The loaded mailboxes of the user's devices."""
        return tuple(self._by_address.get(address, ()))

    def loaded(self, devices: Sequence[DeviceId]) -> bool:
        return all(device in self._by_id for device in devices)

    def load(self, devices: Sequence[DeviceId], done: Done[None]) -> None:
        """Load the mailboxes of the existing ones of the devices."""
        missing = [device for device in devices if device not in self._by_id]
        if missing:
            load = _Load(self, missing, done)
            self._loads.append(load)
            load.start()
        else:
            done(None)

    def keep(self, tallies: Mapping[DeviceRecord, Tally], keys: Sequence[bytes]) -> None:
        """The parcels of these devices were counted; the keys are those of their mailboxes."""
        for (device, tally), key in zip(tallies.items(), keys, strict=False):
            known = self._by_number.get(device.number)
            if known is not None:
                self.rename(known.id, device.id)  # its new id is read before it is told
            elif device.id not in self._by_id:
                mailbox = Mailbox(device, tally, key)
                self._by_id[device.id] = self._by_number[device.number] = mailbox
                self._by_address.setdefault(device.address, set()).add(mailbox)

    def end(self, load: "_Load") -> None:
        """The load has ended."""
        self._loads.remove(load)

    def change_user(self, address: Address) -> None:
        """The user's devices have changed: running loads of them start again."""
        for load in self._loads:
            load.changed.add(address)

    def remove_undecryptable(self, removals: Sequence[Removal]) -> None:
        """These undecryptable parcels were deleted."""
        for number, size in removals:
            mailbox = self._by_number.get(number)
            if mailbox is not None:
                mailbox.undecryptable.take(size)
                continue
            for load in self._loads:
                load.changed.add(number)

    def rename(self, old: DeviceId, new: DeviceId) -> None:
        """The device has a new id and keeps its parcels."""
        mailbox = self._by_id.pop(old, None)
        if mailbox is not None:
            mailbox.id = new
            self._by_id[new] = mailbox

    def refresh(self, device: DeviceRecord) -> bool:
        """Update the device's standing; whether it changed."""
        mailbox = self._by_id.get(device.id)
        live = device.standing is Standing.LIVE
        if mailbox is None or mailbox.live == live:
            return False
        mailbox.live = live
        return True

    def forget(self, device: DeviceId) -> None:
        mailbox = self._by_id.pop(device, None)
        if mailbox is not None:
            del self._by_number[mailbox.number]
            self._by_address[mailbox.address].discard(mailbox)
            if not self._by_address[mailbox.address]:
                del self._by_address[mailbox.address]


class _Load:
    """Mailboxes being loaded: existing devices, then tallies in pages.

    Nothing is stored for a device or delivered to it before its mailbox is loaded, so pages of a
    tally fit together (`_part`: those before). A mailbox is made with the last page of its tally,
    so no turn of the loop makes many. A change before that (`changed`: users, and devices by
    number) starts the load again.
    """

    def __init__(self, mailboxes: Mailboxes, devices: Sequence[DeviceId], done: Done[None]) -> None:
        self.changed: set[Address | int] = set()
        self._mailboxes = mailboxes
        self._devices = devices
        self._done = done
        self._uncounted: list[DeviceRecord] = []
        self._part = NONE

    def start(self) -> None:
        """Start, also again."""
        self.changed.clear()
        self._part = NONE
        found = unless_failed(self._end, self._found)
        missing = [device for device in self._devices if self._mailboxes.find(device) is None]
        self._mailboxes.enterprise.load_devices(missing, found)

    def _found(self, devices: Mapping[DeviceId, DeviceRecord]) -> None:
        self._uncounted = list(devices.values())
        self._count(0)

    def _count(self, after: int) -> None:
        if self._uncounted:
            numbers = tuple(device.number for device in self._uncounted[:PAGE])
            counted = unless_failed(self._end, self._counted)
            self._mailboxes.reader.ask(MailboxTallies(numbers, after), counted)
        else:
            self._end(None)

    def _counted(self, page: TallyPage) -> None:
        tallies = page.tallies
        tallies[0] = _joined(self._part, tallies[0])
        self._part = tallies.pop() if page.after else NONE
        whole = dict(zip(self._uncounted, tallies, strict=False))
        if any({device.address, device.number} & self.changed for device in whole):
            self.start()
            return
        self._mailboxes.keep(whole, page.keys)
        del self._uncounted[: len(whole)]
        self._count(page.after)

    def _end(self, error: BlackthornError | None) -> None:
        self._mailboxes.end(self)
        self._done(error)


def _joined(part: Tally, following: Tally) -> Tally:
    """The tally of two pages of one mailbox."""
    return Tally(
        part.waiting + following.waiting,
        part.waiting_bytes + following.waiting_bytes,
        part.undecryptable + following.undecryptable,
        part.undecryptable_bytes + following.undecryptable_bytes,
        max(part.newest, following.newest),
        max(part.missed, following.missed),
        part.senders + following.senders,
    )
