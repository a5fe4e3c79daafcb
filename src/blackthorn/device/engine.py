"""The device engine: frames in, frames out, all decisions inside a unit of work over its store.

No sockets and no clock. Several processes may run a `Device` over one store; only the process that
`receives` asks for deliveries. The store is durable; this object's own state only saves work.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from blackthorn.device.account import exit_notices, healer, lost_reports, reconciler
from blackthorn.device.conversations import key_packages, limits, noted, receiver, renewal
from blackthorn.device.core import groups, kept_epochs, unit_of_work, verified_chains
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.healing import lacking, wanted
from blackthorn.device.operations import outbox
from blackthorn.device.operations.sender import Sender
from blackthorn.device.transparency import copies, directory_client, replay
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.errors import OverrunError
from blackthorn.link import frames as f
from blackthorn.ports.device_store import DeviceStore

Frames = list[f.AnyFrame]


class Device:
    """One device's decisions over one connection after another."""

    def __init__(
        self, store: DeviceStore, keys: DeviceKeys, *, random: Callable[[int], bytes]
    ) -> None:
        self.keys = keys
        self.superseded = False
        """Whether another connection of this device receives instead."""
        self.mail_waits = False
        """Whether the server has said that there is new mail."""
        self.directory = directory_client.DirectoryClient()
        self.replayer = replay.Replayer()
        self._store = store
        self._random = random
        self._chains = verified_chains.ChainCache()
        self._groups = groups.GroupCache()
        self._receiver = receiver.Receiver(self.unit, self.directory, outbox.retract_commit)
        self._sender = Sender(self.unit, self.directory)
        self._reconciler = reconciler.Schedule()
        self._healer = healer.Healer()
        self._receipts = exit_notices.ReceiptFetcher()
        self._noticed: set[str] = set()
        """Cases of the notices received on this link."""
        self._connected = False
        self._resumes = False
        """Whether parcels are still to be asked for."""
        self._stock: int | None = None
        """Unclaimed key packages of this device that the server counted, until more were made."""
        self._said = 0
        """The number of this connection's hello."""
        self._expired = False
        """All that waited was read: key packages that have expired are of no more use."""

    def unit(self, now_ms: int) -> AbstractContextManager[unit_of_work.UnitOfWork]:
        return unit_of_work.unit(
            self._store, self.keys, now_ms, self._random, self._chains, self._groups
        )

    def enqueue(self, now_ms: int, make: Callable[[unit_of_work.UnitOfWork], int]) -> int:
        """Store an operation (`send_text.enqueue` and its like); its number. Call `tick`
        afterwards.

        This process sends it at once; other processes' rows follow after a delay.
        """
        return self.enqueue_all(now_ms, [make])[0]

    def enqueue_all(
        self, now_ms: int, makes: Sequence[Callable[[unit_of_work.UnitOfWork], int]]
    ) -> list[int]:
        """Store several operations; their numbers. If one raises, none is stored."""
        with self.unit(now_ms) as unit:
            numbers = [make(unit) for make in makes]
            rows = [unit.records.outbox.get(number) for number in numbers]
        self._sender.take_charge([row.target for row in rows if row is not None])
        return numbers

    @property
    def blocked(self) -> set[int]:
        """Rows that wait until the user accepts an alarm."""
        return self._sender.blocked

    def busy(self, now_ms: int) -> bool:
        """Whether this process waits for an answer to an operation in the outbox, or on handles."""
        if self._healer.awaits_answer or self._receipts.awaits_answer:
            return True
        with self.unit(now_ms) as unit:
            return self._sender.awaits_answer(unit)

    @property
    def upload(self) -> tuple[int, int]:
        """Bytes of the mail on its way over this connection: what the server has, and all."""
        return self._sender.uploads.taken, self._sender.uploads.total

    @property
    def drained(self) -> bool:
        """Whether all waiting parcels were delivered and their senders looked up."""
        return self._receiver.drained

    def disconnected(self) -> None:
        """The link has ended; unanswered operations will be sent again."""
        self._connected = self._resumes = False
        self._receiver.disconnected()
        self._sender.disconnected()
        self._healer.disconnected()
        self._receipts.disconnected()
        self.directory.disconnected()
        self.replayer.disconnected()

    def overrun(self, error: OverrunError, now_ms: int) -> None:
        """Tell the person of a server that goes on after a bound."""
        with self.unit(now_ms) as unit:
            raise_alarm(unit.records, "overrun", self.keys.address, str(error), now_ms)

    def hello(self, binding: bytes, now_ms: int) -> f.Hello:
        """The first frame over a connection of this binding; stored before it is sent."""
        with self.unit(now_ms) as unit:
            hello = copies.sign(unit, binding)
        self._said = hello.number
        return hello

    def connected(self, ready: f.Ready, now_ms: int, *, receives: bool) -> Frames:
        """The link is open. `receives`: this process holds the device's receiver lock."""
        self._connected = True
        self._reconciler.connected()
        self._noticed.clear()
        frames: Frames = []
        with self.unit(now_ms) as unit:
            receiver.forget_old(unit)
            self._receipts.connected(unit.records.settings)
            copies.judge(unit, self._said, ready)
            self._stock = ready.key_packages
            frames += self.directory.pushes.begin(unit, ready.ledger)
            self._resumes = receives
            self._sender.connected(unit)
        return frames + self.tick(now_ms)

    def receive(self, frame: f.AnyFrame, now_ms: int) -> Frames:
        """Process a frame of the server; the frames to send. StorageError: nothing was stored."""
        match frame:
            case f.MailArrived():
                self.mail_waits = True
            case f.MarketNotice():
                with self.unit(now_ms) as unit:
                    exit_notices.keep(unit.records.settings, frame)
                    self._receipts.noticed(unit.records.settings, frame)
                self._noticed.add(frame.exit)
            case f.Superseded():
                self.superseded = True
                self._receiver.stop()
            case _:
                answer = self._answer(frame, now_ms)
                if answer is not None:
                    return answer + self.tick(now_ms)
        return []

    def _upkeep(self, unit: unit_of_work.UnitOfWork) -> None:
        """Count the day, and forget what is old: everything that waited was read."""
        if self._expired:
            self._expired = False
            key_packages.forget_expired(unit)
        kept_epochs.forget_old(unit.records, unit.now_ms)
        renewal.used(unit)

    def _replenish(self, unit: unit_of_work.UnitOfWork) -> Frames:
        """Publish the key packages that are due, dated by a new time of the ledger."""
        stock = limits.KEY_PACKAGE_STOCK if self._stock is None else self._stock
        if key_packages.are_due(unit, stock):
            if not self.directory.time_is_new(unit):
                return []
            self._stock = None
            return [key_packages.replenish(unit, stock)]
        self._stock = None
        return []

    def _answer(self, frame: f.AnyFrame, now_ms: int) -> Frames | None:
        """The frames to send at once; None for a frame after which nothing can be due."""
        match frame:
            case f.Deliver(parcels):
                return self._receiver.deliver(parcels, now_ms)
            case f.Drained(missed, digests):
                with self.unit(now_ms) as unit:
                    lacking.commits_missed(unit, missed, digests)
                    exit_notices.keep_only(unit.records.settings, self._noticed)
                    self._receiver.all_delivered(unit)
                    copies.all_read(unit)
                self._expired = True
                return [f.Acknowledge([], missed)] if missed else []
            case f.Accepted(postings, left_out):
                with self.unit(now_ms) as unit:
                    for posting in postings:
                        outbox.accepted(unit, posting, left_out)
            case f.ReceiptPart():
                with self.unit(now_ms) as unit:
                    self._receipts.answered(unit.records.settings, frame, self.keys.address)
            case f.Refused():
                self._sender.refused(frame, now_ms)
            case f.SlowDown():
                self._sender.slow_down(frame, now_ms)
            case f.FanoutUnknown():
                return self._sender.fanout_unknown(frame, now_ms)
            case f.Orders():
                with self.unit(now_ms) as unit:
                    return self._healer.orders(unit, frame)
            case f.SubmissionState() | f.MailSubmitted() | f.CertificatesFound():
                return self._sender.mail_answered(frame, now_ms)
            case f.KeyPackageStock(stock):
                self._stock = stock
            case f.KeyPackages():
                self._sender.claimed(frame, now_ms)
            case f.StatementStored():
                self._sender.statement_stored(frame, now_ms)
                self.directory.own_changed()
                self._reconciler.poke()
            case _:
                return self._answer_of_ledger(frame, now_ms)
        return []

    def _answer_of_ledger(self, frame: f.AnyFrame, now_ms: int) -> Frames | None:
        match frame:
            case f.LookedUp():
                with self.unit(now_ms) as unit:
                    frames = self.directory.looked_up(unit, frame)
                    if not self.directory.busy:
                        noted.review_all(unit)
                return frames
            case f.ChainPart():
                with self.unit(now_ms) as unit:
                    frames = self.directory.chain_part(unit, frame)
                    if not self.directory.busy:
                        noted.review_all(unit)
                self._reconciler.poke()
                return frames
            case f.Consistency():
                with self.unit(now_ms) as unit:
                    return self.directory.consistency(unit, frame)
            case f.Entries():
                with self.unit(now_ms) as unit:
                    frames = self.replayer.entries(unit, frame)
                if self.replayer.settled:  # another configuration may have been adopted
                    self.replayer.settled = False
                    self.directory.own_changed()
                    self._sender.retry_now()
                return frames
            case f.EpochPushed():
                pushes, stale = self.directory.pushes, self.directory.stale
                if stale:  # there is a newer checkpoint now
                    self.directory.own_changed()
                frames = []
                if not pushes.nothing_changed(frame):
                    with self.unit(now_ms) as unit:
                        frames = pushes.pushed(unit, frame)
                idle = not (frames or pushes.changed or stale or self._resumes)
                return None if idle else frames
            case f.LeafChanged():
                self.directory.own_changed()
                return []
        return None

    def _heal(self, unit: unit_of_work.UnitOfWork) -> Frames:
        numbers, questions = self._healer.look(unit)
        rows = (unit.records.outbox.get(number) for number in numbers)
        self._sender.take_charge(row.target for row in rows if row is not None)
        return questions

    def tick(self, now_ms: int) -> Frames:
        """Retry, look up and send whatever is due.

        Call it after every operation and regularly: other processes change the store too.
        """
        directory, inbound, sender = self.directory, self._receiver, self._sender
        with self.unit(now_ms) as unit:
            if not (self._connected and directory.awaits(unit)):
                inbound.retry(unit)  # a group of many waits until all its people were looked up
            if not self._connected:
                return inbound.answer_unsettled(unit)
            asked: Frames = []
            if inbound.active:
                directory.queue.want_later(unit, noted.users_to_ask(unit))
            if self._resumes and directory.pushes.settled(unit):  # who was revoked is known first
                self._resumes = False
                asked.append(inbound.start(unit))
            asked += directory.ask(unit)
            mine = self.replayer.wanted or (inbound.active and inbound.drained)
            if mine and not directory.busy:
                asked += self.replayer.ask(unit)
            frames = inbound.answer_unsettled(unit) + asked + inbound.ask_again(unit)
            if copies.renews(unit):
                key_packages.renew_all(unit)
                renewal.copied(unit)
                lacking.note(unit, restored=True)
                wanted.note(unit, wanted.ALL, copies.before_ms(unit))
                lost_reports.restored(unit)
            if self._stock is not None or (inbound.active and inbound.drained):
                frames += self._replenish(unit)
            if inbound.active and inbound.drained:
                self._upkeep(unit)  # a link may last for weeks
                sender.take_charge(self._reconciler.look(unit))
                frames += self._heal(unit)
                frames += self._receipts.ask(now_ms)
            if inbound.drained or not (inbound.active or self._resumes):
                requests, postings = sender.due(unit, receives=inbound.active)
                # An operation may have found users to look up before it can be prepared.
                frames += requests + directory.ask(unit) + postings
        return frames
