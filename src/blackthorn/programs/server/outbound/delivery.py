"""Delivery of the queue: workers for each domain take one due mail after another.

A domain that cannot be reached is left alone for a while. What an attempt changed is stored before
the next step; a mail is handed over twice only when the answer to it was lost.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from blackthorn.ports.clock import Clock
from blackthorn.ports.outbound.carrier import Carrier, CarrierError, Connection, Reply
from blackthorn.ports.outbound.queue import Delivery, DueDeliveries, DueDomains, ReadQueued
from blackthorn.ports.store import Command, Reader, Writer
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.outbound import limits
from blackthorn.programs.server.outbound.domains import Domain, Domains
from blackthorn.programs.server.outbound.local import LocalMail
from blackthorn.programs.server.outbound.reports import Reports
from blackthorn.programs.server.outbound.signing import DkimSigning
from blackthorn.server.counters import Counters
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.outbound.envelope import decode
from blackthorn.server.outbound.settling import DROPPED, Attempt


@dataclass(kw_only=True, eq=False, repr=False)
class Delivering:
    """Delivers while the server runs. `own_domain`'s mail goes to the mailboxes here."""

    writer: Writer
    reader: Reader
    pieces: PieceWriter
    clock: Clock
    counters: Counters
    tasks: Supervisor
    carrier: Carrier
    local: LocalMail
    reports: Reports
    own_domain: str
    queue_hours: int
    signing: DkimSigning

    def __post_init__(self) -> None:
        self._domains = Domains()
        self._large = asyncio.Semaphore(limits.MAX_LARGE_MAILS)
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.stopping = False

    def wake(self, domains: Sequence[str]) -> None:
        """Mail for these domains came into the queue."""
        for name in domains:
            self._start_worker(self._domains.get(name))

    async def scan_and_rest(self) -> None:
        """Start workers for all domains with mail due, and wait. Raises StorageError."""
        await self.scan()
        await asyncio.sleep(limits.SCAN_SECONDS)

    async def scan(self) -> None:
        """Start workers for all domains with mail due. Raises StorageError."""
        self.signing.refresh()
        after = ""
        while True:
            query = DueDomains(self.clock.wall_ms(), after, limits.DUE_DOMAINS)
            found = await outcome(partial(self.reader.ask, query))
            for due in found:
                domain = self._domains.get(due.domain)
                if due.at_once:
                    domain.release()
                self._start_worker(domain)
            if len(found) < limits.DUE_DOMAINS:
                break
            after = found[-1].domain
        self._domains.forget_idle()

    async def close(self) -> None:
        """Start no more, and wait shortly for what is being handed over."""
        self.stopping = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), limits.DROP_SECONDS)

    def _start_worker(self, domain: Domain) -> None:
        domain.woken.set()
        room = domain.workers < limits.MAX_WORKERS_PER_DOMAIN and not domain.idle
        if self.stopping or not room or domain.held(self.clock.monotonic()):
            return
        if self._domains.workers < limits.MAX_WORKERS:
            domain.workers += 1
            self.tasks.start("delivery", self._work(domain))

    async def _work(self, domain: Domain) -> None:
        """Deliver what is due for the domain, until nothing is."""
        connection: Connection | None = None
        handed = 0
        try:
            while not self.stopping and (delivery := await self._next(domain)) is not None:
                try:
                    if connection is None and not self._is_local(delivery):
                        connection = await self._connect(domain, delivery)
                    if connection is not None or self._is_local(delivery):
                        lost = await self._deliver(delivery, connection)
                        handed += 1
                        if connection is not None and (
                            lost or handed % limits.MAILS_PER_CONNECTION == 0
                        ):
                            await connection.close()
                            connection = None
                finally:
                    domain.give_back(delivery)
        finally:
            domain.workers -= 1
            if connection is not None:
                await connection.close()

    def _is_local(self, delivery: Delivery) -> bool:
        return delivery.domain == self.own_domain or delivery.dropped

    async def _next(self, domain: Domain) -> Delivery | None:
        """The next due delivery, taken; None after a short wait for one."""
        for last in (False, True):
            domain.woken.clear()
            if domain.held(self.clock.monotonic()):
                return None
            if not domain.waiting:
                await self._load(domain)
            if domain.waiting:
                return domain.take()
            if not last:
                domain.idle += 1
                try:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(limits.IDLE_SECONDS):
                            await domain.woken.wait()
                finally:
                    domain.idle -= 1
        return None

    async def _load(self, domain: Domain) -> None:
        async with domain.loading:
            if domain.waiting:  # another worker has loaded
                return
            domain.begin_load()
            limit = limits.DUE_DELIVERIES + len(domain.taken)
            query = DueDeliveries(domain.name, self.clock.wall_ms(), limit)
            domain.add(await outcome(partial(self.reader.ask, query)))

    async def _connect(self, domain: Domain, delivery: Delivery) -> Connection | None:
        """A connection; without one all that is due for the domain is settled so."""
        try:
            connection = await self.carrier.connect(domain.name)
        except CarrierError as error:
            if not error.reply.final:
                domain.hold(self.clock.monotonic())
            await self._settle_all(delivery, error.reply)
            while domain.waiting or await self._more(domain):
                other = domain.take()
                try:
                    await self._settle_all(other, error.reply)
                finally:
                    domain.give_back(other)
            return None
        domain.release()
        return connection

    async def _more(self, domain: Domain) -> bool:
        await self._load(domain)
        return bool(domain.waiting)

    async def _settle_all(self, delivery: Delivery, reply: Reply) -> None:
        """Settle a delivery whose recipients all had this reply."""
        attempt = Attempt(delivery, decode(delivery.envelope))
        if delivery.dropped:
            attempt = attempt.given_up(DROPPED)
        elif attempt.envelope.waiting:
            replies = {each.address: reply for each in attempt.envelope.waiting}
            attempt = attempt.settled(replies, self.clock.wall_ms(), self.queue_hours)
        await self._settle(attempt)

    async def _deliver(self, delivery: Delivery, connection: Connection | None) -> bool:
        """Attempt one delivery and store what came of it; whether the connection is lost."""
        attempt = Attempt(delivery, decode(delivery.envelope))
        if delivery.dropped:
            await self._settle(attempt.given_up(DROPPED))
            return False
        if not attempt.envelope.waiting:  # only the report is left to do
            await self._settle(attempt)
            return False
        if delivery.size < limits.LARGE_MAIL_BYTES:
            return await self._hand_over(attempt, connection)
        async with self._large:
            return await self._hand_over(attempt, connection)

    async def _hand_over(self, attempt: Attempt, connection: Connection | None) -> bool:
        delivery, lost = attempt.delivery, False
        content = await outcome(partial(self.reader.ask, ReadQueued(delivery.mail)))
        if content is None:  # given up meanwhile, with all that belongs to it
            return False
        addresses = [recipient.address for recipient in attempt.envelope.waiting]
        self._busy += 1
        self._quiet.clear()
        try:
            if connection is None:
                await self._store_locally(attempt, addresses, content)
                return False
            try:
                signed = self.signing.sign(content)
                told = await connection.send(attempt.envelope.sender, addresses, signed)
                replies = dict(zip(addresses, told, strict=True))
            except CarrierError as error:
                lost, replies = True, dict.fromkeys(addresses, error.reply)
            self._count(replies)
            now_ms = self.clock.wall_ms()
            await self._settle(attempt.settled(replies, now_ms, self.queue_hours), content)
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()
        return lost

    async def _store_locally(self, attempt: Attempt, addresses: list[str], content: bytes) -> None:
        now_ms = self.clock.wall_ms()

        def after(replies: dict[str, Reply]) -> Attempt:
            return attempt.settled(replies, now_ms, self.queue_hours)

        replies, stored = await self.local.deliver(
            addresses, content, lambda replies: after(replies).command(now_ms)
        )
        self._count(replies)
        if stored:
            self._stored(after(replies))
            await self._tell(after(replies), content)
        else:
            await self._settle(after(replies), content)

    def _count(self, replies: Mapping[str, Reply]) -> None:
        for reply in replies.values():
            if reply.accepted:
                self.counters.outbound_delivered += 1
            elif reply.final:
                self.counters.outbound_failed += 1
            else:
                self.counters.outbound_deferred += 1

    async def _settle(self, attempt: Attempt, content: bytes | None = None) -> None:
        """Store the state, then tell the sender what there is to tell. Raises StorageError."""
        await self._store(attempt)
        await self._tell(attempt, content)

    async def _tell(self, attempt: Attempt, content: bytes | None) -> None:
        if not attempt.reportable:
            return
        if content is None:
            query = ReadQueued(attempt.delivery.mail)
            content = await outcome(partial(self.reader.ask, query))
        after = attempt.reported()
        command = after.command(self.clock.wall_ms())
        if content is not None and await self.reports.post(attempt, content, command):
            self._stored(after)

    async def _store(self, attempt: Attempt) -> None:
        command: Command[None] = attempt.command(self.clock.wall_ms())
        await outcome(partial(self.writer.submit, command))
        self._stored(attempt)

    def _stored(self, attempt: Attempt) -> None:
        if attempt.finished:
            self.counters.outbound_waiting = max(0, self.counters.outbound_waiting - 1)
            if attempt.delivery.size >= limits.LARGE_MAIL_BYTES:
                self.pieces.remove()
