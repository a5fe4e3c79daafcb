"""Sealed mail in SQLite (`ports.mail.MailStore`), wrapped under the key of its owner's market.

A plain mail has no way into this module.
"""

from collections.abc import Sequence

import apsw

from blackthorn.crypto.market_wrap import wrapped_size
from blackthorn.errors import StorageError
from blackthorn.ports.mail import MailHead, SealedMail
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.wire.units import MIB

_NEXT_UID = (
    "INSERT INTO mail_uid (user, last) VALUES (?, 1)"
    " ON CONFLICT (user) DO UPDATE SET last = last + 1 RETURNING last"
)
_PUT = "INSERT INTO mail (user, uid, received_ms, size, market, sealed) VALUES (?, ?, ?, ?, ?, ?)"
_MARKET = "SELECT market FROM users WHERE number = ?"
_PIECE_BYTES = MIB
"""Larger mails are written in pieces: SQLite would hold a whole one twice more."""


class SqliteMail:
    """The mail over the reading connection; jobs run on the writer's."""

    def __init__(self, reading: Connection, wrapping: Wrapping) -> None:
        self._reading = reading
        self._wrapping = wrapping

    def put(self, mails: Sequence[SealedMail], received_ms: int) -> Job[list[int]]:
        """See `ports.mail.MailStore`."""

        def job(connection: Connection) -> list[int]:
            return [self._put(connection, mail, received_ms) for mail in mails]

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
        query = "SELECT rowid, size, market FROM mail WHERE user = ? AND uid = ?"
        found = self._reading.execute(query, (user, uid))
        row = next(found, None)  # open until the bytes are read: both are of one commit
        if row is None:
            return None
        number, size, market = row
        if offset >= size:
            return size, b""
        blob = self._reading.blob_open("main", "mail", "sealed", number, False)

        def stored(start: int, count: int) -> bytes:
            blob.seek(start)
            return blob.read(count)

        try:
            return size, self._wrapping.read(market, size, offset, length, stored)
        finally:
            blob.close()
            found.close(True)

    def _put(self, connection: Connection, mail: SealedMail, received_ms: int) -> int:
        market = connection.execute(_MARKET, (mail.user,)).get
        if market is None:
            raise StorageError("the mail's user is not there any more")
        size = len(mail.sealed)
        uid: int = connection.execute(_NEXT_UID, (mail.user,)).get
        row = (mail.user, uid, received_ms, size, market)
        if size <= _PIECE_BYTES:
            connection.execute(_PUT, (*row, self._wrapping.wrap(market, mail.sealed)))
            return uid
        pieces = self._wrapping.wrap_in_pieces(market, mail.sealed)
        connection.execute(_PUT, (*row, apsw.zeroblob(wrapped_size(size))))
        number = connection.last_insert_rowid()
        blob = connection.blob_open("main", "mail", "sealed", number, True)
        try:
            for piece in pieces:
                blob.write(piece)
        finally:
            blob.close()
        return uid
