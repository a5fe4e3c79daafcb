"""The group commit itself: many jobs, one transaction, each with its own outcome.

Shared by the writer's thread and by the stepped writer of the scenarios.
"""

from collections.abc import Callable, Sequence
from typing import Any

from blackthorn.errors import StorageError
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import UnsyncedError, storage_error

Task = tuple[Callable[[Connection], Any], Callable[[Any], None]]
"""A job, and what is told its outcome."""

Outcome = tuple[Callable[[Any], None], Any]
"""What is to be told, and the job's result or the StorageError that took its place."""


def _transact(connection: Connection, tasks: Sequence[Task]) -> list[Outcome]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [(done, job(connection)) for job, done in tasks]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def commit_group(connection: Connection, tasks: Sequence[Task]) -> list[Outcome]:
    """Run all jobs in one transaction; when it fails, each in its own.

    One bad job therefore fails alone. After a failed fsync nothing is tried again.
    """
    try:
        return _transact(connection, tasks)
    except Exception as error:
        failure = storage_error(error)
    if len(tasks) == 1 or isinstance(failure, UnsyncedError):
        return [(done, failure) for _, done in tasks]
    outcomes: list[Outcome] = []
    for index, task in enumerate(tasks):
        alone = commit_group(connection, [task])
        outcomes += alone
        if isinstance(alone[0][1], UnsyncedError):
            return outcomes + [(done, alone[0][1]) for _, done in tasks[index + 1 :]]
    return outcomes


def is_fatal(outcome: Any) -> StorageError | None:
    """The error after which nothing may be written any more, or None."""
    return outcome if isinstance(outcome, UnsyncedError) else None
