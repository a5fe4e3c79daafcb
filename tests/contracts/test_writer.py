"""What both writers promise (`ports.store.Writer`), over the same SQL; and what the thread adds."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import apsw
import pytest

from blackthorn.errors import BlackthornError, DefectError, DiskError, StorageError
from blackthorn.ports.parcels import TakenHandles
from blackthorn.ports.store import Command
from blackthorn.programs.server import purging
from blackthorn.programs.server.health import LOG_SECONDS
from blackthorn.simulation.memory import wrapping
from blackthorn.simulation.stepped import SteppedWriter
from blackthorn.storage.sqlite.database import BUSY_MILLISECONDS, Connection, Database
from blackthorn.storage.sqlite.engine import COMMANDS, Engine
from blackthorn.storage.sqlite.failure import UnsyncedError
from blackthorn.storage.sqlite.group_commit import commit_group
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.writer import ThreadWriter


class Stepped:
    """A stepped writer, committed when an outcome is asked for."""

    def __init__(self, database: Database) -> None:
        self.writer = SteppedWriter(Engine(database, wrapping()))

    def run(self) -> None:
        while self.writer.commit():
            pass

    def close(self) -> None:
        self.writer.commit()


class Threaded:
    """A thread writer with a loop that runs what it was woken for."""

    def __init__(self, database: Database) -> None:
        self.calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        self.failures: list[StorageError] = []
        self.writer = ThreadWriter(
            Engine(database, wrapping()),
            lambda call, *args: self.calls.put((call, args)),
            self.failures.append,
        )

    def run(self) -> None:
        while True:
            try:
                call, args = self.calls.get(timeout=0.2)
            except Exception:
                return
            call(*args)

    def close(self) -> None:
        self.writer.close()


@pytest.fixture(params=[Stepped, Threaded])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stepped | Threaded]:
    database = Database.open(tmp_path / "blackthorn.db")
    made = request.param(database)
    yield made
    made.close()
    database.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "blackthorn.db")
    yield opened
    opened.close()


class Call(Command[Any]):
    """A command that is a function of the connection."""

    function: Callable[[Connection], Any]


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine execute calls."""
    monkeypatch.setitem(
        COMMANDS, Call, lambda transaction, call: call.function(transaction.connection)
    )


def insert(epoch: int) -> Call:
    def job(connection: Connection) -> int:
        query = "INSERT INTO conversation_order VALUES (?, ?, ?, 0, x'')"
        connection.execute(query, (b"h", epoch, b"t"))
        return epoch

    return Call(job)


idle = Call(lambda connection: None)


@Call
def broken(connection: Connection) -> None:
    connection.execute("INSERT INTO conversation_order VALUES (?, 1, ?, 0, x'')", (b"half", b"t"))
    connection.execute("this is no SQL")


def test_jobs_run_in_order_and_each_is_told_its_result(harness: Stepped | Threaded) -> None:
    told: list[Any] = []
    for number in range(50):
        harness.writer.submit(insert(number), told.append)
    harness.run()
    assert told == list(range(50))


def test_a_bad_job_fails_alone_and_leaves_nothing(
    harness: Stepped | Threaded, tmp_path: Path
) -> None:
    told: list[Any] = []
    for job in (insert(1), broken, insert(2), insert(1), insert(3)):
        harness.writer.submit(job, told.append)
    harness.run()
    assert [told[0], told[2], told[4]] == [1, 2, 3]
    assert isinstance(told[1], DefectError)
    assert isinstance(told[3], DefectError), "the epoch was taken"
    reader = apsw.Connection(str(tmp_path / "blackthorn.db"))
    rows = reader.execute("SELECT handle, epoch FROM conversation_order").fetchall()
    assert rows == [(b"h", 1), (b"h", 2), (b"h", 3)]
    reader.close()


def test_a_locked_database_is_waited_for_once_a_group(database: Database, tmp_path: Path) -> None:
    begun: list[int] = []

    class Counting(Engine):
        def transaction(self) -> AbstractContextManager[None]:
            begun.append(1)
            return super().transaction()

    database.writing.set_busy_timeout(10)
    other = apsw.Connection(str(tmp_path / "blackthorn.db"))
    other.execute("BEGIN IMMEDIATE")
    engine = Counting(database, wrapping())
    told: list[Any] = []
    outcomes = commit_group(engine, [(insert(number), told.append) for number in range(20)])
    assert [str(result) for _, result in outcomes] == [
        "the database is locked by another process"
    ] * 20
    assert all(isinstance(result, DiskError) for _, result in outcomes)
    assert len(begun) == 1
    other.execute("ROLLBACK")
    other.close()
    outcomes = commit_group(engine, [(insert(number), told.append) for number in range(20)])
    assert [result for _, result in outcomes] == list(range(20))


def test_a_lock_that_comes_between_is_waited_for_once(database: Database) -> None:
    begun: list[int] = []

    class Locked(Engine):
        """The group fails by its fourth command; afterwards another process has the lock."""

        def transaction(self) -> AbstractContextManager[None]:
            begun.append(1)
            if len(begun) > 2:
                raise apsw.BusyError("locked")
            return super().transaction()

    told: list[Any] = []
    tasks = [(job, told.append) for job in (insert(0), insert(1), insert(2), broken, insert(3))]
    outcomes = commit_group(Locked(database, wrapping()), tasks)
    assert outcomes[0][1] == 0 and len(begun) == 3
    assert [type(result).__name__ for _, result in outcomes[1:]] == ["LockedError"] * 4


def test_an_error_tells_no_value_that_was_stored(harness: Stepped | Threaded) -> None:
    told: list[Any] = []
    for _ in range(2):
        harness.writer.submit(insert(7), told.append)
    harness.run()
    assert str(told[1]) == "the database refused a statement (ConstraintError)"


def test_a_callback_may_submit_again(harness: Stepped | Threaded) -> None:
    told: list[int] = []

    def again(result: Any) -> None:
        told.append(result)
        if result < 5:
            harness.writer.submit(insert(result + 1), again)

    harness.writer.submit(insert(0), again)
    harness.run()
    assert told == list(range(6))


# --- The thread ---------------------------------------------------------------------------


def test_what_waits_is_committed_at_once_with_one_wake_up(database: Database) -> None:
    harness = Threaded(database)
    gate = threading.Event()
    told: list[Any] = []
    harness.writer.submit(Call(lambda connection: gate.wait(5)), told.append)
    time.sleep(0.05)
    for number in range(100):
        harness.writer.submit(insert(number), told.append)
    gate.set()
    harness.writer.close()
    assert told == list(range(100)) or told == [True, *range(100)]
    assert harness.calls.qsize() <= 2


def test_close_commits_what_waits_and_tells_it(database: Database) -> None:
    harness = Threaded(database)
    told: list[Any] = []
    for number in range(20):
        harness.writer.submit(insert(number), told.append)
    harness.writer.close()
    harness.run()
    assert told == list(range(20))
    harness.writer.submit(insert(99), told.append)
    harness.run()
    assert str(told[-1]) == "the server has stopped"


def answers(database: Database, wake: Callable[..., Any], reads: bool) -> Callable[[Any], None]:
    """What submits a callback: to a writer, or to a reader whose wake-ups are run by the test."""
    engine = Engine(database, wrapping())
    if reads:
        reader = ThreadReader(engine, wake)
        return lambda done: reader.ask(TakenHandles([]), done)
    writer = ThreadWriter(engine, wake)
    return lambda done: writer.submit(idle, done)


@pytest.mark.parametrize("reads", [False, True])
def test_a_callback_that_raises_keeps_no_other_from_its_turn(
    database: Database, reads: bool
) -> None:
    calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
    submit = answers(database, lambda call, *args: calls.put((call, args)), reads)
    told: list[int] = []
    raised = 0

    def tell(number: int, result: Any) -> None:
        told.append(number)
        if number in (3, 4):
            raise ZeroDivisionError

    for number in range(20):
        submit(partial(tell, number))
        if number % 4 == 0:
            time.sleep(0.01)  # several batches
    while len(told) < 20 or not calls.empty():
        call, args = calls.get(timeout=5)
        try:
            call(*args)
        except ZeroDivisionError:
            raised += 1
    assert (told, raised) == (list(range(20)), 2)


def test_a_batch_leaves_the_loop_its_turn_and_keeps_its_order(database: Database) -> None:
    calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
    writer = ThreadWriter(Engine(database, wrapping()), lambda call, *args: calls.put((call, args)))
    gate = threading.Event()
    writer.submit(Call(lambda connection: gate.wait(5)), lambda result: None)
    told: list[int] = []

    def tell(number: int, result: Any) -> None:
        told.append(number)
        time.sleep(0.001)

    for number in range(30):
        writer.submit(idle, partial(tell, number))
    gate.set()
    most = 0
    while len(told) < 30:
        before = len(told)
        call, args = calls.get(timeout=5)
        call(*args)
        most = max(most, len(told) - before)
    assert told == list(range(30))
    assert 0 < most <= 3, "a slice is 2 ms"
    writer.close()


def test_a_commit_that_fails_or_takes_long_is_a_problem_until_one_succeeds(
    database: Database,
) -> None:
    commits: list[int] = []
    writer = ThreadWriter(
        Engine(database, wrapping()),
        lambda call, *args: None,
        on_commit=lambda seconds, commands: commits.append(commands),
    )
    begun, gate = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        gate.wait(5)
        raise apsw.FullError("database or disk is full")

    def settle(command: Call) -> None:
        number = len(commits)
        writer.submit(command, lambda result: None)
        while len(commits) == number:
            time.sleep(0.001)

    assert writer.problem(5) == ""
    writer.submit(Call(slow), lambda result: None)
    assert begun.wait(5)
    time.sleep(0.002)
    assert writer.problem(0.001) == "the database has committed nothing for 0.001 seconds"
    assert writer.problem(60) == ""
    gate.set()
    while not commits:
        time.sleep(0.001)
    assert writer.problem(60) == "the disk is full: nothing was stored; free some space"
    settle(insert(1))
    assert writer.problem(60) == ""
    settle(broken)
    assert writer.problem(60) == "", "a defect is no fault of the disk"
    assert commits == [1, 1, 1]
    writer.close()


def test_after_a_failed_fsync_nothing_is_written_any_more(database: Database) -> None:
    harness = Threaded(database)
    told: list[Any] = []
    attempts: list[int] = []

    @Call
    def unsynced(connection: Connection) -> None:
        attempts.append(1)
        raise UnsyncedError("the disk failed to make the database durable (fsync)")

    harness.writer.submit(unsynced, told.append)
    harness.run()
    harness.writer.submit(insert(1), told.append)
    harness.run()
    harness.writer.close()
    assert [type(each) for each in told] == [UnsyncedError, UnsyncedError]
    assert len(attempts) == 1, "a failed fsync is never tried again"
    assert harness.failures == told[:1]
    assert database.reading.execute("SELECT count(*) FROM conversation_order").get == 0


# --- The write-ahead log ------------------------------------------------------------------


def truncated(threaded: Threaded) -> Any:
    told: list[Any] = []
    threaded.writer.truncate_log(told.append)
    while not told:
        call, args = threaded.calls.get(timeout=10)
        call(*args)
    return told[0]


@pytest.fixture
def threaded(database: Database) -> Iterator[Threaded]:
    made = Threaded(database)
    yield made
    made.close()


def written(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.glob("blackthorn.db*"))


def test_what_was_deleted_is_in_no_file_once_the_log_is_truncated(
    threaded: Threaded, tmp_path: Path
) -> None:
    marks = [number.to_bytes(2, "big") * 200 for number in range(1, 240)]
    kept = b"kept" * 100

    def put(connection: Connection) -> None:
        rows = [(number, mark) for number, mark in enumerate([kept, *marks])]
        connection.executemany("INSERT INTO key_package VALUES (?, 1, 0, ?, 0)", rows)

    told: list[Any] = []
    threaded.writer.submit(Call(put), told.append)
    threaded.run()
    delete = "DELETE FROM key_package WHERE id > 0"
    threaded.writer.submit(
        Call(lambda connection: connection.execute(delete) and None), told.append
    )
    threaded.run()
    assert told == [None, None]
    before = written(tmp_path)
    assert any(mark in before for mark in marks), "the search sees what the log holds"
    assert truncated(threaded) is True
    assert (tmp_path / "blackthorn.db-wal").stat().st_size == 0
    after = written(tmp_path)
    assert not [mark for mark in marks if mark in after] and kept in after


def test_a_reader_of_an_older_state_delays_the_truncation_and_no_commit(
    threaded: Threaded, tmp_path: Path
) -> None:
    told: list[Any] = []
    threaded.writer.submit(insert(1), told.append)
    threaded.run()
    reader = apsw.Connection(str(tmp_path / "blackthorn.db"))
    reader.execute("BEGIN; SELECT count(*) FROM conversation_order").fetchall()
    threaded.writer.submit(insert(2), told.append)
    begun = time.monotonic()
    assert truncated(threaded) is False
    threaded.writer.submit(insert(3), told.append)
    assert truncated(threaded) is False
    assert time.monotonic() - begun < 2 < BUSY_MILLISECONDS / 1000
    assert told == [1, 2, 3] and threaded.writer.log_age > 0.03
    reader.execute("COMMIT")
    assert truncated(threaded) is True
    assert (tmp_path / "blackthorn.db-wal").stat().st_size == 0
    assert threaded.writer.log_age < 2
    reader.close()


def test_a_locked_database_is_not_waited_for_again_by_the_truncation(
    threaded: Threaded, tmp_path: Path
) -> None:
    other = apsw.Connection(str(tmp_path / "blackthorn.db"))
    other.execute("BEGIN IMMEDIATE; DELETE FROM conversation_order").fetchall()
    begun = time.monotonic()
    assert truncated(threaded) is False
    assert time.monotonic() - begun < BUSY_MILLISECONDS / 2000
    other.execute("ROLLBACK")
    other.close()


def test_after_a_failed_sync_of_the_truncation_nothing_is_written(database: Database) -> None:
    class Failing(Engine):
        def truncate_log(self) -> bool:
            raise UnsyncedError("the disk failed")

    calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
    failures: list[StorageError] = []
    engine = Failing(database, wrapping())
    writer = ThreadWriter(engine, lambda call, *args: calls.put((call, args)), failures.append)
    told: list[Any] = []
    writer.truncate_log(told.append)
    while not told:
        call, args = calls.get(timeout=10)
        call(*args)
    writer.submit(insert(1), told.append)
    writer.close()
    while not calls.empty():
        call, args = calls.get()
        call(*args)
    assert [type(result) for result in told] == [UnsyncedError] * 2 and failures == told[:1]
    assert database.reading.execute("SELECT count(*) FROM conversation_order").get == 0


def test_the_truncation_is_repeated_soon_when_a_reader_prevents_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results: list[bool | BlackthornError] = [False, True, DiskError("full")]
    pauses: list[float] = []

    class Writer:
        def truncate_log(self, done: Callable[[Any], None]) -> None:
            done(results.pop(0))

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(purging.asyncio, "sleep", sleep)
    writer: Any = Writer()
    asyncio.run(purging.truncate_and_rest(writer))
    asyncio.run(purging.truncate_and_rest(writer))
    with pytest.raises(DiskError):
        asyncio.run(purging.truncate_and_rest(writer))
    assert pauses == [purging.RETRY_SECONDS, purging.TRUNCATE_SECONDS]
    assert purging.TRUNCATE_SECONDS + 10 * purging.RETRY_SECONDS < LOG_SECONDS <= 60
