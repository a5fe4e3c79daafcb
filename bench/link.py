"""The link: durable 1 KiB messages between 50 pairs of devices, over TLS, one server process.

A message counts when its receiver has it and has acknowledged it, and the run ends when the
server has deleted all. Senders keep a window of postings unanswered and answer each Accepted
with as many new ones in one Send. Latency is measured at a fixed rate, from the moment a
message was due to be sent until its receiver has it (so a late send counts as late).
"""

import asyncio
import os
import secrets
import struct
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import uvloop

from bench.enterprise import ROWS_PER_SECOND, EnrolledDevice, ServerProcess, make_enterprise
from bench.figures import Figure, Figures
from blackthorn.edges.link.client import LinkConnection, OnFrame, connect
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.database import Database

PAIRS = 50
MESSAGE_BYTES = 1024
WINDOW = 32
MESSAGES = 150_000
RATES = (200, 1_000)
RATE_SECONDS = 6.0
_STAMP = struct.Struct("d")


class Pair:
    """A sender and its receiver."""

    def __init__(self) -> None:
        self.sender: LinkConnection
        self.receiver: LinkConnection
        self.fanout = b""
        self.to_send = 0
        self.received = 0
        self.latencies: list[float] = []
        self.filling = secrets.token_bytes(MESSAGE_BYTES - _STAMP.size)
        self.quiet = asyncio.Event()
        self.awaited = 0

    def posting(self, due: float) -> f.Posting:
        """One message that carries the time at which it was due."""
        sealed = _STAMP.pack(due) + self.filling
        return f.Posting(os.urandom(16), [f.Parcel(self.fanout, sealed)])

    def push(self, count: int) -> None:
        """Send so many messages more, in one frame, if so many are left to send."""
        count = min(count, self.to_send)
        if count:
            self.to_send -= count
            now = time.perf_counter()
            self.sender.send(f.Send([self.posting(now) for _ in range(count)]))

    def on_sender(self, frame: f.AnyFrame) -> None:
        """The sender's side: an answer makes room for more."""
        match frame:
            case f.Accepted(ids):
                self.push(len(ids))
            case f.Refused() | f.FanoutUnknown():
                raise AssertionError(f"unexpected {frame}")

    def on_receiver(self, frame: f.AnyFrame) -> None:
        """The receiver's side: note the time and acknowledge."""
        if isinstance(frame, f.Deliver):
            now = time.perf_counter()
            for parcel in frame.parcels:
                self.latencies.append(now - _STAMP.unpack_from(parcel.sealed)[0])
            self.receiver.send(f.Acknowledge([parcel.seq for parcel in frame.parcels]))
            self.received += len(frame.parcels)
            if self.received >= self.awaited:
                self.quiet.set()

    def expect(self, count: int) -> None:
        """Forget what was, and expect `count` messages."""
        self.latencies = []
        self.received = 0
        self.awaited = count
        self.quiet.clear()


async def open_link(
    device: EnrolledDevice, port: int, pin: Fingerprint, heard: OnFrame
) -> LinkConnection:
    """A link after Ready; `heard` gets all later frames."""
    ready = asyncio.get_running_loop().create_future()

    def on_frame(frame: f.AnyFrame) -> None:
        if isinstance(frame, f.Ready):
            ready.set_result(None)
        else:
            heard(frame)

    connection = await connect("127.0.0.1", port, pin, on_frame)
    connection.send(sign_hello(device.identity, connection.binding))
    await asyncio.wait_for(ready, 10)
    return connection


async def open_pairs(devices: list[EnrolledDevice], port: int, pin: Fingerprint) -> list[Pair]:
    """Links of the first half of the devices to the second, who receive."""
    pairs: list[Pair] = []
    half = len(devices) // 2
    for sender, receiver in zip(devices[:half], devices[half:], strict=True):
        pair = Pair()
        pair.sender = await open_link(sender, port, pin, pair.on_sender)
        pair.receiver = await open_link(receiver, port, pin, pair.on_receiver)
        told = fanout_frame([receiver.id])
        pair.fanout = told.id
        pair.sender.send(told)
        pair.receiver.send(f.Resume())
        pairs.append(pair)
    return pairs


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _deleted(database: Path) -> None:
    """Wait until nothing waits on the server's disk."""
    opened = Database.open(database)
    while True:
        if opened.reading.execute("SELECT count(*) FROM mailbox").get == 0:
            break
        await asyncio.sleep(0.01)
    opened.close()


async def _throughput(pairs: list[Pair], messages: int, database: Path) -> float:
    """Seconds for so many messages, sent as fast as they are accepted."""
    each = messages // PAIRS
    start = time.perf_counter()
    for pair in pairs:
        pair.expect(each)
        pair.to_send = each
        pair.push(WINDOW)
    await asyncio.gather(*(pair.quiet.wait() for pair in pairs))
    await _deleted(database)
    return time.perf_counter() - start


async def _latency(pairs: list[Pair], rate: int) -> tuple[float, float]:
    """p50 and p99 in milliseconds at so many messages a second."""
    total = int(rate * RATE_SECONDS)
    for index, pair in enumerate(pairs):
        pair.expect(total // PAIRS + (index < total % PAIRS))
    start = time.perf_counter()
    for number in range(total):
        due = start + number / rate
        ahead = due - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        pair = pairs[number % PAIRS]
        pair.sender.send(f.Send([pair.posting(due)]))
    await asyncio.gather(*(pair.quiet.wait() for pair in pairs))
    cuts = quantiles([each for pair in pairs for each in pair.latencies], n=100)
    return cuts[49] * 1000, cuts[98] * 1000


async def _load(
    devices: list[EnrolledDevice], directory: ServerFolder, server: ServerProcess
) -> Figures:
    database = directory.database
    pairs = await open_pairs(devices, server.port, directory.fingerprint())
    await _throughput(pairs, MESSAGES // 10, database)
    before = _cpu_seconds(server.pid)
    seconds = await _throughput(pairs, MESSAGES, database)
    cpu = (_cpu_seconds(server.pid) - before) / MESSAGES * 10_000
    figures = [
        Figure("per_second", "delivered", MESSAGES / seconds, "/s", at_least=15_000),
        Figure("cpu_per_10000", "server CPU for 10,000", cpu, "s", at_most=0.6),
        Figure(
            "budget", "budget of a device, raised from 250 rows a second", ROWS_PER_SECOND, "/s"
        ),
    ]
    for rate in RATES:
        p50, p99 = await _latency(pairs, rate)
        figures.append(Figure(f"p50_ms_at_{rate}", f"p50 at {rate:,}/s", p50, "ms"))
        figures.append(Figure(f"p99_ms_at_{rate}", f"p99 at {rate:,}/s", p99, "ms"))
    for pair in pairs:
        await pair.sender.close()
        await pair.receiver.close()
    return figures


def run() -> Figures:
    """Start a server with 100 devices, load it, and measure."""
    with tempfile.TemporaryDirectory(prefix="blackthorn-bench-") as name:
        directory, devices = make_enterprise(Path(name), 2 * PAIRS)
        with ServerProcess(directory) as server:
            return uvloop.run(_load(devices, directory, server))
