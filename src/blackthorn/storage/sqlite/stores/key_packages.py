"""Key packages, in SQLite (`ports.key_packages.KeyPackageStore`).

A one-time package is deleted in the transaction that hands it out, so that it is durable
that nobody gets it again before anybody gets it.
"""

from collections.abc import Sequence

from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.wire import limits

_STOCK = "SELECT count(*) FROM key_package WHERE device = ? AND last_resort = 0"


class SqliteKeyPackages:
    """The key packages over the reading connection `reading`; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    @storing
    def stock(self, device: int) -> int:
        """See `ports.key_packages.KeyPackageStore`."""
        return _stock(self._reading, device)

    def publish(
        self, device: int, packages: Sequence[bytes], last_resort: bytes | None, room: int
    ) -> Job[int]:
        """See `ports.key_packages.KeyPackageStore`."""

        def job(connection: Connection) -> int:
            fitting = packages[: max(0, room - _stock(connection, device))]
            insert = "INSERT INTO key_package (device, last_resort, package) VALUES (?, ?, ?)"
            connection.executemany(insert, [(device, 0, package) for package in fitting])
            if last_resort is not None:
                connection.execute(
                    "DELETE FROM key_package WHERE device = ? AND last_resort = 1", (device,)
                )
                connection.execute(insert, (device, 1, last_resort))
            return _stock(connection, device)

        return job

    def claim(
        self, users: Sequence[Sequence[int]], max_bytes: int
    ) -> Job[list[list[bytes | None]]]:
        """See `ports.key_packages.KeyPackageStore`."""

        def job(connection: Connection) -> list[list[bytes | None]]:
            claimed: list[list[bytes | None]] = []
            room = max_bytes
            for devices in users:
                if room < len(devices) * limits.MAX_KEY_PACKAGE_BYTES:
                    break
                packages = [_claim(connection, device) for device in devices]
                room -= sum(len(package or b"") for package in packages)
                claimed.append(packages)
            return claimed

        return job


def _stock(connection: Connection, device: int) -> int:
    found: int = connection.execute(_STOCK, (device,)).get
    return found


def _claim(connection: Connection, device: int) -> bytes | None:
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
