"""Markets in SQLite (`ports.markets`): users, moves, purges, the upgrade.

Each command is one bounded step, repeated until nothing remains. A row's market is a column, so
that SQL finds the rows left and shared parcels are keyed by it.

Deleted rows are overwritten (`sqlite.database`); older copies stay in the write-ahead log until it
is truncated, and in gaps of used pages until `compact` rewrites the file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from blackthorn.errors import AbsentError
from blackthorn.ids import Address
from blackthorn.ports.markets import FindMarkets, MoveUser, WrapStored
from blackthorn.storage import limits
from blackthorn.storage.sqlite.database import BUSY_MILLISECONDS, Connection
from blackthorn.storage.sqlite.failure import failure_of
from blackthorn.storage.sqlite.stores import exits
from blackthorn.storage.sqlite.stores.mail import delete_pieces
from blackthorn.storage.sqlite.stores.outbound import move_queued, purge_queued
from blackthorn.storage.sqlite.stores.parcels import shared_sealed
from blackthorn.storage.sqlite.transaction import Table, Transaction, user_number

_OF_DEVICES: Final = "device IN (SELECT number FROM devices WHERE user = ?)"
_UNWRAPPED_MAIL: Final = "SELECT rowid, user FROM mail WHERE market = '' LIMIT ?"
_UNWRAPPED_PARCELS: Final = "SELECT device, seq FROM mailbox WHERE market = '' LIMIT ?"
_MARKET_OF_DEVICE: Final = (
    "SELECT market FROM devices JOIN users ON users.number = user WHERE devices.number = ?"
)


@dataclass(frozen=True, slots=True)
class Purged:
    """Rows deleted by one step of a purge, `rows` with each piece of a mail as several; `done` when
    none remain."""

    mails: int
    parcels: int
    rows: int
    done: bool


def market_of(connection: Connection, address: Address) -> str | None:
    """The market of a user, or None."""
    query = "SELECT market FROM users WHERE address = ?"
    found: str | None = connection.execute(query, (address,)).get
    return found


def markets(connection: Connection) -> dict[str, bytes]:
    """The key fingerprint of each market that ever had a user."""
    rows: list[Any] = connection.execute("SELECT code, fingerprint FROM market").fetchall()
    return dict(rows)


def unregistered(connection: Connection) -> list[str]:
    """Markets of users added before there were markets."""
    query = "SELECT DISTINCT market FROM users WHERE market NOT IN (SELECT code FROM market)"
    return [market for (market,) in connection.execute(query)]


def any_unwrapped(connection: Connection) -> bool:
    """Whether a row from before markets remains."""
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM mail WHERE market = '')"
        " OR EXISTS (SELECT 1 FROM mailbox WHERE market = '')"
    ).get
    return bool(found)


def register(connection: Connection, market: str, fingerprint: bytes, now_ms: int) -> None:
    """Record that rows may use this key."""
    connection.execute(
        "INSERT INTO market (code, fingerprint, since_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (market, fingerprint, now_ms),
    )


def move_user(transaction: Transaction, command: MoveUser) -> bool:
    """`ports.markets.MoveUser`; a row has one key at any time."""
    connection, market, limit = transaction.connection, command.market, command.limit
    user = user_number(connection, command.address)
    if user is None:
        raise AbsentError(f"there is no user {command.address}")
    room = limit - _move_mail(transaction, user, market, limit)
    if room > 0:
        room -= limits.ROWS_OF_A_PIECE * _move_pieces(transaction, user, market, _pieces(room))
    if room > 0:
        room -= move_queued(transaction, user, market, room)
    if room > 0:
        room -= _move_parcels(transaction, user, market, room)
    if room <= 0:
        return False
    query = "UPDATE users SET market = ? WHERE number = ? AND market <> ?"
    connection.execute(query, (market, user, market))
    if command.note is not None:
        exits.act(transaction, command.note)
    return True


def _wrap_stored(transaction: Transaction, command: WrapStored) -> bool:
    connection, limit = transaction.connection, command.limit
    mails: list[Any] = connection.execute(_UNWRAPPED_MAIL, (limit,)).fetchall()
    for number, user in mails:
        query = "SELECT market FROM users WHERE number = ?"
        _wrap_mail(transaction, number, connection.execute(query, (user,)).get)
    room = limit - len(mails)
    parcels: list[Any] = connection.execute(_UNWRAPPED_PARCELS, (room,)).fetchall()
    for device, seq in parcels:
        target = connection.execute(_MARKET_OF_DEVICE, (device,)).get
        _wrap_parcel(transaction, device, seq, target)
    return len(mails) + len(parcels) < limit


def purge_user(transaction: Transaction, user: int, limit: int) -> Purged:
    """Delete and overwrite at most `limit` of the user's sealed rows and key packages."""
    connection = transaction.connection
    mails = _delete(connection, "mail", "rowid", "user = ?", user, limit)
    mails += purge_queued(connection, user, limit - mails)
    room = limit - mails
    room -= limits.ROWS_OF_A_PIECE * delete_pieces(connection, user, _pieces(room))
    parcels = _delete(connection, "mailbox", "device, seq", _OF_DEVICES, user, room)
    room -= parcels
    room -= _delete(connection, "key_package", "id", _OF_DEVICES, user, room)
    return Purged(mails, parcels, limit - room, room > 0)


def compact(path: Path, *, rewrite: bool = False) -> bool:
    """Fold the write-ahead log into the database and truncate it, so that no old page stays.

    Old rows may remain in gaps of used pages, beyond `secure_delete`. With `rewrite` the file is
    written again without gaps (VACUUM); that takes its size again on disk and for temporary files,
    of wrapped bytes, and writers wait. False when a reader of an older state prevents it: call it
    again. Raises StorageError.
    """
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            if rewrite:
                connection.execute("VACUUM").fetchall()
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
        finally:
            connection.close()
    except apsw.BusyError:
        return False
    except apsw.Error as error:
        raise failure_of(error) from error
    return not busy


def _delete(connection: Connection, table: str, key: str, where: str, user: int, limit: int) -> int:
    query = (
        f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608
        f" (SELECT {key} FROM {table} WHERE {where} LIMIT ?)"
    )
    if limit <= 0:
        return 0
    connection.execute(query, (user, limit)).fetchall()
    return connection.changes()


def _move_mail(transaction: Transaction, user: int, market: str, limit: int) -> int:
    query = "SELECT rowid FROM mail WHERE user = ? AND market <> ? LIMIT ?"
    rows: list[Any] = transaction.connection.execute(query, (user, market, limit)).fetchall()
    for (number,) in rows:
        _wrap_mail(transaction, number, market)
    return len(rows)


def _pieces(room: int) -> int:
    """Pieces of mails for the room of so many rows; one at least."""
    return -(-room // limits.ROWS_OF_A_PIECE)


def _move_pieces(transaction: Transaction, user: int, market: str, limit: int) -> int:
    connection, wrapping = transaction.connection, transaction.wrapping
    query = "SELECT rowid, market, sealed FROM mail_piece WHERE user = ? AND market <> ? LIMIT ?"
    rows: list[Any] = connection.execute(query, (user, market, limit)).fetchall()
    for number, before, wrapped in rows:
        fresh = wrapping.wrap(market, wrapping.unwrap(before, wrapped))
        query = "UPDATE mail_piece SET market = ?, sealed = ? WHERE rowid = ?"
        connection.execute(query, (market, fresh, number))
    return len(rows)


def _move_parcels(transaction: Transaction, user: int, market: str, limit: int) -> int:
    query = f"SELECT device, seq FROM mailbox WHERE {_OF_DEVICES} AND market <> ? LIMIT ?"  # noqa: S608
    rows: list[Any] = transaction.connection.execute(query, (user, market, limit)).fetchall()
    for device, seq in rows:
        _wrap_parcel(transaction, device, seq, market)
    return len(rows)


def _wrap_mail(transaction: Transaction, number: int, market: str | None) -> None:
    """Rewrap one mail under `market`; None: it has no owner, delete it."""
    connection, wrapping = transaction.connection, transaction.wrapping
    if market is None:
        connection.execute("DELETE FROM mail WHERE rowid = ?", (number,))
        return
    query = "SELECT market, sealed FROM mail WHERE rowid = ?"
    row: list[Any] = connection.execute(query, (number,)).fetchall()
    before, wrapped = row[0]
    fresh = wrapping.wrap(market, wrapping.unwrap(before, wrapped))
    connection.execute(
        "UPDATE mail SET market = ?, sealed = ? WHERE rowid = ?", (market, fresh, number)
    )


def _wrap_parcel(transaction: Transaction, device: int, seq: int, market: str | None) -> None:
    """Rewrap under `market`; a shared one becomes the device's own. None: delete it."""
    connection, wrapping = transaction.connection, transaction.wrapping
    where = "WHERE device = ? AND seq = ?"
    query = f"SELECT market, set_aside_day, sealed, shared, sender FROM mailbox {where}"  # noqa: S608
    row: list[Any] = connection.execute(query, (device, seq)).fetchall()
    before, day, wrapped, shared, sender = row[0]
    if wrapped is None and market is not None:
        wrapped = shared_sealed(connection, shared)
    connection.execute(f"DELETE FROM mailbox {where}", (device, seq))  # noqa: S608
    if market is not None:
        connection.execute(
            "INSERT INTO mailbox (device, seq, set_aside_day, market, sealed, sender)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                device,
                seq,
                day,
                market,
                wrapping.wrap(market, wrapping.unwrap(before, wrapped)),
                sender,
            ),
        )


def _find_markets(transaction: Transaction, query: FindMarkets) -> list[str | None]:
    return [market_of(transaction.connection, address) for address in query.addresses]


COMMANDS: Final[Table] = {MoveUser: move_user, WrapStored: _wrap_stored}
QUERIES: Final[Table] = {FindMarkets: _find_markets}
