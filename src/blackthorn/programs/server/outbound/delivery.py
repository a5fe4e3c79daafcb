"""Delivery of the queue: workers for each domain take one due mail after another.

A domain that cannot be reached is left alone for a while. What an attempt changed is stored before
the next step; a mail is handed over twice only when the answer to it was lost. What cannot be
stored is kept in memory, and stored later without another attempt.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from blackthorn.errors import BlackthornError, DiskError
from blackthorn.ports.clock import Clock
from blackthorn.ports.outbound.carrier import Carrier, CarrierError, Reply
from blackthorn.ports.outbound.queue import Delivery, DueDeliveries, DueDomains, ReadQueued
from blackthorn.ports.store import Command, Reader, Writer
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.outbound import limits
from blackthorn.programs.server.outbound.domains import Domain, Domains
from blackthorn.programs.server.outbound.hop import Hop
from blackthorn.programs.server.outbound.local import LocalMail
from blackthorn.programs.server.outbound.reports import Reports
from blackthorn.programs.server.outbound.signing import DkimSigning
from blackthorn.server.counters import Counters
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.outbound.envelope import decode
from blackthorn.server.outbound.settling import DROPPED, Attempt


@dataclass(kw_only=True, eq=False, repr=False)
class Delivering:
    """Delivers until `tasks` end. `own_domain`'s mail goes to the mailboxes here."""

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
        self._large_here = asyncio.Semaphore()
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.stopping = False
        self.tasks.before_close(self.close)

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
        await self._store_again()
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
        """Start no more, and give what is being handed over DROP_SECONDS to end and be stored.

        What could not be stored before gets as long, whatever a slow peer took of the time.
        """
        self.stopping = True
        for last in (self._quiet.wait, self._store_again):
            with suppress(TimeoutError, DiskError):
                async with asyncio.timeout(limits.DROP_SECONDS):
                    await last()

    def _start_worker(self, domain: Domain) -> None:
        domain.woken.set()
        if self.stopping or domain.idle or domain.held(self.clock.monotonic()):
            return
        if len(self._domains.unstored) >= limits.MAX_UNSTORED:
            return
        own = self._is_own(domain)
        most = limits.MAX_WORKERS_PER_DOMAIN if own else domain.most_workers
        if domain.workers < most and (own or self._domains.workers < limits.MAX_WORKERS):
            domain.workers += 1
            self._domains.workers += not own
            self.tasks.start("delivery", self._work(domain))

    def _is_own(self, domain: Domain) -> bool:
        return domain.name == self.own_domain

    async def _work(self, domain: Domain) -> None:
        """Deliver what is due for the domain, until nothing is."""
        hop = Hop(self.carrier, domain)
        try:
            while not self.stopping and (delivery := await self._next(domain)) is not None:
                try:
                    await self._attempt(domain, hop, delivery)
                except CarrierError as error:
                    if domain.connected:  # whatever was said of a further one
                        domain.refuse_more()  # the mail stays due, for the connections there are
                        break
                    await self._settle_unreached(domain, delivery, error.reply)
                finally:
                    domain.give_back(delivery)
        finally:
            domain.end_worker()
            self._domains.workers -= not self._is_own(domain)
            await hop.close()

    async def _next(self, domain: Domain) -> Delivery | None:
        """The next due delivery, taken; None after a short wait for one."""
        waited = False
        while True:
            domain.woken.clear()
            if domain.held(self.clock.monotonic()):
                return None
            if not domain.waiting:
                await self._load(domain)
            if domain.waiting:
                return domain.take()
            if domain.woken.is_set():  # mail came meanwhile, which the look-up may have missed
                continue
            if waited:
                return None
            waited = True
            domain.idle += 1
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(limits.IDLE_SECONDS):
                        await domain.woken.wait()
            finally:
                domain.idle -= 1

    async def _load(self, domain: Domain) -> None:
        async with domain.loading:
            if domain.waiting:  # another worker has loaded
                return
            domain.begin_load()
            limit = limits.DUE_DELIVERIES + len(domain.taken) + len(self._domains.unstored)
            query = DueDeliveries(domain.name, self.clock.wall_ms(), limit)
            domain.add(await outcome(partial(self.reader.ask, query)))

    async def _settle_unreached(self, domain: Domain, delivery: Delivery, reply: Reply) -> None:
        """Settle all that is due for a domain which cannot be reached, and leave it alone."""
        if not reply.final:
            domain.hold(self.clock.monotonic())
        await self._settle_all(delivery, reply)
        while domain.waiting or await self._more(domain):
            other = domain.take()
            try:
                await self._settle_all(other, reply)
            finally:
                domain.give_back(other)

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

    async def _attempt(self, domain: Domain, hop: Hop, delivery: Delivery) -> None:
        """Attempt one delivery and store what came of it.

        Raises CarrierError when nobody was reached: then nothing is stored. Raises StorageError.
        """
        attempt = Attempt(delivery, decode(delivery.envelope))
        if delivery.dropped:
            await self._settle(attempt.given_up(DROPPED))
        elif not attempt.envelope.waiting:  # only the report is left to do
            await self._settle(attempt)
        elif delivery.size < limits.LARGE_MAIL_BYTES:
            await self._hand_over(domain, hop, attempt)
        else:
            async with self._large_here if self._is_own(domain) else self._large:
                await self._hand_over(domain, hop, attempt)

    async def _hand_over(self, domain: Domain, hop: Hop, attempt: Attempt) -> None:
        if not self._is_own(domain):
            await hop.open()
            if domain.waiting:
                self._start_worker(domain)
        query = ReadQueued(attempt.delivery.mail)
        content = await outcome(partial(self.reader.ask, query))
        if content is None or self.stopping:  # None: given up meanwhile, with all that it had
            return
        addresses = [recipient.address for recipient in attempt.envelope.waiting]
        self._busy += 1
        self._quiet.clear()
        try:
            if self._is_own(domain):
                await self._store_locally(attempt, addresses, content)
            else:
                await self._send(domain, hop, attempt, addresses, content)
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def _send(
        self, domain: Domain, hop: Hop, attempt: Attempt, addresses: list[str], content: bytes
    ) -> None:
        signed = await self.signing.sign(content)
        try:
            told = await hop.send(attempt.envelope.sender, addresses, signed)
            replies = dict(zip(addresses, told, strict=True))
            domain.release()
        except CarrierError as error:
            if error.unsent:
                raise
            replies = dict.fromkeys(addresses, error.reply)
        self._count(replies)
        now_ms = self.clock.wall_ms()
        await self._settle(attempt.settled(replies, now_ms, self.queue_hours), content)

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
        """Store the state, which is kept when that fails. Raises StorageError."""
        command: Command[None] = attempt.command(self.clock.wall_ms())
        try:
            await outcome(partial(self.writer.submit, command))
        except BlackthornError:
            self._domains.unstored[attempt.delivery.number] = attempt
            raise
        self._stored(attempt)

    async def _store_again(self) -> None:
        """Store attempts that could not be stored before. Raises DiskError."""
        for number in list(self._domains.unstored):
            attempt = self._domains.unstored.pop(number, None)
            if attempt is None:
                continue
            domain = self._domains.get(attempt.delivery.domain)
            domain.taken.add(number)
            try:
                await self._settle(attempt)
            except DiskError:
                raise
            except BlackthornError as error:  # of this one alone
                self.tasks.report("delivery", error)
            finally:
                domain.give_back(attempt.delivery)

    def _stored(self, attempt: Attempt) -> None:
        if attempt.finished:
            self.counters.outbound_waiting = max(0, self.counters.outbound_waiting - 1)
            if attempt.delivery.size >= limits.LARGE_MAIL_BYTES:
                self.pieces.remove()
