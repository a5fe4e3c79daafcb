"""The vault: a device's encrypted database (SQLite3MC, ChaCha20-Poly1305), and its transactions.

WAL with synchronous=FULL: what a transaction did is on the disk when its block ends. Several
processes may hold the vault at once; each transaction takes the write lock from its start,
so that nobody acts on what another is changing.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import apsw

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError, DiskError
from blackthorn.ports import device_store as ports
from blackthorn.storage.device import directory, records, traffic
from blackthorn.storage.sqlite import schema
from blackthorn.storage.sqlite.failure import failure_of

BUSY_MILLISECONDS = 30_000
"""How long a transaction waits for other processes of the same person."""


class VaultRecords:
    """`ports.device_store.Records` over one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.settings: ports.Settings = records.Settings(connection)
        self.key_packages: ports.KeyPackagePrivates = records.KeyPackagePrivates(connection)
        self.conversations: ports.Conversations = records.Conversations(connection)
        self.peers: ports.Peers = records.Peers(connection)
        self.mail: ports.Mail = records.MailIndex(connection)
        self.history: ports.History = traffic.History(connection)
        self.outbox: ports.Outbox = traffic.Outbox(connection)
        self.parcels: ports.Parcels = traffic.Parcels(connection)
        self.directory: ports.Directory = directory.Directory(connection)
        self.mail_keys: ports.MailKeys = directory.MailKeys(connection)

    def attempt(self) -> AbstractContextManager[None]:
        return records.savepoint(self._connection)


def make_private(path: Path) -> None:
    """Make the file, if it is missing, with mode 0600; WAL and index take the mode after it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DiskError(f"{path} cannot be made: {error.strerror}") from None


class Vault:
    """`ports.device_store.DeviceStore` over one database. Close it when done."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._records = VaultRecords(connection)

    @classmethod
    def open(cls, path: Path, key: Secret, *, create: bool) -> "Vault":
        """Open the database; only with `create` may it be missing, and is then made.

        Raises StorageError when it is damaged, cannot be opened, or has another key.
        """
        flags = apsw.SQLITE_OPEN_READWRITE
        if create:
            flags |= apsw.SQLITE_OPEN_CREATE
            make_private(path)
        try:
            connection = apsw.Connection(str(path), flags=flags)
            connection.pragma("cipher", "chacha20")
            connection.pragma("key", f"raw:{key.expose().hex()}")
            _prepare(connection, create=create)
        except apsw.Error as error:
            raise failure_of(error) from None
        return cls(connection)

    @classmethod
    def in_memory(cls) -> "Vault":
        """A vault that ends with the process, for scenarios."""
        connection = apsw.Connection(":memory:")
        _prepare(connection)
        return cls(connection)

    @contextmanager
    def transaction(self) -> Iterator[VaultRecords]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._records
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except apsw.Error as error:
            raise failure_of(error) from None

    def close(self) -> None:
        self._connection.close()


def migrations() -> schema.Migrations:
    """A device's, from the first one that is still read."""
    return schema.migrations("blackthorn.storage.device")


def _prepare(connection: apsw.Connection, *, create: bool = True) -> None:
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    if not create and connection.pragma("user_version") == 0:
        raise DamageError("the device's database is empty: put back the file that was here")
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("temp_store", "memory")
    connection.pragma("foreign_keys", True)
    connection.pragma("secure_delete", True)
    schema.migrate(connection, migrations())
