"""The server's database: one SQLite file, opened, checked and migrated.

Three connections: `writing` for the writer, `asking` for the reader, `reading` for the event loop.
Both readers see the last durable commit and never wait for the writer (write-ahead log).

What is deleted is overwritten in the file (`secure_delete`); the write-ahead log keeps it until
`truncate_log`.
"""

from pathlib import Path
from typing import Final

import apsw

from blackthorn.errors import DamageError, StorageError
from blackthorn.storage import limits
from blackthorn.storage.sqlite import schema
from blackthorn.storage.sqlite.failure import failure_of, storing

Connection = apsw.Connection

PAGE_BYTES: Final = 8192
"""A 1 KiB parcel fits its mailbox's leaf without an overflow page."""

BUSY_MILLISECONDS: Final = 5_000
"""How long a write waits for a concurrent `blackthorn` command."""

_PRAGMAS = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -16384;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = ON;
"""
_READING = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY"


def migrations() -> schema.Migrations:
    """Number and SQL of every migration, in order."""
    return schema.migrations("blackthorn.storage.sqlite")


class Database:
    """The open database; close it after the writer."""

    def __init__(self, writing: Connection, reading: Connection, asking: Connection) -> None:
        self.writing: Final = writing
        self.asking: Final = asking
        self.reading: Final = reading

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open or create the file, and migrate it. Raises StorageError."""
        try:
            writing = connect(str(path))
            writing.execute(_PRAGMAS).fetchall()  # else it stops at the first that answers
            schema.migrate(writing, migrations())
            reading, asking = connect(str(path)), connect(str(path))
            for connection in (reading, asking):
                connection.execute(_READING).fetchall()
        except (apsw.Error, StorageError) as error:
            reason = failure_of(error)
            raise type(reason)(f"{path}: {reason}") from error
        return cls(writing, reading, asking)

    @storing
    def check(self) -> None:
        """Read every page. Raises DamageError."""
        findings = self.reading.execute("PRAGMA quick_check(1)").fetchall()
        if findings != [("ok",)]:
            raise DamageError("the database is damaged: restore it from a backup")

    @storing
    def close(self) -> None:
        """Close the connections; the write-ahead log is folded into the file."""
        self.asking.close()
        self.reading.close()
        self.writing.close()


@storing
def truncate_log(connection: Connection) -> bool:
    """Move the write-ahead log into the file and truncate it. Raises StorageError.

    False when a reader of an older state prevents it, which it waits for only shortly.
    """
    connection.set_busy_timeout(limits.TRUNCATE_MILLISECONDS)
    try:
        rows = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.set_busy_timeout(BUSY_MILLISECONDS)
    return not rows[0][0]


def connect(name: str) -> Connection:
    """A connection to the file of that name, or to `:memory:`."""
    connection = apsw.Connection(name, statementcachesize=256)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    return connection
