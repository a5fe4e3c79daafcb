"""The server's store as its services see it: commands change it, queries ask it.

A command or a query is a value of the port that it belongs to: its base makes it a frozen
dataclass. An engine (SQLite, the memory of the tests, later PostgreSQL) executes it, so that a
service knows neither a connection nor SQL. Commands that wait are committed as one transaction
(group commit), in the order submitted. Queries are bounded, answer from a state not older than
the last commit that was told, and never run on the event loop.
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
    """A change of the store that gives a `Result`. It is executed whole or not at all."""


class Query(_Value, Generic[Result]):
    """A question to the store, bounded in what it reads, that gives a `Result`."""


Done = Callable[[Result | BlackthornError], None]
"""Called in the event loop with the result, or with the error that took its place.

DiskError and DamageError: the store failed. ConflictError, AbsentError and ForbiddenError: what
is stored does not allow it. DefectError: a programming error, which was logged where it was caught.
"""


def unless_failed(
    done: Callable[[BlackthornError], None], go_on: Callable[[Result], None]
) -> Done[Result]:
    """Go on with a result; an error ends it, and is what `done` gets."""

    def answered(result: Result | BlackthornError) -> None:
        if isinstance(result, BlackthornError):
            done(result)
        else:
            go_on(result)

    return answered


def call_each(callbacks: Iterable[Callable[[], object]]) -> None:
    """Call all, in order, whatever one of them raises; the last error is raised in the end."""
    with ExitStack() as stack:
        for callback in reversed(list(callbacks)):
            stack.callback(callback)


class Writer(Protocol):
    """Durable changes in groups."""

    def submit(self, command: Command[Result], done: Done[Result]) -> None:
        """Execute `command` in the next transaction; then, durable, call `done`.

        When `done` gets an error, nothing of the command was kept.
        """


class Reader(Protocol):
    """Answers off the event loop."""

    def ask(self, query: Query[Result], done: Done[Result]) -> None:
        """Answer `query` and call `done`. Answers come in the order asked."""


class BlockingReader(Protocol):
    """Answers at once: for the start of a server, for commands on its host, never on a loop."""

    def read(self, query: Query[Result]) -> Result:
        """The answer. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """A `Reader` over a blocking one, for the start of a server: errors are raised."""

    store: BlockingReader

    def ask(self, query: Query[Result], done: Done[Result]) -> None:
        """See `Reader.ask`. Raises StorageError."""
        done(self.store.read(query))


class BlockingWriter(Protocol):
    """Durable changes at once: for commands on a server's host, never on a loop."""

    def write(self, command: Command[Result]) -> Result:
        """Execute `command` in a transaction of its own. Raises what a `Done` would be told."""


class Probe(Command[None]):
    """The smallest write that reaches the disk; it changes nothing."""


class Together(Command[None]):
    """Commands that are executed in order, all or none."""

    commands: tuple[Command[Any], ...]


class Then(Command[Result]):
    """`first` and then `second`, both or none; gives the result of `second`."""

    first: Command[Any]
    second: Command[Result]
