"""Persons of exits in SQLite (`ports.governance.exits`)."""

from dataclasses import replace
from typing import Any, Final

from blackthorn.ports.governance.exits import ExitPerson, FindExitPerson, NoteAct, NoteNotified
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
    _note(transaction, command, "notified_ms", command.now_ms)


def act(transaction: Transaction, command: NoteAct) -> None:
    if command.act == "forward":
        _note(transaction, command, "forward", command.value or None, first=False)
    elif command.act == "unreachable":
        _note(transaction, command, "unreachable", int(bool(command.value)), first=False)
    else:
        _note(transaction, command, f"{command.act}_ms", command.now_ms)


def _note(
    transaction: Transaction,
    command: NoteNotified | NoteAct,
    column: str,
    value: str | int | None,
    *,
    first: bool = True,
) -> None:
    """Set the column; with `first` only when it is not set yet."""
    later = f"coalesce({column}, excluded.{column})" if first else f"excluded.{column}"
    query = (
        f"INSERT INTO exit_person (exit_id, user, {column}) VALUES (?, ?, ?)"  # noqa: S608
        f" ON CONFLICT DO UPDATE SET {column} = {later}"
    )
    transaction.connection.execute(query, (command.exit, command.user, value))


COMMANDS: Final[Table] = {NoteNotified: _notified, NoteAct: act}
QUERIES: Final[Table] = {FindExitPerson: _person}
