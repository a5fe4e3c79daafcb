"""Databases of a server and of devices in memory, and keys for the market's layer."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from blackthorn.crypto.secret import Secret
from blackthorn.storage.device import vault
from blackthorn.storage.sqlite import database, schema
from blackthorn.storage.sqlite.wrapping import Wrapping


def memory_database() -> database.Database:
    """A server's database, whose connections are all one."""
    connection = database.connect(":memory:")
    schema.migrate(connection, database.migrations())
    return database.Database(connection, connection, connection)


class CrashError(BaseException):
    """The process of a device ends here: nothing may catch it but who restarts the device."""


class MemoryVault(vault.Vault):
    """A device's database, not encrypted. It can end the device's process at any write."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.connection = connection
        self._crash_in = 0
        self._stored = False

    def crash_in(self, writes: int, *, stored: bool) -> None:
        """Raise CrashError at that write from now, 1 is the next; `stored`: just after it."""
        self._crash_in, self._stored = writes, stored

    @contextmanager
    def transaction(self) -> Iterator[vault.VaultRecords]:
        changes = self.connection.total_changes()
        crashes = False
        with super().transaction() as records:
            yield records
            if self._crash_in and self.connection.total_changes() > changes:
                self._crash_in -= 1
                crashes = self._crash_in == 0
            if crashes and not self._stored:
                raise CrashError
        if crashes:
            raise CrashError

    def copy(self) -> "MemoryVault":
        """The same content in another database, as a restored backup of the folder has it."""
        connection = apsw.Connection(":memory:")
        with connection.backup("main", self.connection, "main") as backup:
            backup.step()
        vault.prepare(connection, create=False)
        return MemoryVault(connection)


def memory_vault() -> MemoryVault:
    """A new one."""
    connection = apsw.Connection(":memory:")
    vault.prepare(connection, create=True)
    return MemoryVault(connection)


class MemoryKeys:
    """Every market has a key, made of its name and `label`, until it is destroyed."""

    def __init__(self, label: bytes = b"") -> None:
        self.label = label
        self.destroyed: set[str] = set()

    def key(self, market: str) -> Secret | None:
        if market in self.destroyed:
            return None
        return Secret(hashlib.sha256(self.label + market.encode()).digest())


def wrapping() -> Wrapping:
    """A wrapping under keys in memory; its nonces are the one thing that no seed decides."""
    return Wrapping(MemoryKeys(), secrets.token_bytes)
