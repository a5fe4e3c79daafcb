"""Mail from outside: 4 KiB mails by SMTP into `blackthorn serve`, sealed and durable at 250.

Clients keep 20 connections, as large senders do; a second run opens one for each mail. CPU is
that of the server and of its sealing workers. At the end every mail must lie in the database
and a sample must open. Debian's Postfix and Dovecot, where they are installed, take the same mails
in the same run; theirs count when they lie in the maildirs.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

import uvloop

from bench import postfix
from bench.enterprise import DOMAIN, ServerProcess, make_enterprise, stored_under
from bench.figures import Figure, Figures
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.mail.pgp.open import open_mail
from blackthorn.ports.mail import ListMail, ReadMail
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine

CONNECTIONS = 20
RECIPIENTS = 50
MAILS = 10_000
SINGLE_MAILS = 1_000
PEER_MAILS = 2_000
PEER_SECONDS = 120.0
"""Mails for Postfix and Dovecot, and how long they may take."""

MAIL = b"From: eve@example.net\r\nSubject: a mail of 4 KiB\r\n\r\n" + b"sixteen letters\r\n" * 238
assert 4_090 <= len(MAIL) <= 4_100
_END = b"\r\n.\r\n"


class Client:
    """One SMTP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Client":
        """Connect and say EHLO."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        await client._expect(b"220 ")
        client._writer.write(b"EHLO bench.example.net\r\n")
        await client._expect(b"250 ")
        return client

    async def send(self, address: str) -> float:
        """Send one mail; the seconds from its last byte to 250."""
        self._writer.write(
            f"MAIL FROM:<eve@example.net>\r\nRCPT TO:<{address}>\r\nDATA\r\n".encode()
        )
        for code in (b"250 ", b"250 ", b"354 "):
            await self._expect(code)
        begun = time.perf_counter()
        self._writer.write(MAIL + _END)
        await self._expect(b"250 ")
        return time.perf_counter() - begun

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def _expect(self, code: bytes) -> None:
        line = await self._reader.readline()
        while line[3:4] == b"-":
            line = await self._reader.readline()
        assert line.startswith(code), line


def cpu_seconds(process: int) -> float:
    """CPU time of a process and of its children, of those that have ended too."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ticks = 0
    for each in (str(process), *children):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def _many(port: int, addresses: list[str], mails: int = MAILS) -> list[float]:
    clients = [await Client.open(port) for _ in range(CONNECTIONS)]
    each = mails // CONNECTIONS

    async def work(index: int, client: Client) -> list[float]:
        first = index * each
        to = (addresses[(first + number) % len(addresses)] for number in range(each))
        return [await client.send(address) for address in to]

    found = await asyncio.gather(*(work(*numbered) for numbered in enumerate(clients)))
    delays = [delay for some in found for delay in some]
    for client in clients:
        client.close()
    return delays


async def _singly(port: int, addresses: list[str]) -> None:
    async def work() -> None:
        for number in range(SINGLE_MAILS // CONNECTIONS):
            client = await Client.open(port)
            await client.send(addresses[number % len(addresses)])
            client.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def _measure(
    server: ServerProcess, port: int, addresses: list[str], peer: dict[str, dict[str, float]]
) -> Figures:
    warm = await Client.open(port)
    await warm.send(addresses[0])
    warm.close()
    cpu, begun = cpu_seconds(server.pid), time.perf_counter()
    delays = sorted(await _many(port, addresses))
    seconds, cpu = time.perf_counter() - begun, cpu_seconds(server.pid) - cpu
    begun = time.perf_counter()
    await _singly(port, addresses)
    single = time.perf_counter() - begun
    rate, cost = peer.get("mail_per_second", {}), peer.get("mail_cpu", {})
    ten_times = 10 * rate[postfix.NAME] if rate else 1_500
    twelfth = cost[postfix.NAME] / 12 if cost else 1.0
    return [
        Figure(
            "mail_per_second",
            "mails sealed and durable",
            MAILS / seconds,
            "/s",
            at_least=ten_times,
            beside=rate,
        ),
        Figure(
            "mail_cpu",
            "server CPU per 1,000",
            cpu / MAILS * 1_000,
            "s",
            at_most=twelfth,
            beside=cost,
        ),
        Figure("mail_p50", "answer after, median", delays[len(delays) // 2] * 1_000, "ms"),
        Figure("mail_p99", "answer after, p99", delays[len(delays) * 99 // 100] * 1_000, "ms"),
        Figure("mail_single", "with a connection each", SINGLE_MAILS / single, "/s"),
    ]


def _peer(addresses: list[str]) -> dict[str, dict[str, float]]:
    """Figures of Postfix and Dovecot by key and name; {} where they cannot be started."""
    if not postfix.available():
        print("Postfix and Dovecot are not installed, or this is not root: measured without them")
        return {}
    with postfix.running() as peer:
        before, begun = peer.cpu_seconds(), time.perf_counter()
        uvloop.run(_many(peer.port, addresses, PEER_MAILS))
        peer.wait_delivered(PEER_MAILS, PEER_SECONDS)
        seconds, cpu = time.perf_counter() - begun, peer.cpu_seconds() - before
        if (stored := peer.stored()) < PEER_MAILS:
            raise RuntimeError(f"Postfix and Dovecot stored {stored} of {PEER_MAILS} mails")
    return {
        "mail_per_second": {postfix.NAME: PEER_MAILS / seconds},
        "mail_cpu": {postfix.NAME: cpu / PEER_MAILS * 1_000},
    }


def run() -> Figures:
    """Run the part."""
    keys = [generate_user_key(f"user{number}@{DOMAIN}") for number in range(1, RECIPIENTS + 1)]
    with tempfile.TemporaryDirectory(prefix="blackthorn-bench-") as folder:
        directory, devices = make_enterprise(Path(folder) / "server", RECIPIENTS)
        addresses = [device.address for device in devices]
        peer = _peer(addresses)
        database = Database.open(directory.database)
        rows = [(number, 1, certificate) for number, (_, certificate) in enumerate(keys, 1)]
        database.writing.executemany(
            "INSERT INTO user_certificate (user, seq, certificate) VALUES (?, ?, ?)", rows
        )
        database.close()
        with ServerProcess(directory) as server:
            ready = next(json.loads(line) for line in server.lines if '"ready"' in line)
            figures = uvloop.run(_measure(server, ready["smtp_port"], addresses, peer))
        database = Database.open(directory.database)
        store = Engine(database, stored_under(directory))
        kept = 0
        for number, (key, _) in enumerate(keys, 1):
            heads = store.read(ListMail(number, 0, 1_000_000))
            kept += len(heads)
            piece = store.read(ReadMail(number, heads[-1].uid, 0, heads[-1].size))
            assert piece is not None and open_mail(piece.data, key).content == MAIL + b"\r\n"
        assert kept == MAILS + SINGLE_MAILS + 1
        database.close()
    return figures
