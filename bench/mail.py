"""Mail from outside: 4 KiB mails by SMTP into `blackthorn serve`, sealed and durable at 250.

Clients keep 20 connections, as large senders do; a second run opens one for each mail. CPU is
that of the server and of its sealing workers. At the end every mail must lie in the database
and a sample must open.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

import uvloop

from bench.enterprise import ServerProcess, make_enterprise, stored_under
from bench.figures import Figure, Figures
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.mail.pgp.open import open_mail
from blackthorn.ports.mail import ListMail, ReadMail
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine

CONNECTIONS = 20
MAILS = 10_000
SINGLE_MAILS = 1_000
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
    """CPU time of a process and of its living children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ticks = 0
    for each in (str(process), *children):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def _many(port: int, address: str) -> list[float]:
    clients = [await Client.open(port) for _ in range(CONNECTIONS)]

    async def work(client: Client) -> list[float]:
        return [await client.send(address) for _ in range(MAILS // CONNECTIONS)]

    delays = [delay for each in await asyncio.gather(*map(work, clients)) for delay in each]
    for client in clients:
        client.close()
    return delays


async def _singly(port: int, address: str) -> None:
    async def work() -> None:
        for _ in range(SINGLE_MAILS // CONNECTIONS):
            client = await Client.open(port)
            await client.send(address)
            client.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def _measure(server: ServerProcess, port: int, address: str) -> Figures:
    warm = await Client.open(port)
    await warm.send(address)
    warm.close()
    cpu, begun = cpu_seconds(server.pid), time.perf_counter()
    delays = sorted(await _many(port, address))
    seconds, cpu = time.perf_counter() - begun, cpu_seconds(server.pid) - cpu
    begun = time.perf_counter()
    await _singly(port, address)
    single = time.perf_counter() - begun
    return [
        Figure(
            "mail_per_second", "mails sealed and durable", MAILS / seconds, "/s", at_least=1_500
        ),
        Figure("mail_cpu", "server CPU per 1,000", cpu / MAILS * 1_000, "s", at_most=1.0),
        Figure("mail_p50", "answer after, median", delays[len(delays) // 2] * 1_000, "ms"),
        Figure("mail_p99", "answer after, p99", delays[len(delays) * 99 // 100] * 1_000, "ms"),
        Figure("mail_single", "with a connection each", SINGLE_MAILS / single, "/s"),
    ]


def run() -> Figures:
    """Run the part."""
    key, certificate = generate_user_key("user1@acme.example")
    with tempfile.TemporaryDirectory(prefix="blackthorn-bench-") as folder:
        directory, (device,) = make_enterprise(Path(folder) / "server", 1)
        database = Database.open(directory.database)
        database.writing.execute("INSERT INTO user_certificate VALUES (1, 1, ?)", (certificate,))
        database.close()
        with ServerProcess(directory) as server:
            ready = next(json.loads(line) for line in server.lines if '"ready"' in line)
            figures = uvloop.run(_measure(server, ready["smtp_port"], device.address))
        database = Database.open(directory.database)
        store = Engine(database, stored_under(directory))
        heads = store.read(ListMail(1, 0, 1_000_000))
        assert len(heads) == MAILS + SINGLE_MAILS + 1
        for head in heads[:: len(heads) // 50]:
            piece = store.read(ReadMail(1, head.uid, 0, head.size))
            assert piece is not None and open_mail(piece.data, key).content == MAIL + b"\r\n"
        database.close()
    return figures
