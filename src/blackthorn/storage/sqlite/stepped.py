"""A writer for simulations: the same SQL and group commit, when the caller says so."""

from blackthorn.ports.store import Command, Done, Result
from blackthorn.storage.sqlite.group_commit import Task, WritingEngine, commit_group


class SteppedWriter:
    """A `ports.store.Writer` that does nothing until `commit`."""

    def __init__(self, engine: WritingEngine) -> None:
        self._engine = engine
        self._waiting: list[Task] = []

    @property
    def waiting(self) -> int:
        """Commands submitted and not yet committed."""
        return len(self._waiting)

    def submit(self, command: Command[Result], done: Done[Result]) -> None:
        self._waiting.append((command, done))

    def commit(self) -> int:
        """Commit the waiting commands as one group, call their `done`s, return their number."""
        tasks, self._waiting = self._waiting, []
        for done, result in commit_group(self._engine, tasks) if tasks else ():
            done(result)
        return len(tasks)
