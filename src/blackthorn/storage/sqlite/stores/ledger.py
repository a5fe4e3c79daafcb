"""The log in SQLite (`ports.ledger`): entries, epochs, leaves, unpublished records.

An epoch is one transaction. The primary key excludes two epochs of one size, an index two pending
ones. Chains are in `stores.chains`.
"""

from typing import Any, Final

from blackthorn.errors import AbsentError, ConflictError
from blackthorn.ids import Address
from blackthorn.ports import ledger as port
from blackthorn.storage.rows import values
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction

_NEWEST_LEAVES = """
    SELECT users.number, address, map_index, vrf_proof, salt,
        leaf.user, leaf.version, leaf.head, leaf.seq, leaf.flags, leaf.place
    FROM ledger_label JOIN users ON users.number = ledger_label.user
    JOIN ledger_leaf AS leaf ON leaf.user = users.number
    WHERE ledger_label.user > ?
        AND leaf.version = (SELECT max(version) FROM ledger_leaf WHERE user = ledger_label.user)
    ORDER BY ledger_label.user LIMIT ?
"""
_LEAVES = (
    "SELECT address, user, version, head, seq, flags, place FROM ledger_leaf"
    " JOIN users ON users.number = user WHERE place >= ? AND place < ? ORDER BY place LIMIT ?"
)
_CHANGED = (
    "SELECT DISTINCT map_index FROM ledger_leaf JOIN ledger_label USING (user)"
    " WHERE place >= ? AND place < ? LIMIT ?"
)
_NEWEST_CONFIG = (
    "SELECT entry FROM ledger_entry WHERE substr(entry, 1, 1) = x'03' ORDER BY place DESC LIMIT 1"
)
_CHECKPOINTS = "SELECT size, root, note, published FROM ledger_epoch ORDER BY size DESC LIMIT 2"


CERTIFICATES: Final = ("user_certificate", "compatible_certificate")
"""Tables with a row for each statement that names a certificate of a user."""


def _entries(transaction: Transaction, query: port.ReadEntries) -> list[bytes]:
    found: list[bytes] = []
    size = 0
    rows = transaction.connection.execute(
        "SELECT entry FROM ledger_entry WHERE place >= ? ORDER BY place LIMIT ?",
        (query.start, query.count),
    )
    for (entry,) in rows:
        found.append(entry)
        size += len(entry)
        if size >= query.max_bytes:
            break
    return found


def _checkpoints(transaction: Transaction, query: port.ReadCheckpoints) -> list[port.Checkpoint]:
    rows = transaction.connection.execute(_CHECKPOINTS).fetchall()
    found = [_checkpoint(row) for row in reversed(rows)]
    return found[-1:] if found and found[-1].published else found


def _checkpoint(row: tuple[Any, ...]) -> port.Checkpoint:
    size, root, note, published = row
    return port.Checkpoint(size, root, note or b"", bool(published))


def _roots(transaction: Transaction, query: port.ReadRoots) -> list[tuple[int, bytes]]:
    rows = transaction.connection.execute(
        "SELECT size, root FROM ledger_epoch WHERE size > ? ORDER BY size LIMIT ?",
        (query.after, query.limit),
    )
    return [(size, root) for size, root in rows]


def _newest_config(transaction: Transaction, query: port.NewestConfig) -> bytes | None:
    found: bytes | None = transaction.connection.execute(_NEWEST_CONFIG).get
    return found


def _append(transaction: Transaction, command: port.AppendEpoch) -> None:
    connection, epoch = transaction.connection, command.epoch
    newest = connection.execute(f"{_CHECKPOINTS[:-1]}1").fetchone()
    end = 0 if newest is None else newest[0]
    if end != epoch.start or (newest is not None and not newest[3]):
        raise ConflictError(f"the log ends at {end} entries, or an epoch is pending there")
    connection.executemany(
        "INSERT INTO ledger_entry (place, entry) VALUES (?, ?)",
        enumerate(epoch.entries, epoch.start),
    )
    connection.executemany(
        "INSERT INTO ledger_leaf (user, version, head, seq, flags, place)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        map(values, epoch.leaves),
    )
    connection.executemany(
        "UPDATE chain_statement SET place = ?4 WHERE user = ?1 AND seq BETWEEN ?2 AND ?3",
        epoch.published,
    )
    connection.executemany(
        "DELETE FROM ledger_record WHERE number = ?", ((number,) for number in epoch.records)
    )
    connection.execute(
        "INSERT INTO ledger_epoch (size, root, note, published) VALUES (?, ?, ?, ?)",
        values(epoch.checkpoint),
    )


def _publish(transaction: Transaction, command: port.PublishEpoch) -> None:
    connection = transaction.connection
    connection.execute(
        "UPDATE ledger_epoch SET note = NULL WHERE size < ? AND note IS NOT NULL", (command.size,)
    )
    connection.execute(
        "UPDATE ledger_epoch SET note = ?, published = 1 WHERE size = ?",
        (command.note, command.size),
    )
    if not connection.changes():
        raise AbsentError(f"there is no epoch of {command.size} entries")


def _evidence(transaction: Transaction, query: port.ReadEvidence) -> list[bytes]:
    rows = transaction.connection.execute("SELECT note FROM ledger_evidence ORDER BY seen_ms")
    return [note for (note,) in rows]


def _keep_evidence(transaction: Transaction, command: port.KeepEvidence) -> None:
    transaction.connection.execute(
        "INSERT INTO ledger_evidence VALUES (?, ?) ON CONFLICT DO NOTHING",
        (command.note, command.now_ms),
    )


def _newest_leaves(
    transaction: Transaction, query: port.NewestLeaves
) -> list[tuple[port.Label, port.Leaf]]:
    rows = transaction.connection.execute(_NEWEST_LEAVES, (query.after, query.limit))
    return [(port.Label(*row[:5]), port.Leaf(*row[5:])) for row in rows]


def _leaves(transaction: Transaction, query: port.LeavesBetween) -> list[tuple[Address, port.Leaf]]:
    bounds = (query.start, query.end, query.limit)
    rows = transaction.connection.execute(_LEAVES, bounds)
    return [(Address(address), port.Leaf(*row)) for address, *row in rows]


def _changed(transaction: Transaction, query: port.ChangedPlaces) -> list[bytes]:
    bounds = (query.start, query.end, query.limit)
    return [bytes(index) for (index,) in transaction.connection.execute(_CHANGED, bounds)]


def epoch_end(connection: Connection, place: int) -> int | None:
    """The log's size at the end of this entry's epoch."""
    found: int | None = connection.execute(
        "SELECT size FROM ledger_epoch WHERE size > ? ORDER BY size LIMIT 1", (place,)
    ).get
    return found


def entry_at(connection: Connection, place: int) -> bytes | None:
    found: bytes | None = connection.execute(
        "SELECT entry FROM ledger_entry WHERE place = ?", (place,)
    ).get
    return found


def _waiting_records(
    transaction: Transaction, query: port.WaitingRecords
) -> list[port.WaitingRecord]:
    rows = transaction.connection.execute(
        "SELECT number, kind, body FROM ledger_record WHERE number > ? ORDER BY number LIMIT ?",
        (query.after, query.limit),
    )
    return [port.WaitingRecord(*row) for row in rows]


def _add_record(transaction: Transaction, command: port.AddRecord) -> None:
    transaction.connection.execute(
        "INSERT INTO ledger_record (kind, body) VALUES (?, ?)", (command.kind, command.body)
    )


def _forget_certificates(transaction: Transaction, command: port.ForgetCertificates) -> None:
    for table in CERTIFICATES:
        transaction.connection.executemany(
            f"DELETE FROM {table} WHERE user = ?1 AND seq <"  # noqa: S608
            f" (SELECT max(seq) FROM {table} WHERE user = ?1 AND seq <= ?2)",
            command.published,
        )


COMMANDS: Final[Table] = {
    port.AppendEpoch: _append,
    port.PublishEpoch: _publish,
    port.KeepEvidence: _keep_evidence,
    port.AddRecord: _add_record,
    port.ForgetCertificates: _forget_certificates,
}
QUERIES: Final[Table] = {
    port.ReadEntries: _entries,
    port.ReadCheckpoints: _checkpoints,
    port.ReadRoots: _roots,
    port.NewestConfig: _newest_config,
    port.ReadEvidence: _evidence,
    port.NewestLeaves: _newest_leaves,
    port.LeavesBetween: _leaves,
    port.ChangedPlaces: _changed,
    port.WaitingRecords: _waiting_records,
}
