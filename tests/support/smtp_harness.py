"""A real SMTP edge on a real socket, with real sealing workers and a real database.

The enterprise behind it is a table of users, made here.
"""

import asyncio
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, time

import uvloop

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.tls_keys import key_fingerprint, make_key, signer
from blackthorn.edges.gate import Bounds, Gate
from blackthorn.edges.sealing.judging import JudgingPool, JudgingRules
from blackthorn.edges.sealing.pool import SealingPool
from blackthorn.edges.smtp import limits
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.edges.smtp.inbound import InboundPolicy
from blackthorn.edges.smtp.server import SmtpServer, serve_smtp
from blackthorn.ids import Address, DeviceId
from blackthorn.link.frames import AnyFrame
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import OpenedMail, open_mail
from blackthorn.ports.enterprise import DeviceRecord, UserRecord
from blackthorn.programs.server.notices import notice_signer
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.mail.mailbox import announcing
from blackthorn.server.mail import limits as mail_limits
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.mail.quota import MailQuota
from blackthorn.server.mail.recipient_policy import RecipientPolicy
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import MailService
from blackthorn.server.mail.traces import Traces
from blackthorn.simulation.memory import wrapping
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.writer import ThreadWriter
from tests.support.fake_dns import FakeResolver
from tests.support.market_keys import add_people
from tests.support.stored import StoredMail

DOMAIN = "acme.example"
ALICE = Address("alice@acme.example")
BOB = Address("bob@acme.example")


class SystemClock:
    """The real clock."""

    def wall_ms(self) -> int:
        return int(time() * 1000)

    def monotonic(self) -> float:
        return monotonic()


class TableEnterprise:
    """Users as the test lists them."""

    def __init__(self) -> None:
        self.users: dict[str, UserRecord] = {}
        self.keys: dict[str, Secret] = {}

    def add(self, address: str, certificate: bytes | None = None) -> UserRecord:
        record = UserRecord(len(self.users) + 1, Address(address), "0A1B2C3D", certificate, ())
        self.users[address] = record
        return record

    def add_with_key(self, address: str) -> UserRecord:
        self.keys[address], certificate = generate_user_key(address)
        return self.add(address, certificate)

    def load_user(self, address: Address, done) -> None:
        done(self.users.get(address))

    def load_users(self, addresses, done) -> None:
        done({address: self.users[address] for address in addresses if address in self.users})

    def device(self, device: DeviceId) -> DeviceRecord | None:
        return None

    def user(self, address: Address) -> UserRecord | None:
        return self.users.get(address)


class Site:
    """Everything behind one SMTP port."""

    def __init__(self, database: Database, workers: int | None, mailbox_mib: int) -> None:
        self.enterprise = TableEnterprise()
        self.counters = Counters()
        self.notified: list[tuple[str, AnyFrame]] = []
        self.store = StoredMail(database, wrapping())
        self.database = database
        add_people(database, limits.MAX_SMTP_RECIPIENTS + 2)
        self.failures: list[Exception] = []
        engine, wake = Engine(database, wrapping()), asyncio.get_running_loop().call_soon_threadsafe
        self.writer, self.reader = ThreadWriter(engine, wake), ThreadReader(engine, wake)
        self.pool = SealingPool(self.counters, workers)
        clock = SystemClock()
        mail_service = MailService(
            pieces=PieceWriter(writer=self.writer, random=secrets.token_bytes),
            reader=self.reader,
            clock=clock,
            counters=self.counters,
            arrived=announcing(lambda address, frame: self.notified.append((address, frame))),
            quota=MailQuota(self.reader, clock, mailbox_mib),
        )
        recipient_policy = RecipientPolicy(DOMAIN, self.enterprise, clock)
        self.traces = Traces(clock)
        self.resolver = FakeResolver()
        self.judging = JudgingPool(self.pool, self.resolver, JudgingRules(DOMAIN))
        link_key = make_key(secrets.token_bytes)
        self.pin = key_fingerprint(signer(link_key)[0])
        sign = notice_signer(link_key)
        self.gateway = MailGateway(
            recipient_policy,
            mail_service,
            self.pool,
            clock,
            self.counters,
            sign,
            self.judging,
            Recipients(recipient_policy, self.reader),
        )
        self.smtp: SmtpServer

    @property
    def port(self) -> int:
        return self.smtp.port

    def stored(self, address: str = ALICE) -> list[bytes]:
        """The sealed mails of a user, oldest first."""
        user = self.enterprise.users[address].number
        found = []
        for head in self.store.list(user, 0, 10_000):
            piece = self.store.read(user, head.uid, 0, head.size)
            assert piece is not None and piece[0] == len(piece[1])
            found.append(piece[1])
        return found

    def opened(self, address: str = ALICE) -> list[OpenedMail]:
        """The mails of a user, opened with his key."""
        key = self.enterprise.keys[address]
        reader = Reader(address, self.pin)
        return [open_mail(sealed, key, reader) for sealed in self.stored(address)]


@asynccontextmanager
async def site(
    folder: Path,
    workers: int | None = 1,
    tls: ssl.SSLContext | None = None,
    bounds: Bounds | None = None,
    mailbox_mib: int = mail_limits.MAILBOX_MIB,
) -> AsyncIterator[Site]:
    """A site with Alice and Bob, who have keys."""
    database = Database.open(folder / "mail.db")
    running = Site(database, workers, mailbox_mib)
    running.enterprise.add_with_key(ALICE)
    running.enterprise.add_with_key(BOB)
    gate = Gate(running.counters, bounds)
    policy = InboundPolicy(running.gateway, running.traces)
    running.smtp = serve_smtp(policy, "127.0.0.1", 0, tls, gate)
    try:
        yield running
    finally:
        await running.smtp.close(1.0)
        await running.pool.close()
        running.reader.close()
        running.writer.close()
        database.close()


def run(test: Callable[[], object]) -> None:
    """Run a coroutine function under uvloop, as the server does."""
    uvloop.run(test())  # type: ignore[arg-type]


class Dialogue:
    """A client that says lines and checks replies; its failures show the whole conversation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.said: list[str] = []

    @classmethod
    async def open(cls, port: int, local: str = "127.0.0.1") -> "Dialogue":
        """A client at the address `local`."""
        reader, writer = await asyncio.open_connection(
            "::1" if ":" in local else "127.0.0.1", port, local_addr=(local, 0)
        )
        return cls(reader, writer)

    async def reply(self) -> str:
        """One reply, its lines joined."""
        lines = []
        while True:
            line = await asyncio.wait_for(self.reader.readline(), 30)
            self.said.append("S: " + repr(line))
            lines.append(line.decode("utf-8", "replace").rstrip())
            if not line or line[3:4] != b"-":
                return "\n".join(lines)

    async def expect(self, pattern: str) -> str:
        reply = await self.reply()
        assert re.match(pattern, reply), "\n".join([*self.said, f"expected: {pattern}"])
        return reply

    async def say(self, line: str | bytes, pattern: str) -> str:
        data = line if isinstance(line, bytes) else line.encode() + b"\r\n"
        self.said.append("C: " + repr(data[:200]))
        self.writer.write(data)
        await self.writer.drain()
        return await self.expect(pattern)

    async def greet(self) -> "Dialogue":
        await self.expect("220 acme.example ")
        await self.say("EHLO mx.example.net", "250-")
        return self

    async def transaction(self, content: bytes, pattern: str, *to: str) -> str:
        """One mail; `content` is sent as it is, the final CRLF.CRLF is added."""
        await self.say("MAIL FROM:<eve@example.net>", "250 ")
        for address in to or (ALICE,):
            await self.say(f"RCPT TO:<{address}>", "250 ")
        await self.say("DATA", "354 ")
        return await self.say(content + b"\r\n.\r\n", pattern)

    async def closed(self) -> None:
        """The server must have closed."""
        rest = await asyncio.wait_for(self.reader.read(), 10)
        assert rest == b"", rest

    async def close(self) -> None:
        self.writer.close()
