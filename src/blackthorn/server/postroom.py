"""The postroom: takes postings, has them stored, answers, hands them on to delivery.

A posting is accepted or refused as one, and answered once. *Accepted* is said only after
the commit. All that comes while a commit is under way makes the next one; so at most one
group is with the writer, and groups become durable in the order of their parcels' numbers.
"""

from functools import partial

from blackthorn import limits
from blackthorn.errors import StorageError
from blackthorn.ids import DeviceId, FanoutId
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.link.fanout import open_fanout
from blackthorn.ports.parcels import Batch, Parcels, ParcelStore, Placed, Placement, SharedParcel
from blackthorn.ports.writer import Writer
from blackthorn.server.counters import Counters
from blackthorn.server.delivery import Delivery
from blackthorn.server.fanouts import FanoutList, Fanouts
from blackthorn.server.mailbox import Mailbox, Mailboxes
from blackthorn.server.session import Session

_REFUSALS = {Placed.LATE: Code.EPOCH_TAKEN, Placed.AHEAD: Code.EPOCH_AHEAD}


class _Pending:
    """A posting on its way to the disk: `parcels` are (delivery, the list it is for)."""

    __slots__ = ("id", "ordered", "parcels", "session", "size")

    def __init__(self, session: Session, posting: f.Posting) -> None:
        self.session = session
        self.id = posting.id
        self.ordered = posting.order is not None
        self.size = 0
        self.parcels: list[tuple[f.Delivery, FanoutList]] = []


class Postroom:
    """Postings of all devices."""

    def __init__(
        self,
        store: ParcelStore,
        writer: Writer,
        mailboxes: Mailboxes,
        delivery: Delivery,
        counters: Counters,
    ) -> None:
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

    # --- Frames ---------------------------------------------------------------------------

    def fanout(self, session: Session, frame: f.Fanout, now: float) -> None:
        """Remember the list behind a fan-out id."""
        found: list[Mailbox] = []
        missing: list[DeviceId] = []
        for device in open_fanout(frame):
            mailbox = self._mailboxes.of(device)
            if mailbox is None:
                missing.append(device)
            else:
                found.append(mailbox)
        self._fanouts.put(FanoutId(frame.id), FanoutList(found, missing))

    def forget_fanouts(self) -> None:
        """A device was removed: every list must be told again."""
        self._fanouts.clear()

    def send(self, session: Session, frame: f.Send, now: float) -> None:
        """Take the postings in their order; from the first unknown list on, ask for lists."""
        for index, posting in enumerate(frame.postings):
            lists = self._lists(posting)
            if lists is None:
                self._ask(session, frame.postings[index:])
                break
            refusal = self._refusal(posting, lists)
            if refusal is not None:
                self._counters.postings_refused += 1
                session.transmit(f.Refused(posting.id, *refusal))
            else:
                self._take(session, posting, lists)
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
        wanted = list(unknown)[: limits.MAX_POSTINGS_PER_FRAME]  # the rest is asked for next time
        session.transmit(f.FanoutUnknown(wanted, [posting.id for posting in postings]))

    def _refusal(self, posting: f.Posting, lists: list[FanoutList]) -> tuple[Code, str] | None:
        for parcel, members in zip(posting.parcels, lists, strict=True):
            if members.missing:
                self._fanouts.forget(FanoutId(parcel.fanout))
                names = ", ".join(device.hex() for device in members.missing[:8])
                return Code.RECIPIENT_UNKNOWN, f"no such device: {names}"
            for mailbox in members.mailboxes:
                if mailbox.waiting + len(lists) > limits.MAX_MAILBOX_PARCELS:
                    return Code.MAILBOX_FULL, f"too much waits for device {mailbox.id.hex()}"
        return None

    def _take(self, session: Session, posting: f.Posting, lists: list[FanoutList]) -> None:
        """Number the parcels and put them into the group that goes to the disk next."""
        pending = _Pending(session, posting)
        rows = self._batch.free
        if posting.order is not None:
            order = posting.order
            rows = Parcels()
            placement = Placement(order.handle, order.epoch, order.token)
            self._batch.ordered.append((placement, rows))
        for parcel, members in zip(posting.parcels, lists, strict=True):
            seq = self._next_seq
            self._next_seq = seq + 1
            sealed = parcel.sealed
            if len(members.numbers) == 1:
                rows.single.append((members.numbers[0], seq, sealed))
            else:
                rows.shared.append(SharedParcel(seq, sealed, members.numbers))
            for mailbox in members.mailboxes:
                mailbox.waiting += 1
            pending.parcels.append((f.Delivery(seq, sealed), members))
            pending.size += len(sealed)
        self._waiting.append(pending)
        self._unstored_bytes += pending.size
        session.hold(pending.size, self._unstored_bytes > limits.MAX_UNSTORED_BYTES)

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
            for start in range(0, len(ids), limits.MAX_POSTINGS_PER_FRAME):
                session.transmit(f.Accepted(ids[start : start + limits.MAX_POSTINGS_PER_FRAME]))

    def _refuse(self, pending: _Pending, code: Code, text: str) -> None:
        self._counters.postings_refused += 1
        self._uncount(pending)
        self._settle(pending)
        pending.session.transmit(f.Refused(pending.id, code, text))

    def _uncount(self, pending: _Pending) -> None:
        for _, members in pending.parcels:
            for mailbox in members.mailboxes:
                mailbox.waiting -= 1

    def _settle(self, pending: _Pending) -> None:
        self._unstored_bytes -= pending.size
        pending.session.release(pending.size)
