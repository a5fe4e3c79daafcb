"""Group commit: many commands, one transaction, each with its own outcome.

Shared by the writer's thread and the scenarios' writer.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from blackthorn.errors import BlackthornError, RefusalError
from blackthorn.storage.sqlite.failure import LockedError, UnsyncedError, failure_of

Task = tuple[Any, Callable[[Any], None]]
"""A command and its callback."""

Outcome = tuple[Callable[[Any], None], Any]
"""A callback, and the command's result or error."""

MAX_RETRIES: Final = 3
"""Refused commands after which the others are committed one by one."""


class WritingEngine(Protocol):
    """Executes commands in transactions: `engine.Engine`, or the tests' memory."""

    def transaction(self) -> AbstractContextManager[None]: ...
    def execute(self, command: Any) -> Any: ...


class _RefusedError(Exception):
    """The store refused the command of this index; the others can be committed."""

    def __init__(self, index: int, refusal: RefusalError) -> None:
        super().__init__()
        self.index = index
        self.refusal = refusal


def _transact(engine: WritingEngine, tasks: Sequence[Task]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with engine.transaction():
        for index, (command, done) in enumerate(tasks):
            try:
                outcomes.append((done, engine.execute(command)))
            except RefusalError as refusal:
                raise _RefusedError(index, refusal) from refusal
    return outcomes


def commit_group(
    engine: WritingEngine, tasks: Sequence[Task], retries: int = MAX_RETRIES
) -> list[Outcome]:
    """Execute all commands in one transaction; when it fails, each in its own.

    So one bad command fails alone. Without a refused command the group is retried a few times;
    after a failed fsync nothing is retried.
    """
    try:
        return _transact(engine, tasks)
    except _RefusedError as refused:
        failure: BlackthornError = refused.refusal
        if len(tasks) > 1 and retries:
            index = refused.index
            others = commit_group(engine, [*tasks[:index], *tasks[index + 1 :]], retries - 1)
            if isinstance(others[-1][1], UnsyncedError):  # perhaps nothing was stored
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
