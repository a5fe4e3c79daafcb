"""Stalls: how long the event loop and the writer are held at 1,000,000 parcels and 100,000 devices.

Everything runs in this process, without sockets: the dispatcher over the real writer and reader.
Times are of CPU, of one callback of the loop, of one statement of the writer (its triggers
included), and of one query of the reader, so that a busy machine does not count.
"""

import asyncio
import gc
import hashlib
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import uvloop

from bench.figures import Figure, Figures
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.ids import Address, DeviceId, device_id
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.link.limits import MAX_RECIPIENTS
from blackthorn.link.session import Link, Role
from blackthorn.ports.governance.closure import AdvanceClosure, ListClosures, Phase, StoreStatement
from blackthorn.ports.ledger import (
    AppendEpoch,
    Checkpoint,
    Epoch,
    Leaf,
    PublishEpoch,
    RemoveDevice,
)
from blackthorn.ports.parcels import RemoveOldestUndecryptable
from blackthorn.ports.store import Query, Result
from blackthorn.ports.waiting import outcome
from blackthorn.programs.server.purging import purge
from blackthorn.server.budgets.budgets import Budgets, Rate, Rates
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.handlers.throttle import Throttle
from blackthorn.server.ledger.chains import DevicesChanged
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.messaging.delivery import STEP
from blackthorn.server.messaging.limits import MAX_UNDECRYPTABLE_BYTES, MAX_UNDECRYPTABLE_PARCELS
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.storage.sqlite.writer import ThreadWriter

PLENTY = Rate(1e15, 1e15)
DEVICES = 100_000
PARCELS = 1_000_000
FULL = 100_000
"""Parcels that wait for the first device: as many as its mailbox may hold."""

ORPHANED = 20_000
"""Devices that are gone, for each of which some of the parcels wait."""

OLD = 100_000
"""Undecryptable parcels whose time is over."""

REMOVED = 3
"""The device with a full mailbox that is removed."""

CROWDED = 4
UNDECRYPTABLE = 2_400
"""The device that could not decrypt more parcels than are kept, and how many."""

CODES = 2_000
"""Activation codes that have expired; every other user has one that has not."""

CHANGES = 2_000
"""Changes in one epoch of the ledger."""

DAY = 20_000
NOW_MS = 10**13
GOAL_MS = 5.0


class _Keys:
    def key(self, market: str) -> Secret:
        """One key for every market."""
        return Secret(hashlib.sha256(market.encode()).digest())


class _Times:
    """The longest of each kind since `start`, in milliseconds."""

    def __init__(self) -> None:
        self.longest: Counter[str] = Counter()

    def start(self) -> None:
        """Measure the next part."""
        self.longest.clear()

    def note(self, kind: str, since: float) -> None:
        """Something of that kind began at this time of the thread's CPU, and has ended."""
        passed = (time.thread_time() - since) * 1000
        self.longest[kind] = max(self.longest[kind], passed)  # type: ignore[assignment]

    def figures(self, part: str, name: str) -> Figures:
        """One figure for each kind; a commit may write the log back, and has no goal."""
        goals = {"loop": GOAL_MS, "writer": GOAL_MS, "commit": None, "reader": GOAL_MS}
        return [
            Figure(f"{part}_{kind}_ms", f"{name}: {kind}", self.longest[kind], "ms", None, goal)
            for kind, goal in goals.items()
        ]


class _TimedEngine(Engine):
    """An engine that times each query, and each statement of the writing connection."""

    def __init__(self, database: Database, wrapping: Wrapping, times: _Times) -> None:
        super().__init__(database, wrapping)
        self._times = times
        self._since: float | None = None
        mask = apsw.SQLITE_TRACE_STMT | apsw.SQLITE_TRACE_PROFILE
        database.writing.trace_v2(mask, self._statement)

    def _statement(self, event: dict[str, Any]) -> None:
        if event["code"] == apsw.SQLITE_TRACE_STMT:
            if self._since is None:  # a trigger is part of its statement
                self._since = time.thread_time()
        elif self._since is not None:
            kind = "commit" if event["sql"] == "COMMIT" else "writer"
            self._times.note(kind, self._since)
            self._since = None

    def read(self, query: Query[Result]) -> Result:
        """See `Engine`."""
        since = time.thread_time()
        answer = super().read(query)
        self._times.note("reader", since)
        return answer


class _Device:
    """A device on a wire of its own: it acknowledges what it is sent."""

    def __init__(self, stage: "_Stage", identity: Secret) -> None:
        self._stage = stage
        self._link = Link(Role.DEVICE, 0.0)
        self.heard: Counter[type[f.Frame]] = Counter()
        self.session = stage.dispatcher.connect(self, b"", 0.0)
        self.say(sign_hello(identity, b""))

    def say(self, frame: f.AnyFrame) -> None:
        """Send a frame to the server."""
        data = self._link.send(frame)
        self._stage.call(self._stage.dispatcher.receive, self.session, data, 0.0)

    def write(self, data: bytes) -> None:
        """A frame of the server, which costs its loop nothing here."""
        self._stage.later(lambda: self._read(data))

    def _read(self, data: bytes) -> None:
        frame = self._link.receive(data, 0.0)
        self.heard[type(frame)] += len(frame.ids) if isinstance(frame, f.Accepted) else 1
        if isinstance(frame, f.Deliver):
            seqs = [parcel.seq for parcel in frame.parcels]
            self.say(f.Acknowledge(seqs))

    def close(self) -> None:
        """Unused: nothing ends a link here."""

    def pause_reading(self) -> None:
        """Unused: what is sent too early is put off by the session."""

    def resume_reading(self) -> None:
        """Unused, as is `pause_reading`."""

    def recognise(self, device: DeviceId) -> bool:
        return True


class _Stage:
    """A server without sockets over the database."""

    def __init__(self, database: Database, times: _Times) -> None:
        self._times = times
        self._loop = asyncio.get_running_loop()
        engine = _TimedEngine(database, Wrapping(_Keys(), secrets.token_bytes), times)
        self.writer = ThreadWriter(engine, self._wake)
        self.reader = ThreadReader(engine, self._wake)
        cache, counters = EnterpriseCache(self.reader), Counters()
        self.dispatcher = Dispatcher(
            enterprise=cache,
            writer=self.writer,
            reader=self.reader,
            counters=counters,
            throttle=Throttle(Budgets(Rates(PLENTY, PLENTY, PLENTY, PLENTY)), counters),
        )

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call something of the loop, and time it."""
        since = time.thread_time()
        function(*arguments)
        self._times.note("loop", since)

    def later(self, function: Callable[[], None]) -> None:
        """Call it in the loop's next turn."""
        self._loop.call_soon(function)

    def _wake(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.call_soon_threadsafe(self.call, callback, *arguments)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass, with its ticks, until it holds."""
        while not condition():
            self.call(self.dispatcher.tick, 0.0)
            await asyncio.sleep(0.01)

    async def idle(self) -> None:
        """Until the writer has nothing to do."""
        quiet = 0
        while quiet < 10:
            quiet = 0 if self.writer.waiting else quiet + 1
            self.call(self.dispatcher.tick, 0.0)
            await asyncio.sleep(0.01)


def _fill(database: Database, identities: list[Secret]) -> list[DeviceId]:
    """People with one device each; the first has a full mailbox, some are gone, some are old."""
    wrapping = Wrapping(_Keys(), secrets.token_bytes)
    sealed = wrapping.wrap("ZZ", bytes(48))
    write = database.writing
    write.execute("BEGIN")
    devices: list[DeviceId] = []
    for number in range(1, DEVICES + 1):
        public = b""
        if number <= len(identities):
            public = ED25519.public_key(identities[number - 1])
        devices.append(device_id(public or number.to_bytes(32, "big")))
        write.execute(
            "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, 0)",
            (number, f"user{number}@acme.example", f"{number:08x}"),
        )
        write.execute(
            "INSERT INTO devices (number, id, user, identity_key, name, standing, activated_ms)"
            " VALUES (?, ?, ?, ?, 'bench', 'live', 0)",
            (number, devices[-1], number, public),
        )
    insert = (
        "INSERT INTO mailbox (device, seq, market, sealed, set_aside_day) VALUES (?,?,'ZZ',?,?)"
    )
    write.executemany(insert, ((1, seq, sealed, None) for seq in range(1, FULL + 1)))
    others = range(FULL + 1, PARCELS + 1)
    rows = ((seq % DEVICES + 2, seq, sealed, 1 if seq <= FULL + OLD else None) for seq in others)
    write.executemany(insert, rows)
    more = range(PARCELS + 1, PARCELS + FULL + 1)
    write.executemany(insert, ((REMOVED, seq, sealed, None) for seq in more))
    junk = range(PARCELS + FULL + 1, PARCELS + FULL + UNDECRYPTABLE + 1)
    write.executemany(insert, ((CROWDED, seq, sealed, DAY) for seq in junk))
    write.execute(f"DELETE FROM devices WHERE number > {DEVICES - ORPHANED}")
    _fill_rest(write)
    write.execute("COMMIT")
    return devices[: DEVICES - ORPHANED]


def _fill_rest(write: apsw.Connection) -> None:
    """A code and a statement of each user, of which some wait; a closure before its statement."""
    users = range(1, DEVICES + 1)
    write.executemany(
        "INSERT INTO activations (nameplate, user, password, public_key, expires_ms, tries)"
        " VALUES (?, ?, zeroblob(32), zeroblob(32), ?, 0)",
        ((str(user), user, NOW_MS + (user > CODES)) for user in users),
    )
    write.executemany(
        "INSERT INTO chain_statement (user, seq, head, kind, flags, statement, place)"
        " VALUES (?, 1, zeroblob(32), 'genesis', 0, zeroblob(400), ?)",
        ((user, None if user <= CHANGES else 0) for user in users),
    )
    write.execute(
        "INSERT INTO closure (exit_id, market, phase, begun_ms, fingerprint)"
        " VALUES ('X-ZZ-1', 'ZZ', 'probe', 0, zeroblob(32))"
    )


async def _start_day(stage: _Stage, database: Database) -> None:
    stage.call(stage.dispatcher.start_day, DAY)
    old = "SELECT 1 FROM mailbox WHERE set_aside_day = 1 LIMIT 1"
    await stage.until(lambda: database.reading.execute(old).get is None)


async def _resume(stage: _Stage, identity: Secret) -> None:
    device = _Device(stage, identity)
    await stage.until(lambda: device.heard[f.Ready] > 0)
    device.say(f.Resume())
    await stage.until(lambda: device.heard[f.Drained] > 0)
    await stage.idle()


async def _fan_out(stage: _Stage, identity: Secret, members: list[DeviceId]) -> None:
    device = _Device(stage, identity)
    await stage.until(lambda: device.heard[f.Ready] > 0)
    told = fanout_frame(members)
    device.say(told)
    for _ in range(3):
        device.say(f.Send([f.Posting(secrets.token_bytes(16), [f.Parcel(told.id, bytes(500))])]))
    await stage.until(lambda: device.heard[f.Accepted] == 3)


async def _purge(stage: _Stage) -> None:
    pieces = PieceWriter(writer=stage.writer, random=secrets.token_bytes)
    await purge(stage.writer, pieces, NOW_MS)


async def _remove_device(stage: _Stage, database: Database, identity: Secret) -> None:
    """A device with a full mailbox: the command, and what follows in steps."""
    device = _Device(stage, identity)
    await stage.until(lambda: device.heard[f.Ready] > 0)
    address = Address(f"user{REMOVED}@acme.example")
    name = device_id(ED25519.public_key(identity))
    await outcome(partial(stage.writer.submit, RemoveDevice(address, name)))
    stage.call(stage.dispatcher.user_changed, DevicesChanged(address, (name,), ()))
    rest = f"SELECT 1 FROM mailbox WHERE device = {REMOVED} LIMIT 1"
    await stage.until(lambda: database.reading.execute(rest).get is None)


async def _trim(stage: _Stage) -> None:
    kept = MAX_UNDECRYPTABLE_PARCELS * 3 // 4
    trim = RemoveOldestUndecryptable(CROWDED, kept, MAX_UNDECRYPTABLE_BYTES, STEP)
    while len(await outcome(partial(stage.writer.submit, trim))) == STEP:
        pass


async def _epoch(stage: _Stage) -> None:
    users = range(1, CHANGES + 1)
    epoch = Epoch(
        0,
        tuple(bytes(200) for _ in users),
        tuple(Leaf(user, 1, bytes(32), 1, 0, user - 1) for user in users),
        tuple((user, 1, 1, user - 1) for user in users),
        (),
        Checkpoint(CHANGES, bytes(32), bytes(500), False),
    )
    await outcome(partial(stage.writer.submit, AppendEpoch(epoch)))
    await outcome(partial(stage.writer.submit, PublishEpoch(CHANGES, bytes(900))))


async def _close_market(stage: _Stage) -> None:
    (closure,) = await outcome(partial(stage.reader.ask, ListClosures()))
    statement = bytes(77 * DEVICES)
    await outcome(partial(stage.writer.submit, StoreStatement(closure, statement)))
    (closure,) = await outcome(partial(stage.reader.ask, ListClosures()))
    await outcome(partial(stage.writer.submit, AdvanceClosure(closure, Phase.CLOSED)))


async def _parts(path: Path) -> Figures:
    identities = [Secret(secrets.token_bytes(32)) for _ in range(3)]
    database = Database.open(path)
    devices = _fill(database, identities)
    times = _Times()
    gc.collect()
    gc.freeze()  # as the server does after its start
    stage = _Stage(database, times)
    parts: tuple[tuple[str, str, Callable[[], Coroutine[Any, Any, None]]], ...] = (
        ("day", "start of a day", lambda: _start_day(stage, database)),
        ("resume", "a full mailbox", lambda: _resume(stage, identities[0])),
        (
            "fanout",
            f"a list of {MAX_RECIPIENTS:,}",
            lambda: _fan_out(stage, identities[1], devices[4 : MAX_RECIPIENTS + 4]),
        ),
        (
            "again",
            "the same list, known",
            lambda: _fan_out(stage, identities[1], devices[4 : MAX_RECIPIENTS + 4]),
        ),
        ("remove", "a removed device", lambda: _remove_device(stage, database, identities[2])),
        ("trim", "too much undecryptable", lambda: _trim(stage)),
        ("epoch", f"an epoch of {CHANGES:,}", lambda: _epoch(stage)),
        ("closure", "a market's statement", lambda: _close_market(stage)),
        ("purge", "codes and parcels of nobody", lambda: _purge(stage)),
    )
    figures: Figures = []
    for part, name, run_part in parts:
        times.start()
        begun = time.perf_counter()
        await run_part()
        seconds = time.perf_counter() - begun
        figures += [
            *times.figures(part, name),
            Figure(f"{part}_s", f"{name}: in all", seconds, "s"),
        ]
    stage.reader.close()
    stage.writer.close()
    database.close()
    return figures


def run() -> Figures:
    """Fill a database, and measure each part."""
    with tempfile.TemporaryDirectory(prefix="blackthorn-bench-") as name:
        return uvloop.run(_parts(Path(name) / "blackthorn.db"))
