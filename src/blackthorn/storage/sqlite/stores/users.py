"""Users and activation codes in SQLite (`ports.users`), also beside a running server."""

from typing import Final, Literal

from blackthorn.errors import AbsentError, ConflictError
from blackthorn.ports import users as port
from blackthorn.ports.inbound.aliases import AliasKind
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction, user_number


def _find(transaction: Transaction, query: port.FindUser) -> bool:
    return user_number(transaction.connection, query.address) is not None


def _nameplate_taken(transaction: Transaction, query: port.NameplateTaken) -> bool:
    sql = "SELECT 1 FROM activations WHERE nameplate = ?"
    return transaction.connection.execute(sql, (query.nameplate,)).fetchone() is not None


def _list(transaction: Transaction, query: port.ListUsers) -> list[port.ListedUser]:
    rows = transaction.connection.execute(
        "SELECT address, pin, (SELECT count(*) FROM devices WHERE user = users.number),"
        " created_ms, market, language, max(expires_ms) FROM users"
        " LEFT JOIN activations ON user = users.number AND used_by IS NULL"
        " WHERE address > ? GROUP BY address ORDER BY address LIMIT ?",
        (query.after, query.limit),
    )
    listed = []
    for address, pin, devices, created_ms, market, language, expires_ms in rows:
        code = _standing(query.now_ms, devices, expires_ms)
        until = expires_ms if code == "open" else None
        listed.append(
            port.ListedUser(address, pin, devices, created_ms, code, until, market, language)
        )
    return listed


def _add(transaction: Transaction, command: port.AddUser) -> None:
    connection = transaction.connection
    if user_number(connection, command.address) is not None:
        raise ConflictError(f"there is a user {command.address} already")
    name = command.address.partition("@")[0]
    alias = connection.execute("SELECT kind FROM alias WHERE name = ?", (name,)).fetchone()
    if alias is not None:
        raise port.NameTakenError(command.address, AliasKind(str(alias[0])))
    if connection.execute("SELECT 1 FROM users WHERE pin = ?", (command.pin,)).fetchone():
        raise port.PinTakenError("another user has this PIN")
    home = command.home
    connection.execute(
        "INSERT INTO users (address, pin, created_ms, market, language) VALUES (?, ?, ?, ?, ?)",
        (command.address, command.pin, command.now_ms, home.market, home.language),
    )
    _store(connection, connection.last_insert_rowid(), command.code)


def _renew(transaction: Transaction, command: port.RenewCode) -> None:
    connection = transaction.connection
    number = user_number(connection, command.address)
    if number is None:
        raise AbsentError(f"there is no user {command.address}")
    connection.execute("DELETE FROM activations WHERE user = ? AND used_by IS NULL", (number,))
    _store(connection, number, command.code)


def _store(connection: Connection, user: int, code: port.NewCode) -> None:
    connection.execute(
        "INSERT INTO activations"
        " (nameplate, user, password, public_key, expires_ms, used_by)"
        " VALUES (?, ?, ?, ?, ?, NULL)",
        (
            code.nameplate,
            user,
            code.verifier.password.expose(),
            code.verifier.public_key,
            code.expires_ms,
        ),
    )


def _standing(now_ms: int, devices: int, expires_ms: int | None) -> Literal["open", "expired", ""]:
    if expires_ms is None or expires_ms <= now_ms:
        # Expired codes are deleted; a user without a device had one.
        return "" if devices else "expired"
    return "open"


COMMANDS: Final[Table] = {port.AddUser: _add, port.RenewCode: _renew}
QUERIES: Final[Table] = {
    port.FindUser: _find,
    port.NameplateTaken: _nameplate_taken,
    port.ListUsers: _list,
}
