"""The server's store as its services see it: commands change it, queries read it.

Commands and queries are frozen dataclasses that an engine (SQLite, memory in tests) executes.
Waiting commands are committed in order as one transaction (group commit). Queries are bounded, see
at least the last reported commit, and never run on the event loop.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, dataclass_transform

from blackthorn.errors import BlackthornError

Result = TypeVar("Result")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class _Value:
    """Makes each subclass a frozen dataclass."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True)(cls)


class Command(_Value, Generic[Result]):
    """A change of the store with a `Result`, executed whole or not at all."""


class Query(_Value, Generic[Result]):
    """A bounded read with a `Result`."""


Done = Callable[[Result | BlackthornError], None]
"""Callback in the event loop with the result or the error.

DiskError and DamageError: the store failed. ConflictError, AbsentError and ForbiddenError: the
stored state does not allow it. DefectError: a programming error, logged where it was caught.
"""


def unless_failed(
    done: Callable[[BlackthornError], None], go_on: Callable[[Result], None]
) -> Done[Result]:
    """A callback that passes a result to `go_on` and an error to `done`."""

    def answered(result: Result | BlackthornError) -> None:
        if isinstance(result, BlackthornError):
            done(result)
        else:
            go_on(result)

    return answered


def call_each(callbacks: Iterable[Callable[[], object]]) -> None:
    """Call all in order, also after one has raised; raise the last error at the end."""
    with ExitStack() as stack:
        for callback in reversed(list(callbacks)):
            stack.callback(callback)


def ignore(result: object) -> None:
    """A `Done` for a result that changes nothing."""


class Writer(Protocol):
    def submit(self, command: Command[Result], done: Done[Result]) -> None:
        """Execute `command` in the next transaction, then call `done`; an error keeps nothing."""


class Reader(Protocol):
    def ask(self, query: Query[Result], done: Done[Result]) -> None:
        """Answer `query` and call `done`. Answers come in the order asked."""


class BlockingReader(Protocol):
    """For the start of a server and for commands on its host, never on a loop."""

    def read(self, query: Query[Result]) -> Result:
        """Raises StorageError."""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """A `Reader` over a blocking one, for the start of a server; raises StorageError."""

    store: BlockingReader

    def ask(self, query: Query[Result], done: Done[Result]) -> None:
        done(self.store.read(query))


class BlockingWriter(Protocol):
    """For commands on a server's host, never on a loop."""

    def write(self, command: Command[Result]) -> Result:
        """Execute `command` in its own transaction. Raises the errors of a `Done`."""


class Together(Command[None]):
    """Commands executed in order, all or none."""

    commands: tuple[Command[Any], ...]


class Then(Command[Result]):
    """`first`, then `second`, both or none; returns the result of `second`."""

    first: Command[Any]
    second: Command[Result]
