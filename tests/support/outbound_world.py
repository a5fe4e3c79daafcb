"""The outbound queue of a real site, with carriers and a clock that the test decides on."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from blackthorn.ports.outbound.carrier import Carrier, CarrierError, Reply
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.outbound.delivery import Delivering
from blackthorn.programs.server.outbound.local import LocalMail
from blackthorn.programs.server.outbound.reports import Reports
from blackthorn.programs.server.outbound.signing import DkimSigning
from blackthorn.server.outbound.queue import OutboundQueue
from blackthorn.server.outbound.submission import Submission, SubmissionService
from blackthorn.storage.files.dkim import DkimFolder
from tests.support.smtp_harness import ALICE, BOB, DOMAIN, Site, SystemClock, site

OK = Reply(250, "2.0.0", "taken", "mx.far.example")
LATER = Reply(451, "4.7.1", "greylisted", "mx.far.example")
FULL = Reply(421, "4.7.0", "too many connections")
NEVER = Reply(550, "5.1.1", "no such user", "mx.far.example")


class ShiftedClock(SystemClock):
    """The real clock, set forward by the test."""

    hours = 0.0

    def wall_ms(self) -> int:
        return super().wall_ms() + int(self.hours * 3_600_000)

    def monotonic(self) -> float:
        return super().monotonic() + self.hours * 3_600


@dataclass
class FakeCarrier:
    """Takes mail by `replies` (address → reply, else OK); `refused`: no connection at all."""

    replies: dict[str, Reply] = field(default_factory=dict)
    refused: Reply | None = None
    lost_after: bool = False
    """The next mail is taken, and the answer lost."""
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    held: asyncio.Event | None = None
    """Mail that was taken is answered once this is set."""
    room: int = 100
    """Connections at once; `full` is said to a further one."""
    full: Reply = FULL
    ended: int = 0
    """So many connections turn out to have ended when a mail is to be sent."""
    open: int = 0

    async def connect(self, domain: str) -> "FakeCarrier":
        await asyncio.sleep(0)
        if self.refused is not None:
            raise CarrierError(self.refused)
        if self.open >= self.room:
            raise CarrierError(self.full)
        self.connections += 1
        self.open += 1
        return self

    async def send(
        self, sender: str, recipients: Sequence[str], content: bytes, *, whole: bool = False
    ) -> list[Reply]:
        await asyncio.sleep(0)
        if self.ended:
            self.ended -= 1
            raise CarrierError(Reply(451, "4.4.2", "the connection has ended"), unsent=True)
        found = [self.replies.get(address, OK) for address in recipients]
        if whole and not all(reply.accepted for reply in found):
            return found
        self.taken += [
            (to, content) for to, reply in zip(recipients, found, strict=True) if reply.accepted
        ]
        if self.held is not None:
            await self.held.wait()
        if self.lost_after:
            self.lost_after = False
            raise CarrierError(Reply(451, "4.4.2", "the connection was lost"))
        return found

    async def close(self) -> None:
        self.open -= 1

    @property
    def addresses(self) -> list[str]:
        return [address for address, _ in self.taken]


def sealed(at: Site, to: str = BOB, seed: int = 1) -> bytes:
    """A mail from Alice, sealed to a user."""
    certificate = at.enterprise.users[to].certificate
    assert certificate is not None
    envelope = Envelope(DOMAIN, to, "", "", "", False, 1_900_000_000)
    content = b"Subject: secret\r\n\r\nAttack at dawn.\r\n"
    made = seal_mail(
        content, envelope, parse_certificate(certificate), random.Random(seed).randbytes
    )
    return b"From: Alice <" + ALICE.encode() + b">\r\n" + made.partition(b"\r\n")[2]


class World:
    def __init__(self, at: Site, carrier: Carrier, tasks: Supervisor, folder: Path) -> None:
        self.site, self.carrier, self.clock = at, carrier, ShiftedClock()
        self.tasks = tasks
        gateway = at.gateway
        self.mail = gateway._mail_service
        self.queue = OutboundQueue(
            pieces=self.mail.pieces,
            reader=at.reader,
            clock=self.clock,
            random=secrets.token_bytes,
            counters=at.counters,
            has_room=self.mail.has_room,
            queued=lambda domains: self.delivering.wake(domains),
        )
        self.submissions = SubmissionService(queue=self.queue, recipients=gateway._recipients)
        reports = Reports(
            gateway,
            at.enterprise,  # type: ignore[arg-type]
            at.writer,
            self.clock,
            random.Random(8).randbytes,
            at.counters,
            120,
        )
        self.delivering = Delivering(
            writer=at.writer,
            reader=at.reader,
            pieces=self.mail.pieces,
            clock=self.clock,
            counters=at.counters,
            tasks=tasks,
            carrier=carrier,
            local=LocalMail(gateway._recipients, self.mail),
            reports=reports,
            own_domain=DOMAIN,
            queue_hours=120,
            signing=DkimSigning(
                folder=DkimFolder(folder / "dkim"), domain=DOMAIN, clock=self.clock
            ),
        )

    async def queue_count(self) -> int:
        """Count what waits from an earlier life."""
        return await outcome(self.queue.count)

    async def submit_as(self, submission: Submission) -> int:
        return await outcome(lambda done: self.submissions.accept(submission, done))

    async def submit(self, *recipients: str, content: bytes | None = None) -> int:
        user = self.site.enterprise.users[ALICE]
        content = sealed(self.site) if content is None else content
        submission = Submission(user, ALICE, recipients, content)
        return await outcome(lambda done: self.submissions.accept(submission, done))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def empty(self) -> None:
        """Wait until nothing waits."""
        await self.until(lambda: self.site.counters.outbound_waiting == 0)

    async def pass_hours(self, hours: float) -> None:
        self.clock.hours += hours
        await self.delivering.scan()

    def reports(self) -> list[str]:
        return [opened.content.decode() for opened in self.site.opened(ALICE)]


@asynccontextmanager
async def world(folder: Path, carrier: Carrier) -> AsyncIterator[World]:
    async with site(folder) as at, Supervisor(at.counters) as tasks:
        for user in at.enterprise.users.values():
            query = "UPDATE users SET address = ? WHERE number = ?"
            at.database.writing.execute(query, (user.address, user.number)).fetchall()
        made = World(at, carrier, tasks, folder)
        yield made
