"""The postroom: takes postings, has them stored, answers, hands them on to delivery.

A posting is accepted or refused as one, and answered once. *Accepted* is said only after
the commit, and means each device of its lists that exists and whose mailbox has room; the
others are left out as long as one device of somebody else takes it. A Commit that was
accepted before is accepted again whatever has happened since. All that comes while a commit
is under way makes the next one; so at most one group is with the writer, and groups become
durable in the order of their parcels' numbers.
"""

from functools import partial

from blackthorn.errors import StorageError
from blackthorn.ids import DeviceId, FanoutId
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.fanout import open_fanout
from blackthorn.ports.parcels import Batch, Parcels, ParcelStore, Placed, Placement, SharedParcel
from blackthorn.ports.writer import Writer
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.server.messaging.delivery import Delivery
from blackthorn.server.messaging.fanouts import FanoutList, Fanouts
from blackthorn.server.messaging.mailboxes import Mailbox, Mailboxes

Refusal = tuple[Code, str]

_REFUSALS = {Placed.LATE: Code.EPOCH_TAKEN, Placed.AHEAD: Code.EPOCH_AHEAD}


class _Pending:
    """A posting on its way to the disk: `parcels` are (delivery, the list it is for).

    With `refusal` it is refused unless it is the repetition of a Commit that was stored.
    """

    __slots__ = ("id", "ordered", "parcels", "refusal", "session", "size")

    def __init__(self, session: Session, posting: f.Posting, refusal: Refusal | None) -> None:
        self.session = session
        self.id = posting.id
        self.ordered = posting.order is not None
        self.refusal = refusal
        self.size = 0
        self.parcels: list[tuple[f.Delivery, FanoutList]] = []


class MessageSubmission:
    """Postings of all devices."""

    def __init__(
        self,
        store: ParcelStore,
        writer: Writer,
        mailboxes: Mailboxes,
        delivery: Delivery,
        counters: Counters,
        exits: ExitRules | None = None,
    ) -> None:
        self._exits = exits
        self._store = store
        self._writer = writer
        self._mailboxes = mailboxes
        self._delivery = delivery
        self._counters = counters
        self._fanouts = Fanouts()
        self._next_seq = store.first_seq()
        self._batch = Batch()
        self._waiting: list[_Pending] = []
        self._storing = False
        self._unstored_bytes = 0
        self.today = 0
        """The Unix day, which Commits are stored with."""
        self.disk_short = False
        """Whether so little disk is free that nothing more is taken."""

    # --- Frames ---------------------------------------------------------------------------

    def fanout(self, session: Session, frame: f.Fanout, now: float) -> None:
        """Remember the list behind a fan-out id."""
        found: list[Mailbox] = []
        missing: list[DeviceId] = []
        fleeting = False
        for device in open_fanout(frame):
            mailbox = self._mailboxes.of(device)
            if mailbox is None or not mailbox.live:
                missing.append(device)
                session.missing_named += 1
            elif self._left(mailbox):
                missing.append(device)
                fleeting = True
            else:
                found.append(mailbox)
        if session.missing_named > messaging_limits.MAX_MISSING_NAMED:
            raise LinkError(Code.RECIPIENT_UNKNOWN, "too many devices that do not exist")
        self._fanouts.put(FanoutId(frame.id), FanoutList(found, missing, fleeting=fleeting))

    def _left(self, mailbox: Mailbox) -> str:
        """Why nothing is taken for a device that exists; "" when it is."""
        if self._exits is None:
            return ""
        return self._exits.refusal(mailbox.address, May.BE_SENT)

    def forget_fanouts(self) -> None:
        """A device was removed, or its market left: every list must be told again."""
        self._fanouts.clear()

    def send(self, session: Session, frame: f.Send, now: float) -> None:
        """Take the postings in their order; from the first unknown list on, ask for lists."""
        used: set[bytes] = set()
        for index, posting in enumerate(frame.postings):
            lists = self._lists(posting)
            if lists is None:
                self._ask(session, frame.postings[index:])
                break
            if any(members.fleeting for members in lists):
                used.update(parcel.fanout for parcel in posting.parcels)
            reached, refusal = self._reach(session, posting, lists)
            if refusal is None:
                self._take(session, posting, reached)
            elif posting.order is not None:
                self._look_up(session, posting, posting.order, refusal)
            else:
                self._counters.postings_refused += 1
                session.transmit(f.Refused(posting.id, *refusal))
        for fanout in used:
            self._fanouts.forget(FanoutId(fanout))
        self.flush()

    def _lists(self, posting: f.Posting) -> list[FanoutList] | None:
        lists: list[FanoutList] = []
        for parcel in posting.parcels:
            members = self._fanouts.get(FanoutId(parcel.fanout))
            if members is None:
                return None
            lists.append(members)
        return lists

    def _ask(self, session: Session, postings: list[f.Posting]) -> None:
        unknown = dict.fromkeys(
            parcel.fanout
            for posting in postings
            for parcel in posting.parcels
            if self._fanouts.get(FanoutId(parcel.fanout)) is None
        )
        wanted = list(unknown)[
            : link_limits.MAX_POSTINGS_PER_FRAME
        ]  # the rest is asked for next time
        session.transmit(f.FanoutUnknown(wanted, [posting.id for posting in postings]))

    def _reach(
        self, session: Session, posting: f.Posting, lists: list[FanoutList]
    ) -> tuple[list[FanoutList], Refusal | None]:
        """The lists without the devices that cannot take the posting, or why it is refused."""
        if self.disk_short:
            return lists, (Code.STORAGE, "too little disk is free; try later")
        count, size = len(lists), sum(len(parcel.sealed) for parcel in posting.parcels)
        if all(_takes_whole(members, count, size) for members in lists):
            return lists, None
        reached = [
            FanoutList([each for each in members.mailboxes if each.has_room(count, size)], ())
            for members in lists
        ]
        own = session.device.address if session.device is not None else None
        for members in reached:
            if any(posting.order or mailbox.address != own for mailbox in members.mailboxes):
                return reached, None
        return lists, self._unreachable(posting, lists, count, size)

    def _unreachable(
        self, posting: f.Posting, lists: list[FanoutList], count: int, size: int
    ) -> Refusal:
        for members in lists:
            for mailbox in members.mailboxes:
                if not mailbox.has_room(count, size):
                    return Code.MAILBOX_FULL, f"too much waits for device {mailbox.id.hex()}"
        missing: list[str] = []
        for parcel, members in zip(posting.parcels, lists, strict=True):
            for device in members.missing:
                known = self._mailboxes.of(device)
                if known is not None and (left := self._left(known)):
                    return Code.MARKET_LEFT, left
                missing.append(device.hex())
            if members.missing:
                self._fanouts.forget(FanoutId(parcel.fanout))
        return Code.RECIPIENT_UNKNOWN, f"no such device: {', '.join(missing[:8])}"

    def _look_up(
        self, session: Session, posting: f.Posting, order: f.Order, refusal: Refusal
    ) -> None:
        """Refuse a Commit, unless it turns out to be one that was accepted before."""
        placement = Placement(order.handle, order.epoch, order.token)
        self._batch.ordered.append((placement, None))
        pending = _Pending(session, posting, refusal)
        pending.size = messaging_limits.MIN_CHARGED_BYTES
        self._queue(pending)

    def _take(self, session: Session, posting: f.Posting, lists: list[FanoutList]) -> None:
        """Number the parcels and put them into the group that goes to the disk next."""
        pending = _Pending(session, posting, None)
        rows = self._batch.free
        if posting.order is not None:
            order = posting.order
            rows = Parcels()
            placement = Placement(order.handle, order.epoch, order.token)
            self._batch.ordered.append((placement, rows))
        for parcel, members in zip(posting.parcels, lists, strict=True):
            if not members.numbers:
                continue
            seq = self._next_seq
            self._next_seq = seq + 1
            sealed = parcel.sealed
            if len(members.numbers) == 1:
                rows.single.append((members.numbers[0], seq, sealed))
            else:
                rows.shared.append(SharedParcel(seq, sealed, members.numbers))
            for mailbox in members.mailboxes:
                mailbox.waiting.add(len(sealed))
            pending.parcels.append((f.Delivery(seq, sealed), members))
            pending.size += max(len(sealed), messaging_limits.MIN_CHARGED_BYTES)
        self._queue(pending)

    def _queue(self, pending: _Pending) -> None:
        session = pending.session
        self._waiting.append(pending)
        self._unstored_bytes += pending.size
        session.hold(pending.size, self._unstored_bytes > messaging_limits.MAX_UNSTORED_BYTES)

    # --- The writer -----------------------------------------------------------------------

    def flush(self) -> None:
        """Give the writer what waits, unless it still has the group before."""
        if self._storing or not self._waiting:
            return
        self._storing = True
        batch, self._batch = self._batch, Batch()
        waiting, self._waiting = self._waiting, []
        batch.next_seq, batch.day = self._next_seq, self.today
        self._writer.submit(self._store.put(batch), partial(self._stored, waiting))
        self._delivery.flush()

    def _stored(self, waiting: list[_Pending], result: list[Placed] | StorageError) -> None:
        self._storing = False
        self.flush()
        if isinstance(result, StorageError):
            self._counters.storage_failures += 1
            for pending in waiting:
                self._refuse(pending, Code.STORAGE, str(result))
            return
        placed = iter(result)
        accepted: dict[Session, list[bytes]] = {}
        deliveries: dict[Mailbox, list[f.Delivery]] = {}
        for pending in waiting:
            outcome = next(placed) if pending.ordered else Placed.STORED
            if outcome is Placed.NEW and pending.refusal is not None:
                self._refuse(pending, *pending.refusal)
                continue
            if outcome in _REFUSALS:
                code = _REFUSALS[outcome]
                self._refuse(pending, code, code.meaning)
                continue
            accepted.setdefault(pending.session, []).append(pending.id)
            self._settle(pending)
            if outcome is Placed.REPEATED:
                self._uncount(pending)
                continue
            self._counters.parcels_accepted += len(pending.parcels)
            for delivery, members in pending.parcels:
                for mailbox in members.mailboxes:
                    deliveries.setdefault(mailbox, []).append(delivery)
        self._answer(accepted)
        self._delivery.deliver_new(deliveries)

    def _answer(self, accepted: dict[Session, list[bytes]]) -> None:
        for session, ids in accepted.items():
            self._counters.postings_accepted += len(ids)
            for start in range(0, len(ids), link_limits.MAX_POSTINGS_PER_FRAME):
                session.transmit(
                    f.Accepted(ids[start : start + link_limits.MAX_POSTINGS_PER_FRAME])
                )

    def _refuse(self, pending: _Pending, code: Code, text: str) -> None:
        self._counters.postings_refused += 1
        self._uncount(pending)
        self._settle(pending)
        pending.session.transmit(f.Refused(pending.id, code, text))

    def _uncount(self, pending: _Pending) -> None:
        for delivery, members in pending.parcels:
            for mailbox in members.mailboxes:
                mailbox.waiting.take(len(delivery.sealed))

    def _settle(self, pending: _Pending) -> None:
        self._unstored_bytes -= pending.size
        pending.session.release(pending.size)


def _takes_whole(members: FanoutList, count: int, size: int) -> bool:
    return not members.missing and all(each.has_room(count, size) for each in members.mailboxes)
