"""The ledger on the server: real rows, real epochs; statements are filler, as nothing reads them.

Publishing 100 changes in a directory of 100,000 users, with the disk waited for; and starting
over a year of 5,000 users, when every root is computed again from the rows.
"""

import gc
import multiprocessing
import os
import random
import secrets
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, Figures
from blackthorn.crypto.secret import Secret
from blackthorn.identity.keys import SigningKeys
from blackthorn.ids import Address
from blackthorn.ports.ledger import (
    AppendEpoch,
    Change,
    Label,
    PublishEpoch,
    StoreChange,
    StoredStatement,
)
from blackthorn.ports.store import AtOnce
from blackthorn.server.counters import Counters
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.epoch_builder import EpochBuilder, Openings, Waiting, WaitingUser
from blackthorn.server.ledger.ledger import Ledger, LedgerKeys
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.stepped import SteppedWriter
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.tlog.checkpoint import LogSigner
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import NO_QUORUM, Policy, PolicyLog, format_policy
from blackthorn.wire.note import parse_vkey

LARGE, CHANGES = 100_000, 100
YEAR_USERS, YEAR_CHANGES, YEAR_HEADS = 5_000, 6, 365 * 24 * 6
START_MS = 1_700_000_000_000
FILLER = bytes(5_400)
"""As large as a set_openpgp with its signature."""


class House:
    """A ledger over a file, without witnesses; it is told what to store and when to publish."""

    def __init__(self, path: Path) -> None:
        self.chance = random.Random(6)
        self.database = Database.open(path)
        self.now_ms = START_MS
        chance = self.chance.randbytes
        self.keys = LedgerKeys(
            "bench.example/ledger",
            Secret(chance(32)),
            Secret(chance(32)),
            Secret(chance(32)),
            SigningKeys.generate(chance),
        )
        self.policy = Policy((PolicyLog(parse_vkey(self.keys.log_vkey)),), (), (), NO_QUORUM)
        self.config = self.keys.config(
            domain="bench.example",
            policy=format_policy(self.policy),
            reset_delay_ms=0,
            epoch_ms=10_000,
            heartbeat_ms=600_000,
        )
        self.seqs: list[int] = []
        self.ledger = self.start()

    def start(self) -> Ledger:
        """A new process over the rows."""
        self.engine = Engine(self.database, Wrapping(KeyFolder(Path()), secrets.token_bytes))
        self.writer = SteppedWriter(self.engine)
        self.ledger = Ledger(
            writer=self.writer,
            reader=AtOnce(self.engine),
            keys=self.keys,
            policy=self.policy,
            config=self.config,
            counters=Counters(),
            monotonic=lambda: self.now_ms / 1000,
        )
        self.ledger.start(self.engine, self.now_ms)
        return self.ledger

    def sync(self, wanted: bool) -> None:
        """Whether commits wait for the disk."""
        self.database.writing.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'OFF'}")

    def add(self, count: int) -> None:
        """So many users more, with one statement each."""
        for _ in range(count):
            number = len(self.seqs) + 1
            address = Address(f"user{number}@bench.example")
            self.database.writing.execute(
                "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, 0)",
                (number, address, f"{number:08X}"),
            )
            index, proof, salt = (self.chance.randbytes(size) for size in (32, 80, 32))
            self.change(number, Label(number, address, index, proof, salt))

    def change(self, number: int, label: Label | None = None) -> None:
        """One statement more of a user."""
        seq = 0 if label is not None else self.seqs[number - 1]
        head = bytes(32) if not seq else _head(number, seq)
        made = StoredStatement(seq + 1, _head(number, seq + 1), "set_recovery", 0, FILLER)
        address = Address(f"user{number}@bench.example")
        if label is not None:
            self.seqs.append(0)
        self.seqs[number - 1] += 1
        change = Change(address, seq, head, (made,), label)
        self.writer.submit(StoreChange(change), lambda result: None)

    def enqueue(self, number: int, users: dict[int, tuple[Label, int]]) -> WaitingUser:
        """One statement more of a user, stored in the transaction under way, as it waits."""
        address = Address(f"user{number}@bench.example")
        label, version = users.get(number, (None, 0))
        head = _head(number, version) if version else bytes(32)
        made = StoredStatement(version + 1, _head(number, version + 1), "set_recovery", 0, FILLER)
        new = None
        if label is None:
            self.database.writing.execute(
                "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, 0)",
                (number, address, f"{number:08X}"),
            )
            index, proof, salt = (self.chance.randbytes(size) for size in (32, 80, 32))
            label = new = Label(number, address, index, proof, salt)
        self.engine.execute(StoreChange(Change(address, version, head, (made,), new)))
        users[number] = (label, version + 1)
        return WaitingUser(label, version, (made,))

    def publish(self, ms: int = 600_000) -> float:
        """Make the epochs that are due; the CPU seconds of the longest tick."""
        self.writer.commit()
        self.now_ms += ms
        longest = 0.0
        while True:
            begun = time.process_time()
            self.ledger.tick(self.now_ms)
            longest = max(longest, time.process_time() - begun)
            if not self.writer.commit():
                return longest
            self.now_ms += 10_000


def _head(number: int, seq: int) -> bytes:
    return number.to_bytes(16, "big") + seq.to_bytes(16, "big")


def _resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _large(folder: Path) -> Figures:
    house = House(folder / "large.db")
    house.sync(False)
    for start in range(0, LARGE, limits.MAX_EPOCH_CHANGES):
        house.add(min(limits.MAX_EPOCH_CHANGES, LARGE - start))
        house.publish()
    house.sync(True)
    waits, ticks = [], []
    for _ in range(7):
        for _ in range(CHANGES):
            house.change(house.chance.randrange(LARGE) + 1)
            house.writer.commit()
        house.now_ms += 600_000
        begun, cpu = time.perf_counter(), time.process_time()
        house.ledger.tick(house.now_ms)
        ticks.append(time.process_time() - cpu)
        house.writer.commit()
        waits.append(time.perf_counter() - begun)
    before = _resident()
    begun = time.process_time()
    house.start()
    started = time.process_time() - begun
    grown = _resident() - before
    house.database.close()
    name = f"{LARGE:,} users"
    return [
        Figure("publish_ms", f"publish {CHANGES} changes, {name}", _median(waits) * 1e3, "ms"),
        Figure("publish_loop_ms", "of it, the event loop is busy", _median(ticks) * 1e3, "ms"),
        Figure("start_large_s", f"start over {name}", started, "s"),
        Figure("start_large_mb", "memory that a start takes", grown / 1e6, "MB"),
    ]


def _live(house: House) -> None:
    """A year, drafted as the server drafts it, a day's epochs in one transaction."""
    log, users = MerkleLog(), dict[int, tuple[Label, int]]()
    signer = LogSigner(house.keys.origin, house.keys.log)
    builder = EpochBuilder(log, signer, Openings(house.keys.opening))
    tip, changes = None, YEAR_USERS * YEAR_CHANGES
    execute = house.database.writing.execute
    for beat in range(YEAR_HEADS):
        if beat % 144 == 0:
            execute("COMMIT" if beat else "SELECT 1")
            execute("BEGIN")
        waiting: list[WaitingUser] = []
        for change in range(changes * beat // YEAR_HEADS, changes * (beat + 1) // YEAR_HEADS):
            waiting.append(house.enqueue(change % YEAR_USERS + 1, users))
        house.now_ms += 600_000
        draft = builder.draft(tip, house.config, Waiting(waiting, ()), house.now_ms)
        tip = draft.tip
        house.engine.execute(AppendEpoch(draft.epoch))
        end = draft.epoch.checkpoint
        house.engine.execute(PublishEpoch(end.size, end.note))
    execute("COMMIT")


def _build_year(path: Path) -> None:
    """In a process of its own, whose memory does not count."""
    house = House(path)
    house.sync(False)
    _live(house)
    house.database.close()


def _year(folder: Path) -> Figures:
    path = folder / "year.db"
    builder = multiprocessing.get_context("spawn").Process(target=_build_year, args=(path,))
    builder.start()
    builder.join()
    gc.collect()
    before = _resident()
    begun = time.process_time()
    house = House(path)
    started = time.process_time() - begun
    grown = _resident() - before
    size = house.ledger.log.size
    rows = (folder / "year.db").stat().st_size
    house.database.close()
    return [
        Figure("year_entries", f"entries of {YEAR_USERS:,} users' year", float(size), ""),
        Figure("year_start_s", "start over them", started, "s", at_most=5.0),
        Figure("year_mb", "memory of log and map", grown / 1e6, "MB", at_most=100.0),
        Figure("year_rows_mb", "rows on the disk, statements of 5 kB", rows / 1e6, "MB"),
    ]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def run() -> Figures:
    """Both parts, each in a folder of its own; some minutes."""
    with tempfile.TemporaryDirectory() as folder:
        return _year(Path(folder)) + _large(Path(folder))
