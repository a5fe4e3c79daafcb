"""Closures in SQLite (`ports.governance.closure`): each step compares the closure's phase first."""

from typing import Any, Final

from blackthorn.errors import ConflictError
from blackthorn.governance.closure.statement import statement_hash
from blackthorn.ids import Address
from blackthorn.ports.governance import closure as port
from blackthorn.storage import limits
from blackthorn.storage.rows import values
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores.markets import purge_user
from blackthorn.storage.sqlite.transaction import Table, Transaction

COUNTED: Final = ("users", "notified", "read", "exported", "moved", "forwarded", "unreachable")
_CLOSURE = """
SELECT exit_id, market, phase, cursor, begun_ms, root, fingerprint, mails, parcels, destroyed_ms,
       users, notified, read, exported, moved, forwarded, unreachable
FROM closure ORDER BY exit_id
"""
_PERSONS = """
WITH concerned (person) AS (
    SELECT number FROM
        (SELECT number FROM users WHERE market = ?2 AND number > ?3 ORDER BY number LIMIT ?6)
    UNION
    SELECT user FROM
        (SELECT user FROM exit_person INDEXED BY exit_person_moved
         WHERE exit_id = ?1 AND user > ?3 AND moved_ms IS NOT NULL ORDER BY user LIMIT ?6)
    ORDER BY 1 LIMIT ?6
)
SELECT number, address, notified_ms IS NOT NULL, read_ms IS NOT NULL, exported_ms IS NOT NULL,
       moved_ms IS NOT NULL, forward IS NOT NULL, coalesce(unreachable, 0),
       CASE WHEN market = ?2 THEN (SELECT count(*) FROM mail WHERE user = number) ELSE 0 END,
       CASE WHEN market = ?2 THEN (SELECT count(*) FROM mailbox WHERE device IN
           (SELECT devices.number FROM devices WHERE devices.user = users.number)) ELSE 0 END,
       CASE WHEN market = ?2 AND ?4 THEN (SELECT sealed FROM mail
           WHERE mail.user = users.number AND mail.market = ?2 AND pieces IS NULL
           AND length(sealed) <= ?5 LIMIT 1) END
FROM concerned JOIN users ON number = person
LEFT JOIN exit_person ON exit_id = ?1 AND exit_person.user = users.number
ORDER BY number
"""
_ADDRESSES = "SELECT address FROM users WHERE market = ? AND address > ? ORDER BY address LIMIT ?"
_CHECK = """
SELECT number, EXISTS (SELECT 1 FROM closure_receipt WHERE exit_id = ?1 AND user = users.number)
FROM users WHERE market = ?2 AND number > ?3 ORDER BY number LIMIT ?4
"""
_MOVED = (
    "SELECT count(*) FROM exit_person INDEXED BY exit_person_moved"
    " WHERE exit_id = ? AND moved_ms IS NOT NULL"
)
_LEAVES = "SELECT leaf FROM closure_receipt WHERE exit_id = ? AND place >= ? ORDER BY place LIMIT ?"
_RECEIPTS = """
SELECT exit_id, place, receipt FROM closure_receipt JOIN users ON users.number = user
WHERE address = ?
"""
_SAMPLES = "SELECT wrapped FROM closure_sample WHERE exit_id = ? ORDER BY number"
_REMEMBERS = (
    "SELECT EXISTS (SELECT 1 FROM exit_person WHERE exit_id = ?1)"
    " OR EXISTS (SELECT 1 FROM closure_receipt WHERE exit_id = ?1)"
)


def _closures(transaction: Transaction, query: port.ListClosures) -> list[port.Closure]:
    return [_closure(row) for row in transaction.connection.execute(_CLOSURE)]


def _statement(transaction: Transaction, query: port.ReadStatement) -> bytes:
    text = "SELECT part FROM closure_statement WHERE exit_id = ? ORDER BY number"
    return b"".join(part for (part,) in transaction.connection.execute(text, (query.exit,)))


def _hash_statement(transaction: Transaction, query: port.HashStatement) -> bytes:
    return statement_hash(_statement(transaction, port.ReadStatement(query.exit)))


def _persons(transaction: Transaction, query: port.ListPersons) -> list[port.Person]:
    closure = query.closure
    most = limits.MAX_CLOSURE_SAMPLE_BYTES
    values = (closure.exit, closure.market, closure.cursor, query.samples, most, query.limit)
    rows = transaction.connection.execute(_PERSONS, values)
    return [_person(list(row)) for row in rows]


def _addresses(transaction: Transaction, query: port.ListAddresses) -> list[Address]:
    values = (query.market, query.after, query.limit)
    return [Address(address) for (address,) in transaction.connection.execute(_ADDRESSES, values)]


def _check_receipts(transaction: Transaction, query: port.CheckReceipts) -> port.ReceiptCheck:
    values = (query.exit, query.market, query.after, query.limit)
    rows: list[Any] = transaction.connection.execute(_CHECK, values).fetchall()
    after = rows[-1][0] if len(rows) == query.limit else None
    return port.ReceiptCheck(all(found for _, found in rows), after)


def _count_moved(transaction: Transaction, query: port.CountMoved) -> int:
    count: int = transaction.connection.execute(_MOVED, (query.exit,)).get
    return count


def _leaves(transaction: Transaction, query: port.ListLeaves) -> list[bytes]:
    values = (query.exit, query.start, query.limit)
    return [leaf for (leaf,) in transaction.connection.execute(_LEAVES, values)]


def _receipts(transaction: Transaction, query: port.FindReceipts) -> list[port.StoredReceipt]:
    found = transaction.connection.execute(_RECEIPTS, (query.address,))
    return [port.StoredReceipt(*row) for row in found]


def _samples(transaction: Transaction, query: port.ListSamples) -> list[bytes]:
    return [wrapped for (wrapped,) in transaction.connection.execute(_SAMPLES, (query.exit,))]


def _remembers(transaction: Transaction, query: port.RemembersPersons) -> bool:
    return bool(transaction.connection.execute(_REMEMBERS, (query.exit,)).get)


def _begin(transaction: Transaction, command: port.BeginClosure) -> None:
    transaction.connection.execute(
        "INSERT INTO closure (exit_id, market, phase, begun_ms, fingerprint)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (command.exit, command.market, port.Phase.RECEIPTS, command.now_ms, command.fingerprint),
    )


def _add_receipts(transaction: Transaction, command: port.AddReceipts) -> None:
    connection, closure = transaction.connection, command.closure
    _check_place(connection, closure)
    connection.executemany(
        "INSERT INTO closure_receipt (exit_id, place, user, receipt, leaf) VALUES (?, ?, ?, ?, ?)",
        (
            (closure.exit, place, *values(receipt))
            for place, receipt in enumerate(command.receipts, closure.counts["users"])
        ),
    )
    connection.executemany(
        "INSERT INTO closure_sample (exit_id, number, wrapped) VALUES (?1,"
        " (SELECT count(*) FROM closure_sample WHERE exit_id = ?1), ?2)",
        ((closure.exit, sample) for sample in command.samples),
    )
    changes: dict[str, Any] = {name: command.counts[name] for name in COUNTED}
    phase = port.Phase.RECEIPTS if command.receipts else port.Phase.ROOT
    _set(connection, closure, phase, cursor=command.cursor, **changes)


def _set_root(transaction: Transaction, command: port.SetRoot) -> None:
    _step(transaction, command.closure, port.Phase.READY, root=command.root)


def _advance(transaction: Transaction, command: port.AdvanceClosure) -> None:
    _step(transaction, command.closure, command.phase, cursor=0)


def _purge(transaction: Transaction, command: port.PurgeRows) -> None:
    connection, closure = transaction.connection, command.closure
    _check_place(connection, closure)
    cursor, mails, parcels = closure.cursor, closure.mails, closure.parcels
    room = command.limit
    while room > 0:
        user = _next(connection, closure.market, cursor)
        if user is None:
            _set(connection, closure, command.following, cursor=0, mails=mails, parcels=parcels)
            return
        purged = purge_user(transaction, user, room)
        mails, parcels = mails + purged.mails, parcels + purged.parcels
        room -= 1 + purged.rows
        if purged.done:
            connection.execute("DELETE FROM activations WHERE user = ?", (user,))
            cursor = user
    _set(connection, closure, closure.phase, cursor=cursor, mails=mails, parcels=parcels)


def _note_key_destroyed(transaction: Transaction, command: port.NoteKeyDestroyed) -> None:
    values = {"cursor": 0, "destroyed_ms": command.destroyed_ms}
    _step(transaction, command.closure, port.Phase.SWEEP, **values)


def _store_statement(transaction: Transaction, command: port.StoreStatement) -> None:
    _step(transaction, command.closure, port.Phase.DESTROYED)
    size, statement = limits.STATEMENT_PART_BYTES, command.statement
    transaction.connection.executemany(
        "INSERT INTO closure_statement (exit_id, number, part) VALUES (?, ?, ?)",
        (
            (command.closure.exit, start // size, statement[start : start + size])
            for start in range(0, len(statement), size)
        ),
    )


def _drop(transaction: Transaction, command: port.DropClosure) -> None:
    connection, closure = transaction.connection, command.closure
    _check_place(connection, closure)
    query = "SELECT EXISTS (SELECT 1 FROM decision WHERE case_id = ? AND seq > ?)"
    if connection.execute(query, (closure.exit, command.seq)).get:
        raise ConflictError(f"the exit {closure.exit} has moved on")
    if _delete_receipts(connection, closure.exit, command.limit) == command.limit:
        _set(connection, closure, port.Phase.DROP)
        return
    connection.execute("DELETE FROM closure_sample WHERE exit_id = ?", (closure.exit,))
    connection.execute("DELETE FROM closure WHERE exit_id = ?", (closure.exit,))


def _forget(transaction: Transaction, command: port.ForgetPersons) -> None:
    connection = transaction.connection
    connection.execute(
        "DELETE FROM exit_person WHERE exit_id = ?1 AND user IN"
        " (SELECT user FROM exit_person WHERE exit_id = ?1 LIMIT ?2)",
        (command.exit, command.limit),
    )
    _delete_receipts(connection, command.exit, command.limit)


def _delete_receipts(connection: Connection, exit_id: str, limit: int) -> int:
    query = (
        "DELETE FROM closure_receipt WHERE exit_id = ?1 AND place IN"
        " (SELECT place FROM closure_receipt WHERE exit_id = ?1 LIMIT ?2)"
    )
    connection.execute(query, (exit_id, limit))
    return connection.changes()


def _closure(row: Any) -> port.Closure:
    exit_id, market, phase, cursor, begun_ms, *state = row
    counts = dict(zip(COUNTED, state[5:], strict=True)) | {"held": 0}  # who is held stops the exit
    return port.Closure(exit_id, market, port.Phase(phase), cursor, begun_ms, counts, *state[:5])


def _person(row: list[Any]) -> port.Person:
    row[2:8] = map(bool, row[2:8])
    return port.Person(*row)


def _next(connection: Connection, market: str, cursor: int) -> int | None:
    query = "SELECT number FROM users WHERE market = ? AND number > ? ORDER BY number LIMIT 1"
    found: int | None = connection.execute(query, (market, cursor)).get
    return found


def _check_place(connection: Connection, closure: port.Closure) -> None:
    """Raises ConflictError unless the closure is where its caller saw it."""
    query = "SELECT phase, cursor, mails, parcels FROM closure WHERE exit_id = ?"
    rows: list[Any] = connection.execute(query, (closure.exit,)).fetchall()
    if rows != [(closure.phase, closure.cursor, closure.mails, closure.parcels)]:
        raise ConflictError(f"the closure {closure.exit} has moved on")


def _set(connection: Connection, closure: port.Closure, phase: port.Phase, **values: Any) -> None:
    changes = "".join(f", {name} = ?" for name in values)
    query = f"UPDATE closure SET phase = ?{changes} WHERE exit_id = ?"  # noqa: S608
    connection.execute(query, (phase, *values.values(), closure.exit))


def _step(
    transaction: Transaction, closure: port.Closure, phase: port.Phase, **values: Any
) -> None:
    _check_place(transaction.connection, closure)
    _set(transaction.connection, closure, phase, **values)


COMMANDS: Final[Table] = {
    port.BeginClosure: _begin,
    port.AddReceipts: _add_receipts,
    port.SetRoot: _set_root,
    port.AdvanceClosure: _advance,
    port.PurgeRows: _purge,
    port.NoteKeyDestroyed: _note_key_destroyed,
    port.StoreStatement: _store_statement,
    port.DropClosure: _drop,
    port.ForgetPersons: _forget,
}
QUERIES: Final[Table] = {
    port.ListClosures: _closures,
    port.ReadStatement: _statement,
    port.HashStatement: _hash_statement,
    port.ListPersons: _persons,
    port.ListAddresses: _addresses,
    port.CheckReceipts: _check_receipts,
    port.CountMoved: _count_moved,
    port.ListLeaves: _leaves,
    port.FindReceipts: _receipts,
    port.ListSamples: _samples,
    port.RemembersPersons: _remembers,
}
