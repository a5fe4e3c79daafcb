"""The vault: a device's encrypted database (SQLite3MC, ChaCha20-Poly1305), and its transactions.

WAL with synchronous=FULL: a transaction is durable when its block ends. Several processes may open
the vault; each transaction takes the write lock at its start.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError, DiskError, system_error
from blackthorn.ports import device_groups, device_healing
from blackthorn.ports import device_store as ports
from blackthorn.ports.device_groups import Leaves
from blackthorn.ports.device_groups import NotedChanges as NotedChangesPort
from blackthorn.ports.device_healing import LostTexts
from blackthorn.ports.device_letters import Letters
from blackthorn.ports.outside.keys import OutsideKeys as OutsideKeysPort
from blackthorn.storage.device import (
    directory,
    groups,
    healing,
    leaves,
    letters,
    lost,
    noted,
    orders,
    outside_keys,
    records,
    traffic,
)
from blackthorn.storage.device.remembered import Remembered
from blackthorn.storage.sqlite import schema
from blackthorn.storage.sqlite.failure import failure_of, immediate

BUSY_MILLISECONDS = 30_000
"""How long a transaction waits for other processes."""

PAGE_BYTES = 1_024
"""A text alters small rows in about nine pages: with SQLite's 4,096 it would write 33 kB."""


MOVED = 2**31 - 1
"""The `user_version` of a database whose copy takes its place (`repaging`)."""


class MovedError(DamageError):
    """The database was copied, and the copy is the device's."""


class VaultRecords:
    """`ports.device_store.Records` over one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.memory = memory = Remembered(connection)
        self.settings: ports.Settings = records.Settings(connection, memory)
        self.key_packages: ports.KeyPackagePrivates = records.KeyPackagePrivates(connection, memory)
        self.conversations: ports.Conversations = records.Conversations(connection, memory)
        self.groups: device_groups.Groups = groups.Groups(connection, memory)
        self.commit_orders: device_groups.CommitOrders = orders.CommitOrders(connection, memory)
        self.healing: device_healing.Healing = healing.Healing(connection, memory)
        self.peers: ports.Peers = records.Peers(connection, memory)
        self.noted: NotedChangesPort = noted.NotedChanges(connection, memory)
        self.mail: ports.Mail = records.MailIndex(connection, memory)
        self.history: ports.History = traffic.History(connection, memory)
        self.outbox: ports.Outbox = traffic.Outbox(connection, memory)
        self.parcels: ports.Parcels = traffic.Parcels(connection, memory)
        self.directory: ports.Directory = directory.Directory(connection, memory)
        self.mail_keys: ports.MailKeys = directory.MailKeys(connection, memory)
        self.outside_keys: OutsideKeysPort = outside_keys.OutsideKeys(connection, memory)
        self.lost: LostTexts = lost.LostTexts(connection, memory)
        self.leaves: Leaves = leaves.Leaves(connection, memory)
        self.hellos: ports.Hellos = directory.Hellos(connection, memory)
        self.letters: Letters = letters.Letters(connection, memory)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        try:
            with records.savepoint(self._connection):
                yield
        except BaseException:
            self.memory.forget()
            raise


class Vault:
    """`ports.device_store.DeviceStore` over one database. Close it when done."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._records = VaultRecords(connection)

    @classmethod
    def open(cls, path: Path, key: Secret, *, create: bool) -> "Vault":
        """Open the database; with `create` a missing one is created.

        Raises StorageError when it is damaged, cannot be opened, or has another key.
        """
        try:
            connection = connect(path, key, create=create)
            prepare(connection, create=create)
        except apsw.Error as error:
            raise failure_of(error) from None
        return cls(connection)

    @property
    def page_bytes(self) -> int:
        return int(self._connection.pragma("page_size"))

    @contextmanager
    def transaction(self) -> Iterator[VaultRecords]:
        with immediate(self._connection):
            self._records.memory.begin()
            yield self._records
        self._records.memory.end()

    def close(self) -> None:
        self._connection.close()


def connect(path: Path, key: Secret, *, create: bool = False) -> apsw.Connection:
    """A connection to an encrypted database. Raises DiskError, apsw.Error."""
    flags = apsw.SQLITE_OPEN_READWRITE
    if create:
        flags |= apsw.SQLITE_OPEN_CREATE
        with system_error(DiskError, f"{path} cannot be made"):  # WAL and index take its mode
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = apsw.Connection(str(path), flags=flags)
    connection.pragma("cipher", "chacha20")
    connection.pragma("key", f"raw:{key.expose().hex()}")
    return connection


def migrations() -> schema.Migrations:
    """A device's, from the oldest readable one."""
    return schema.migrations("blackthorn.storage.device")


def prepare(connection: apsw.Connection, *, create: bool) -> None:
    """Set the pragmas and bring the schema up to date. Raises StorageError."""
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    version = connection.pragma("user_version")
    if version == MOVED:
        raise MovedError("the device's database was moved: put back the file that replaced it")
    if not create and version == 0:
        raise DamageError("the device's database is empty: put back the file that was here")
    if create:
        connection.pragma("page_size", PAGE_BYTES)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("temp_store", "memory")
    connection.pragma("foreign_keys", True)
    connection.pragma("secure_delete", True)
    schema.migrate(connection, migrations())
