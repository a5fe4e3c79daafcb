"""DKIM keys of the server: made at its first start, read again when they are changed."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from blackthorn.errors import StorageError, UserError
from blackthorn.mail.dkim.sign import Signer, signed
from blackthorn.ports.clock import Clock
from blackthorn.storage.files.dkim import DkimFolder, StoredKey
from blackthorn.storage.files.server import ServerFolder


def dkim_records(path: Path, domain: str) -> dict[str, str]:
    """The TXT records of all keys by name (RFC 6376, 3.6.2.1). Raises DamageError."""
    keys = ServerFolder(path).dkim.stored()
    return {f"{key.selector}._domainkey.{domain}": key.key.record for key in keys}


def add_keys(folder: DkimFolder, month: str) -> list[StoredKey]:
    """One key of each kind, named by the month as YYYYMM. Raises UserError, DiskError."""
    return [folder.add(f"{kind}-{month}", kind) for kind in ("rsa", "ed25519")]


@dataclass(kw_only=True, eq=False, repr=False)
class DkimSigning:
    """Signs with all keys in use. Without any, mail leaves unsigned."""

    folder: DkimFolder
    domain: str
    clock: Clock
    _changed: int = -1
    _signers: tuple[Signer, ...] = field(default=())

    def start(self) -> None:
        """Make the first keys unless there was ever one. Raises StorageError, UserError."""
        if not self.folder.path.exists():
            month = time.strftime("%Y%m", time.gmtime(self.clock.wall_ms() / 1_000))
            add_keys(self.folder, month)

    def refresh(self) -> None:
        """Read the keys again if the folder has changed; the last good ones stay otherwise."""
        changed = self.folder.changed()
        if changed == self._changed:
            return
        try:
            keys = [key for key in self.folder.stored() if not key.retired]
        except (StorageError, UserError):
            return
        self._changed = changed
        self._signers = tuple(
            Signer(self.domain, key.selector, key.key.algorithm, key.key.sign) for key in keys
        )

    async def sign(self, content: bytes) -> bytes:
        """The mail with a signature of each key before it, made in a thread."""
        now = self.clock.wall_ms() // 1_000
        return await asyncio.to_thread(signed, content, self._signers, now)
