"""Give a vault of an earlier release the page size of new ones: copy it, then put the copy there.

SQLite's VACUUM leaves the page size of an encrypted database as it is, and says nothing. The old
database is marked as moved once the copy is whole, and only then replaced: a process that waits for
its lock, or begins after a crash, finds the mark and takes the copy.
"""

import contextlib
from pathlib import Path

import apsw

from blackthorn.crypto.secret import Secret
from blackthorn.storage.device import vault
from blackthorn.storage.files import atomic

_SIDE_FILES = ("", "-wal", "-shm", "-journal")


def copy(database: Path, fresh: Path, key: Secret) -> bool:
    """Copy a database of another page size into `fresh`, and mark it as moved.

    False: it has that page size, or another process uses it; it stays as it is. Raises apsw.Error,
    StorageError, OSError.
    """
    old = vault.connect(database, key)
    try:
        if old.pragma("page_size") == vault.PAGE_BYTES or not _alone(old):
            return False
        for name in _SIDE_FILES:
            fresh.with_name(fresh.name + name).unlink(missing_ok=True)
        new = vault.connect(fresh, key, create=True)
        try:
            vault.prepare(new, create=True)
            _copy_rows(old, new)
        finally:
            new.close()
        old.pragma("user_version", vault.MOVED)
        old.execute("COMMIT")
        old.pragma("journal_mode", "memory")  # a journal on the disk would be taken for the copy's
        put_in_place(database, fresh)
        with contextlib.suppress(apsw.BusyError):
            for table in _tables(old):  # so that keys which are used from now on lie nowhere
                old.execute(f"DELETE FROM {table}")  # noqa: S608 (names of our schema)
        return True
    finally:
        old.close()


def put_in_place(database: Path, fresh: Path) -> None:
    """Put the whole copy of a moved database in its place, unless another process has."""
    try:
        atomic.rename(fresh, database)
    except FileNotFoundError:
        return


def _alone(old: apsw.Connection) -> bool:
    """Take the database from all other processes for a transaction; False: one has it open."""
    old.set_busy_timeout(0)
    old.pragma("secure_delete", True)
    try:
        old.pragma("journal_mode", "delete")
        old.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError:
        return False
    return bool(old.pragma("journal_mode") == "delete")  # else another has just begun


def _copy_rows(old: apsw.Connection, new: apsw.Connection) -> None:
    new.pragma("foreign_keys", False)
    with new:
        for table in _tables(new):
            new.execute(f"DELETE FROM {table}")  # noqa: S608 (names of our schema)
            columns = new.execute("SELECT 1 FROM pragma_table_info(?)", (table,)).fetchall()
            marks = ", ".join("?" for _ in columns)
            rows = old.execute(f"SELECT * FROM {table}")  # noqa: S608 (names of our schema)
            put = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608 (names of our schema)
            new.executemany(put, rows)


def _tables(connection: apsw.Connection) -> list[str]:
    """SQLite's own last, which has the greatest numbers that were given."""
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return sorted((str(name) for (name,) in rows), key=lambda name: name.startswith("sqlite_"))
