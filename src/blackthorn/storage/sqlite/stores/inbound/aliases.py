"""Aliases and lists in SQLite (`ports.inbound.aliases`)."""

from typing import Final

from blackthorn.errors import AbsentError, ConflictError
from blackthorn.ids import Address
from blackthorn.ports.inbound import aliases
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction, user_number


def _numbers(connection: Connection, users: tuple[Address, ...]) -> list[int]:
    found = []
    for address in users:
        number = user_number(connection, address)
        if number is None:
            raise AbsentError(f"there is no user {address}")
        found.append(number)
    return found


def _add(transaction: Transaction, command: aliases.AddAlias) -> None:
    connection = transaction.connection
    if user_number(connection, command.address) is not None:
        raise ConflictError(f"{command.address} is a user's own address")
    numbers = _numbers(connection, command.users)
    rows = connection.execute(
        "SELECT kind, user FROM alias WHERE name = ?", (command.name,)
    ).fetchall()
    if rows and (rows[0][0] != command.kind or command.kind is aliases.AliasKind.ALIAS):
        raise ConflictError(f"{command.name} is {rows[0][0]} already: remove it first")
    if len({row[1] for row in rows} | set(numbers)) > command.most:
        raise ConflictError(f"{command.name} may have at most {command.most} users")
    connection.executemany(
        "INSERT OR IGNORE INTO alias (name, user, kind) VALUES (?, ?, ?)",
        [(command.name, number, str(command.kind)) for number in numbers],
    )


def _remove(transaction: Transaction, command: aliases.RemoveAlias) -> None:
    connection = transaction.connection
    rows = connection.execute(
        "SELECT user FROM alias WHERE name = ? AND kind = ?", (command.name, str(command.kind))
    ).fetchall()
    if not rows:
        raise AbsentError(f"there is no {command.kind} {command.name}")
    present = {int(row[0] or 0) for row in rows}
    numbers = _numbers(connection, command.users) if command.users else sorted(present)
    missing = [
        address
        for address, number in zip(command.users, numbers, strict=False)
        if number not in present
    ]
    if missing:
        raise AbsentError(f"{missing[0]} is not on {command.name}")
    connection.executemany(
        "DELETE FROM alias WHERE name = ? AND user = ?",
        [(command.name, number) for number in numbers],
    )


def _members(connection: Connection, name: str) -> tuple[Address, ...]:
    rows = connection.execute(
        "SELECT address FROM alias JOIN users ON users.number = alias.user WHERE name = ?"
        " ORDER BY address",
        (name,),
    )
    return tuple(Address(row[0]) for row in rows)


def _list(transaction: Transaction, query: aliases.ListAliases) -> list[aliases.ListedAlias]:
    names = transaction.connection.execute(
        "SELECT DISTINCT name FROM alias WHERE kind = ? AND name > ? ORDER BY name LIMIT ?",
        (str(query.kind), query.after, query.limit),
    ).fetchall()
    return [
        aliases.ListedAlias(name, query.kind, _members(transaction.connection, name))
        for name in (str(row[0]) for row in names)
    ]


def _find(transaction: Transaction, query: aliases.FindAlias) -> tuple[Address, ...]:
    for name in query.names:
        members = _members(transaction.connection, name)
        if members:
            return members
    return ()


COMMANDS: Final[Table] = {aliases.AddAlias: _add, aliases.RemoveAlias: _remove}
QUERIES: Final[Table] = {aliases.ListAliases: _list, aliases.FindAlias: _find}
