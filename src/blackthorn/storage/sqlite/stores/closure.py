"""Closures in SQLite (`ports.closure.ClosureStore`): each step a transaction, held to its place."""

from collections.abc import Sequence
from typing import Any, Final

from blackthorn.errors import StorageError
from blackthorn.ids import Address
from blackthorn.ports.closure import Closure, NewReceipt, Person, Phase
from blackthorn.ports.writer import Job
from blackthorn.storage import limits
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.stores.markets import purge_user

COUNTED: Final = ("users", "notified", "read", "exported", "moved", "forwarded", "unreachable")
_CLOSURE = """
SELECT exit_id, market, phase, cursor, begun_ms, root, fingerprint, mails, parcels, destroyed_ms,
       users, notified, read, exported, moved, forwarded, unreachable
FROM closure ORDER BY exit_id
"""
_PERSONS = """
SELECT number, address, notified_ms IS NOT NULL, read_ms IS NOT NULL, exported_ms IS NOT NULL,
       moved_ms IS NOT NULL, forward IS NOT NULL, coalesce(unreachable, 0),
       CASE WHEN market = ?2 THEN (SELECT count(*) FROM mail WHERE user = number) ELSE 0 END,
       CASE WHEN market = ?2 THEN (SELECT count(*) FROM mailbox WHERE device IN
           (SELECT devices.number FROM devices WHERE devices.user = users.number)) ELSE 0 END,
       CASE WHEN market = ?2 AND ?4 THEN (SELECT sealed FROM mail
           WHERE mail.user = users.number AND mail.market = ?2 AND length(sealed) <= ?5
           LIMIT 1) END
FROM users LEFT JOIN exit_person ON exit_id = ?1 AND exit_person.user = users.number
WHERE number > ?3 AND (market = ?2 OR moved_ms IS NOT NULL) ORDER BY number LIMIT ?6
"""
_CAME = """
SELECT EXISTS (SELECT 1 FROM users WHERE market = ?2 AND NOT EXISTS
    (SELECT 1 FROM closure_receipt WHERE exit_id = ?1 AND user = users.number))
"""
_MOVED = "SELECT count(*) FROM exit_person WHERE exit_id = ? AND moved_ms IS NOT NULL"
_RECEIPT = """
SELECT place, receipt FROM closure_receipt JOIN users ON users.number = user
WHERE address = ? AND exit_id = ?
"""


class SqliteClosures:
    """The closures over the reading connection; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    @storing
    def all(self) -> list[Closure]:
        """See `ports.closure.ClosureStore`."""
        rows: list[Any] = self._reading.execute(_CLOSURE).fetchall()
        return [_closure(row) for row in rows]

    @storing
    def statement(self, exit_id: str) -> bytes:
        """See `ports.closure.ClosureStore`."""
        query = "SELECT statement FROM closure WHERE exit_id = ?"
        return self._reading.execute(query, (exit_id,)).get or b""

    @storing
    def persons(self, closure: Closure, limit: int, samples: bool) -> list[Person]:
        """See `ports.closure.ClosureStore`."""
        rows = self._reading.execute(
            _PERSONS,
            (
                closure.exit,
                closure.market,
                closure.cursor,
                int(samples),
                limits.MAX_CLOSURE_SAMPLE_BYTES,
                limit,
            ),
        )
        return [_person(list(row)) for row in rows]

    @storing
    def addresses(self, market: str) -> list[Address]:
        """See `ports.closure.ClosureStore`."""
        query = "SELECT address FROM users WHERE market = ? ORDER BY address"
        return [Address(address) for (address,) in self._reading.execute(query, (market,))]

    @storing
    def settled(self, closure: Closure) -> bool:
        """See `ports.closure.ClosureStore`."""
        came = self._reading.execute(_CAME, (closure.exit, closure.market)).get
        moved: int = self._reading.execute(_MOVED, (closure.exit,)).get
        return not came and moved == closure.counts["moved"]

    @storing
    def leaves(self, exit_id: str) -> list[bytes]:
        """See `ports.closure.ClosureStore`."""
        query = "SELECT leaf FROM closure_receipt WHERE exit_id = ? ORDER BY place"
        return [leaf for (leaf,) in self._reading.execute(query, (exit_id,))]

    @storing
    def receipt(self, exit_id: str, address: Address) -> tuple[int, bytes] | None:
        """See `ports.closure.ClosureStore`."""
        rows: list[Any] = self._reading.execute(_RECEIPT, (address, exit_id)).fetchall()
        return rows[0] if rows else None

    @storing
    def samples(self, exit_id: str) -> list[bytes]:
        """See `ports.closure.ClosureStore`."""
        query = "SELECT wrapped FROM closure_sample WHERE exit_id = ? ORDER BY number"
        return [wrapped for (wrapped,) in self._reading.execute(query, (exit_id,))]

    @storing
    def remembers(self, exit_id: str) -> bool:
        """See `ports.closure.ClosureStore`."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM exit_person WHERE exit_id = ?1)"
            " OR EXISTS (SELECT 1 FROM closure_receipt WHERE exit_id = ?1)"
        )
        return bool(self._reading.execute(query, (exit_id,)).get)

    # --- Steps ----------------------------------------------------------------------------

    def begin(self, exit_id: str, market: str, fingerprint: bytes, now_ms: int) -> Job[None]:
        """See `ports.closure.ClosureStore`."""

        def job(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO closure (exit_id, market, phase, begun_ms, fingerprint)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (exit_id, market, Phase.RECEIPTS, now_ms, fingerprint),
            )

        return job

    def add(
        self,
        closure: Closure,
        receipts: Sequence[NewReceipt],
        samples: Sequence[bytes],
        counts: dict[str, int],
        cursor: int,
    ) -> Job[None]:
        """See `ports.closure.ClosureStore`."""

        def job(connection: Connection) -> None:
            _hold(connection, closure)
            connection.executemany(
                "INSERT INTO closure_receipt (exit_id, place, user, receipt, leaf)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    (closure.exit, closure.counts["users"] + number, *_row(each))
                    for number, each in enumerate(receipts)
                ),
            )
            connection.executemany(
                "INSERT INTO closure_sample (exit_id, number, wrapped) VALUES (?1,"
                " (SELECT count(*) FROM closure_sample WHERE exit_id = ?1), ?2)",
                ((closure.exit, each) for each in samples),
            )
            changes: dict[str, Any] = {name: counts[name] for name in COUNTED}
            phase = Phase.RECEIPTS if receipts else Phase.ROOT
            _set(connection, closure, phase, cursor=cursor, **changes)

        return job

    def rooted(self, closure: Closure, root: bytes) -> Job[None]:
        """See `ports.closure.ClosureStore`."""
        return _step(closure, Phase.READY, root=root)

    def advance(self, closure: Closure, phase: Phase) -> Job[None]:
        """See `ports.closure.ClosureStore`."""
        return _step(closure, phase, cursor=0)

    def purge(self, closure: Closure, limit: int, after: Phase) -> Job[None]:
        """See `ports.closure.ClosureStore`."""

        def job(connection: Connection) -> None:
            _hold(connection, closure)
            cursor, mails, parcels, room = closure.cursor, closure.mails, closure.parcels, limit
            while room > 0:
                user = _next(connection, closure.market, cursor)
                if user is None:
                    _set(connection, closure, after, cursor=0, mails=mails, parcels=parcels)
                    return
                purged = purge_user(user, room)(connection)
                mails, parcels = mails + purged.mails, parcels + purged.parcels
                room -= 1 + purged.mails + purged.parcels + purged.key_packages
                if purged.done:
                    connection.execute("DELETE FROM activations WHERE user = ?", (user,))
                    cursor = user
            _set(connection, closure, closure.phase, cursor=cursor, mails=mails, parcels=parcels)

        return job

    def destroyed(self, closure: Closure, destroyed_ms: int) -> Job[None]:
        """See `ports.closure.ClosureStore`."""
        return _step(closure, Phase.SWEEP, cursor=0, destroyed_ms=destroyed_ms)

    def proved(self, closure: Closure, statement: bytes) -> Job[None]:
        """See `ports.closure.ClosureStore`."""
        return _step(closure, Phase.DESTROYED, statement=statement)

    def drop(self, closure: Closure, seq: int, limit: int) -> Job[None]:
        """See `ports.closure.ClosureStore`."""

        def job(connection: Connection) -> None:
            _hold(connection, closure)
            query = "SELECT EXISTS (SELECT 1 FROM decision WHERE case_id = ? AND seq > ?)"
            if connection.execute(query, (closure.exit, seq)).get:
                raise StorageError(f"the exit {closure.exit} has moved on")
            if _delete_receipts(connection, closure.exit, limit) == limit:
                _set(connection, closure, Phase.DROP)
                return
            connection.execute("DELETE FROM closure_sample WHERE exit_id = ?", (closure.exit,))
            connection.execute("DELETE FROM closure WHERE exit_id = ?", (closure.exit,))

        return job

    def forget(self, exit_id: str, limit: int) -> Job[None]:
        """See `ports.closure.ClosureStore`."""

        def job(connection: Connection) -> None:
            connection.execute(
                "DELETE FROM exit_person WHERE exit_id = ?1 AND user IN"
                " (SELECT user FROM exit_person WHERE exit_id = ?1 LIMIT ?2)",
                (exit_id, limit),
            )
            _delete_receipts(connection, exit_id, limit)

        return job


def _delete_receipts(connection: Connection, exit_id: str, limit: int) -> int:
    query = (
        "DELETE FROM closure_receipt WHERE exit_id = ?1 AND place IN"
        " (SELECT place FROM closure_receipt WHERE exit_id = ?1 LIMIT ?2)"
    )
    connection.execute(query, (exit_id, limit))
    return connection.changes()


def _closure(row: Any) -> Closure:
    exit_id, market, phase, cursor, begun_ms, root, key, mails, parcels, destroyed_ms, *of = row
    counts = dict(zip(COUNTED, of, strict=True)) | {"held": 0}  # who is held stops the exit
    return Closure(
        exit_id,
        market,
        Phase(phase),
        cursor,
        begun_ms,
        counts,
        root,
        key,
        mails,
        parcels,
        destroyed_ms,
    )


def _person(row: list[Any]) -> Person:
    row[2:8] = map(bool, row[2:8])
    return Person(*row)


def _row(receipt: NewReceipt) -> tuple[int, bytes, bytes]:
    return receipt.user, receipt.receipt, receipt.leaf


def _next(connection: Connection, market: str, cursor: int) -> int | None:
    query = "SELECT number FROM users WHERE market = ? AND number > ? ORDER BY number LIMIT 1"
    found: int | None = connection.execute(query, (market, cursor)).get
    return found


def _hold(connection: Connection, closure: Closure) -> None:
    """Raises StorageError unless the closure is where it was seen."""
    query = "SELECT phase, cursor, mails, parcels FROM closure WHERE exit_id = ?"
    rows: list[Any] = connection.execute(query, (closure.exit,)).fetchall()
    if rows != [(closure.phase, closure.cursor, closure.mails, closure.parcels)]:
        raise StorageError(f"the closure {closure.exit} has moved on")


def _set(connection: Connection, closure: Closure, phase: Phase, **values: Any) -> None:
    changes = "".join(f", {name} = ?" for name in values)
    query = f"UPDATE closure SET phase = ?{changes} WHERE exit_id = ?"  # noqa: S608
    connection.execute(query, (phase, *values.values(), closure.exit))


def _step(closure: Closure, phase: Phase, **values: Any) -> Job[None]:
    def job(connection: Connection) -> None:
        _hold(connection, closure)
        _set(connection, closure, phase, **values)

    return job
