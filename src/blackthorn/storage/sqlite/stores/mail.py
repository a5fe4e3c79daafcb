"""Sealed mail in SQLite (`ports.mail`), wrapped under its owner's market key. No plain mail."""

from typing import Final

import apsw

from blackthorn.crypto.market_wrap import wrapped_size
from blackthorn.errors import AbsentError
from blackthorn.ports.mail import (
    ListMail,
    MailHead,
    MailPart,
    ReadMail,
    SealedMail,
    StoreMail,
    UsedByMail,
)
from blackthorn.storage.sqlite.transaction import Table, Transaction
from blackthorn.wire.units import MIB

_NEXT_UID = (
    "INSERT INTO mail_uid (user, last) VALUES (?, 1)"
    " ON CONFLICT (user) DO UPDATE SET last = last + 1 RETURNING last"
)
_PUT = "INSERT INTO mail (user, uid, received_ms, size, market, sealed) VALUES (?, ?, ?, ?, ?, ?)"
_MARKET = "SELECT market FROM users WHERE number = ?"
_LIST = "SELECT uid, size, received_ms FROM mail WHERE user = ? AND uid > ? ORDER BY uid LIMIT ?"
_FIND = "SELECT rowid, size, market FROM mail WHERE user = ? AND uid = ?"
_USED = "SELECT coalesce(sum(size), 0) FROM mail WHERE user = ?"
_PIECE_BYTES = MIB
"""Larger mails are written in pieces: SQLite would copy a whole one twice."""


def _store(transaction: Transaction, command: StoreMail) -> list[int]:
    return [_put(transaction, mail, command.received_ms) for mail in command.mails]


def list_mail(transaction: Transaction, query: ListMail) -> list[MailHead]:
    rows = transaction.connection.execute(_LIST, (query.user, query.after, query.limit))
    return [MailHead(*row) for row in rows]


def _used(transaction: Transaction, query: UsedByMail) -> int:
    used: int = transaction.connection.execute(_USED, (query.user,)).get
    return used


def read(transaction: Transaction, query: ReadMail) -> MailPart | None:
    connection = transaction.connection
    found = connection.execute(_FIND, (query.user, query.uid))
    row = next(found, None)  # open until the bytes are read, to see one commit
    if row is None:
        return None
    number, size, market = row
    if query.offset >= size:
        return MailPart(size, b"")
    blob = connection.blob_open("main", "mail", "sealed", number, False)

    def stored(start: int, count: int) -> bytes:
        blob.seek(start)
        return blob.read(count)

    try:
        data = transaction.wrapping.read(market, size, query.offset, query.length, stored)
    finally:
        blob.close()
        found.close(True)
    return MailPart(size, data)


def _put(transaction: Transaction, mail: SealedMail, received_ms: int) -> int:
    connection, wrapping = transaction.connection, transaction.wrapping
    market = connection.execute(_MARKET, (mail.user,)).get
    if market is None:
        raise AbsentError("the mail's user was deleted")
    size = len(mail.sealed)
    uid: int = connection.execute(_NEXT_UID, (mail.user,)).get
    row = (mail.user, uid, received_ms, size, market)
    if size <= _PIECE_BYTES:
        connection.execute(_PUT, (*row, wrapping.wrap(market, mail.sealed)))
        return uid
    pieces = wrapping.wrap_in_pieces(market, mail.sealed)
    connection.execute(_PUT, (*row, apsw.zeroblob(wrapped_size(size))))
    number = connection.last_insert_rowid()
    blob = connection.blob_open("main", "mail", "sealed", number, True)
    try:
        for piece in pieces:
            blob.write(piece)
    finally:
        blob.close()
    return uid


COMMANDS: Final[Table] = {StoreMail: _store}
QUERIES: Final[Table] = {ListMail: list_mail, ReadMail: read, UsedByMail: _used}
