"""Sealed mail in SQLite (`ports.mail`), wrapped under its owner's market key. No plain mail.

A large mail lies in pieces, which are written before its row, each wrapped by itself. Without the
row it is not there: `mail_begun` lists what the purge may delete.
"""

from collections.abc import Iterator
from typing import Any, Final

from blackthorn.errors import AbsentError, DamageError
from blackthorn.ports.mail import (
    CountMail,
    DeleteMail,
    ListMail,
    MailHead,
    MailPart,
    PiecedMail,
    ReadMail,
    RemovePieces,
    SealedMail,
    StoreMail,
    StorePieces,
    UsedByMail,
)
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction
from blackthorn.storage.sqlite.wrapping import plain_size

_NEXT_UID = (
    "INSERT INTO mail_uid (user, last) VALUES (?, 1)"
    " ON CONFLICT (user) DO UPDATE SET last = last + 1 RETURNING last"
)
_PUT = (
    "INSERT INTO mail (user, uid, received_ms, size, market, pieces, compatible, sealed)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_MARKET = "SELECT market FROM users WHERE number = ?"
_LIST = (
    "SELECT uid, size, received_ms FROM mail WHERE user = ? AND uid > ? AND compatible = ?"
    " ORDER BY uid LIMIT ?"
)
_FIND = "SELECT rowid, size, market, pieces FROM mail WHERE user = ? AND uid = ?"
_DELETED = (
    "SELECT rowid, size, pieces FROM mail AS found WHERE user = ?1 AND (uid = ?2 OR (uid = ?2 + 1"
    " AND compatible AND EXISTS (SELECT 1 FROM mail WHERE user = ?1 AND uid = ?2"
    " AND NOT compatible AND received_ms = found.received_ms)))"
)
_COUNT = "SELECT count(*) FROM mail WHERE user = ? AND NOT compatible"
_USED = "SELECT coalesce(sum(size), 0) FROM mail WHERE user = ?"
_BEGIN = "INSERT INTO mail_begun (id, user) VALUES (?, ?)"
_PUT_PIECE = "INSERT INTO mail_piece (user, mail, start, market, sealed) VALUES (?, ?, ?, ?, ?)"
_OF_MAIL = "FROM mail_piece WHERE user = ?1 AND mail = ?2"
_SIZE: Final = plain_size("sealed", "market")
_STORED: Final = f"SELECT coalesce(sum({_SIZE}), 0) {_OF_MAIL}"
_PIECES: Final = (
    f"SELECT rowid, start, {_SIZE}, market {_OF_MAIL} AND start < ?4"
    f" AND start >= (SELECT max(start) {_OF_MAIL} AND start <= ?3) ORDER BY start"
)


def _store(transaction: Transaction, command: StoreMail) -> list[int]:
    return [_put(transaction, mail, command.received_ms) for mail in command.mails]


def _store_pieces(transaction: Transaction, command: StorePieces) -> None:
    connection = transaction.connection
    for piece in command.pieces:
        market = market_of_user(connection, piece.user)
        if piece.start == 0:
            connection.execute(_BEGIN, (piece.mail, piece.user))
        wrapped = transaction.wrapping.wrap(market, piece.sealed)
        connection.execute(_PUT_PIECE, (piece.user, piece.mail, piece.start, market, wrapped))


def _remove_pieces(transaction: Transaction, command: RemovePieces) -> int:
    connection, removed = transaction.connection, 0
    begun: list[Any] = connection.execute("SELECT id, user FROM mail_begun").fetchall()
    for mail, user in begun:
        if mail in command.keep:
            continue
        removed += delete_pieces(connection, user, command.limit - removed, mail)
        if removed >= command.limit:
            break
        connection.execute("DELETE FROM mail_begun WHERE id = ?", (mail,))
    return removed


def delete_pieces(connection: Connection, user: int, limit: int, mail: int | None = None) -> int:
    """Delete at most `limit` pieces of one mail of the user, or of all; returns how many."""
    query = (
        "DELETE FROM mail_piece WHERE rowid IN"
        " (SELECT rowid FROM mail_piece WHERE user = ?1 AND (?2 IS NULL OR mail = ?2) LIMIT ?3)"
    )
    connection.execute(query, (user, mail, max(0, limit))).fetchall()
    return connection.changes()


def _delete(transaction: Transaction, command: DeleteMail) -> int | None:
    connection = transaction.connection
    rows: list[Any] = connection.execute(_DELETED, (command.user, command.uid)).fetchall()
    for rowid, _, pieces in rows:
        connection.execute("DELETE FROM mail WHERE rowid = ?", (rowid,))
        if pieces is not None:
            connection.execute(_BEGIN, (pieces, command.user))
    return sum(size for _, size, _ in rows) if rows else None


def _count(transaction: Transaction, query: CountMail) -> int:
    count: int = transaction.connection.execute(_COUNT, (query.user,)).get
    return count


def list_mail(transaction: Transaction, query: ListMail) -> list[MailHead]:
    values = (query.user, query.after, query.compatible, query.limit)
    rows = transaction.connection.execute(_LIST, values)
    return [MailHead(*row) for row in rows]


def _used(transaction: Transaction, query: UsedByMail) -> int:
    used: int = transaction.connection.execute(_USED, (query.user,)).get
    return used


def read(transaction: Transaction, query: ReadMail) -> MailPart | None:
    found = transaction.connection.execute(_FIND, (query.user, query.uid))
    row = next(found, None)  # open until the bytes are read, to see one commit
    if row is None:
        return None
    number, size, market, pieces = row
    if query.offset >= size:
        return MailPart(size, b"")
    try:
        if pieces is None:
            place = (market, size, query.offset, query.length)
            return MailPart(size, _read_row(transaction, "mail", number, *place))
        end = min(size, query.offset + query.length)
        parts = read_pieces(transaction, query.user, pieces, query.offset, end)
        return MailPart(size, b"".join(parts))
    finally:
        found.close(True)


def read_pieces(
    transaction: Transaction, user: int, mail: int, offset: int, end: int
) -> Iterator[bytes]:
    """The bytes from `offset` to `end` of a large mail, of no more pieces than they need."""
    rows = transaction.connection.execute(_PIECES, (user, mail, offset, end))
    for number, start, size, market in rows:
        if not start <= offset < start + size:
            break
        place = (market, size, offset - start, end - offset)
        yield _read_row(transaction, "mail_piece", number, *place)
        offset = min(end, start + size)
    if offset < end:
        raise DamageError("a piece of a stored mail is missing: restore it from a backup")


def _read_row(
    transaction: Transaction,
    table: str,
    number: int,
    market: str,
    size: int,
    offset: int,
    length: int,
) -> bytes:
    blob = transaction.connection.blob_open("main", table, "sealed", number, False)

    def stored(start: int, count: int) -> bytes:
        blob.seek(start)
        return blob.read(count)

    try:
        return transaction.wrapping.read(market, size, offset, length, stored)
    finally:
        blob.close()


def adopt_pieces(connection: Connection, mail: PiecedMail) -> None:
    """The mail's row is being stored: its pieces stay. Raises AbsentError when some are missing."""
    if connection.execute(_STORED, (mail.user, mail.mail)).get != mail.size:
        raise AbsentError("pieces of the mail were deleted")
    connection.execute("DELETE FROM mail_begun WHERE id = ?", (mail.mail,))


def market_of_user(connection: Connection, user: int) -> str:
    """The user's market. Raises AbsentError for a deleted user."""
    market: str | None = connection.execute(_MARKET, (user,)).get
    if market is None:
        raise AbsentError("the mail's user was deleted")
    return market


def _put(transaction: Transaction, mail: SealedMail | PiecedMail, received_ms: int) -> int:
    connection, pieces = transaction.connection, None
    sealed: bytes | bytearray = b""
    market = market_of_user(connection, mail.user)
    if isinstance(mail, PiecedMail):
        pieces, size = mail.mail, mail.size
        adopt_pieces(connection, mail)
    else:
        size, sealed = len(mail.sealed), mail.sealed
    uid: int = connection.execute(_NEXT_UID, (mail.user,)).get
    wrapped = transaction.wrapping.wrap(market, sealed)
    row = (mail.user, uid, received_ms, size, market, pieces, mail.compatible, wrapped)
    connection.execute(_PUT, row)
    return uid


COMMANDS: Final[Table] = {
    StoreMail: _store,
    StorePieces: _store_pieces,
    RemovePieces: _remove_pieces,
    DeleteMail: _delete,
}
QUERIES: Final[Table] = {CountMail: _count, ListMail: list_mail, ReadMail: read, UsedByMail: _used}
