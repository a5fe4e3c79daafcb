"""The port to the one writer of the server's database.

All that is written goes through one thread with one connection, which commits whatever
waits as one transaction (group commit). A job is a function on the connection; it runs in
the order submitted; `done` is called in the event loop only after the commit is durable.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from blackthorn.errors import StorageError

Result = TypeVar("Result")
Job = Callable[[Any], Result]
Done = Callable[[Result | StorageError], None]


class Writer(Protocol):
    """Durable writes in groups."""

    def submit(self, job: Job[Result], done: Done[Result]) -> None:
        """Run `job` in the next transaction; then, durable, call `done` with its result.

        When the transaction fails, `done` gets a StorageError and nothing was kept.
        """
        ...


def all_of(jobs: Sequence[Job[Any]]) -> Job[None]:
    """One job that runs all of them, in one transaction."""

    def job(transaction: Any) -> None:
        for each in jobs:
            each(transaction)

    return job
