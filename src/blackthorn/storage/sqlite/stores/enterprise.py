"""Users and devices in SQLite (`ports.enterprise`)."""

from typing import Any, Final

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import (
    DeviceRecord,
    DevicesById,
    KeepHello,
    Standing,
    UserRecord,
    UsersByAddress,
)
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction

_DEVICE = """
    SELECT devices.number, devices.id, devices.identity_key, users.address, devices.standing
    FROM devices JOIN users ON users.number = devices.user
"""


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
    compatible, copies = connection.execute(
        "SELECT certificate, copies FROM compatible_certificate WHERE user = ?"
        " ORDER BY seq DESC LIMIT 1",
        (number,),
    ).fetchone() or (b"", False)
    records = tuple(map(_device_record, devices))
    return UserRecord(number, address, pin, certificate, records, compatible, bool(copies))


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


def _keep_hello(transaction: Transaction, command: KeepHello) -> bytes:
    connection, device = transaction.connection, command.device
    before = connection.execute("SELECT hello FROM device_hello WHERE device = ?", (device,)).get
    connection.execute(
        "INSERT INTO device_hello (device, number, hello) SELECT number, ?, ? FROM devices"
        " WHERE number = ? ON CONFLICT (device) DO UPDATE SET number = excluded.number,"
        " hello = excluded.hello WHERE excluded.number >= device_hello.number",
        (command.number, command.hello, device),
    )
    return bytes(before or b"")


COMMANDS: Final[Table] = {KeepHello: _keep_hello}
QUERIES: Final[Table] = {DevicesById: _devices_by_id, UsersByAddress: _users_by_address}
