"""The group commit itself: many commands, one transaction, each with its own outcome.

Shared by the writer's thread and by the stepped writer of the scenarios.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from blackthorn.errors import BlackthornError, RefusalError
from blackthorn.storage.sqlite.failure import LockedError, UnsyncedError, failure_of

Task = tuple[Any, Callable[[Any], None]]
"""A command, and what is told its outcome."""

Outcome = tuple[Callable[[Any], None], Any]
"""What is to be told, and the command's result or the error that took its place."""


MAX_RETRIES: Final = 3
"""Commands that a store refuses before the others are committed one by one."""


class WritingEngine(Protocol):
    """What executes commands in transactions: `engine.Engine`, or the memory of the tests."""

    def begin(self) -> None:
        """Begin a transaction."""

    def execute(self, command: Any) -> Any:
        """Execute a command in it."""

    def commit(self) -> None:
        """Make it durable."""

    def roll_back(self) -> None:
        """Keep nothing of it."""


class _RefusedError(Exception):
    """The store refused the command of this index: the others can be committed without it."""

    def __init__(self, index: int, refusal: RefusalError) -> None:
        super().__init__()
        self.index = index
        self.refusal = refusal


def _transact(engine: WritingEngine, tasks: Sequence[Task]) -> list[Outcome]:
    engine.begin()
    try:
        outcomes: list[Outcome] = []
        for index, (command, done) in enumerate(tasks):
            try:
                outcomes.append((done, engine.execute(command)))
            except RefusalError as refusal:
                raise _RefusedError(index, refusal) from refusal
        engine.commit()
    except BaseException:
        engine.roll_back()
        raise
    return outcomes


def commit_group(
    engine: WritingEngine, tasks: Sequence[Task], retries: int = MAX_RETRIES
) -> list[Outcome]:
    """Execute all commands in one transaction; when it fails, each in its own.

    One bad command therefore fails alone. The group is tried again without a command that was
    refused, a few times. After a failed fsync nothing is tried again, and a database that another
    process holds is waited for once a group, not once a command.
    """
    try:
        return _transact(engine, tasks)
    except _RefusedError as refused:
        failure: BlackthornError = refused.refusal
        if len(tasks) > 1 and retries:
            index = refused.index
            others = commit_group(engine, [*tasks[:index], *tasks[index + 1 :]], retries - 1)
            if isinstance(others[-1][1], UnsyncedError):  # nothing is known to be kept
                failure = others[-1][1]
            return [*others[:index], (tasks[index][1], failure), *others[index:]]
    except Exception as error:
        failure = failure_of(error)
    if len(tasks) == 1 or isinstance(failure, UnsyncedError | LockedError):
        return [(done, failure) for _, done in tasks]
    outcomes: list[Outcome] = []
    for index, task in enumerate(tasks):
        alone = commit_group(engine, [task])
        outcomes += alone
        if isinstance(alone[0][1], UnsyncedError | LockedError):
            return outcomes + [(done, alone[0][1]) for _, done in tasks[index + 1 :]]
    return outcomes
