"""Writer and reader of the scenarios: the store's own, when the test says so, with its faults."""

from collections.abc import Callable
from functools import partial
from typing import Any

from blackthorn.errors import StorageError
from blackthorn.ports.store import BlockingReader, Done, Query, Result
from blackthorn.storage.sqlite import stepped
from blackthorn.storage.sqlite.failure import failure_of
from blackthorn.storage.sqlite.group_commit import WritingEngine, commit_group


class SteppedWriter(stepped.SteppedWriter):
    """A writer that also fails, loses outcomes, and forgets all at `crash`."""

    def __init__(self, engine: WritingEngine) -> None:
        super().__init__(engine)
        self._failure: StorageError | None = None

    def fail(self, error: StorageError | None) -> None:
        """Let every further commit fail with `error`, as a full disk does; None heals it."""
        self._failure = error

    def commit(self, told: bool = True) -> int:
        """Commit what waits as one group and call its `done`s; returns how many there were.

        With `told` False the commit is durable but its outcome is lost, as when the process
        ends between the two.
        """
        if told and self._failure is None:
            return super().commit()
        tasks, self._waiting = self._waiting, []
        if self._failure is not None:
            for _, done in tasks:
                done(self._failure)
        elif tasks:
            commit_group(self._engine, tasks)
        return len(tasks)

    def crash(self) -> None:
        """Drop what waits, as the end of the process would."""
        self._waiting.clear()


class SteppedReader:
    """A `ports.store.Reader` that answers at once, or, while it holds, at `release`."""

    def __init__(self, engine: BlockingReader) -> None:
        self._engine = engine
        self._holding = False
        self._early = False
        self._waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self._failure: StorageError | None = None
        self.answered = 0
        """Queries answered."""

    @property
    def waiting(self) -> int:
        """Queries asked and not yet answered."""
        return len(self._waiting)

    def ask(self, query: Query[Result], done: Done[Result]) -> None:
        answer = partial(self._answer, query)
        if self._early:
            found = answer()
            self._waiting.append((lambda: found, done))
        else:
            self._waiting.append((answer, done))
        if not self._holding and len(self._waiting) == 1:
            self.release()

    def hold(self, early: bool = False) -> None:
        """Answer nothing until `release`, as a busy disk does.

        With `early` what is answered then is what was stored when it was asked, as when the
        event loop is busy.
        """
        self._holding = True
        self._early = early

    def fail(self, error: StorageError | None) -> None:
        """Let every further query fail with `error`; None heals it."""
        self._failure = error

    def release(self) -> int:
        """Answer what waits, in order, and from now on at once; returns how many there were."""
        self._holding = self._early = False
        count = 0
        while self._waiting:
            answer, done = self._waiting[0]
            found = answer()
            self._waiting.pop(0)
            done(found)
            count += 1
        return count

    def crash(self) -> None:
        """Drop what waits, as the end of the process would."""
        self._waiting.clear()

    def _answer(self, query: Query[Any]) -> Any:
        self.answered += 1
        if self._failure is not None:
            return self._failure
        try:
            return self._engine.read(query)
        except Exception as error:
            return failure_of(error)
