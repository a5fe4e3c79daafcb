"""Persons of exits in SQLite (`ports.exits`): what each has done, and when first."""

from dataclasses import replace
from typing import Any, Final

from blackthorn.ports.exits import ExitPerson, FindExitPerson, NoteAct, NoteNotified
from blackthorn.storage.sqlite.transaction import Table, Transaction

_PERSON = (
    "SELECT user, exit_id, notified_ms, read_ms, exported_ms, moved_ms, forward, unreachable"
    " FROM exit_person WHERE exit_id = ? AND user = ?"
)


def _person(transaction: Transaction, query: FindExitPerson) -> ExitPerson:
    row: Any = transaction.connection.execute(_PERSON, (query.exit, query.user)).fetchone()
    if row is None:
        return ExitPerson(query.user, query.exit)
    return replace(ExitPerson(*row), unreachable=bool(row[7]))


def _notified(transaction: Transaction, command: NoteNotified) -> None:
    _note(transaction, command.user, command.exit, "notified_ms", command.now_ms)


def act(transaction: Transaction, command: NoteAct) -> None:
    user, exit_id = command.user, command.exit
    if command.act == "forward":
        _replace(transaction, user, exit_id, "forward", command.value or None)
    elif command.act == "unreachable":
        _replace(transaction, user, exit_id, "unreachable", int(bool(command.value)))
    else:
        _note(transaction, user, exit_id, f"{command.act}_ms", command.now_ms)


def _note(transaction: Transaction, user: int, exit_id: str, column: str, now_ms: int) -> None:
    """Set a time that is not set yet."""
    query = (
        f"INSERT INTO exit_person (exit_id, user, {column}) VALUES (?, ?, ?)"  # noqa: S608
        f" ON CONFLICT DO UPDATE SET {column} = coalesce({column}, excluded.{column})"
    )
    transaction.connection.execute(query, (exit_id, user, now_ms))


def _replace(
    transaction: Transaction, user: int, exit_id: str, column: str, value: str | int | None
) -> None:
    """Set what may change."""
    query = (
        f"INSERT INTO exit_person (exit_id, user, {column}) VALUES (?, ?, ?)"  # noqa: S608
        f" ON CONFLICT DO UPDATE SET {column} = excluded.{column}"
    )
    transaction.connection.execute(query, (exit_id, user, value))


COMMANDS: Final[Table] = {NoteNotified: _notified, NoteAct: act}
QUERIES: Final[Table] = {FindExitPerson: _person}
