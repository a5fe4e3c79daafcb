"""Disks that fail: full, read-only, damaged, newer; faults A4, A5, A7 and A10."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from blackthorn.errors import DamageError, DefectError, StorageError
from blackthorn.ports.enrolment import PurgeCodes
from blackthorn.ports.governance.closure import ListClosures, ReadStatement
from blackthorn.ports.parcels import (
    MailboxTallies,
    Parcels,
    RemoveParcels,
    StoreParcels,
    WaitingParcels,
)
from blackthorn.simulation.memory import memory_database, wrapping
from blackthorn.storage.sqlite.database import Database, migrations
from blackthorn.storage.sqlite.engine import Engine, host_store
from blackthorn.storage.sqlite.failure import UnsyncedError, failure_of
from blackthorn.storage.sqlite.group_commit import commit_group
from tests.support.market_keys import add_people


def put(database: Database, rows: list[tuple[int, int, bytes]]) -> Any:
    told: list[Any] = []
    command = StoreParcels(Parcels([(*row, 0) for row in rows]))
    for done, result in commit_group(Engine(database, wrapping()), [(command, told.append)]):
        done(result)
    return told[0]


def test_migrations_are_numbered_without_gaps_and_applied_once(tmp_path: Path) -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    for _ in range(2):
        database = Database.open(tmp_path / "b.db")
        assert database.reading.pragma("user_version") == numbers[-1]
        expected = {
            "journal_mode": "wal",
            "synchronous": 2,
            "page_size": 8192,
            "secure_delete": 1,
            "cache_size": -16384,
            "temp_store": 2,
        }
        assert {name: database.writing.pragma(name) for name in expected} == expected
        database.check()
        database.close()


def test_a_database_of_before_statements_were_short_gains_the_index_and_keeps_its_closure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "blackthorn.db"
    older = [each for each in migrations() if each[0] <= 10]
    monkeypatch.setattr("blackthorn.storage.sqlite.database.migrations", lambda: older)
    database = Database.open(path)
    monkeypatch.undo()
    database.writing.execute(
        "INSERT INTO users (number, address, pin, created_ms) VALUES (1, 'u@acme.example', '1', 0);"
        "INSERT INTO activations VALUES ('12', 1, x'00', x'00', 99, 0, NULL, NULL);"
        "INSERT INTO closure (exit_id, market, phase, begun_ms, fingerprint, statement)"
        " VALUES ('X-PK-1', 'PK', 'destroyed', 0, x'00', x'7b7d'),"
        " ('X-DE-1', 'DE', 'purge', 0, x'00', NULL)"
    ).fetchall()
    database.close()
    database = Database.open(path)
    store = host_store(database)
    assert [store.read(ReadStatement(exit_id)) for exit_id in ("X-PK-1", "X-DE-1")] == [b"{}", b""]
    assert len(store.read(ListClosures())) == 2
    assert store.write(PurgeCodes(99, 9)) == 1
    query = "EXPLAIN QUERY PLAN SELECT nameplate FROM activations WHERE expires_ms <= 9 LIMIT 5"
    (plan,) = database.reading.execute(query).fetchall()
    assert "activations_by_expiry" in plan[3]
    database.close()


def test_the_reading_connection_cannot_write(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "b.db")
    with pytest.raises(apsw.ReadOnlyError):
        database.reading.execute("DELETE FROM mailbox")
    database.close()


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    Database.open(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 999)
    connection.close()
    with pytest.raises(StorageError, match="newer blackthorn"):
        Database.open(path)


def test_a_failed_migration_leaves_the_version_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations()
    broken = (len(known) + 1, "CREATE TABLE half (a INTEGER); CREATE TABLE half (a INTEGER);")
    monkeypatch.setattr("blackthorn.storage.sqlite.database.migrations", lambda: [*known, broken])
    with pytest.raises(DefectError):
        Database.open(tmp_path / "b.db")
    monkeypatch.undo()
    database = Database.open(tmp_path / "b.db")
    assert database.reading.pragma("user_version") == len(known)
    tables = database.reading.execute("SELECT name FROM sqlite_schema").fetchall()
    assert ("half",) not in tables
    database.close()


@pytest.mark.parametrize(
    "damage", [b"not a database, whatever its name says " * 500, b"\0" * 50_000]
)
def test_a_file_that_is_no_database_is_one_clear_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "b.db"
    path.write_bytes(damage)
    with pytest.raises(StorageError, match="damaged") as refused:
        Database.open(path)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == damage, "the evidence stays"


def test_a_damaged_page_is_found_and_the_rest_is_served(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    database = Database.open(path)
    add_people(database, 3)
    rows = [(d, d * 1000 + s, bytes(300)) for d in (1, 2, 3) for s in range(800)]
    assert put(database, rows) == []
    database.close()
    with path.open("r+b") as file:
        middle = path.stat().st_size // 2 // 8192 * 8192
        file.seek(middle)
        file.write(os.urandom(8192))
    database = Database.open(path)
    with pytest.raises(DamageError):
        database.check()
    store = Engine(database, wrapping())
    outcomes = []
    for device in (1, 2, 3):
        try:
            found = store.read(WaitingParcels(device, 0, False, 1000, 10**9))
            outcomes.append(len(found))
        except StorageError:
            outcomes.append(-1)
    assert -1 in outcomes
    assert outcomes.count(800) >= 1
    database.close()


def test_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        Database.open(tmp_path / "nowhere" / "b.db")


def test_a_locked_database_is_one_clear_line(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "b.db")
    add_people(database, 1)
    database.writing.set_busy_timeout(10)
    other = apsw.Connection(str(tmp_path / "b.db"))
    other.execute("BEGIN IMMEDIATE")
    assert str(put(database, [(1, 1, b"x")])) == "the database is locked by another process"
    other.execute("ROLLBACK")
    other.close()
    assert put(database, [(1, 1, b"x")]) == []
    database.close()


def test_a_failed_fsync_is_told_apart() -> None:
    error = apsw.IOError("disk I/O error")
    error.extendedresult = apsw.SQLITE_IOERR_FSYNC
    assert isinstance(failure_of(error), UnsyncedError)
    error.extendedresult = apsw.SQLITE_IOERR_WRITE
    assert not isinstance(failure_of(error), UnsyncedError)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A file system of 4 MB with a file of 2 MB on it; None where we may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        yield None
        return
    (folder / "filler").write_bytes(bytes(2_000_000))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_keeps_what_it_has_and_heals(small_disk: Path | None) -> None:
    """Where we may not mount a small disk, SQLite's own bound on pages stands for it."""
    if small_disk is not None:
        database = Database.open(small_disk / "b.db")
        add_people(database, 1)
    else:
        database = memory_database()
        add_people(database, 1)
        database.writing.pragma("max_page_count", database.writing.pragma("page_count") + 100)
    store = Engine(database, wrapping())
    stored = 0
    while not isinstance(outcome := put(database, [(1, stored + 1, bytes(20_000))]), StorageError):
        stored += 1
    assert str(outcome) == "the disk is full: nothing was stored; free some space"
    assert 0 < stored == store.read(MailboxTallies((1,))).tallies[0].waiting, "reads still work"
    if small_disk is not None:
        (small_disk / "filler").unlink()
    else:
        database.writing.pragma("max_page_count", 10**6)
    assert put(database, [(1, 10**6, bytes(20_000))]) == [], "it takes again, without a restart"
    found = store.read(WaitingParcels(1, 0, False, 1000, 10**9))
    assert [each.seq for each in found] == [*range(1, stored + 1), 10**6]
    database.close()


def test_a_read_only_disk_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    Database.open(path).close()
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    with pytest.raises(apsw.Error) as refused:
        connection.execute("DELETE FROM mailbox")
    assert str(failure_of(refused.value)) == "the database cannot be written: it is read-only"
    connection.close()
    shutil.rmtree(tmp_path)


def test_parcels_of_before_numbers_counted_by_device_keep_their_order_and_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "blackthorn.db"
    older = [each for each in migrations() if each[0] <= 14]
    monkeypatch.setattr("blackthorn.storage.sqlite.database.migrations", lambda: older)
    database = Database.open(path)
    monkeypatch.undo()
    add_people(database, 3)
    wrap = wrapping().wrap
    put_row = "INSERT INTO mailbox (device, seq, set_aside_day, sealed, market) VALUES (?,?,?,?,?)"
    for device, seq, day, sealed in (
        (1, 1_000_007, None, wrap("XX", b"one")),
        (1, 1_000_009, 77, None),
        (1, 1_000_021, None, wrap("XX", b"three")),
        (2, 1_000_008, None, wrap("XX", b"first")),
        (2, 1_000_009, None, None),
        (3, 1_000_009, None, wrap("XX", b"own copy after a move")),
    ):
        database.writing.execute(put_row, (device, seq, day, sealed, "XX"))
    shared = "INSERT INTO shared_parcel (seq, market, waiting, sealed) VALUES (1000009, 'XX', 2, ?)"
    database.writing.execute(shared, (wrap("XX", b"all"),))
    database.close()
    database = Database.open(path)
    store = Engine(database, wrapping())

    def waiting(device: int) -> list[tuple[int, bytes, bool]]:
        return [each[:3] for each in store.read(WaitingParcels(device, 0, True, 99, 10**6))]

    assert waiting(1) == [(1, b"one", False), (2, b"all", True), (3, b"three", False)]
    assert waiting(2) == [(1, b"first", False), (2, b"all", False)]
    assert waiting(3) == [(1, b"own copy after a move", False)]
    assert store.read(MailboxTallies((1,))).tallies[0][2:5] == (1, 3, 3)
    store.write(RemoveParcels([(1, 2)]))
    assert waiting(2)[1] == (2, b"all", False)
    store.write(RemoveParcels([(2, 2), (3, 1)]))
    assert database.reading.execute("SELECT count(*) FROM shared_parcel").get == 0
    assert database.reading.execute("SELECT count(*) FROM mailbox").get == 3
    database.close()
