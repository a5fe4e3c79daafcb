"""The stores that every port's suite runs against: SQLite in a file and in memory, plain dicts.

A suite takes the fixture `store`, which starts empty but for the people that the test adds.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blackthorn.errors import BlackthornError, StorageError
from blackthorn.ports.store import Command, Query, Result
from blackthorn.simulation.memory import MemoryKeys, memory_database
from blackthorn.simulation.stepped import SteppedWriter
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.wrapping import Wrapping
from tests.support.memory_store.engine import MemoryEngine
from tests.support.memory_store.state import Device, User

FULL_DISK = "the disk is full: nothing was stored; free some space"


class Store:
    """One engine behind a writer that commits when it is told to."""

    engine: Any

    def start(self) -> None:
        self.writer = SteppedWriter(self.engine)

    def submit(self, command: Command[Result]) -> Result:
        """Commit one command alone; its result. Raises the error that took its place."""
        (outcome,) = self.submit_group(command)
        if isinstance(outcome, BlackthornError):
            raise outcome
        return outcome

    def submit_group(self, *commands: Command[Any]) -> list[Any]:
        """Commit the commands as one group; the outcome of each, results or errors."""
        outcomes: list[Any] = []
        for command in commands:
            self.writer.submit(command, outcomes.append)
        self.writer.commit()
        return outcomes

    def submit_unanswered(self, command: Command[Any]) -> None:
        """Commit a command whose outcome is lost, as when the process ends right after it."""
        self.writer.submit(command, lambda outcome: pytest.fail("an answer that was lost came"))
        self.writer.commit(told=False)

    def ask(self, query: Query[Result]) -> Result:
        return self.engine.read(query)

    def fail(self, error: StorageError | None) -> None:
        """Let every further commit fail; None heals it."""
        self.writer.fail(error)

    def fill_disk(self) -> None:
        """Let what needs more room on the disk fail with FULL_DISK, until `heal_disk`."""
        raise NotImplementedError

    def heal_disk(self) -> None:
        raise NotImplementedError

    def add_people(self, count: int, market: str = "XX") -> None:
        """Users and devices 1 to `count`: u1@acme.example with the id 1 as 16 bytes, and so on."""
        raise NotImplementedError

    def set_market(self, market: str, *users: int, language: str = "en") -> None:
        """These users are of that market, as an administrator entered it."""
        raise NotImplementedError

    def add_entry(self, place: int, entry: bytes) -> None:
        """An entry of the ledger."""
        raise NotImplementedError

    def name_founders(self, *users: int) -> None:
        raise NotImplementedError

    def lose_device(self, number: int) -> None:
        """Remove the device and leave its parcels, as an earlier version could."""
        raise NotImplementedError

    def destroy_key(self, market: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """End it; for a file: and it was whole."""


class SqliteStore(Store):
    def __init__(self, database: Database) -> None:
        self.database = database
        self.keys = MemoryKeys()
        self.engine = Engine(database, Wrapping(self.keys, secrets.token_bytes))
        self.start()

    def execute(self, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        self.database.writing.execute(statement, parameters).fetchall()

    def add_people(self, count: int, market: str = "XX") -> None:
        for number in range(1, count + 1):
            self.execute(
                "INSERT INTO users (number, address, pin, created_ms, market)"
                " VALUES (?, ?, ?, 0, ?)",
                (number, f"u{number}@acme.example", f"{number:08x}", market),
            )
            self.execute(
                "INSERT INTO devices (number, id, user, identity_key, name, standing, activated_ms)"
                " VALUES (?, ?, ?, x'00', 'phone', 'live', 0)",
                (number, number.to_bytes(16, "big"), number),
            )

    def set_market(self, market: str, *users: int, language: str = "en") -> None:
        for user in users:
            query = "UPDATE users SET market = ?, language = ? WHERE number = ?"
            self.execute(query, (market, language, user))

    def add_entry(self, place: int, entry: bytes) -> None:
        self.execute("INSERT INTO ledger_entry (place, entry) VALUES (?, ?)", (place, entry))

    def name_founders(self, *users: int) -> None:
        for user in users:
            self.execute("INSERT INTO founder (user) VALUES (?)", (user,))

    def lose_device(self, number: int) -> None:
        self.execute("DELETE FROM devices WHERE number = ?", (number,))

    def destroy_key(self, market: str) -> None:
        self.keys.destroyed.add(market)

    def fill_disk(self) -> None:
        writing = self.database.writing
        writing.pragma("max_page_count", writing.pragma("page_count"))

    def heal_disk(self) -> None:
        self.database.writing.pragma("max_page_count", 2**30)

    def close(self) -> None:
        self.heal_disk()
        self.database.check()
        self.database.close()


class MemoryStore(Store):
    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.start()

    def add_people(self, count: int, market: str = "XX") -> None:
        state = self.engine.state
        for number in range(1, count + 1):
            state.users[number] = User(f"u{number}@acme.example", f"{number:08x}", market)
            state.devices[number] = Device(number.to_bytes(16, "big"), number, b"\0")

    def set_market(self, market: str, *users: int, language: str = "en") -> None:
        for user in users:
            self.engine.state.users[user].market = market
            self.engine.state.users[user].language = language

    def add_entry(self, place: int, entry: bytes) -> None:
        self.engine.state.entries[place] = entry

    def name_founders(self, *users: int) -> None:
        self.engine.state.founders.update(users)

    def lose_device(self, number: int) -> None:
        del self.engine.state.devices[number]

    def destroy_key(self, market: str) -> None:
        self.engine.state.destroyed.add(market)

    def fill_disk(self) -> None:
        self.engine.full = True

    def heal_disk(self) -> None:
        self.engine.full = False


@pytest.fixture(params=["sqlite file", "sqlite memory", "dicts"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "dicts":
        made = MemoryStore()
    else:
        in_file = request.param == "sqlite file"
        made = SqliteStore(
            Database.open(tmp_path / "blackthorn.db") if in_file else memory_database()
        )
    yield made
    made.close()
