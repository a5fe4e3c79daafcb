"""App passwords in SQLite (`ports.outbound.passwords`)."""

from typing import Any, Final

from blackthorn.errors import ConflictError
from blackthorn.ports.outbound.passwords import (
    AppPassword,
    KeepAppPassword,
    ListAppPasswords,
    NoteUse,
    RevokeAppPassword,
)
from blackthorn.storage.sqlite.transaction import Table, Transaction


def _keep(transaction: Transaction, command: KeepAppPassword) -> None:
    known = [password.name for password in _list(transaction, ListAppPasswords(command.user))]
    made = command.password
    if made.name in known:
        raise ConflictError(f"there is an app password {made.name} already: choose another name")
    if len(known) >= command.most:
        raise ConflictError("there are too many app passwords: revoke one first")
    transaction.connection.execute(
        "INSERT INTO app_password (user, name, salt, verifier, created_ms, used_day)"
        " VALUES (?, ?, ?, ?, ?, 0)",
        (command.user, made.name, made.salt, made.verifier, made.created_ms),
    )


def _revoke(transaction: Transaction, command: RevokeAppPassword) -> bool:
    query = "DELETE FROM app_password WHERE user = ? AND name = ?"
    transaction.connection.execute(query, (command.user, command.name)).fetchall()
    return transaction.connection.changes() > 0


def _note(transaction: Transaction, command: NoteUse) -> None:
    query = "UPDATE app_password SET used_day = ? WHERE user = ? AND name = ?"
    transaction.connection.execute(query, (command.day, command.user, command.name))


def _list(transaction: Transaction, query: ListAppPasswords) -> list[AppPassword]:
    text = (
        "SELECT name, salt, verifier, created_ms, used_day FROM app_password"
        " WHERE user = ? ORDER BY name"
    )
    rows: list[Any] = transaction.connection.execute(text, (query.user,)).fetchall()
    return [AppPassword(*row) for row in rows]


COMMANDS: Final[Table] = {KeepAppPassword: _keep, RevokeAppPassword: _revoke, NoteUse: _note}
QUERIES: Final[Table] = {ListAppPasswords: _list}
