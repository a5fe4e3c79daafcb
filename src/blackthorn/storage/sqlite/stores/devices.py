"""Rows of devices: insert, rename, remove with all their data.

Row numbers are never reused, so that a parcel for a removed device reaches nobody.
"""

from collections.abc import Iterable

from blackthorn.errors import ForbiddenError
from blackthorn.ids import DeviceId
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import NewDevice
from blackthorn.storage import limits
from blackthorn.storage.sqlite.database import Connection
from blackthorn.wire.limits import MAX_DEVICES_PER_USER


def insert_device(transaction: Connection, user: int, device: NewDevice, now_ms: int) -> None:
    """A new device of the user. Raises ForbiddenError.

    A reset's device does not count against the bound: it replaces all others.
    """
    count = transaction.execute("SELECT count(*) FROM devices WHERE user = ?", (user,)).get
    if count >= MAX_DEVICES_PER_USER and device.standing is Standing.LIVE:
        raise ForbiddenError(f"the user has {count} devices, the maximum: remove one first")
    transaction.execute(
        "INSERT INTO devices (id, user, identity_key, name, standing, activated_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (device.id, user, device.identity_key, device.name, device.standing.value, now_ms),
    )
    if not transaction.changes():
        raise ForbiddenError("this device was activated before, by another code")


def rename_device(transaction: Connection, user: int, old: DeviceId, device: NewDevice) -> None:
    """The device at `old` has new keys and a new id; it keeps its parcels. ForbiddenError."""
    if device.id != old:
        taken = transaction.execute("SELECT 1 FROM devices WHERE id = ?", (device.id,)).get
        if taken is not None:
            raise ForbiddenError("there is a device with these keys already")
    transaction.execute(
        "UPDATE devices SET id = ?, identity_key = ?, name = ? WHERE id = ? AND user = ?",
        (device.id, device.identity_key, device.name, old, user),
    )
    transaction.execute(  # the new key has not signed it
        "DELETE FROM device_hello WHERE device = (SELECT number FROM devices WHERE id = ?)",
        (device.id,),
    )


def remove_all_devices(transaction: Connection, user: int, new: DeviceId) -> tuple[DeviceId, ...]:
    """Remove and return the user's devices; none if `new` is another user's."""
    taken = "SELECT 1 FROM devices WHERE id = ? AND user != ?"
    if transaction.execute(taken, (new, user)).get is not None:
        return ()
    rows = transaction.execute("SELECT id FROM devices WHERE user = ? ORDER BY number", (user,))
    devices = tuple(DeviceId(identifier) for (identifier,) in rows)
    remove_devices(transaction, user, devices)
    return devices


def remove_devices(transaction: Connection, user: int, devices: Iterable[DeviceId]) -> None:
    """Remove these devices of the user and their key packages, and begin with their parcels."""
    for device in devices:
        number = transaction.execute(
            "SELECT number FROM devices WHERE id = ? AND user = ?", (device, user)
        ).get
        if number is None:
            continue
        delete_parcels(transaction, number, limits.MAX_REMOVED_PARCELS)
        transaction.execute("DELETE FROM key_package WHERE device = ?", (number,))
        transaction.execute("DELETE FROM device_hello WHERE device = ?", (number,))
        transaction.execute("DELETE FROM missed_commit WHERE device = ?", (number,))
        transaction.execute("DELETE FROM devices WHERE number = ?", (number,))


def delete_parcels(transaction: Connection, device: int, limit: int) -> int:
    """Delete the oldest parcels of the device, at most `limit`; how many were."""
    transaction.execute(
        "DELETE FROM mailbox WHERE device = ?1 AND seq IN"
        " (SELECT seq FROM mailbox WHERE device = ?1 ORDER BY seq LIMIT ?2)",
        (device, limit),
    )
    return transaction.changes()
