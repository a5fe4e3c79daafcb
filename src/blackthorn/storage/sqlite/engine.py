"""The SQLite engine of the server's store: executors of commands and queries."""

from contextlib import AbstractContextManager
from typing import Any, Final

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DefectError
from blackthorn.ports.store import Command, Query, Result, Then, Together
from blackthorn.storage.sqlite.database import Connection, Database, truncate_log
from blackthorn.storage.sqlite.failure import failure_of, immediate, storing
from blackthorn.storage.sqlite.stores import (
    cases,
    chains,
    closure,
    enrolment,
    enterprise,
    exits,
    key_packages,
    ledger,
    mail,
    markets,
    notices,
    outbound,
    parcels,
    passwords,
    policies,
    users,
)
from blackthorn.storage.sqlite.stores.inbound import aliases, traces
from blackthorn.storage.sqlite.transaction import Table, Transaction
from blackthorn.storage.sqlite.wrapping import Wrapping


def _together(transaction: Transaction, command: Together) -> None:
    for part in command.commands:
        execute(transaction, part)


def _then(transaction: Transaction, command: Then[Any]) -> Any:
    execute(transaction, command.first)
    return execute(transaction, command.second)


COMMANDS: Final[Table] = {
    Together: _together,
    Then: _then,
    **cases.COMMANDS,
    **closure.COMMANDS,
    **enterprise.COMMANDS,
    **exits.COMMANDS,
    **aliases.COMMANDS,
    **traces.COMMANDS,
    **key_packages.COMMANDS,
    **mail.COMMANDS,
    **markets.COMMANDS,
    **notices.COMMANDS,
    **outbound.COMMANDS,
    **parcels.COMMANDS,
    **passwords.COMMANDS,
    **policies.COMMANDS,
    **chains.COMMANDS,
    **enrolment.COMMANDS,
    **ledger.COMMANDS,
    **users.COMMANDS,
}
QUERIES: Final[Table] = {
    **cases.QUERIES,
    **closure.QUERIES,
    **enterprise.QUERIES,
    **exits.QUERIES,
    **aliases.QUERIES,
    **traces.QUERIES,
    **key_packages.QUERIES,
    **mail.QUERIES,
    **markets.QUERIES,
    **notices.QUERIES,
    **outbound.QUERIES,
    **parcels.QUERIES,
    **passwords.QUERIES,
    **policies.QUERIES,
    **chains.QUERIES,
    **enrolment.QUERIES,
    **ledger.QUERIES,
    **users.QUERIES,
}


def execute(transaction: Transaction, command: Any) -> Any:
    """Execute a command inside the caller's transaction."""
    return COMMANDS[type(command)](transaction, command)


class Engine:
    """Commands over a database's writing connection, queries over its `asking` one."""

    def __init__(self, database: Database, wrapping: Wrapping) -> None:
        self._writing: Final = Transaction(database.writing, wrapping)
        self._reading: Final = Transaction(database.asking, wrapping)

    @property
    def connection(self) -> Connection:
        return self._writing.connection

    def transaction(self) -> AbstractContextManager[None]:
        """A transaction for `execute`. Raises StorageError."""
        return immediate(self.connection)

    def execute(self, command: Any) -> Any:
        """Execute a command inside the caller's transaction."""
        return execute(self._writing, command)

    def write(self, command: Command[Result]) -> Result:
        """A `ports.store.BlockingWriter`: it waits for the write lock."""
        try:
            with self.transaction():
                result: Result = self.execute(command)
        except Exception as error:
            raise failure_of(error) from error
        return result

    def truncate_log(self) -> bool:
        """`database.truncate_log`. Raises StorageError."""
        return truncate_log(self.connection)

    @storing
    def read(self, query: Query[Result]) -> Result:
        answer: Result = QUERIES[type(query)](self._reading, query)
        return answer


class _NoKeys:
    def key(self, market: str) -> Secret | None:
        raise DefectError("a command of the host needs the markets' keys for a sealed row")


class HostReader:
    """A `ports.store.BlockingReader` for the start of a server and for commands on its host.

    It uses the main thread's own connection, and reads no sealed row.
    """

    def __init__(self, database: Database) -> None:
        self._transaction: Final = Transaction(database.reading, Wrapping(_NoKeys(), bytes))

    @storing
    def read(self, query: Query[Result]) -> Result:
        answer: Result = QUERIES[type(query)](self._transaction, query)
        return answer


def host_store(database: Database) -> Engine:
    """The engine for commands on the host that touch no sealed row."""
    return Engine(database, Wrapping(_NoKeys(), bytes))
