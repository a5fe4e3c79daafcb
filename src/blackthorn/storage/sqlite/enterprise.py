"""Users, devices and activation codes in SQLite: `ports.enterprise` and `ports.enrolment`.

Reads come from a connection of the event loop's own and are kept in memory: a device never
changes, a user only by an activation, which calls `forget`. What is absent is always asked
for again, since administrators add users from another process. All parameters are bound.
"""

from typing import Any, TypeVar

from blackthorn import limits
from blackthorn.crypto.secret import Secret
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation import DeviceKeys, Verifier
from blackthorn.link.device_id import device_id
from blackthorn.ports.enrolment import Enrolled, OpenCode
from blackthorn.ports.enterprise import DeviceRecord, UserRecord
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing

Key = TypeVar("Key")
Value = TypeVar("Value")

_DEVICE = """
    SELECT devices.number, devices.id, devices.identity_key, users.address
    FROM devices JOIN users ON users.number = devices.user
"""
_CODE = (
    "SELECT address, password, public_key, expires_ms, tries, used_by FROM activations"
    " JOIN users ON users.number = activations.user"
)


class SqliteEnterprise:
    """The enterprise over one read connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._devices: dict[DeviceId, DeviceRecord] = {}
        self._users: dict[Address, UserRecord] = {}

    # --- ports.enterprise -----------------------------------------------------------------

    @storing
    def device(self, device: DeviceId) -> DeviceRecord | None:
        """The device of that id, or None."""
        known = self._devices.get(device)
        if known is None:
            row = self._connection.execute(f"{_DEVICE} WHERE devices.id = ?", (device,)).fetchone()
            if row is None:
                return None
            known = _device_record(row)
            _keep(self._devices, device, known, limits.MAX_CACHED_DEVICES)
        return known

    @storing
    def user(self, address: Address) -> UserRecord | None:
        """The user of that normalised address, or None."""
        known = self._users.get(address)
        if known is None:
            known = self._read_user(address)
            if known is not None:
                _keep(self._users, address, known, limits.MAX_CACHED_USERS)
        return known

    def _read_user(self, address: Address) -> UserRecord | None:
        row = self._connection.execute(
            "SELECT number, pin FROM users WHERE address = ?", (address,)
        ).fetchone()
        if row is None:
            return None
        number, pin = row
        devices = self._connection.execute(
            f"{_DEVICE} WHERE devices.user = ? ORDER BY devices.number", (number,)
        ).fetchall()
        newest = self._connection.execute(
            "SELECT certificate FROM devices WHERE user = ? ORDER BY number DESC LIMIT 1",
            (number,),
        ).fetchone()
        return UserRecord(
            number,
            address,
            pin,
            newest[0] if newest else None,
            tuple(_device_record(row) for row in devices),
        )

    # --- ports.enrolment ------------------------------------------------------------------

    def forget(self, address: Address) -> None:
        """Read the user afresh next time: a job has changed him."""
        self._users.pop(address, None)

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
                (nameplate, limits.ACTIVATION_TRIES, now_ms),
            )
            return before

        return job

    def enrol(self, nameplate: str, keys: DeviceKeys, now_ms: int) -> Job[Enrolled | str]:
        """Store the device and mark the code as used by it; a string says why not."""

        def job(transaction: Connection) -> Enrolled | str:
            return _enrol(transaction, nameplate, keys, now_ms)

        return job

    def purge(self, now_ms: int) -> Job[int]:
        """Delete the codes that have expired; how many."""

        def job(transaction: Connection) -> int:
            transaction.execute("DELETE FROM activations WHERE expires_ms <= ?", (now_ms,))
            return transaction.changes()

        return job


def _device_record(row: tuple[Any, ...]) -> DeviceRecord:
    number, identifier, identity_key, address = row
    return DeviceRecord(number, DeviceId(identifier), identity_key, Address(address))


def _read_code(connection: Connection, nameplate: str) -> OpenCode | None:
    row = connection.execute(f"{_CODE} WHERE nameplate = ?", (nameplate,)).fetchone()
    if row is None:
        return None
    address, password, public_key, expires_ms, tries, used_by = row
    known = Verifier(Secret(password), public_key)
    return OpenCode(nameplate, Address(address), known, expires_ms, tries, used_by)


def _enrol(
    transaction: Connection, nameplate: str, keys: DeviceKeys, now_ms: int
) -> Enrolled | str:
    identifier = device_id(keys.identity_key)
    row = transaction.execute(
        "SELECT users.number, address, pin, used_by FROM activations"
        " JOIN users ON users.number = activations.user"
        " WHERE nameplate = ? AND expires_ms > ?",
        (nameplate, now_ms),
    ).fetchone()
    if row is None:
        return "the code has expired"
    user, address, pin, used_by = row
    if used_by not in (None, identifier):
        return "another device has used this code"
    if used_by is None:
        refusal = _insert_device(transaction, user, identifier, keys, now_ms)
        if refusal is not None:
            return refusal
    transaction.execute(
        "UPDATE activations SET tries = 0, used_by = ? WHERE nameplate = ?",
        (identifier, nameplate),
    )
    number = transaction.execute("SELECT number FROM devices WHERE id = ?", (identifier,)).get
    return Enrolled(number, used_by is None, identifier, Address(address), pin)


def _insert_device(
    transaction: Connection,
    user: int,
    identifier: DeviceId,
    keys: DeviceKeys,
    now_ms: int,
) -> str | None:
    count = transaction.execute("SELECT count(*) FROM devices WHERE user = ?", (user,)).get
    if count >= limits.MAX_DEVICES_PER_USER:
        return f"the user has {count} devices, the most there may be"
    transaction.execute(
        "INSERT INTO devices (id, user, identity_key, name, certificate, activated_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (identifier, user, keys.identity_key, keys.name, keys.certificate, now_ms),
    )
    return None if transaction.changes() else "this device was activated before, by another code"


def _keep(cache: dict[Key, Value], key: Key, value: Value, bound: int) -> None:
    """Remember the value; the oldest goes when the bound is reached."""
    if len(cache) >= bound:
        cache.pop(next(iter(cache)))
    cache[key] = value
