"""The store of the server in plain dicts: a second engine, so that no port knows only SQLite.

A transaction works on the state itself; a copy made before it takes its place when anything
raises. To serve another port: add its tables to `state.State`, and a module with `COMMANDS` and
`QUERIES` (type → function of state and command) to the two tables below.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from blackthorn.errors import DiskError
from blackthorn.ports.store import Query, Result, Then, Together
from tests.support.memory_store import (
    accounts,
    cases,
    closure,
    enterprise,
    exits,
    key_packages,
    ledger,
    mail,
    markets,
    notices,
    outbound,
    parcels,
)
from tests.support.memory_store.state import State


def together(state: State, command: Together) -> None:
    for part in command.commands:
        COMMANDS[type(part)](state, part)


def then(state: State, command: Then[Any]) -> Any:
    COMMANDS[type(command.first)](state, command.first)
    return COMMANDS[type(command.second)](state, command.second)


COMMANDS: dict[type, Any] = {
    Together: together,
    Then: then,
    **accounts.COMMANDS,
    **cases.COMMANDS,
    **ledger.COMMANDS,
    **closure.COMMANDS,
    **enterprise.COMMANDS,
    **exits.COMMANDS,
    **key_packages.COMMANDS,
    **mail.COMMANDS,
    **markets.COMMANDS,
    **notices.COMMANDS,
    **outbound.COMMANDS,
    **parcels.COMMANDS,
}
QUERIES: dict[type, Any] = {
    **accounts.QUERIES,
    **cases.QUERIES,
    **ledger.QUERIES,
    **closure.QUERIES,
    **enterprise.QUERIES,
    **exits.QUERIES,
    **key_packages.QUERIES,
    **mail.QUERIES,
    **markets.QUERIES,
    **notices.QUERIES,
    **outbound.QUERIES,
    **parcels.QUERIES,
}


class MemoryEngine:
    """An engine as `storage.sqlite.engine.Engine` is, for `SteppedWriter` and `SteppedReader`."""

    def __init__(self) -> None:
        self.state = State()
        self.full = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = copy.deepcopy(self.state)
        try:
            yield
            if self.full:
                raise DiskError("the disk is full: nothing was stored; free some space")
        except BaseException:
            self.state = before
            raise

    def execute(self, command: Any) -> Any:
        return COMMANDS[type(command)](self.state, command)

    def read(self, query: Query[Result]) -> Result:
        answer: Result = QUERIES[type(query)](self.state, query)
        return answer
