"""Key packages in SQLite (`ports.key_packages`).

A one-time package is deleted durably by the transaction that hands it out.
"""

from typing import Final

from blackthorn.ports.key_packages import ClaimKeyPackages, KeyPackageStock, PublishKeyPackages
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.transaction import Table, Transaction
from blackthorn.wire import limits


def _publish(transaction: Transaction, command: PublishKeyPackages) -> int:
    connection, device = transaction.connection, command.device
    fitting = command.packages[: max(0, command.room - _stock(connection, device))]
    insert = "INSERT INTO key_package (device, last_resort, package) VALUES (?, ?, ?)"
    connection.executemany(insert, [(device, 0, package) for package in fitting])
    if command.last_resort is not None:
        connection.execute(
            "DELETE FROM key_package WHERE device = ? AND last_resort = 1", (device,)
        )
        connection.execute(insert, (device, 1, command.last_resort))
    return _stock(connection, device)


def _claim(transaction: Transaction, command: ClaimKeyPackages) -> list[list[bytes | None]]:
    claimed: list[list[bytes | None]] = []
    room = command.max_bytes
    for devices in command.users:
        if room < len(devices) * limits.MAX_KEY_PACKAGE_BYTES:
            break
        packages = [_claim_of(transaction.connection, device) for device in devices]
        room -= sum(len(package or b"") for package in packages)
        claimed.append(packages)
    return claimed


def _claim_of(connection: Connection, device: int) -> bytes | None:
    query = (
        "SELECT id, last_resort, package FROM key_package WHERE device = ? "
        "ORDER BY last_resort, id LIMIT 1"
    )
    found = connection.execute(query, (device,)).get
    if found is None:
        return None
    row, last_resort, package = found
    if not last_resort:
        connection.execute("DELETE FROM key_package WHERE id = ?", (row,))
    return bytes(package)


def _stock_of(transaction: Transaction, query: KeyPackageStock) -> int:
    return _stock(transaction.connection, query.device)


def _stock(connection: Connection, device: int) -> int:
    query = "SELECT count(*) FROM key_package WHERE device = ? AND last_resort = 0"
    found: int = connection.execute(query, (device,)).get
    return found


COMMANDS: Final[Table] = {PublishKeyPackages: _publish, ClaimKeyPackages: _claim}
QUERIES: Final[Table] = {KeyPackageStock: _stock_of}
