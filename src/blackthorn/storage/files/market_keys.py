"""The folder of the markets' keys (`ports.markets.MarketKeys`), apart from the data.

    PK.key         32 random bytes (0600), created for the market's first user
    PK.destroyed   JSON: fingerprint of the destroyed key, and when

A tombstone overrides a key: it is never used or created again, and destroying it again resumes.
Backups of this folder and of the database together can still read a destroyed market.
"""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blackthorn.crypto import market_wrap
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError, DiskError, UserError, system_error
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import make_folder

NOT_STATED: Final = "ZZ"
_MARKET: Final = re.compile(r"[A-Z]{2}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")


def check_market(text: str) -> str:
    """The market's code. Raises UserError unless it is a country, or ZZ: not stated."""
    import pycountry

    code = text.upper()
    if code == NOT_STATED:
        return code
    if not _MARKET.fullmatch(code) or pycountry.countries.get(alpha_2=code) is None:
        raise UserError(f"{text!r} is not a market: write a country's two letters, such as PK")
    return code


def check_language(text: str) -> str:
    """The BCP 47 primary tag. Raises UserError."""
    if not _LANGUAGE.fullmatch(text):
        raise UserError(f"{text!r} is not a language: write its tag, such as en or ur")
    return text


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A destroyed key: its 32-byte fingerprint, and when, in Unix milliseconds."""

    fingerprint: bytes
    destroyed_ms: int


class KeyFolder:
    """The keys below `path`, each cached once it is read.

    A running server uses a key that another process destroys until it ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, Secret] = {}

    def key(self, market: str) -> Secret | None:
        known = self._known.get(market)
        if known is None and self.tombstone(market) is None:
            known = self._known[market] = self._read(market)
        return known

    def load(self) -> dict[str, bytes]:
        """The fingerprint of each key in use, by market. Raises StorageError."""
        found: dict[str, bytes] = {}
        for path in sorted(self.path.glob("??.key")):
            key = self.key(path.stem)
            if key is not None:
                found[path.stem] = market_wrap.fingerprint(key)
        return found

    def fingerprint(self, market: str) -> bytes:
        """32 bytes, of a destroyed key too. Raises DamageError when it is missing."""
        key = self.key(market)
        if key is not None:
            return market_wrap.fingerprint(key)
        stone = self.tombstone(market)
        if stone is None:
            raise DamageError(f"{self._stone(market)} is missing")
        return stone.fingerprint

    def create(self, market: str, random: Callable[[int], bytes]) -> bytes:
        """The fingerprint of the market's key, which is created durably if missing.

        Raises UserError when it was destroyed, DiskError when it cannot be written.
        """
        if self.tombstone(market) is not None:
            raise UserError(f"the key of market {market} was destroyed: it can have no users")
        target = self._file(market)
        if not target.exists():
            with system_error(DiskError, f"{target} cannot be made"), suppress(FileExistsError):
                make_folder(self.path)  # suppressed: another process was first
                atomic.link_new(target, random(market_wrap.KEY_BYTES))
        return self.fingerprint(market)

    def destroy(self, market: str, now_ms: int) -> Tombstone:
        """Overwrite and remove the key for ever, durably; idempotent.

        Raises DiskError; then the key may be half destroyed, is not used, and can be destroyed
        again.
        """
        target = self._file(market)
        stone = self.tombstone(market)
        with system_error(DiskError, f"{target} cannot be destroyed"):
            if stone is None:
                stone = Tombstone(self.fingerprint(market), now_ms)
                text = {"fingerprint": stone.fingerprint.hex(), "destroyed_ms": now_ms}
                atomic.replace(self._stone(market), json.dumps(text).encode())
            self._known.pop(market, None)
            if target.exists():
                with atomic.existing_file(target) as file:
                    file.write(os.urandom(market_wrap.KEY_BYTES))
                target.unlink()
                atomic.sync_folder(self.path)
        return stone

    def tombstone(self, market: str) -> Tombstone | None:
        """The tombstone of a destroyed key, or None. Raises DamageError."""
        path = self._stone(market)
        try:
            found = json.loads(path.read_bytes())
            return Tombstone(bytes.fromhex(found["fingerprint"]), int(found["destroyed_ms"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise DamageError(f"{path} cannot be read: restore it from a backup") from None

    def _read(self, market: str) -> Secret:
        path = self._file(market)
        with system_error(DamageError, f"{path}, the key of market {market}, cannot be read"):
            value = path.read_bytes()
        if len(value) != market_wrap.KEY_BYTES:
            raise DamageError(f"{path} has {len(value)} bytes, not {market_wrap.KEY_BYTES}")
        return Secret(value)

    def _file(self, market: str) -> Path:
        return self.path / f"{market}.key"

    def _stone(self, market: str) -> Path:
        return self.path / f"{market}.destroyed"
