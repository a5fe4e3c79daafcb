"""A real server, honest people who message at a steady rate, and what they notice of an attack.

The server's processor is not the one of clients and attacker where there are two (`pinned`).
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from bench.enterprise import EnrolledDevice, ServerProcess, make_enterprise
from bench.link import Pair, open_link, open_pairs
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.link import frames as f
from blackthorn.storage.sqlite.database import Database
from tests.support.abuse.honest_mail import deliver
from tests.support.abuse.table import SENDER, Abuse

PAIRS = 4
RATE = 200
ABUSERS = 60
CROWD = 2_200
SOURCES = 8
POLL_SECONDS = 0.05
SETTLE_SECONDS = 20.0
VICTIMS = 3
"""Users with a certificate for mail and with key packages."""

MAIL_EVERY = 0.5
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Noticed:
    """What honest people and the operator noticed in one stretch of time.

    `mail_ms` is the longest that an honest mail took; `unsent` the honest mails that were refused.
    """

    p50_ms: float
    p99_ms: float
    health_ms: float
    memory_mib: float
    descriptors: int
    disk_mib: float
    lost: int
    mail_ms: float
    unsent: int
    told: dict[str, int]
    rose: dict[str, float]


class Ground:
    """The server and the honest pairs. Each attack gets an abuser and addresses of its own."""

    def __init__(self, folder: Path) -> None:
        devices = 2 * PAIRS + ABUSERS + CROWD
        self.folder, enrolled = make_enterprise(folder / "server", devices, raised=False)
        self.honest = enrolled[: 2 * PAIRS]
        self._abusers = iter(enrolled[2 * PAIRS : 2 * PAIRS + ABUSERS])
        self.crowd = enrolled[2 * PAIRS + ABUSERS :]
        self.victims = self.crowd[:VICTIMS]
        _give_certificates(self.folder.database, self.victims)
        self._source = 2
        self.server: ServerProcess
        self.ports: dict[str, int] = {}
        self.pairs: list[Pair] = []

    @contextlib.contextmanager
    def serving(self) -> Iterator["Ground"]:
        """The server process, on a processor of its own if `pinned` says so."""
        with ServerProcess(self.folder) as self.server:
            (ready,) = (
                told
                for line in self.server.lines
                if line.startswith("{") and (told := json.loads(line))["event"] == "ready"
            )
            self.ports = {name: ready[f"{name}_port"] for name in ("link", "smtp", "ledger", "ops")}
            yield self

    async def connect_honest(self) -> None:
        """Open the pairs' links."""
        pin = self.folder.fingerprint()
        self.pairs = await open_pairs(self.honest, self.ports["link"], pin)
        packages = [os.urandom(2_000) for _ in range(100)]
        for victim in self.victims:
            link = await open_link(victim, self.ports["link"], pin, lambda _: None)
            link.send(f.PublishKeyPackages(packages, packages[0], 0, 0))
            await link.drain()
            await link.close()

    async def close_honest(self) -> None:
        for pair in self.pairs:
            await pair.sender.close()
            await pair.receiver.close()
        self.pairs = []

    async def notice(self, seconds: float, abuse: Abuse | None = None) -> Noticed:
        """Honest traffic for so long, under this attack or at rest."""
        before = await self._metrics()
        disk = self._disk()
        watch = _Watch(self)
        watching = asyncio.create_task(watch.run())
        attack = await self._begin(abuse, seconds) if abuse else None
        if attack:
            await asyncio.sleep(0.4)  # until it has connected
        mails = _Mails(self, seconds if abuse and abuse.who == SENDER else 0.0)
        (latencies, lost), _ = await asyncio.gather(self._traffic(seconds), mails.run())
        told = await _end(attack) if attack else {}
        watching.cancel()
        after = await self._metrics()
        cuts = quantiles(latencies, n=100) if len(latencies) > 2 else [float("inf")] * 99
        rose = {name: value - before.get(name, 0) for name, value in after.items()}
        return Noticed(
            cuts[49] * 1000,
            cuts[98] * 1000,
            watch.health * 1000,
            watch.memory / MIB,
            watch.descriptors,
            (self._disk() - disk) / MIB,
            lost,
            mails.longest * 1000,
            mails.unsent,
            told,
            {name: value for name, value in rose.items() if value > 0},
        )

    async def _traffic(self, seconds: float) -> tuple[list[float], int]:
        """Each message's way in seconds, and how many were not received."""
        total = int(RATE * seconds)
        for index, pair in enumerate(self.pairs):
            pair.expect(total // PAIRS + (index < total % PAIRS))
        start = time.perf_counter()
        for number in range(total):
            due = start + number / RATE
            ahead = due - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            pair = self.pairs[number % PAIRS]
            pair.sender.send(f.Send([pair.posting(due)]))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await asyncio.gather(*(pair.quiet.wait() for pair in self.pairs))
        return (
            [each for pair in self.pairs for each in pair.latencies],
            sum(pair.awaited - pair.received for pair in self.pairs),
        )

    async def _begin(self, abuse: Abuse, seconds: float) -> asyncio.subprocess.Process:
        sources = [f"127.0.{self._source}.{each}" for each in range(1, SOURCES + 1)]
        self._source += 1
        scene = {
            "ports": self.ports,
            "pin": bytes(self.folder.fingerprint()).hex(),
            "abusers": [_row(next(self._abusers))],
            "victims": [_row(each) for each in self.victims],
            "crowd": [bytes(each.id).hex() for each in self.crowd],
            "sources": sources,
            "seconds": seconds,
        }
        attack = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.abuse.attacker",
            abuse.name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert attack.stdin is not None
        attack.stdin.write(json.dumps(scene).encode())
        attack.stdin.close()
        return attack

    async def _metrics(self) -> dict[str, float]:
        body = await get(self.ports["ops"], "/metrics")
        found = {}
        for line in body.splitlines():
            if line.startswith("blackthorn_"):
                name, _, value = line.removeprefix("blackthorn_").rpartition(" ")
                found[name] = float(value)
        return found

    def _disk(self) -> int:
        files = self.folder.path.rglob("*")
        return sum(each.stat().st_size for each in files if each.is_file())


class _Watch:
    """The worst that is seen of health, memory and descriptors."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.health = 0.0
        self.memory = 0
        self.descriptors = 0

    async def run(self) -> None:
        pid = self._ground.server.pid
        while True:
            begun = time.perf_counter()
            await get(self._ground.ports["ops"], "/healthz")
            self.health = max(self.health, time.perf_counter() - begun)
            self._read(Path(f"/proc/{pid}"))
            await asyncio.sleep(POLL_SECONDS)

    def _read(self, process: Path) -> None:
        pages = int((process / "statm").read_text().split()[1])
        self.memory = max(self.memory, pages * os.sysconf("SC_PAGE_SIZE"))
        self.descriptors = max(self.descriptors, len(list((process / "fd").iterdir())))


class _Mails:
    """Honest mails from outside, one each half second, to a user with a certificate."""

    def __init__(self, ground: Ground, seconds: float) -> None:
        self._ground = ground
        self._count = int(seconds / MAIL_EVERY)
        self.longest = 0.0
        self.unsent = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._one(number) for number in range(self._count)))

    async def _one(self, number: int) -> None:
        await asyncio.sleep(number * MAIL_EVERY)
        begun = time.perf_counter()
        try:
            await deliver(self._ground.ports["smtp"], self._ground.victims[-1].address)
        except (OSError, TimeoutError):
            self.unsent += 1
        self.longest = max(self.longest, time.perf_counter() - begun)


async def get(port: int, path: str) -> str:
    """The body of a GET over plain HTTP; raises when there is no answer in 30 s."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        whole = await reader.read()
        writer.close()
    assert whole.startswith(b"HTTP/1.1 200"), whole[:100]
    return whole.partition(b"\r\n\r\n")[2].decode()


async def _end(attack: asyncio.subprocess.Process) -> dict[str, int]:
    assert attack.stdout is not None
    told = await attack.stdout.read()
    assert await attack.wait() == 0
    return dict(json.loads(told))


def _give_certificates(path: Path, people: list[EnrolledDevice]) -> None:
    database = Database.open(path)
    database.writing.execute("BEGIN")
    for each in people:
        _, certificate = generate_user_key(each.address)
        database.writing.execute(
            "INSERT INTO user_certificate (user, seq, certificate)"
            " SELECT number, 0, ? FROM users WHERE address = ?",
            (certificate, each.address),
        )
    database.writing.execute("COMMIT")
    database.close()


def _row(device: EnrolledDevice) -> tuple[str, str, str]:
    return bytes(device.id).hex(), device.identity.expose().hex(), device.address
