"""The one writer: a thread that commits all waiting commands as one transaction.

The next group gathers during a commit, so all share its fsync and one wake-up of the event loop.
Outcomes are reported only once durable. After a failed fsync nothing more is written (the disk's
state is in doubt), and `on_failure` ends the program.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final

from blackthorn.errors import BlackthornError, DefectError, DiskError, StorageError
from blackthorn.ports.store import Command, Done, Result
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.failure import UnsyncedError, failure_of
from blackthorn.storage.sqlite.group_commit import Outcome, Task, commit_group
from blackthorn.storage.sqlite.telling import Outcomes, Wake

_TRUNCATE: Final[Any] = object()
"""In the place of a command: truncate the write-ahead log, outside any transaction."""


class ThreadWriter:
    """A `ports.store.Writer` over `engine`, the only user of its writing connection.

    `on_defect` is called in the loop for each programming error, `on_commit` in the thread with
    each commit's seconds and number of commands.
    """

    def __init__(
        self,
        engine: Engine,
        wake: Wake,
        on_failure: Callable[[StorageError], None] = lambda error: None,
        on_defect: Callable[[DefectError], None] = lambda error: None,
        on_commit: Callable[[float, int], None] = lambda seconds, commands: None,
    ) -> None:
        self._engine = engine
        self._wake = wake
        self._outcomes = Outcomes(wake, on_defect)
        self._on_failure = on_failure
        self._on_commit = on_commit
        self._failure: StorageError | None = None
        self._begun: float | None = None
        self._newest: object = None
        self._truncated = time.monotonic()
        self._queue: SimpleQueue[Task | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, command: Command[Result], done: Done[Result]) -> None:
        if self._closed:
            self._outcomes.post([(done, DiskError("the server has stopped"))])
        else:
            self._queue.put((command, done))

    def truncate_log(self, done: Done[bool]) -> None:
        """Truncate the write-ahead log after the waiting commands; False: a reader prevents it."""
        self.submit(_TRUNCATE, done)

    @property
    def log_age(self) -> float:
        """Seconds since the write-ahead log was last truncated, or since the start."""
        return time.monotonic() - self._truncated

    @property
    def waiting(self) -> int:
        """Commands in the queue."""
        return self._queue.qsize()

    def problem(self, seconds: float) -> str:
        """Why the last commit stored nothing, or that one takes longer than `seconds`, or ""."""
        begun = self._begun
        if begun is not None and time.monotonic() - begun > seconds:
            return f"the database has committed nothing for {seconds:g} seconds"
        return str(self._newest) if isinstance(self._newest, StorageError) else ""

    def close(self) -> None:
        """Commit the queue, end the thread, and report the last outcomes from here."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._outcomes.tell()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            tasks: list[Task] = []
            task = self._queue.get()
            while task is not None:
                tasks.append(task)
                if self._queue.empty():
                    break
                task = self._queue.get_nowait()
            stopping = task is None
            commands = [task for task in tasks if task[0] is not _TRUNCATE]
            if commands:
                self._commit(commands)
            if len(commands) < len(tasks):
                self._truncate([done for command, done in tasks if command is _TRUNCATE])

    def _commit(self, tasks: Sequence[Task]) -> None:
        if self._failure is not None:
            outcomes: list[Outcome] = [(done, self._failure) for _, done in tasks]
        else:
            self._begun = begun = time.monotonic()
            outcomes = commit_group(self._engine, tasks)
            self._begun, self._newest = None, outcomes[-1][1]
            self._on_commit(time.monotonic() - begun, len(tasks))
            self._check(outcomes[-1][1])
        self._outcomes.post(outcomes)

    def _truncate(self, dones: Sequence[Done[bool]]) -> None:
        result: bool | BlackthornError | None = self._failure
        if result is None:
            self._begun = time.monotonic()
            try:
                result = self._engine.truncate_log()
            except Exception as error:
                result = failure_of(error)
            self._begun = None
            if result is True:
                self._truncated = time.monotonic()
            self._check(result)
        self._outcomes.post([(done, result) for done in dones])

    def _check(self, result: object) -> None:
        """After a failed fsync write nothing more."""
        if isinstance(result, UnsyncedError):
            self._failure = result
            with suppress(RuntimeError):  # the loop has closed
                self._wake(self._on_failure, result)
