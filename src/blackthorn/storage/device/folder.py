"""A device's folder: its database and the side file that unlocks it are made and found together.

The side file is written last, when the database is whole under another name, which it keeps until
then. So neither file alone is ever taken for a device, or for a place where one can be begun.
"""

import secrets
from pathlib import Path

import apsw

from blackthorn.crypto.secret import Secret
from blackthorn.errors import ConflictError, DamageError, DiskError, system_error
from blackthorn.storage.device import repaging, unlock
from blackthorn.storage.device.vault import PAGE_BYTES, MovedError, Vault
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import FolderLock
from blackthorn.storage.sqlite.failure import failure_of

_LOST = (
    "put it back, or set up another device in a new --home (blackthorn device link, or blackthorn "
    "recovery use)"
)


class DeviceFolder:
    """The folder of one device. Its methods raise StorageError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "device.db"
        """The vault (with its WAL beside it)."""
        self.lock = path / "unlock.json"
        """The side file that says how to unlock it."""
        self._fresh = path / "device.db.new"

    def exists(self) -> bool:
        """Whether a device was begun here. Raises DamageError when one of the files is lost."""
        if self._fresh.exists():
            with system_error(DiskError, f"{self.path} cannot be used"), FolderLock(self.path):
                if self.lock.exists() and not self.database.exists():  # its making was interrupted
                    atomic.rename(self._fresh, self.database)
        database, lock = self.database.exists(), self.lock.exists()
        if database != lock:
            there, lost = (self.database, self.lock) if database else (self.lock, self.database)
            raise DamageError(f"{there} is there, but {lost.name} is missing: {_LOST}")
        return lock

    def create(self, method: str, given: Secret) -> Vault:
        """A new device's vault, unlocked by what is `given`. Raises ConflictError: one is there."""
        key = Secret(secrets.token_bytes(unlock.KEY_BYTES))
        with system_error(DiskError, f"{self.path} cannot be made"):
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            with FolderLock(self.path):
                if self.database.exists() or self.lock.exists():
                    raise ConflictError(f"{self.path} holds a device already")
                for name in ("", "-wal", "-shm", "-journal"):
                    self._fresh.with_name(self._fresh.name + name).unlink(missing_ok=True)
                Vault.open(self._fresh, key, create=True).close()
                unlock.write_private(self.lock, unlock.lock_for(method, given, key))
                atomic.rename(self._fresh, self.database)
        return Vault.open(self.database, key, create=False)

    def open(self, key: Secret) -> Vault:
        """The device's vault, which gets the page size of new ones if it has another."""
        try:
            with system_error(DiskError, f"{self.database} cannot be moved"):
                vault = self._open(key)
                if vault.page_bytes == PAGE_BYTES:
                    return vault
                vault.close()
                repaging.copy(self.database, self._fresh, key)
        except apsw.Error as error:
            raise failure_of(error) from None
        return self._open(key)

    def _open(self, key: Secret) -> Vault:
        try:
            return Vault.open(self.database, key, create=False)
        except MovedError:
            repaging.put_in_place(self.database, self._fresh)
            return Vault.open(self.database, key, create=False)

    def change(self, method: str, key: Secret, new: Secret) -> None:
        """Let `new` unlock the database `key`: the side file is the old one or the new one."""
        with system_error(DiskError, f"{self.lock} cannot be written"):
            atomic.replace(self.lock, unlock.lock_for(method, new, key))
