"""The ledger in SQLite (`ports.ledger.LedgerStore`): the log, its epochs, the chains.

An epoch is one transaction: entries, leaves, which statements they publish, and the note that
waits for witnesses. That two epochs never have one size, the primary key says; that only one is
ever pending, an index. The jobs that change chains are in `storage.sqlite.stores.chains`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.ledger import (
    Change,
    Checkpoint,
    Epoch,
    Label,
    Leaf,
    Settlement,
    StoredStatement,
    WaitingRecord,
    WaitingUser,
)
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.stores import chains

_LABEL = (
    "SELECT user, address, map_index, vrf_proof, salt FROM ledger_label"
    " JOIN users ON users.number = ledger_label.user"
)
_LEAF = "SELECT user, version, head, seq, flags, place FROM ledger_leaf"
_WAITING = (
    "SELECT user, seq, head, kind, flags, statement, place FROM chain_statement"
    " WHERE place IS NULL ORDER BY number LIMIT ?"
)
_STATEMENTS = (
    "SELECT seq, head, kind, flags, statement, place FROM chain_statement"
    " JOIN users ON users.number = user WHERE address = ? AND seq > ? ORDER BY seq"
)
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
    " JOIN users ON users.number = user WHERE place >= ? AND place < ? ORDER BY place"
)
_NEWEST_CONFIG = (
    "SELECT entry FROM ledger_entry WHERE substr(entry, 1, 1) = x'03' ORDER BY place DESC LIMIT 1"
)
_CHECKPOINT = "SELECT size, root, note, published FROM ledger_epoch"


class SqliteLedger:
    """The ledger over the reading connection `reading`; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    # --- The log --------------------------------------------------------------------------

    @storing
    def entries(self, start: int, count: int, max_bytes: int) -> list[bytes]:
        """See `ports.ledger.LedgerStore`."""
        found: list[bytes] = []
        size = 0
        rows = self._reading.execute(
            "SELECT entry FROM ledger_entry WHERE place >= ? ORDER BY place LIMIT ?",
            (start, count),
        )
        for (entry,) in rows:
            found.append(entry)
            size += len(entry)
            if size >= max_bytes:
                break
        return found

    @storing
    def checkpoints(self) -> list[Checkpoint]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute(f"{_CHECKPOINT} ORDER BY size DESC LIMIT 2").fetchall()
        found = [_checkpoint(row) for row in reversed(rows)]
        return found[-1:] if found and found[-1].published else found

    @storing
    def roots(self) -> list[tuple[int, bytes]]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute("SELECT size, root FROM ledger_epoch ORDER BY size")
        return [(size, root) for size, root in rows]

    @storing
    def newest_config(self) -> bytes | None:
        """See `ports.ledger.LedgerStore`."""
        found: bytes | None = self._reading.execute(_NEWEST_CONFIG).get
        return found

    @storing
    def epoch_end(self, place: int) -> int | None:
        """See `ports.ledger.LedgerStore`."""
        found: int | None = self._reading.execute(
            "SELECT size FROM ledger_epoch WHERE size > ? ORDER BY size LIMIT 1", (place,)
        ).get
        return found

    def append(self, epoch: Epoch) -> Job[None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> None:
            _append(transaction, epoch)

        return job

    def publish(self, size: int, note: bytes) -> Job[None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> None:
            transaction.execute(
                "UPDATE ledger_epoch SET note = NULL WHERE size < ? AND note IS NOT NULL", (size,)
            )
            transaction.execute(
                "UPDATE ledger_epoch SET note = ?, published = 1 WHERE size = ?", (note, size)
            )

        return job

    @storing
    def evidence(self) -> list[bytes]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute("SELECT note FROM ledger_evidence ORDER BY seen_ms")
        return [note for (note,) in rows]

    def keep_evidence(self, note: bytes, now_ms: int) -> Job[None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> None:
            transaction.execute(
                "INSERT INTO ledger_evidence VALUES (?, ?) ON CONFLICT DO NOTHING", (note, now_ms)
            )

        return job

    @storing
    def newest_leaves(self, after: int, limit: int) -> list[tuple[Label, Leaf]]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute(_NEWEST_LEAVES, (after, limit))
        return [(Label(*row[:5]), Leaf(*row[5:])) for row in rows]

    @storing
    def leaves(self, start: int, end: int) -> list[tuple[Address, Leaf]]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute(_LEAVES, (start, end))
        return [(Address(address), Leaf(*row)) for address, *row in rows]

    # --- What waits -----------------------------------------------------------------------

    @storing
    def waiting(self, limit: int) -> list[WaitingUser]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute(_WAITING, (limit,))
        by_user: dict[int, list[StoredStatement]] = {}
        for user, *row in rows:
            by_user.setdefault(user, []).append(StoredStatement(*row))
        return [self._waiting_user(user, tuple(found)) for user, found in by_user.items()]

    def _waiting_user(self, user: int, statements: tuple[StoredStatement, ...]) -> WaitingUser:
        label = Label(*self._reading.execute(f"{_LABEL} WHERE user = ?", (user,)).get)
        version = self._reading.execute(
            "SELECT max(version) FROM ledger_leaf WHERE user = ?", (user,)
        ).get
        return WaitingUser(label, version or 0, statements)

    @storing
    def waiting_records(self, limit: int) -> list[WaitingRecord]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute(
            "SELECT number, kind, body FROM ledger_record ORDER BY number LIMIT ?", (limit,)
        )
        return [WaitingRecord(*row) for row in rows]

    def add_record(self, kind: int, body: bytes) -> Job[None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> None:
            transaction.execute(
                "INSERT INTO ledger_record (kind, body) VALUES (?, ?)", (kind, body)
            )

        return job

    def drop(self, address: Address, seq: int) -> Job[None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> None:
            chains.drop(transaction, address, seq)

        return job

    # --- Chains ---------------------------------------------------------------------------

    @storing
    def label(self, address: Address) -> Label | None:
        """See `ports.ledger.LedgerStore`."""
        row = self._reading.execute(f"{_LABEL} WHERE address = ?", (address,)).fetchone()
        return None if row is None else Label(*row)

    @storing
    def leaf(self, user: int, size: int) -> Leaf | None:
        """See `ports.ledger.LedgerStore`."""
        return self._leaf("WHERE user = ? AND place < ? ORDER BY version DESC LIMIT 1", user, size)

    @storing
    def leaf_of(self, user: int, seq: int) -> Leaf | None:
        """See `ports.ledger.LedgerStore`."""
        return self._leaf("WHERE user = ? AND seq = ?", user, seq)

    def _leaf(self, which: str, *values: int) -> Leaf | None:
        row = self._reading.execute(f"{_LEAF} {which}", values).fetchone()
        return None if row is None else Leaf(*row)

    @storing
    def statements(self, address: Address, after: int) -> list[StoredStatement]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute(_STATEMENTS, (address, after))
        return [StoredStatement(*row) for row in rows]

    @storing
    def certificate(self, user: int, seq: int) -> bytes | None:
        """See `ports.ledger.LedgerStore`."""
        found: bytes | None = self._reading.execute(
            "SELECT certificate FROM user_certificate WHERE user = ? AND seq <= ?"
            " ORDER BY seq DESC LIMIT 1",
            (user, seq),
        ).get
        return found

    @storing
    def resets(self) -> list[tuple[Address, DeviceId]]:
        """See `ports.ledger.LedgerStore`."""
        rows = self._reading.execute(
            "SELECT address, id FROM devices JOIN users ON users.number = user"
            " WHERE standing = 'pending' ORDER BY devices.number"
        )
        return [(Address(address), DeviceId(device)) for address, device in rows]

    def fits(self, change: Change) -> Job[str | None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> str | None:
            return chains.fits(transaction, change)

        return job

    def change(self, change: Change) -> Job[str | None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> str | None:
            return chains.change(transaction, change)

        return job

    def remove(self, address: Address, device: DeviceId) -> Job[None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> None:
            chains.remove(transaction, address, device)

        return job

    def settle(self, settlement: Settlement) -> Job[list[DeviceId]]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> list[DeviceId]:
            return chains.settle(transaction, settlement)

        return job

    def forget_certificates(self, published: Sequence[tuple[int, int]]) -> Job[None]:
        """See `ports.ledger.LedgerStore`."""

        def job(transaction: Connection) -> None:
            transaction.executemany(
                "DELETE FROM user_certificate WHERE user = ?1 AND seq <"
                " (SELECT max(seq) FROM user_certificate WHERE user = ?1 AND seq <= ?2)",
                published,
            )

        return job


def _checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    size, root, note, published = row
    return Checkpoint(size, root, note or b"", bool(published))


def _append(transaction: Connection, epoch: Epoch) -> None:
    _insert(
        transaction,
        "INSERT INTO ledger_entry (place, entry) VALUES (?, ?)",
        enumerate(epoch.entries, epoch.start),
    )
    _insert(
        transaction,
        "INSERT INTO ledger_leaf (user, version, head, seq, flags, place)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            (leaf.user, leaf.version, leaf.head, leaf.seq, leaf.flags, leaf.place)
            for leaf in epoch.leaves
        ),
    )
    _insert(
        transaction,
        "UPDATE chain_statement SET place = ?4 WHERE user = ?1 AND seq BETWEEN ?2 AND ?3",
        epoch.published,
    )
    _insert(
        transaction,
        "DELETE FROM ledger_record WHERE number = ?",
        ((number,) for number in epoch.records),
    )
    end = epoch.checkpoint
    transaction.execute(
        "INSERT INTO ledger_epoch (size, root, note, published) VALUES (?, ?, ?, ?)",
        (end.size, end.root, end.note, end.published),
    )


def _insert(transaction: Connection, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
    transaction.executemany(sql, rows)
