"""Message submission: postings are stored, answered, and passed to delivery.

A posting is accepted or refused whole, once, and accepted only after the commit: each device of its
lists that exists and has room gets it; others are left out while one device of another user takes
it. An accepted Commit is accepted again when repeated. Of the postings that come during a
transaction some of each user form the next one; their parcels are numbered then, so that they
become durable in the order of each device's mailbox.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from blackthorn.errors import AbsentError, BlackthornError, DefectError, StorageError
from blackthorn.ids import Address, DeviceId, FanoutId
from blackthorn.link import limits as link_limits
from blackthorn.ports import parcels as ports
from blackthorn.ports.store import Done, Writer
from blackthorn.server.budgets.budgets import Charge
from blackthorn.server.counters import Counters
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.server.messaging.delivery import Delivery
from blackthorn.server.messaging.fanouts import FanoutList, Fanouts
from blackthorn.server.messaging.mailbox import PARCEL, DeviceConnection, Mailbox, Numbered
from blackthorn.server.messaging.mailboxes import Mailboxes
from blackthorn.server.messaging.pending import FairQueue, Pending, Refusal, numbered
from blackthorn.server.messaging.postings import LeftOut, Posting, Reason

_REFUSALS: Final = {
    ports.CommitOutcome.LATE: Reason.EPOCH_TAKEN,
    ports.CommitOutcome.AHEAD: Reason.EPOCH_AHEAD,
}


_UNORDERED: Final = ports.OrderedCommit(ports.CommitOutcome.STORED)


@dataclass(eq=False)
class MessageSubmission:
    """Postings of all devices."""

    writer: Writer
    mailboxes: Mailboxes
    delivery: Delivery
    counters: Counters
    exits: ExitRules | None
    today: int = 0
    """The Unix day, stored with Commits."""
    disk_short: bool = False
    """The disk is nearly full: postings are refused."""
    _fanouts: Fanouts = field(default_factory=Fanouts)
    _waiting: FairQueue = field(default_factory=FairQueue)
    _taken: list[Pending] = field(default_factory=list)
    """Of the frame in hand."""
    _came: float = 0.0
    """When the frame in hand came."""
    _storing: bool = False
    _unstored_bytes: int = 0
    _charge: Charge = field(default_factory=Charge)
    """What the frame in hand stores."""

    def remember_fanout(
        self,
        connection: DeviceConnection,
        fanout: FanoutId,
        devices: Sequence[DeviceId],
        done: Done[None],
    ) -> None:
        """Store a checked fan-out list. `done` gets AbsentError: too many unknown devices."""

        def loaded(error: BlackthornError | None) -> None:
            try:
                refusal = error or self._remember(connection, fanout, devices)
            except StorageError as failure:  # an exit's rules could not be read
                refusal = failure
            done(refusal)

        self.mailboxes.load(devices, loaded)

    def _remember(
        self, connection: DeviceConnection, fanout: FanoutId, devices: Sequence[DeviceId]
    ) -> AbsentError | None:
        found: list[Mailbox] = []
        missing: list[tuple[DeviceId, Reason]] = []
        fleeting = False
        for device in devices:
            mailbox = self.mailboxes.find(device)
            if mailbox is None or not mailbox.live:
                missing.append((device, Reason.RECIPIENT_UNKNOWN))
                connection.missing_named += 1
            elif self._market_refusal(mailbox):
                missing.append((device, Reason.MARKET_LEFT))
                fleeting = True
            else:
                found.append(mailbox)
        if connection.missing_named > messaging_limits.MAX_MISSING_NAMED:
            return AbsentError("too many devices that do not exist")
        self._fanouts.put(fanout, FanoutList(found, missing, fleeting=fleeting))
        return None

    def _market_refusal(self, mailbox: Mailbox) -> str:
        why = "" if self.exits is None else self.exits.refusal(mailbox.address, May.BE_SENT)
        return why and f"{mailbox.address}: {why}; a group goes on once they are removed from it"

    def forget_fanouts(self) -> None:
        """A device or its rights changed: ask for every list again."""
        self._fanouts.clear()

    def submit(self, connection: DeviceConnection, postings: Sequence[Posting]) -> Charge:
        """Take the postings in order.

        From the first unknown list on it asks for lists; once they have enough places, it asks for
        the rest again. Returns what was taken.
        """
        charge = self._charge = Charge()
        self._came = time.monotonic()
        try:
            self._submit(connection, postings, charge)
        finally:
            self._waiting.put(connection.address, self._taken)
            self._taken.clear()
        self.flush()
        return charge

    def _submit(
        self, connection: DeviceConnection, postings: Sequence[Posting], charge: Charge
    ) -> None:
        used: set[bytes] = set()
        for index, posting in enumerate(postings):
            if charge.rows >= messaging_limits.MAX_PLACES_PER_FRAME:
                connection.fanouts_unknown((), [posting.id for posting in postings[index:]])
                break
            lists = self._lists(posting)
            if lists is None:
                self._ask_for_lists(connection, postings[index:])
                break
            if any(members.fleeting for members in lists):
                used.update(parcel.fanout for parcel in posting.parcels)
            reached, refusal = self._reach(connection, posting, lists)
            if refusal is None:
                left_out = () if reached is lists else _left_out(lists, reached)
                self._take(connection, posting, reached, left_out)
            elif posting.order is not None:
                self._look_up(connection, posting, refusal)
            else:
                self.counters.postings_refused += 1
                connection.refused(posting.id, *refusal)
        for fanout in used:
            self._fanouts.forget(FanoutId(fanout))

    def _lists(self, posting: Posting) -> list[FanoutList] | None:
        lists: list[FanoutList] = []
        for parcel in posting.parcels:
            members = self._fanouts.get(FanoutId(parcel.fanout))
            if members is None:
                return None
            lists.append(members)
        return lists

    def _ask_for_lists(self, connection: DeviceConnection, postings: Sequence[Posting]) -> None:
        unknown = dict.fromkeys(
            parcel.fanout
            for posting in postings
            for parcel in posting.parcels
            if self._fanouts.get(FanoutId(parcel.fanout)) is None
        )
        wanted = list(unknown)[: link_limits.MAX_POSTINGS_PER_FRAME]  # the rest is for next time
        connection.fanouts_unknown(wanted, [posting.id for posting in postings])

    def _reach(
        self, connection: DeviceConnection, posting: Posting, lists: list[FanoutList]
    ) -> tuple[list[FanoutList], Refusal | None]:
        """The lists without devices that cannot take it, or the refusal."""
        if self.disk_short:
            return lists, (Reason.STORAGE, "too little disk is free; try later")
        count, size = len(lists), sum(len(parcel.sealed) for parcel in posting.parcels)
        own, commit = connection.address, posting.order is not None
        if _takes_whole(lists, count, size, own, commit):
            return lists, None
        takes = partial(Mailbox.has_room, parcels=count, size=size, sender=own, commit=commit)
        reached = [FanoutList([b for b in m.mailboxes if takes(b)], ()) for m in lists]
        for members in lists if posting.order else reached:  # a Commit leaves a marker at least
            if any(posting.order or mailbox.address != own for mailbox in members.mailboxes):
                return reached, None
        return lists, self._unreachable(posting, lists, takes)

    def _unreachable(
        self, posting: Posting, lists: list[FanoutList], takes: Callable[[Mailbox], bool]
    ) -> Refusal:
        for members in lists:
            for mailbox in members.mailboxes:
                if not takes(mailbox):
                    return Reason.MAILBOX_FULL, f"too much waits for device {mailbox.id.hex()}"
        missing: list[str] = []
        for parcel, members in zip(posting.parcels, lists, strict=True):
            for device, _ in members.missing:
                known = self.mailboxes.find(device)
                if known is not None and (why := self._market_refusal(known)):
                    return Reason.MARKET_LEFT, why
                missing.append(device.hex())
            if members.missing:
                self._fanouts.forget(FanoutId(parcel.fanout))
        return Reason.RECIPIENT_UNKNOWN, f"no such device: {', '.join(missing[:8])}"

    def _look_up(self, connection: DeviceConnection, posting: Posting, refusal: Refusal) -> None:
        """Refuse a Commit, unless it repeats one that was accepted."""
        pending = Pending(connection, posting, self._came, refusal=refusal)
        pending.rows, pending.size = 1, messaging_limits.MIN_CHARGED_BYTES
        self._queue(pending)

    def _take(
        self,
        connection: DeviceConnection,
        posting: Posting,
        lists: list[FanoutList],
        left_out: LeftOut,
    ) -> None:
        charge = self._charge
        pending = Pending(connection, posting, self._came, left_out=left_out)
        if posting.order is not None:
            charge.orders += 1
            pending.missed_by = self._missed(left_out)
            charge.rows += len(pending.missed_by)
        for parcel, members in zip(posting.parcels, lists, strict=True):
            if not members.numbers:
                continue
            tags = members.tags(connection.address)
            size, count = len(parcel.sealed), len(members.numbers)
            charge.rows += count
            charge.bytes += size
            charge.copied += size * count
            for mailbox, tag in zip(members.mailboxes, tags, strict=True):
                mailbox.add(PARCEL + size, tag)
            pending.parcels.append((parcel.sealed, members, tags))
            pending.rows += count
            pending.size += max(size, messaging_limits.MIN_CHARGED_BYTES)
        self._queue(pending)

    def _missed(self, left_out: LeftOut) -> list[Mailbox]:
        """The mailboxes without room, in which a Commit leaves a marker."""
        full = (devices for reason, devices in left_out if reason is Reason.MAILBOX_FULL)
        boxes = (self.mailboxes.find(device) for devices in full for device in devices)
        return [mailbox for mailbox in boxes if mailbox is not None]

    def _queue(self, pending: Pending) -> None:
        self._taken.append(pending)
        self._unstored_bytes += pending.size
        crowded = self._unstored_bytes > messaging_limits.MAX_UNSTORED_BYTES
        pending.connection.hold(pending.size, crowded)

    def flush(self) -> None:
        """Submit the next group of waiting postings, unless one is being stored."""
        if self._storing or not self._waiting:
            return
        self._storing = True
        group = self._waiting.group()
        self.writer.submit(numbered(group, self.today), partial(self._stored, group))
        self.delivery.flush()

    def _stored(
        self, waiting: list[Pending], result: list[ports.OrderedCommit] | BlackthornError
    ) -> None:
        self._storing = False
        self.flush()
        if isinstance(result, BlackthornError):
            self._not_stored(waiting, result)
            return
        outcomes = iter(result)
        accepted: dict[tuple[DeviceConnection, LeftOut], list[bytes]] = {}
        deliveries: dict[Mailbox, list[Numbered]] = {}
        for pending in waiting:
            outcome, winner = next(outcomes) if pending.position else _UNORDERED
            if outcome is ports.CommitOutcome.NEW and pending.refusal is not None:
                self._refuse(pending, *pending.refusal)
                continue
            if outcome in _REFUSALS:
                self._refuse(pending, _REFUSALS[outcome], winner=winner)
                continue
            accepted.setdefault((pending.connection, pending.left_out), []).append(pending.id)
            self._settle(pending)
            if outcome is ports.CommitOutcome.REPEATED:
                self._uncount(pending)
                continue
            self.counters.parcels_accepted += len(pending.parcels)
            for mailbox in pending.missed_by:
                mailbox.missed += 1
            for (sealed, members, tags), seqs in zip(pending.parcels, pending.seqs, strict=True):
                for mailbox, seq, tag in zip(members.mailboxes, seqs, tags, strict=True):
                    if mailbox.receiver is not None:
                        deliveries.setdefault(mailbox, []).append((seq, sealed, tag))
        for (connection, left_out), ids in accepted.items():
            self.counters.postings_accepted += len(ids)
            connection.accepted(ids, left_out)
        self.delivery.deliver_new(deliveries)
        self.counters.delivery_seconds.since(min(pending.came for pending in waiting))

    def _not_stored(self, waiting: list[Pending], error: BlackthornError) -> None:
        self.counters.storage_failures += isinstance(error, StorageError)
        for pending in waiting:
            if isinstance(error, DefectError):  # no refusal: the device may retry
                self._uncount(pending)
                self._settle(pending)
                pending.connection.failed(error)
            else:
                self._refuse(pending, Reason.STORAGE, str(error))

    def _refuse(
        self, pending: Pending, reason: Reason, text: str = "", winner: bytes = b""
    ) -> None:
        self.counters.postings_refused += 1
        self._uncount(pending)
        self._settle(pending)
        pending.connection.refused(pending.id, reason, text, winner)

    def _uncount(self, pending: Pending) -> None:
        for sealed, members, tags in pending.parcels:
            for mailbox, tag in zip(members.mailboxes, tags, strict=True):
                mailbox.take(PARCEL + len(sealed), tag)

    def _settle(self, pending: Pending) -> None:
        self._unstored_bytes -= pending.size
        pending.connection.release(pending.size)


def _left_out(lists: list[FanoutList], reached: list[FanoutList]) -> LeftOut:
    """The devices of the lists that are not reached, by reason."""
    found: dict[DeviceId, Reason] = {}
    for members, some in zip(lists, reached, strict=True):
        found.update(members.missing)
        with_room = set(some.mailboxes)
        found.update(
            (box.id, Reason.MAILBOX_FULL) for box in members.mailboxes if box not in with_room
        )
    return tuple(
        (reason, tuple(device for device, why in found.items() if why is reason))
        for reason in dict.fromkeys(found.values())
    )


def _takes_whole(
    lists: list[FanoutList], count: int, size: int, sender: Address, commit: bool
) -> bool:
    for members in lists:
        if members.missing:
            return False
        for mailbox in members.mailboxes:
            if not mailbox.has_room(count, size, sender, commit):
                return False
    return True
