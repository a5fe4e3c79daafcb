"""Identity chains in SQLite (`ports.ledger`).

A change is written only if the chain still stands where it continues it, in one transaction with
its changes of devices.
"""

from typing import Final

from blackthorn.errors import AbsentError, ConflictError, DamageError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports import ledger as port
from blackthorn.ports.enterprise import Standing
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores.devices import insert_device, remove_devices, rename_device
from blackthorn.storage.sqlite.stores.ledger import CERTIFICATES, entry_at, epoch_end
from blackthorn.storage.sqlite.transaction import Table, Transaction, user_number

OVERTAKEN = "another statement was first in this chain: look it up, then try again"
"""Refusal of a statement that lost a race."""

_LABEL = (
    "SELECT user, address, map_index, vrf_proof, salt FROM ledger_label"
    " JOIN users ON users.number = ledger_label.user"
)
_LEAF = "SELECT user, version, head, seq, flags, place FROM ledger_leaf"
_STATEMENTS = (
    "SELECT seq, head, kind, flags, statement, place FROM chain_statement"
    " WHERE user = ? AND seq > ? ORDER BY seq"
)
_WAITING = """
    SELECT number, chain_statement.user, seq, head, kind, flags, statement,
        (SELECT max(version) FROM ledger_leaf WHERE user = chain_statement.user)
    FROM chain_statement WHERE place IS NULL AND number > ? ORDER BY number LIMIT ?
"""


def _label(connection: Connection, address: Address) -> port.Label | None:
    row = connection.execute(f"{_LABEL} WHERE address = ?", (address,)).fetchone()
    return None if row is None else port.Label(*row)


def _leaf(connection: Connection, which: str, *values: int) -> port.Leaf | None:
    row = connection.execute(f"{_LEAF} {which}", values).fetchone()
    return None if row is None else port.Leaf(*row)


def _leaf_at(connection: Connection, user: int, size: int) -> port.Leaf | None:
    """The user's newest leaf among the first `size` entries."""
    which = "WHERE user = ? AND place < ? ORDER BY version DESC LIMIT 1"
    return _leaf(connection, which, user, size)


def _find_leaves(
    transaction: Transaction, query: port.FindLeaves
) -> list[tuple[port.Label | None, port.Leaf | None]]:
    connection = transaction.connection
    found: list[tuple[port.Label | None, port.Leaf | None]] = []
    for address in query.addresses:
        label = _label(connection, address)
        leaf = None if label is None else _leaf_at(connection, label.user, query.size)
        found.append((label, leaf))
    return found


def _statements(connection: Connection, user: int, after: int) -> tuple[port.StoredStatement, ...]:
    rows = connection.execute(_STATEMENTS, (user, after))
    return tuple(port.StoredStatement(*row) for row in rows)


def _chain(transaction: Transaction, query: port.ReadChain) -> port.StoredChain | None:
    connection = transaction.connection
    row = connection.execute(
        "SELECT number, pin FROM users WHERE address = ?", (query.address,)
    ).fetchone()
    if row is None:
        return None
    user, pin = row
    statements = _statements(connection, user, query.after)
    heads = tuple(
        (statement.seq, _head_of(connection, statement.place))
        for statement in statements
        if statement.kind in port.LOGGED_KINDS and statement.place is not None
    )
    waits = connection.execute(
        "SELECT 1 FROM devices WHERE user = ? AND standing = 'pending' LIMIT 1", (user,)
    ).get
    return port.StoredChain(statements, heads, waits is not None, pin)


def _head_of(connection: Connection, place: int) -> bytes:
    """The head of the entry's epoch."""
    end = epoch_end(connection, place)
    head = None if end is None else entry_at(connection, end - 1)
    if head is None:
        raise DamageError(f"entry {place} of the ledger belongs to no epoch")
    return head


def _published_chain(
    transaction: Transaction, query: port.ReadPublishedChain
) -> port.PublishedChain | None:
    connection = transaction.connection
    label = _label(connection, query.address)
    leaf = None if label is None else _leaf_at(connection, label.user, query.size)
    if label is None or leaf is None:
        return None
    logged: list[port.LoggedStatement] = []
    fitting: list[bytes] = []
    more, room = False, query.max_bytes
    for statement in _statements(connection, label.user, 0):
        if statement.seq > leaf.seq:
            break
        if statement.kind in port.LOGGED_KINDS and statement.place is not None:
            logged.append(_logged(connection, label.user, statement.seq))
        if statement.seq <= query.after or more:
            continue
        room -= len(statement.statement)
        if fitting and room < 0:
            more = True
        else:
            fitting.append(statement.statement)
    certificate = _certificate(connection, label.user, leaf.seq)
    compatible = _compatible(connection, label.user, leaf.seq)
    return port.PublishedChain(label, tuple(fitting), more, tuple(logged), certificate, compatible)


def _logged(connection: Connection, user: int, seq: int) -> port.LoggedStatement:
    leaf = _leaf(connection, "WHERE user = ? AND seq = ?", user, seq)
    mutation = None if leaf is None else entry_at(connection, leaf.place)
    end = None if leaf is None else epoch_end(connection, leaf.place)
    if leaf is None or mutation is None or end is None:
        raise DamageError("a published statement has no entry in the ledger")
    return port.LoggedStatement(seq, leaf, mutation, end, _head_of(connection, leaf.place))


def _certificate(connection: Connection, user: int, seq: int) -> bytes | None:
    found: bytes | None = connection.execute(
        "SELECT certificate FROM user_certificate WHERE user = ? AND seq <= ?"
        " ORDER BY seq DESC LIMIT 1",
        (user, seq),
    ).get
    return found


def _compatible(connection: Connection, user: int, seq: int) -> bytes:
    found: bytes | None = connection.execute(
        "SELECT certificate FROM compatible_certificate WHERE user = ? AND seq <= ?"
        " ORDER BY seq DESC LIMIT 1",
        (user, seq),
    ).get
    return found or b""


def _waiting(
    transaction: Transaction, query: port.WaitingStatements
) -> list[port.WaitingStatement]:
    connection = transaction.connection
    labels: dict[int, port.Label] = {}
    found: list[port.WaitingStatement] = []
    for number, user, *row, version in connection.execute(_WAITING, (query.after, query.limit)):
        if user not in labels:
            label = connection.execute(f"{_LABEL} WHERE user = ?", (user,)).fetchone()
            if label is None:
                raise DamageError("a user with a chain has no place in the map")
            labels[user] = port.Label(*label)
        statement = port.StoredStatement(*row)
        found.append(port.WaitingStatement(number, labels[user], version or 0, statement))
    return found


def _resets(
    transaction: Transaction, query: port.ReadResets
) -> list[tuple[int, Address, DeviceId]]:
    rows = transaction.connection.execute(
        "SELECT devices.number, address, id FROM devices JOIN users ON users.number = user"
        " WHERE standing = 'pending' AND devices.number > ? ORDER BY devices.number LIMIT ?",
        (query.after, query.limit),
    )
    return [(number, Address(address), DeviceId(device)) for number, address, device in rows]


def is_stored(connection: Connection, change: port.Change) -> bool:
    """Whether the change is stored already. Raises ConflictError when the chain has gone on."""
    rows = connection.execute(
        "SELECT seq, head FROM chain_statement JOIN users ON users.number = user"
        " WHERE address = ? AND seq >= ? ORDER BY seq",
        (change.address, change.after),
    ).fetchall()
    if change.after == 0:
        rows.insert(0, (0, change.head))
    if not rows or rows[0] != (change.after, change.head):
        raise ConflictError(OVERTAKEN)
    behind = rows[1:]
    mine = [(statement.seq, statement.head) for statement in change.statements]
    if behind and behind[: len(mine)] != mine:
        raise ConflictError(OVERTAKEN)
    return bool(behind)


def store_change(transaction: Transaction, command: port.StoreChange) -> bool:
    connection, change = transaction.connection, command.change
    if is_stored(connection, change):
        return False
    user = user_number(connection, change.address)
    if user is None:
        raise AbsentError("there is no such user")
    for device in change.devices:
        insert_device(connection, user, device, change.activated_ms)
    for old, device in change.renamed:
        rename_device(connection, user, old, device)
    remove_devices(connection, user, change.removed)
    if change.label is not None:
        label = change.label
        connection.execute(
            "INSERT INTO ledger_label (user, map_index, vrf_proof, salt) VALUES (?, ?, ?, ?)",
            (user, label.index, label.vrf_proof, label.salt),
        )
    connection.executemany(
        "INSERT INTO chain_statement (user, seq, head, kind, flags, statement)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (user, new.seq, new.head, new.kind, new.flags, new.statement)
            for new in change.statements
        ],
    )
    if change.certificate is not None:
        connection.execute(
            "INSERT INTO user_certificate (user, seq, certificate) VALUES (?, ?, ?)",
            (user, change.certificate_seq, change.certificate),
        )
    if change.compatible is not None:
        new = change.compatible
        connection.execute(
            "INSERT INTO compatible_certificate (user, seq, certificate, copies)"
            " VALUES (?, ?, ?, ?)",
            (user, new.seq, new.certificate, new.copies),
        )
    return True


def _drop(transaction: Transaction, command: port.DropStatements) -> None:
    connection = transaction.connection
    user = user_number(connection, command.address)
    connection.execute(
        "DELETE FROM chain_statement WHERE user = ? AND seq >= ? AND place IS NULL",
        (user, command.seq),
    )
    for table in CERTIFICATES:
        connection.execute(
            f"DELETE FROM {table} WHERE user = ?1 AND seq >= ?2 AND seq > coalesce("  # noqa: S608
            "(SELECT max(seq) FROM chain_statement WHERE user = ?1), 0)",
            (user, command.seq),
        )


def _remove(transaction: Transaction, command: port.RemoveDevice) -> None:
    user = user_number(transaction.connection, command.address)
    if user is not None:
        remove_devices(transaction.connection, user, [command.device])


def _settle(transaction: Transaction, command: port.SettleReset) -> list[DeviceId]:
    connection = transaction.connection
    user = user_number(connection, command.address)
    if user is None:
        raise AbsentError("there is no such user")
    rows = connection.execute(
        "SELECT id FROM devices WHERE user = ? AND id != ?", (user, command.device)
    )
    gone = [DeviceId(identifier) for (identifier,) in rows]
    remove_devices(connection, user, gone)
    for table in CERTIFICATES:
        connection.execute(
            f"DELETE FROM {table} WHERE user = ? AND seq < ?",  # noqa: S608
            (user, command.seq),
        )
    connection.execute(
        "UPDATE devices SET standing = ? WHERE id = ?", (Standing.LIVE.value, command.device)
    )
    return gone


COMMANDS: Final[Table] = {
    port.StoreChange: store_change,
    port.DropStatements: _drop,
    port.RemoveDevice: _remove,
    port.SettleReset: _settle,
}
QUERIES: Final[Table] = {
    port.FindLeaves: _find_leaves,
    port.ReadChain: _chain,
    port.ReadPublishedChain: _published_chain,
    port.WaitingStatements: _waiting,
    port.ReadResets: _resets,
}
