"""The writer of the scenarios: the same SQL, in memory, committed when the test says so."""

from blackthorn.errors import StorageError
from blackthorn.ports.writer import Done, Job, Result
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.group_commit import Task, commit_group


class SteppedWriter:
    """A `ports.writer.Writer` that does nothing until `commit`, and forgets all at `crash`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: list[Task] = []
        self._failure: StorageError | None = None

    @property
    def waiting(self) -> int:
        """Jobs submitted and not yet committed."""
        return len(self._waiting)

    def submit(self, job: Job[Result], done: Done[Result]) -> None:
        """See `ports.writer.Writer.submit`."""
        self._waiting.append((job, done))

    def fail(self, error: StorageError | None) -> None:
        """Let every further commit fail with `error`, as a full disk does; None heals it."""
        self._failure = error

    def commit(self, told: bool = True) -> int:
        """Commit what waits as one group and call its `done`s; returns how many there were.

        With `told` False the commit is durable but its outcome is lost, as when the process
        ends between the two.
        """
        tasks, self._waiting = self._waiting, []
        if not tasks:
            return 0
        if self._failure is not None:
            for _, done in tasks:
                done(self._failure)
            return len(tasks)
        outcomes = commit_group(self._connection, tasks)
        for done, result in outcomes if told else ():
            done(result)
        return len(tasks)

    def crash(self) -> None:
        """Drop what waits, as the end of the process would."""
        self._waiting.clear()
