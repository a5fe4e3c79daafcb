"""Delivery: from the store or memory to the device, until it acknowledges.

A device that resumes is served from the store, oldest first, within its window. Once the store has
nothing more it is *live*: new parcels go to it from memory after their commit. One that falls
behind (window full, not reading) is served from the store again.

Only a parcel acknowledged on the connection that delivered it is deleted; it is not delivered again
while its deletion waits to share a commit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from blackthorn.errors import BlackthornError, StorageError
from blackthorn.ports import parcels as ports
from blackthorn.ports.enrolment import PurgeOrphans
from blackthorn.ports.store import Command, Reader, Writer
from blackthorn.server.counters import Counters
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.mailbox import (
    PARCEL,
    DeviceConnection,
    Mailbox,
    Numbered,
    Receiver,
)
from blackthorn.server.messaging.mailboxes import Mailboxes


class Entry(NamedTuple):
    """A parcel that its device has answered; `undecryptable`: marked so before."""

    device: int
    seq: int
    size: int
    undecryptable: bool
    sender: int


Entries = list[Entry]

SETTLE_GROUP: Final = 1_024
"""Acknowledged parcels that are deleted at once."""

MARK_GROUP: Final = 128
"""Parcels that are marked undecryptable at once, some 5 ms of the writer."""

STEP: Final = 256
"""Parcels or Commits deleted in one transaction in the background."""


@dataclass(eq=False)
class Delivery:
    writer: Writer
    reader: Reader
    mailboxes: Mailboxes
    counters: Counters
    _acknowledged: Entries = field(default_factory=list)
    _undecryptable: Entries = field(default_factory=list)
    _marking: bool = False
    _settled: dict[int, set[int]] = field(default_factory=dict)
    """By device: seqs that it has answered and the store still holds."""
    _today: int = 0

    def resume(self, connection: DeviceConnection, wants_undecryptable: bool) -> None:
        """Deliver to this connection from now on, and no longer to the device's earlier one.

        Repeated on one connection it reads nothing, unless parcels set aside are wanted that the
        connection has not been given.
        """
        mailbox = connection.mailbox
        former = mailbox.receiver
        if former is not None and former.connection is not connection:
            former.connection.superseded()
        elif former is not None and not (
            wants_undecryptable and (former.set_aside or not former.wants_undecryptable)
        ):
            former.drained = former.live
            if former.live:
                self._tell_drained(mailbox, former)
            return
        settled = frozenset(self._settled.get(mailbox.number, ()))
        mailbox.receiver = Receiver(connection, wants_undecryptable, settled)
        self.catch_up(mailbox)

    def leave(self, connection: DeviceConnection) -> None:
        receiver = connection.mailbox.receiver
        if receiver is not None and receiver.connection is connection:
            connection.mailbox.receiver = None

    def catch_up(self, mailbox: Mailbox) -> None:
        """Deliver from the store as far as the window allows."""
        receiver = mailbox.receiver
        if receiver is None or receiver.live or mailbox.reading or receiver.connection.paused:
            return
        room = receiver.window.room
        if room <= 0:
            return
        mailbox.reading = True
        receiver.overtaken = False
        query = ports.WaitingParcels(
            mailbox.number,
            receiver.cursor,
            receiver.wants_undecryptable,
            min(room, limits.MAX_READ_PARCELS),
            limits.MAX_DELIVER_BYTES,
        )
        self.reader.ask(query, partial(self._caught_up, mailbox, receiver, query))

    def _caught_up(
        self,
        mailbox: Mailbox,
        receiver: Receiver,
        query: ports.WaitingParcels,
        found: list[ports.WaitingParcel] | BlackthornError,
    ) -> None:
        mailbox.reading = False
        if mailbox.receiver is not receiver:
            self.catch_up(mailbox)
            return
        if isinstance(found, BlackthornError):
            receiver.connection.failed(found)
            return
        size = sum(len(parcel.sealed) for parcel in found)
        ended = len(found) < query.max_parcels and size < query.max_bytes
        receiver.live = ended and not receiver.overtaken
        if found:
            receiver.cursor = found[-1].seq
        fresh = [parcel for parcel in found if parcel.seq not in receiver.settled]
        if fresh:
            receiver.undecryptable.update(p.seq for p in fresh if p.undecryptable)
            self._deliver(receiver, [(p.seq, p.sealed, p.sender) for p in fresh])
        if receiver.live and (mailbox.missed or not receiver.drained):
            receiver.drained = True
            self._tell_drained(mailbox, receiver)
        elif not receiver.live and (not fresh or size < query.max_bytes):
            self.catch_up(mailbox)

    def _tell_drained(self, mailbox: Mailbox, receiver: Receiver) -> None:
        """Say that all is delivered, and which Commits the mailbox could not take."""
        if not mailbox.missed:
            receiver.connection.drained(ports.Missed(0, b""))
            return

        def found(missed: ports.Missed | BlackthornError) -> None:
            if mailbox.receiver is not receiver:
                return
            if isinstance(missed, BlackthornError):
                receiver.connection.failed(missed)
            else:
                receiver.connection.drained(missed)

        self.reader.ask(ports.MissedCommits(mailbox.number), found)

    def missed_was_read(self, connection: DeviceConnection, count: int) -> None:
        """The device has read that it missed so many Commits."""
        mailbox = connection.mailbox
        if not count or not mailbox.missed:
            return

        def forgotten(later: int | BlackthornError) -> None:
            if isinstance(later, BlackthornError):
                self._failed(later)
            else:
                mailbox.missed = later

        self.writer.submit(ports.ForgetMissed(mailbox.number, count), forgotten)

    def deliver_new(self, parcels: Mapping[Mailbox, Sequence[Numbered]]) -> None:
        """Deliver new durable parcels to live devices."""
        for mailbox, numbered in parcels.items():
            receiver = mailbox.receiver
            if receiver is None:
                continue
            if not receiver.live:
                receiver.overtaken = True
                continue
            if receiver.connection.paused:
                receiver.live = False
                continue
            cursor = receiver.cursor
            fresh = [parcel for parcel in numbered if parcel[0] > cursor]
            room = receiver.window.room
            if len(fresh) > room:
                receiver.live = False
                fresh = fresh[: max(0, room)]
            if fresh:
                receiver.cursor = fresh[-1][0]
                self._deliver(receiver, fresh)

    def _deliver(self, receiver: Receiver, parcels: Sequence[Numbered]) -> None:
        self.counters.parcels_delivered += len(parcels)
        group: list[Numbered] = []
        size = 0
        for parcel in parcels:
            seq, sealed, sender = parcel
            length = len(sealed)
            receiver.window.add(seq, length, sender)
            if group and size + length > limits.MAX_DELIVER_BYTES:
                receiver.connection.deliver(group)
                group, size = [], 0
            group.append(parcel)
            size += length
        receiver.connection.deliver(group)

    def acknowledge(self, connection: DeviceConnection, seqs: Iterable[int]) -> None:
        """The device has saved these: delete them."""
        self._acknowledged += self._settle(connection, seqs)
        if len(self._acknowledged) >= SETTLE_GROUP:
            self.flush()

    def mark_undecryptable(self, connection: DeviceConnection, seqs: Iterable[int]) -> None:
        """The device could not decrypt these: keep them apart."""
        settled = self._settle(connection, seqs)
        receiver = connection.mailbox.receiver
        if settled and receiver is not None:
            receiver.set_aside = True
        self.counters.parcels_set_aside += len(settled)
        self._undecryptable += settled

    def _settle(self, connection: DeviceConnection, seqs: Iterable[int]) -> Entries:
        """Those of `seqs` that were delivered over this connection; then delivers more."""
        mailbox = connection.mailbox
        receiver = mailbox.receiver
        if receiver is None or receiver.connection is not connection:
            return []
        number, undecryptable = mailbox.number, receiver.undecryptable
        answered = receiver.window.settle(seqs)
        if answered:
            self._settled.setdefault(number, set()).update([seq for seq, _, _ in answered])
        if not receiver.live:
            self.catch_up(mailbox)
        return [
            Entry(number, seq, size, seq in undecryptable, sender) for seq, size, sender in answered
        ]

    def flush(self) -> None:
        """Submit the devices' answers to the writer."""
        if self._acknowledged:
            entries, self._acknowledged = self._acknowledged, []
            for new in _cut([entry for entry in entries if not entry.undecryptable]):
                self.writer.submit(ports.RemoveParcels(_places(new)), partial(self._removed, new))
            for old in _cut([entry for entry in entries if entry.undecryptable]):
                command = ports.RemoveUndecryptable(_places(old))
                self.writer.submit(command, partial(self._removed_undecryptable, old))
        self._mark()

    def _mark(self) -> None:
        """Mark some undecryptable parcels: others must not wait long for the writer."""
        if self._undecryptable and not self._marking:
            self._marking = True
            entries = self._undecryptable[:MARK_GROUP]
            del self._undecryptable[:MARK_GROUP]
            mark = ports.MarkUndecryptable(_places(entries), self._today)
            self.writer.submit(mark, partial(self._marked, entries))

    def _removed(self, entries: Entries, result: BlackthornError | None) -> None:
        if self._failed(result):
            self._acknowledged += entries
            return
        self._forget_settled(entries)
        self.counters.parcels_acknowledged += len(entries)
        loads: dict[int, int] = {}
        for device, _, size, _, sender in entries:
            of_sender = device << 16 | sender
            loads[of_sender] = loads.get(of_sender, 0) + PARCEL + size
        for of_sender, load in loads.items():
            mailbox = self.mailboxes.at(of_sender >> 16)
            if mailbox is not None:
                mailbox.take(load, of_sender & 0xFFFF)

    def _removed_undecryptable(
        self, entries: Entries, result: list[ports.Removal] | BlackthornError
    ) -> None:
        if isinstance(result, BlackthornError):
            self._failed(result)
            self._acknowledged += entries
            return
        self._forget_settled(entries)
        self.counters.parcels_acknowledged += len(entries)
        self.mailboxes.remove_undecryptable(result)

    def _marked(self, entries: Entries, result: BlackthornError | None) -> None:
        self._marking = False
        if self._failed(result):
            self._undecryptable += entries
            return
        self._forget_settled(entries)
        crowded: set[Mailbox] = set()
        for entry in entries:
            mailbox = self.mailboxes.at(entry.device)
            if mailbox is not None and not entry.undecryptable:
                mailbox.take(PARCEL + entry.size, entry.sender)
                mailbox.undecryptable.add(entry.size)
                if mailbox.too_many_undecryptable:
                    crowded.add(mailbox)
        for mailbox in crowded:
            if not mailbox.trimming:
                self._trim(mailbox)
        self._mark()

    def _forget_settled(self, entries: Entries) -> None:
        for entry in entries:
            settled = self._settled.get(entry.device)
            if settled is not None:
                settled.discard(entry.seq)
                if not settled:
                    del self._settled[entry.device]

    def _failed(self, result: BlackthornError | None) -> bool:
        self.counters.storage_failures += isinstance(result, StorageError)
        return result is not None

    def _trim(self, mailbox: Mailbox) -> None:
        """Delete the device's oldest undecryptable parcels, down to three quarters of its limit."""
        mailbox.trimming = True

        def done(result: list[ports.Removal] | BlackthornError) -> None:
            mailbox.trimming = False
            if isinstance(result, BlackthornError):
                self._failed(result)
                return
            self.counters.parcels_dropped += len(result)
            self.mailboxes.remove_undecryptable(result)
            if len(result) == STEP:
                self._trim(mailbox)

        self.writer.submit(
            ports.RemoveOldestUndecryptable(
                mailbox.number,
                limits.MAX_UNDECRYPTABLE_PARCELS * 3 // 4,
                limits.MAX_UNDECRYPTABLE_BYTES * 3 // 4,
                STEP,
            ),
            done,
        )

    def start_day(self, day: int) -> None:
        """Delete what is too old as of this Unix day, in steps."""
        self._today = day
        undecryptable = ports.ExpireUndecryptable(day - limits.UNDECRYPTABLE_DAYS, STEP)
        self._repeat(undecryptable, self._expired)
        self._repeat(ports.ExpireCommits(day - limits.COMMIT_DAYS, STEP), lambda count: count)

    def device_removed(self, mailbox: Mailbox) -> None:
        """The device is gone from the store: delete what is left of its parcels, in steps."""
        purge = PurgeOrphans(mailbox.number - 1, 1, STEP)
        self._repeat(purge, lambda step: step.removed)

    def _expired(self, removals: list[ports.Removal]) -> int:
        self.mailboxes.remove_undecryptable(removals)
        return len(removals)

    def _repeat(self, command: Command[Any], count: Callable[..., int]) -> None:
        """Submit the command again while it does a whole step."""

        def done(result: Any) -> None:
            if isinstance(result, BlackthornError):
                self._failed(result)
            elif count(result) == STEP:
                self.writer.submit(command, done)

        self.writer.submit(command, done)


def _cut(entries: Entries) -> Iterator[Entries]:
    """Parts for one command each: deleted bytes are overwritten, for which the disk needs room."""
    part: Entries = []
    size = 0
    for entry in entries:
        if part and size + entry.size > limits.MAX_REMOVED_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += entry.size
    if part:
        yield part


def _places(entries: Entries) -> list[tuple[int, int]]:
    return [(entry.device, entry.seq) for entry in entries]
