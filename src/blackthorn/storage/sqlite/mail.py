"""Sealed mail in SQLite (`ports.mail.MailStore`). A plain mail has no way into this module."""

from collections.abc import Sequence

import apsw

from blackthorn import limits
from blackthorn.ports.mail import MailHead, SealedMail
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing

_NEXT_UID = (
    "INSERT INTO mail_uid (user, last) VALUES (?, 1)"
    " ON CONFLICT (user) DO UPDATE SET last = last + 1 RETURNING last"
)
_PUT = "INSERT INTO mail (user, uid, received_ms, size, sealed) VALUES (?, ?, ?, ?, ?)"
_PIECE_BYTES = limits.MIB
"""Larger mails are written in pieces: SQLite would hold a whole one twice more."""


class SqliteMail:
    """The mail over the reading connection; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    def put(self, mails: Sequence[SealedMail], received_ms: int) -> Job[list[int]]:
        """See `ports.mail.MailStore`."""

        def job(connection: Connection) -> list[int]:
            return [_put(connection, mail, received_ms) for mail in mails]

        return job

    @storing
    def list(self, user: int, after: int, limit: int) -> list[MailHead]:
        """See `ports.mail.MailStore`."""
        rows = self._reading.execute(
            "SELECT uid, size, received_ms FROM mail WHERE user = ? AND uid > ?"
            " ORDER BY uid LIMIT ?",
            (user, after, limit),
        )
        return [MailHead(*row) for row in rows]

    @storing
    def read(self, user: int, uid: int, offset: int, length: int) -> tuple[int, bytes] | None:
        """See `ports.mail.MailStore`."""
        query = "SELECT rowid, size FROM mail WHERE user = ? AND uid = ?"
        row = self._reading.execute(query, (user, uid)).fetchone()
        if row is None:
            return None
        number, size = row
        if offset >= size:
            return size, b""
        blob = self._reading.blob_open("main", "mail", "sealed", number, False)
        try:
            blob.seek(offset)
            return size, blob.read(min(length, size - offset))
        finally:
            blob.close()


def _put(connection: Connection, mail: SealedMail, received_ms: int) -> int:
    uid: int = connection.execute(_NEXT_UID, (mail.user,)).get
    size = len(mail.sealed)
    if size <= _PIECE_BYTES:
        connection.execute(_PUT, (mail.user, uid, received_ms, size, mail.sealed))
        return uid
    connection.execute(_PUT, (mail.user, uid, received_ms, size, apsw.zeroblob(size)))
    blob = connection.blob_open("main", "mail", "sealed", connection.last_insert_rowid(), True)
    try:
        for start in range(0, size, _PIECE_BYTES):
            blob.write(memoryview(mail.sealed)[start : start + _PIECE_BYTES])
    finally:
        blob.close()
    return uid
