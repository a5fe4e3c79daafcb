"""Delivery: from disk or memory to the device, until it acknowledges.

A device that resumes is first served from disk, oldest first, as far as its window allows,
each acknowledgement making room for more. When the disk has nothing more for it, it is
*live*: from then on new parcels go to it from memory, right after their commit. One that
falls behind (window full, not reading) is served from disk again.

Nothing is deleted here that its device has not acknowledged on the connection over which it
was delivered. An acknowledged parcel is not delivered again, although its deletion waits a
moment to share a commit with others.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from blackthorn.errors import StorageError
from blackthorn.link import frames as f
from blackthorn.ports.parcels import Dropped, ParcelStore, Waiting
from blackthorn.ports.writer import Writer
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.session import Session
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.mailboxes import Mailbox, Mailboxes, Receiver


class Entry(NamedTuple):
    """A parcel that its device has acknowledged or set aside; `aside`: it was so before."""

    device: int
    seq: int
    size: int
    aside: bool


Entries = list[Entry]

SETTLE_GROUP = 1_024
"""Acknowledged parcels that are deleted without waiting for company."""


class Delivery:
    """Delivers to all devices that are on line."""

    def __init__(
        self, store: ParcelStore, writer: Writer, mailboxes: Mailboxes, counters: Counters
    ) -> None:
        self._store = store
        self._writer = writer
        self._mailboxes = mailboxes
        self._counters = counters
        self._acknowledged: Entries = []
        self._set_aside: Entries = []
        self._settled: set[tuple[int, int]] = set()
        self._today = 0

    # --- To the device --------------------------------------------------------------------

    def resume(self, session: Session, frame: f.Resume, now: float) -> None:
        """Deliver to this session from now on; an older one of the device no longer."""
        mailbox = session.mailbox
        if mailbox is None:
            return
        former = mailbox.receiver
        if former is not None and former.session is not session:
            former.session.transmit(f.Superseded())
        mailbox.receiver = Receiver(session, frame.set_aside)
        self.catch_up(mailbox)

    def leave(self, session: Session) -> None:
        """The session has ended."""
        mailbox = session.mailbox
        receiver = mailbox.receiver if mailbox is not None else None
        if mailbox is not None and receiver is not None and receiver.session is session:
            mailbox.receiver = None

    def catch_up(self, mailbox: Mailbox) -> None:
        """Deliver from disk what the window has room for, at most one read that finds any."""
        receiver = mailbox.receiver
        if receiver is None:
            return
        fresh: list[Waiting] = []
        while not (receiver.live or fresh or receiver.session.paused_since is not None):
            room = receiver.window.room
            if room <= 0:
                return
            found = self._store.read(
                mailbox.number,
                receiver.cursor,
                set_aside=receiver.set_aside,
                max_parcels=room,
                max_bytes=limits.MAX_DELIVER_BYTES,
            )
            size = sum(len(each.sealed) for each in found)
            receiver.live = len(found) < room and size < limits.MAX_DELIVER_BYTES
            if found:
                receiver.cursor = found[-1].seq
            fresh = [each for each in found if (mailbox.number, each.seq) not in self._settled]
        if fresh:
            receiver.aside.update(each.seq for each in fresh if each.aside)
            self._deliver(receiver, [f.Delivery(each.seq, each.sealed) for each in fresh])
        if receiver.live and not receiver.drained:
            receiver.drained = True
            receiver.session.transmit(f.Drained())

    def deliver_new(self, parcels: dict[Mailbox, list[f.Delivery]]) -> None:
        """Parcels that have just become durable: straight to the devices that are live."""
        for mailbox, deliveries in parcels.items():
            receiver = mailbox.receiver
            if receiver is None or not receiver.live:
                continue
            if receiver.session.paused_since is not None:
                receiver.live = False
                continue
            fresh = [each for each in deliveries if each.seq > receiver.cursor]
            room = receiver.window.room
            if len(fresh) > room:
                receiver.live = False
                fresh = fresh[: max(0, room)]
            if fresh:
                receiver.cursor = fresh[-1].seq
                self._deliver(receiver, fresh)

    def _deliver(self, receiver: Receiver, deliveries: list[f.Delivery]) -> None:
        self._counters.parcels_delivered += len(deliveries)
        frame: list[f.Delivery] = []
        size = 0
        for delivery in deliveries:
            length = len(delivery.sealed)
            receiver.window.add(delivery.seq, length)
            if frame and size + length > limits.MAX_DELIVER_BYTES:
                receiver.session.transmit(f.Deliver(frame))
                frame, size = [], 0
            frame.append(delivery)
            size += length
        receiver.session.transmit(f.Deliver(frame))

    # --- From the device ------------------------------------------------------------------

    def acknowledge(self, session: Session, frame: f.Acknowledge, now: float) -> None:
        """The device has decrypted and saved these: delete them."""
        settled = self._settle(session, frame.seqs)
        self._acknowledged += settled
        if len(self._acknowledged) >= SETTLE_GROUP:
            self.flush()

    def set_aside(self, session: Session, frame: f.SetAside, now: float) -> None:
        """The device could not open these: keep them, but out of its way."""
        settled = self._settle(session, frame.seqs)
        self._counters.parcels_set_aside += len(settled)
        self._set_aside += settled

    def _settle(self, session: Session, seqs: Iterable[int]) -> Entries:
        """Those of `seqs` that were delivered over this session; then delivers further."""
        mailbox = session.mailbox
        receiver = mailbox.receiver if mailbox is not None else None
        if mailbox is None or receiver is None or receiver.session is not session:
            return []
        number, aside = mailbox.number, receiver.aside
        settled = [
            Entry(number, seq, size, seq in aside) for seq, size in receiver.window.settle(seqs)
        ]
        self._settled.update(_places(settled))
        if not receiver.live:
            self.catch_up(mailbox)
        return settled

    def flush(self) -> None:
        """Hand what is acknowledged or set aside to the writer, to be committed with others."""
        if self._acknowledged:
            entries, self._acknowledged = self._acknowledged, []
            new = [entry for entry in entries if not entry.aside]
            self._writer.submit(self._store.remove(_places(new)), self._removed(new))
            old = [entry for entry in entries if entry.aside]
            if old:
                job = self._store.remove_aside(_places(old))
                self._writer.submit(job, self._removed_aside(old))
        if self._set_aside:
            entries, self._set_aside = self._set_aside, []
            kept = self._store.set_aside(_places(entries), self._today)
            self._writer.submit(kept, self._kept(entries))

    def _removed(self, entries: Entries) -> Callable[[StorageError | None], None]:
        def done(result: StorageError | None) -> None:
            if isinstance(result, StorageError):
                self._counters.storage_failures += 1
                self._acknowledged += entries
                return
            self._settled.difference_update(_places(entries))
            self._counters.parcels_acknowledged += len(entries)
            for entry in entries:
                mailbox = self._mailboxes.known(entry.device)
                if mailbox is not None:
                    mailbox.waiting.take(entry.size)

        return done

    def _removed_aside(self, entries: Entries) -> Callable[[Dropped | StorageError], None]:
        def done(result: Dropped | StorageError) -> None:
            if isinstance(result, StorageError):
                self._counters.storage_failures += 1
                self._acknowledged += entries
                return
            self._settled.difference_update(_places(entries))
            self._counters.parcels_acknowledged += len(entries)
            self._dropped(result)

        return done

    def _dropped(self, dropped: Dropped) -> None:
        for number, size in dropped:
            mailbox = self._mailboxes.known(number)
            if mailbox is not None:
                mailbox.aside.take(size)

    def _kept(self, entries: Entries) -> Callable[[StorageError | None], None]:
        def done(result: StorageError | None) -> None:
            if isinstance(result, StorageError):
                self._counters.storage_failures += 1
                self._set_aside += entries
                return
            self._settled.difference_update(_places(entries))
            crowded: set[Mailbox] = set()
            for entry in entries:
                mailbox = self._mailboxes.known(entry.device)
                if mailbox is not None and not entry.aside:
                    mailbox.waiting.take(entry.size)
                    mailbox.aside.add(entry.size)
                    if mailbox.too_many_undecryptable:
                        crowded.add(mailbox)
            for mailbox in crowded:
                self._trim(mailbox)

        return done

    def _trim(self, mailbox: Mailbox) -> None:
        """Have the oldest deleted that the device has set aside: a quarter of what it may have."""
        if mailbox.trimming:
            return
        mailbox.trimming = True

        def done(result: Dropped | StorageError) -> None:
            mailbox.trimming = False
            if isinstance(result, StorageError):
                self._counters.storage_failures += 1
            else:
                self._counters.parcels_dropped += len(result)
                self._dropped(result)

        parcels = limits.MAX_UNDECRYPTABLE_PARCELS * 3 // 4
        size = limits.MAX_UNDECRYPTABLE_BYTES * 3 // 4
        self._writer.submit(self._store.trim(mailbox.number, parcels, size), done)

    def start_day(self, day: int) -> None:
        """It is this Unix day: what was set aside or ordered too long ago is deleted."""
        self._today = day

        def done(result: Dropped | StorageError) -> None:
            if isinstance(result, StorageError):
                self._counters.storage_failures += 1
            else:
                self._dropped(result)

        expire = self._store.expire(day - limits.UNDECRYPTABLE_DAYS, day - limits.COMMIT_DAYS)
        self._writer.submit(expire, done)


def _places(entries: Entries) -> list[tuple[int, int]]:
    return [(entry.device, entry.seq) for entry in entries]
