"""DKIM keys of the server: made at its first start, read again when they are changed."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from blackthorn.errors import DiskError
from blackthorn.mail.dkim.sign import Signer, signed
from blackthorn.ports.clock import Clock
from blackthorn.storage.files.dkim import DamagedKey, DkimFolder, StoredKey


def add_keys(folder: DkimFolder, month: str) -> list[StoredKey]:
    """One key of each kind, named by the month as YYYYMM. Raises UserError, DiskError."""
    return [folder.add(f"{kind}-{month}", kind) for kind in ("rsa", "ed25519")]


def key_warnings(keys: Sequence[StoredKey | DamagedKey]) -> list[str]:
    """What is wrong with the keys that sign, one line each."""
    damaged = [each for each in keys if isinstance(each, DamagedKey) and not each.retired]
    return [f"mail may leave without a signature (DKIM): {each.error}" for each in damaged]


@dataclass(kw_only=True, eq=False, repr=False)
class DkimSigning:
    """Signs with all keys in use. Without any, mail leaves unsigned."""

    folder: DkimFolder
    domain: str
    clock: Clock
    _stamp: tuple[object, ...] = (None,)
    """That of the keys in use; another one as long as one of them cannot be read."""
    _logged: tuple[object, ...] = (None,)
    """That of the keys whose damage was logged."""
    _signers: dict[str, Signer] = field(default_factory=dict)
    _warnings: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Make the first keys unless there was ever one. Raises StorageError, UserError."""
        if not self.folder.path.exists():
            month = time.strftime("%Y%m", time.gmtime(self.clock.wall_ms() / 1_000))
            add_keys(self.folder, month)

    def refresh(self) -> None:
        """Read the keys again if they have changed, or one could not be read: it signs as before.

        A key whose mode or owner was mended has the same time and size.
        """
        try:
            stamp = self.folder.stamp()
            if stamp == self._stamp:
                return
            keys = self.folder.read()
        except DiskError as error:
            self._stamp = (None,)
            self._warnings = [f"mail may leave without a new signature (DKIM): {error}"]
            return
        signers = dict[str, Signer]()
        damaged = [key for key in keys if isinstance(key, DamagedKey)]
        for each in keys:
            if each.retired:
                continue
            if isinstance(each, DamagedKey):
                if stamp != self._logged:
                    structlog.get_logger().warning("dkim_key_damaged", selector=each.selector)
                if each.selector in self._signers:
                    signers[each.selector] = self._signers[each.selector]
            else:
                key = each.key
                signers[each.selector] = Signer(self.domain, each.selector, key.algorithm, key.sign)
        self._logged, self._stamp = stamp, (None,) if damaged else stamp
        self._signers, self._warnings = signers, key_warnings(keys)

    def warnings(self) -> list[str]:
        """What the administrator is to mend, one line each."""
        return self._warnings

    async def sign(self, content: bytes) -> bytes:
        """The mail with a signature of each key before it, made in a thread."""
        now = self.clock.wall_ms() // 1_000
        return await asyncio.to_thread(signed, content, [*self._signers.values()], now)
