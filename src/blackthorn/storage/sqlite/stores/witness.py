"""A witness's state in its own SQLite file: its logs and cosigned checkpoints.

Every change is a durable transaction (synchronous FULL). Nothing here decides what may be cosigned,
but sizes only rise.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from blackthorn.errors import DamageError, StorageError, UserError
from blackthorn.storage import limits
from blackthorn.storage.sqlite.failure import failure_of, immediate, storing
from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.wire.note import VerifierKey, format_vkey, parse_vkey

VERSION: Final = 1

SCHEMA: Final = """
-- The logs that a witness serves.
CREATE TABLE witnessed_log (
    origin TEXT PRIMARY KEY, -- name of the log | while it is served | producible: yes
    vkey TEXT NOT NULL,      -- public key of the log | while it is served | producible: yes
    added_s INTEGER NOT NULL -- Unix time | while it is served | producible: yes
) STRICT, WITHOUT ROWID;

-- The checkpoints that a witness cosigned. They are public, and tell sizes and hashes only.
CREATE TABLE cosigned (
    origin TEXT NOT NULL,  -- name of the log | the newest 4,096 | producible: yes
    size INTEGER NOT NULL, -- entries in the log | the newest 4,096 | producible: yes
    root BLOB NOT NULL,    -- hash of all entries | the newest 4,096 | producible: yes
    at_s INTEGER NOT NULL, -- Unix time of the cosignature | the newest 4,096 | producible: yes
    note BLOB NOT NULL,    -- the checkpoint, signed by both | the newest 4,096 | producible: yes
    PRIMARY KEY (origin, size)
) STRICT, WITHOUT ROWID;
"""

_PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
"""
_BUSY_MILLISECONDS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint, the Unix time of its last cosignature, and the note with it."""

    checkpoint: Checkpoint
    at_s: int
    note: bytes


class WitnessStore:
    """The open database; usable from any thread, one at a time."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @classmethod
    @storing
    def create(cls, path: Path) -> "WitnessStore":
        """A new database. Raises StorageError."""
        store = cls(_connect(path, apsw.SQLITE_OPEN_CREATE))
        store._connection.execute(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")
        return store

    @classmethod
    def open(cls, path: Path) -> "WitnessStore":
        """An existing database, read and checked whole. Raises StorageError."""
        if not path.exists():
            raise DamageError(f"{path} is missing: what this witness signed is unknown")
        try:
            store = cls(_connect(path, 0))
            if store._connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
                raise DamageError("it is damaged")
            if (version := store._connection.pragma("user_version")) != VERSION:
                raise DamageError(f"it has version {version}, this program knows {VERSION}")
        except (apsw.Error, StorageError) as error:
            reason = failure_of(error)
            raise type(reason)(f"{path}: {reason}") from None
        return store

    def transaction(self) -> AbstractContextManager[None]:
        """One transaction; it takes the write lock at its start."""
        return immediate(self._connection)

    @storing
    def logs(self) -> list[VerifierKey]:
        """The keys of the served logs; their names are the origins."""
        rows = self._connection.execute("SELECT vkey FROM witnessed_log ORDER BY origin")
        return [parse_vkey(str(vkey)) for (vkey,) in rows]

    @storing
    def log(self, origin: str) -> VerifierKey | None:
        row = self._connection.execute(
            "SELECT vkey FROM witnessed_log WHERE origin = ?", (origin,)
        ).fetchone()
        return None if row is None else parse_vkey(str(row[0]))

    @storing
    def add_log(self, key: VerifierKey, now_s: int) -> bool:
        """Serve a log; False when it is served already.

        Raises UserError when its origin has another key, or there are too many logs.
        """
        with self.transaction():
            held = self.log(key.name)
            if held == key:
                return False
            if held is not None:
                raise UserError(f"{key.name} is served already, with the key {held}")
            if len(self.logs()) >= limits.MAX_WITNESSED_LOGS:
                raise UserError(f"a witness serves at most {limits.MAX_WITNESSED_LOGS} logs")
            self._connection.execute(
                "INSERT INTO witnessed_log (origin, vkey, added_s) VALUES (?, ?, ?)",
                (key.name, format_vkey(key), now_s),
            )
        return True

    @storing
    def latest(self, origin: str) -> Cosigned | None:
        return self._one("WHERE origin = ? ORDER BY size DESC LIMIT 1", origin)

    @storing
    def of_size(self, origin: str, size: int) -> Cosigned | None:
        """The stored checkpoint of exactly this size."""
        return self._one("WHERE origin = ? AND size = ?", origin, size)

    @storing
    def newest_s(self) -> int:
        """Unix time of the last cosignature, 0 before the first."""
        row = self._connection.execute("SELECT ifnull(max(at_s), 0) FROM cosigned").fetchone()
        return int(row[0]) if row else 0

    @storing
    def remember(self, cosigned: Cosigned) -> None:
        """Store a checkpoint before it is cosigned, within `transaction`."""
        checkpoint = cosigned.checkpoint
        latest = self.latest(checkpoint.origin)
        if latest is not None and latest.checkpoint.size > checkpoint.size:
            raise ValueError("a witness does not go back")
        self._connection.execute(
            "INSERT OR REPLACE INTO cosigned (origin, size, root, at_s, note)"
            " VALUES (?, ?, ?, ?, ?)",
            (checkpoint.origin, checkpoint.size, checkpoint.root, cosigned.at_s, cosigned.note),
        )
        self._connection.execute(
            "DELETE FROM cosigned WHERE origin = ? AND size <= (SELECT size FROM cosigned"
            " WHERE origin = ? ORDER BY size DESC LIMIT 1 OFFSET ?)",
            (checkpoint.origin, checkpoint.origin, limits.MAX_COSIGNED_HISTORY),
        )

    @storing
    def close(self) -> None:
        """The write-ahead log is folded into the file."""
        self._connection.close()

    def _one(self, clause: str, *bindings: Any) -> Cosigned | None:
        query = f"SELECT origin, size, root, at_s, note FROM cosigned {clause}"  # noqa: S608
        row = self._connection.execute(query, bindings).fetchone()
        if row is None:
            return None
        origin, size, root, at_s, note = row
        return Cosigned(Checkpoint(str(origin), int(size), bytes(root)), int(at_s), bytes(note))


def _connect(path: Path, more: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | more)
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    connection.execute(_PRAGMAS).fetchall()
    return connection
