"""The server's database: one SQLite file, opened, checked and migrated.

Three connections: `writing` belongs to the one writer, `asking` to the one reader, and `reading`
answers the event loop. Both see the last durable commit and are never made to wait by the
writer (write-ahead log).
"""

from pathlib import Path
from typing import Final

import apsw

from blackthorn.errors import DamageError
from blackthorn.storage.sqlite import schema
from blackthorn.storage.sqlite.failure import failure_of, storing

Connection = apsw.Connection

PAGE_BYTES: Final = 8192
"""So that a 1 KiB parcel lies in the leaf of its mailbox, without an overflow page."""

BUSY_MILLISECONDS: Final = 5_000
"""How long a write waits for the `blackthorn` command, which may write at the same time."""

_PRAGMAS = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -16384;
PRAGMA journal_size_limit = 67108864;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = FAST;
"""
_READING = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY"


def migrations() -> schema.Migrations:
    """The server's."""
    return schema.migrations("blackthorn.storage.sqlite")


def _migrate(connection: Connection) -> None:
    schema.migrate(connection, migrations())


class Database:
    """The open database. Make it by `open` or `in_memory`; close it after the writer."""

    def __init__(self, writing: Connection, reading: Connection, asking: Connection) -> None:
        self.writing: Final = writing
        self.asking: Final = asking
        self.reading: Final = reading

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open the file, make it when it is not there, and migrate it.

        Raises StorageError with one line when it cannot be opened or is damaged.
        """
        try:
            writing = _connect(str(path))
            writing.execute(_PRAGMAS).fetchall()  # without it, it stops at the first that answers
            _migrate(writing)
            reading, asking = _connect(str(path)), _connect(str(path))
            for connection in (reading, asking):
                connection.execute(_READING).fetchall()
        except apsw.Error as error:
            reason = failure_of(error)
            raise type(reason)(f"{path}: {reason}") from error
        return cls(writing, reading, asking)

    @classmethod
    def in_memory(cls) -> "Database":
        """A database that ends with the process, for scenarios: all connections are one."""
        connection = _connect(":memory:")
        _migrate(connection)
        return cls(connection, connection, connection)

    @storing
    def check(self) -> None:
        """Read every page. Raises DamageError when one is not as SQLite wrote it."""
        findings = self.reading.execute("PRAGMA quick_check(1)").fetchall()
        if findings != [("ok",)]:
            raise DamageError("the database is damaged: restore it from a backup")

    @storing
    def close(self) -> None:
        """Close both connections; the write-ahead log is folded into the file."""
        self.asking.close()
        self.reading.close()
        self.writing.close()


def _connect(name: str) -> Connection:
    connection = apsw.Connection(name, statementcachesize=256)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    return connection
