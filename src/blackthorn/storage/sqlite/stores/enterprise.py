"""Users and devices in SQLite (`ports.enterprise`).

Reads come from a connection of the event loop's own and are kept in memory: a user and his
devices change by an activation or a statement of his chain, after which `forget` is called. What
is absent is always asked for again, since administrators add users from another process. All
parameters are bound.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import (
    DeviceRecord,
    DevicesById,
    Standing,
    UserRecord,
    UsersByAddress,
)
from blackthorn.server import limits as server_limits
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.transaction import Table, Transaction

Key = TypeVar("Key")
Value = TypeVar("Value")

_DEVICE = """
    SELECT devices.number, devices.id, devices.identity_key, users.address, devices.standing
    FROM devices JOIN users ON users.number = devices.user
"""


class SqliteEnterprise:
    """The enterprise over one read connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._devices: dict[DeviceId, DeviceRecord] = {}
        self._users: dict[Address, UserRecord] = {}
        self.on_forget: Callable[[Address], None] = lambda address: None
        """Called by `forget`: another cache has to forget the user too."""

    @storing
    def device(self, device: DeviceId) -> DeviceRecord | None:
        """The device of that id, or None."""
        known = self._devices.get(device)
        if known is None:
            known = _read_device(self._connection, device)
            if known is None:
                return None
            _keep(self._devices, device, known, server_limits.MAX_CACHED_DEVICES)
        return known

    @storing
    def user(self, address: Address) -> UserRecord | None:
        """The user of that normalised address, or None."""
        known = self._users.get(address)
        if known is None:
            known = _read_user(self._connection, address)
            if known is not None:
                _keep(self._users, address, known, server_limits.MAX_CACHED_USERS)
        return known

    def forget(self, address: Address) -> None:
        """Read the user and his devices afresh next time: a job has changed them."""
        self.on_forget(address)
        self._users.pop(address, None)
        for device in [each.id for each in self._devices.values() if each.address == address]:
            del self._devices[device]


def _read_device(connection: Connection, device: DeviceId) -> DeviceRecord | None:
    row = connection.execute(f"{_DEVICE} WHERE devices.id = ?", (device,)).fetchone()
    return None if row is None else _device_record(row)


def _read_user(connection: Connection, address: Address) -> UserRecord | None:
    row = connection.execute(
        "SELECT number, pin FROM users WHERE address = ?", (address,)
    ).fetchone()
    if row is None:
        return None
    number, pin = row
    devices = connection.execute(
        f"{_DEVICE} WHERE devices.user = ? ORDER BY devices.number", (number,)
    ).fetchall()
    newest = connection.execute(
        "SELECT certificate FROM user_certificate WHERE user = ? ORDER BY seq DESC LIMIT 1",
        (number,),
    ).fetchone()
    certificate = newest[0] if newest else None
    return UserRecord(number, address, pin, certificate, tuple(map(_device_record, devices)))


def _devices_by_id(transaction: Transaction, query: DevicesById) -> dict[DeviceId, DeviceRecord]:
    found = ((key, _read_device(transaction.connection, key)) for key in query.ids)
    return {key: record for key, record in found if record is not None}


def _users_by_address(transaction: Transaction, query: UsersByAddress) -> dict[Address, UserRecord]:
    found = ((key, _read_user(transaction.connection, key)) for key in query.addresses)
    return {key: record for key, record in found if record is not None}


def _device_record(row: tuple[Any, ...]) -> DeviceRecord:
    number, identifier, identity_key, address, standing = row
    device = DeviceId(identifier)
    return DeviceRecord(number, device, identity_key, Address(address), Standing(standing))


def _keep(cache: dict[Key, Value], key: Key, value: Value, bound: int) -> None:
    """Remember the value; the oldest goes when the bound is reached."""
    if len(cache) >= bound:
        cache.pop(next(iter(cache)))
    cache[key] = value


QUERIES: Final[Table] = {DevicesById: _devices_by_id, UsersByAddress: _users_by_address}
