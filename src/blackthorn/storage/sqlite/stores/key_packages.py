"""Key packages in SQLite (`ports.key_packages`): handed out and deleted at once."""

from typing import Final

from blackthorn.ports.key_packages import ClaimKeyPackages, KeyPackageStock, PublishKeyPackages
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction
from blackthorn.wire import limits


def _publish(transaction: Transaction, command: PublishKeyPackages) -> int:
    connection, device = transaction.connection, command.device
    connection.execute(
        "DELETE FROM key_package WHERE device = ? AND last_resort = 0"
        " AND (? OR not_after BETWEEN 1 AND ?)",
        (device, command.replace, command.day - 1),
    )
    fitting = command.packages[: max(0, command.room - _stock(connection, device))]
    insert = "INSERT INTO key_package (device, last_resort, package, not_after) VALUES (?, ?, ?, ?)"
    rows = [(device, 0, package, command.not_after) for package in fitting]
    connection.executemany(insert, rows)
    if command.last_resort is not None:
        connection.execute(
            "DELETE FROM key_package WHERE device = ? AND last_resort = 1", (device,)
        )
        expires = command.last_resort_not_after
        connection.execute(insert, (device, 1, command.last_resort, expires))
    return _stock(connection, device, command.day)


def _claim(transaction: Transaction, command: ClaimKeyPackages) -> list[list[bytes | None]]:
    claimed: list[list[bytes | None]] = []
    room = command.max_bytes
    for devices in command.users:
        if room < len(devices) * limits.MAX_KEY_PACKAGE_BYTES:
            break
        packages = [_claim_of(transaction.connection, device, command) for device in devices]
        room -= sum(len(package or b"") for package in packages)
        claimed.append(packages)
    return claimed


def _claim_of(connection: Connection, device: int, command: ClaimKeyPackages) -> bytes | None:
    query = (
        "SELECT id, last_resort, package FROM key_package WHERE device = ? AND last_resort >= ?"
        " AND (not_after = 0 OR not_after >= ?) ORDER BY last_resort, not_after DESC, id LIMIT 1"
    )
    spent = device in command.spent
    withheld = not spent and (
        device not in command.known and _stock(connection, device, command.day) < command.reserved
    )
    found = connection.execute(query, (device, spent or withheld, command.day)).get
    if found is None and withheld:  # it has no last-resort one
        found = connection.execute(query, (device, 0, command.day)).get
    if found is None:
        return None
    row, last_resort, package = found
    if not last_resort:
        connection.execute("DELETE FROM key_package WHERE id = ?", (row,))
    return bytes(package)


def _stock_of(transaction: Transaction, query: KeyPackageStock) -> int:
    return _stock(transaction.connection, query.device, query.day)


def _stock(connection: Connection, device: int, day: int = 0) -> int:
    query = (
        "SELECT count(*) FROM key_package WHERE device = ? AND last_resort = 0"
        " AND (not_after = 0 OR not_after >= ?)"
    )
    found: int = connection.execute(query, (device, day)).get
    return found


COMMANDS: Final[Table] = {PublishKeyPackages: _publish, ClaimKeyPackages: _claim}
QUERIES: Final[Table] = {KeyPackageStock: _stock_of}
