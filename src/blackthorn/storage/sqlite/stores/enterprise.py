"""Users, devices and activation codes in SQLite: `ports.enterprise` and `ports.enrolment`.

Reads come from a connection of the event loop's own and are kept in memory: a user and his
devices change by an activation or a statement of his chain, after which `forget` is called. What
is absent is always asked for again, since administrators add users from another process. All
parameters are bound.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from blackthorn.crypto.secret import Secret
from blackthorn.ids import Address, DeviceId, device_id
from blackthorn.link.activation.exchange import DeviceKeys, Verifier
from blackthorn.ports.enrolment import Enrolled, OpenCode
from blackthorn.ports.enterprise import (
    DeviceRecord,
    DevicesById,
    Standing,
    UserRecord,
    UsersByAddress,
)
from blackthorn.ports.ledger import NewDevice
from blackthorn.ports.writer import Job
from blackthorn.server import limits as server_limits
from blackthorn.server.accounts import limits as accounts_limits
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.stores.devices import insert_device, remove_all_devices
from blackthorn.storage.sqlite.transaction import Table, Transaction

Key = TypeVar("Key")
Value = TypeVar("Value")

_DEVICE = """
    SELECT devices.number, devices.id, devices.identity_key, users.address, devices.standing
    FROM devices JOIN users ON users.number = devices.user
"""
_CODE = (
    "SELECT address, password, public_key, expires_ms, tries, used_by, used_seq FROM activations"
    " JOIN users ON users.number = activations.user"
)

_ORPHANS = """
    WITH RECURSIVE addressed (device) AS (
        SELECT min(device) FROM mailbox
        UNION ALL
        SELECT (SELECT min(device) FROM mailbox WHERE device > addressed.device)
        FROM addressed WHERE addressed.device IS NOT NULL
    )
    DELETE FROM mailbox WHERE device IN
        (SELECT device FROM addressed WHERE device NOT IN (SELECT number FROM devices))
"""
"""What was on its way to a device when it was removed; it looks at each device once."""


class SqliteEnterprise:
    """The enterprise over one read connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._devices: dict[DeviceId, DeviceRecord] = {}
        self._users: dict[Address, UserRecord] = {}
        self.on_forget: Callable[[Address], None] = lambda address: None
        """Called by `forget`: another cache has to forget the user too."""

    # --- ports.enterprise -----------------------------------------------------------------

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

    # --- ports.enrolment ------------------------------------------------------------------

    def forget(self, address: Address) -> None:
        """Read the user and his devices afresh next time: a job has changed them."""
        self.on_forget(address)
        self._users.pop(address, None)
        for device in [each.id for each in self._devices.values() if each.address == address]:
            del self._devices[device]

    @storing
    def code(self, nameplate: str) -> OpenCode | None:
        """The code of that nameplate as last made durable, or None."""
        return _read_code(self._connection, nameplate)

    def count_try(self, nameplate: str, now_ms: int) -> Job[OpenCode | None]:
        """Count one try of a code that is live; the code as it stood before."""

        def job(transaction: Connection) -> OpenCode | None:
            before = _read_code(transaction, nameplate)
            transaction.execute(
                "UPDATE activations SET tries = tries + 1"
                " WHERE nameplate = ? AND tries < ? AND expires_ms > ?",
                (nameplate, accounts_limits.ACTIVATION_TRIES, now_ms),
            )
            return before

        return job

    def enrol(
        self,
        nameplate: str,
        keys: DeviceKeys,
        standing: Standing,
        seq: int,
        now_ms: int,
        *,
        repeated: bool,
    ) -> Job[Enrolled | str]:
        """Store the device and mark the code as used by it; a string says why not."""
        device = NewDevice(device_id(keys.identity_key), keys.identity_key, keys.name, standing)

        def job(transaction: Connection) -> Enrolled | str:
            return _enrol(transaction, nameplate, device, seq, now_ms, repeated)

        return job

    def purge(self, now_ms: int) -> Job[int]:
        """Delete the codes that have expired, and parcels for devices that are gone; how many."""

        def job(transaction: Connection) -> int:
            transaction.execute("DELETE FROM activations WHERE expires_ms <= ?", (now_ms,))
            count = transaction.changes()
            transaction.execute(_ORPHANS)
            return count + transaction.changes()

        return job


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


def _read_code(connection: Connection, nameplate: str) -> OpenCode | None:
    row = connection.execute(f"{_CODE} WHERE nameplate = ?", (nameplate,)).fetchone()
    if row is None:
        return None
    address, password, public_key, expires_ms, tries, used_by, used_seq = row
    known = Verifier(Secret(password), public_key)
    return OpenCode(nameplate, Address(address), known, expires_ms, tries, used_by, used_seq)


def _enrol(
    transaction: Connection,
    nameplate: str,
    device: NewDevice,
    seq: int,
    now_ms: int,
    repeated: bool,
) -> Enrolled | str:
    row = transaction.execute(
        "SELECT users.number, address, pin, used_by, used_seq FROM activations"
        " JOIN users ON users.number = activations.user"
        " WHERE nameplate = ? AND expires_ms > ?",
        (nameplate, now_ms),
    ).fetchone()
    if row is None:
        return "the code has expired"
    user, address, pin, used_by, used_seq = row
    if used_by not in (None, device.id):
        return "another device has used this code"
    if used_by is None and repeated:
        return "this device was activated before, by another code"
    removed: tuple[DeviceId, ...] = ()
    if used_by is None:
        if seq == 1:
            removed = remove_all_devices(transaction, user, device.id)
        refusal = insert_device(transaction, user, device, now_ms)
        if refusal is not None:
            return refusal
        used_seq = seq
    number = transaction.execute("SELECT number FROM devices WHERE id = ?", (device.id,)).get
    if number is None:
        return "this device was removed"
    transaction.execute(
        "UPDATE activations SET tries = 0, used_by = ?, used_seq = ? WHERE nameplate = ?",
        (device.id, used_seq, nameplate),
    )
    fresh = used_by is None
    return Enrolled(number, fresh, device.id, Address(address), pin, used_seq, removed)


def _keep(cache: dict[Key, Value], key: Key, value: Value, bound: int) -> None:
    """Remember the value; the oldest goes when the bound is reached."""
    if len(cache) >= bound:
        cache.pop(next(iter(cache)))
    cache[key] = value


QUERIES: Final[Table] = {DevicesById: _devices_by_id, UsersByAddress: _users_by_address}
