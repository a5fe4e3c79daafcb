"""Rows of identity chains as jobs write them: compare and set, late ones dropped, resets settled.

A change is written only if the chain still stands where it continues it. Everything that a
statement brings about among the devices is in the same transaction as the statement.
"""

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import Change, Settlement
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores.devices import insert_device, remove_devices, rename_device

OVERTAKEN = "another statement was first in this chain: look it up, then try again"
"""The refusal of a statement that lost the race."""


def _user(transaction: Connection, address: Address) -> int | None:
    found: int | None = transaction.execute(
        "SELECT number FROM users WHERE address = ?", (address,)
    ).get
    return found


def fits(transaction: Connection, change: Change) -> str | None:
    """None when the chain stands where the change continues it; "" when it is there already."""
    rows = transaction.execute(
        "SELECT seq, head FROM chain_statement JOIN users ON users.number = user"
        " WHERE address = ? AND seq >= ? ORDER BY seq",
        (change.address, change.after),
    ).fetchall()
    if change.after == 0:
        rows.insert(0, (0, change.head))
    if not rows or rows[0] != (change.after, change.head):
        return OVERTAKEN
    behind = rows[1:]
    if not behind:
        return None
    mine = [(each.seq, each.head) for each in change.statements]
    return "" if behind[: len(mine)] == mine else OVERTAKEN


def change(transaction: Connection, change: Change) -> str | None:
    """Store the change if it fits; nothing is written when it does not."""
    outcome = fits(transaction, change)
    if outcome is not None:
        return outcome
    user = _user(transaction, change.address)
    if user is None:
        return "there is no such user"
    for device in change.devices:
        refusal = insert_device(transaction, user, device, change.activated_ms)
        if refusal is not None:
            return refusal
    for old, device in change.renamed:
        refusal = rename_device(transaction, user, old, device)
        if refusal is not None:
            return refusal
    remove_devices(transaction, user, change.removed)
    if change.label is not None:
        label = change.label
        transaction.execute(
            "INSERT INTO ledger_label (user, map_index, vrf_proof, salt) VALUES (?, ?, ?, ?)",
            (user, label.index, label.vrf_proof, label.salt),
        )
    transaction.executemany(
        "INSERT INTO chain_statement (user, seq, head, kind, flags, statement)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (user, each.seq, each.head, each.kind, each.flags, each.statement)
            for each in change.statements
        ],
    )
    if change.certificate is not None:
        transaction.execute(
            "INSERT INTO user_certificate (user, seq, certificate) VALUES (?, ?, ?)",
            (user, change.certificate_seq, change.certificate),
        )
    return None


def drop(transaction: Connection, address: Address, seq: int) -> None:
    """Forget unpublished statements from `seq` on."""
    user = _user(transaction, address)
    transaction.execute(
        "DELETE FROM chain_statement WHERE user = ? AND seq >= ? AND place IS NULL", (user, seq)
    )
    transaction.execute(
        "DELETE FROM user_certificate WHERE user = ?1 AND seq >= ?2 AND seq > coalesce("
        "(SELECT max(seq) FROM chain_statement WHERE user = ?1), 0)",
        (user, seq),
    )


def remove(transaction: Connection, address: Address, device: DeviceId) -> None:
    """The device of a reset that was cancelled goes."""
    user = _user(transaction, address)
    if user is not None:
        remove_devices(transaction, user, [device])


def settle(transaction: Connection, settlement: Settlement) -> list[DeviceId]:
    """The reset's device is live; the user's other devices go, and his older certificates."""
    user = _user(transaction, settlement.address)
    rows: list[tuple[bytes]] = transaction.execute(  # type: ignore[assignment]
        "SELECT id FROM devices WHERE user = ? AND id != ?", (user, settlement.device)
    ).fetchall()
    gone = [DeviceId(identifier) for (identifier,) in rows]
    if user is None:
        return []
    remove_devices(transaction, user, gone)
    transaction.execute(
        "DELETE FROM user_certificate WHERE user = ? AND seq < ?", (user, settlement.seq)
    )
    transaction.execute(
        "UPDATE devices SET standing = ? WHERE id = ?", (Standing.LIVE.value, settlement.device)
    )
    return gone
