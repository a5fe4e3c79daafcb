"""The closure of a market of 5,000 users with 100 sealed mails and 20 waiting messages each.

Rows lie on the disk as the server stores them (2 KiB each, wrapped). The closure runs in a
process of its own, by the server's engine, writer and loop; the officers' decisions are set by
hand, since what they sign costs nothing. Beside it somebody of another market has a row written
every 10 ms by the same writer. The other market has 500 users with as much.
"""

import asyncio
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import Figure, Figures
from blackthorn.crypto import market_wrap
from blackthorn.governance.cases import Cases
from blackthorn.governance.transitions import Case, Step
from blackthorn.ports.parcels import Parcels, StoreParcels
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor, run_periodically
from blackthorn.programs.server.closure import IDLE_SECONDS, Apart, closing_step
from blackthorn.programs.server.wiring import SystemClock
from blackthorn.server.counters import Counters
from blackthorn.server.markets.closure import Closures
from blackthorn.server.markets.closure_facts import Facts
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Connection, Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.stores.markets import compact, register
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.storage.sqlite.writer import ThreadWriter

USERS, OTHERS = 5_000, 500
MAILS, PARCELS = 100, 20
SEALED_BYTES = 2_048
EXIT = "X-PK-1"
CLOSED = "closed"
BEAT_SECONDS = 0.01

_USER = "INSERT INTO users (number, address, pin, created_ms, market) VALUES (?, ?, ?, 0, ?)"
_DEVICE = "INSERT INTO devices VALUES (?, ?, ?, x'00', 'phone', 'live', 0)"
_MAIL = "INSERT INTO mail (user, uid, received_ms, size, market, sealed) VALUES (?, ?, 1, ?, ?, ?)"
_PARCEL = "INSERT INTO mailbox (device, seq, market, sealed) VALUES (?, ?, ?, ?)"


def _fill(folder: Path) -> None:
    database = Database.open(folder / "b.db")
    keys = KeyFolder(folder / "keys")
    writing = database.writing
    for market, first, count in (("PK", 1, USERS), ("DE", USERS + 1, OTHERS)):
        register(writing, market, keys.create(market, secrets.token_bytes), 1)
        key = keys.key(market)
        assert key is not None
        wrapped = market_wrap.wrap(
            key, os.urandom(SEALED_BYTES), os.urandom(market_wrap.PREFIX_BYTES)
        )
        for start in range(first, first + count, 100):
            writing.execute("BEGIN IMMEDIATE")
            for user in range(start, start + 100):
                _add(writing, user, market, wrapped)
            writing.execute("COMMIT")
    database.close()


def _add(writing: Connection, user: int, market: str, first: bytes) -> None:
    """Only a user's first mail is really wrapped: the others are as long and as random."""
    size = len(first)
    writing.execute(_USER, (user, f"u{user}@acme.example", f"{user:08X}", market))
    writing.execute(_DEVICE, (user, user.to_bytes(16, "big"), user))
    mails = (
        (user, n, SEALED_BYTES, market, os.urandom(size) if n else first) for n in range(MAILS)
    )
    writing.executemany(_MAIL, mails)
    parcels = ((user, PARCELS * user + n, market, os.urandom(size)) for n in range(PARCELS))
    writing.executemany(_PARCEL, parcels)


def _case(state: str, *steps: tuple[str, dict[str, Any]]) -> Case:
    names = ("announce", "activations", "read_only", "stop", "retrieval_end", "backups_end")
    dates = dict.fromkeys((*(f"{each}_ms" for each in names), "forwarding_end_ms"), 2**50)
    plan = ("plan", {"market": "PK", **dates})
    history = tuple(
        Step(seq, action, public, (), 0, 0)
        for seq, (action, public) in enumerate((plan, *steps), 1)
    )
    return Case(EXIT, state, len(history), history=history)


class _Closing:
    """The closure of one run, from `preparing` to the published statement."""

    def __init__(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        self.database = Database.open(folder / "b.db")
        wrapping = Wrapping(KeyFolder(folder / "keys"), secrets.token_bytes)
        engine = Engine(self.database, wrapping)
        self.writer = ThreadWriter(engine, loop.call_soon_threadsafe)
        self.reader = ThreadReader(engine, loop.call_soon_threadsafe)
        self.cases = Cases(by_id={EXIT: _case("preparing")})
        self.published: asyncio.Future[int] = loop.create_future()
        self.closures = Closures(
            cases=lambda: self.cases,
            keys=KeyFolder(folder / "keys"),
            writer=self.writer,
            reader=self.reader,
            clock=SystemClock(),
            log_ms=SystemClock().wall_ms,
            random=secrets.token_bytes,
            apart=Apart(Supervisor(Counters())),
            compact=partial(compact, folder / "b.db"),
            publish=self._publish,
            register="of no key",
        )
        self.waits: list[float] = []

    def _publish(self, exit_id: str, statement: bytes) -> None:
        loop = self.published.get_loop()
        loop.call_soon_threadsafe(self.published.set_result, len(statement))

    async def fields(self) -> dict[str, Any]:
        """The fields of the next decision, {} while it cannot be taken."""
        facts: Facts = await outcome(partial(self.closures.facts, "PK"))
        return facts.fields

    async def beat(self) -> None:
        """Somebody else's small write, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            written: asyncio.Future[Any] = loop.create_future()
            begun = time.perf_counter()
            self.writer.submit(StoreParcels(Parcels()), written.set_result)
            await written
            self.waits.append(time.perf_counter() - begun)
            await asyncio.sleep(BEAT_SECONDS)


async def _close(folder: Path) -> dict[str, float]:
    closing = _Closing(folder)
    closes = run_periodically(lambda: closing_step(closing.closures), IDLE_SECONDS)
    work = [asyncio.create_task(each) for each in (closes, closing.beat())]
    times = {}
    destroy: tuple[str, dict[str, Any]] = ("destroy", {})
    begun = time.perf_counter()
    for name, state in (("prepare", "destroying"), ("destroy", CLOSED)):
        while not (fields := await closing.fields()):
            assert not closing.closures.problems(), closing.closures.problems()
            await asyncio.sleep(0.2)
        times[name] = time.perf_counter() - begun
        destroy = ("destroy", fields) if name == "prepare" else destroy
        steps = (destroy,) if name == "prepare" else (destroy, ("close", fields))
        closing.cases.by_id[EXIT] = _case(state, *steps)
    size = await closing.published
    times["close"] = time.perf_counter() - begun
    for task in work:
        task.cancel()
    closing.reader.close()
    closing.writer.close()
    left: int = closing.database.reading.execute("SELECT count(*) FROM mail").get
    assert left == OTHERS * MAILS
    closing.database.close()
    waits = sorted(closing.waits)
    times["p99"] = 1000 * waits[len(waits) * 99 // 100]
    times["worst"] = 1000 * waits[-1]
    times["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times["statement"] = size / 1e6
    return times


def main(folder: Path) -> None:
    """Close the market in that folder, and print what it took as JSON."""
    print(json.dumps(asyncio.run(_close(folder))))


def run() -> Figures:
    """Run the part."""
    with tempfile.TemporaryDirectory(prefix="blackthorn-bench-") as name:
        folder = Path(name)
        _fill(folder)
        code = f"from pathlib import Path; from bench.exit import main; main(Path({name!r}))"
        output = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
    times = json.loads(output)
    return [
        Figure("exit_seconds", "5,000 users, 500,000 mails", times["close"], "s", at_most=300),
        Figure("exit_prepare_seconds", "of it, receipts and tree", times["prepare"], "s"),
        Figure("exit_memory", "peak memory of the process", times["rss"], "MiB", at_most=1024),
        Figure("exit_others_p99", "others' writes meanwhile, p99", times["p99"], "ms", at_most=50),
        Figure("exit_others_worst", "the longest of them", times["worst"], "ms"),
        Figure("exit_statement", "the public statement", times["statement"], "MB"),
    ]
