"""Persons of exits in SQLite (`ports.exits.ExitStore`): what was told of each, and when first."""

from typing import Any

from blackthorn.ports.exits import TELLABLE, ExitPerson
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing

_PERSON = (
    "SELECT user, exit_id, notified_ms, read_ms, exported_ms, moved_ms, forward, unreachable"
    " FROM exit_person WHERE exit_id = ? AND user = ?"
)


class SqliteExits:
    """The persons over the reading connection; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    @storing
    def person(self, user: int, exit_id: str) -> ExitPerson:
        """See `ports.exits.ExitStore`."""
        rows: list[Any] = self._reading.execute(_PERSON, (exit_id, user)).fetchall()
        if not rows:
            return ExitPerson(user, exit_id)
        row = [*rows[0]]
        row[-1] = bool(row[-1])
        return ExitPerson(*row)

    def notified(self, user: int, exit_id: str, now_ms: int) -> Job[None]:
        """See `ports.exits.ExitStore`."""
        return _first(user, exit_id, "notified_ms", now_ms)

    def tell(self, user: int, exit_id: str, what: str, value: str, now_ms: int) -> Job[None]:
        """See `ports.exits.ExitStore`."""
        if what not in TELLABLE:
            raise ValueError(f"{what!r} is nothing to tell of a person")
        if what == "forward":
            return _put(user, exit_id, "forward", value or None)
        if what == "unreachable":
            return _put(user, exit_id, "unreachable", int(bool(value)))
        return _first(user, exit_id, f"{what}_ms", now_ms)


def _first(user: int, exit_id: str, column: str, now_ms: int) -> Job[None]:
    """Set a time that is not set yet."""
    query = (
        f"INSERT INTO exit_person (exit_id, user, {column}) VALUES (?, ?, ?)"  # noqa: S608
        f" ON CONFLICT DO UPDATE SET {column} = coalesce({column}, excluded.{column})"
    )

    def job(connection: Connection) -> None:
        connection.execute(query, (exit_id, user, now_ms))

    return job


def _put(user: int, exit_id: str, column: str, value: str | int | None) -> Job[None]:
    """Set what may change."""
    query = (
        f"INSERT INTO exit_person (exit_id, user, {column}) VALUES (?, ?, ?)"  # noqa: S608
        f" ON CONFLICT DO UPDATE SET {column} = excluded.{column}"
    )

    def job(connection: Connection) -> None:
        connection.execute(query, (exit_id, user, value))

    return job
