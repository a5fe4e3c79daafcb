"""The keys that sign outbound mail, in a folder of the server's: one PEM file for each selector.

SELECTOR.key signs; SELECTOR.retired signs no more, and its DNS record is still wanted for the mail
that it has signed.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blackthorn.crypto.dkim.signing import KINDS, SigningKey, load_key, make_key
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError, DecodeError, DiskError, UserError, system_error
from blackthorn.storage.files import atomic

FOLDER: Final = "dkim"

_SUFFIXES: Final = (".key", ".retired")

SELECTOR: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class StoredKey:
    selector: str
    key: SigningKey
    retired: bool


@dataclass(frozen=True, slots=True)
class DamagedKey:
    """A file that holds no key; `error` names it."""

    selector: str
    error: DamageError
    retired: bool


@dataclass(frozen=True, slots=True)
class DkimFolder:
    path: Path

    def read(self) -> list[StoredKey | DamagedKey]:
        """All keys by selector; none while there is no folder. Raises DiskError."""
        found: list[StoredKey | DamagedKey] = []
        for file in self._files():
            try:
                found.append(_read(file))
            except DamageError as error:
                found.append(DamagedKey(file.stem, error, _is_retired(file)))
        return found

    def stored(self) -> list[StoredKey]:
        """As `read`. Raises DamageError for one that cannot be used, DiskError."""
        return [_read(file) for file in self._files()]

    def stamp(self) -> tuple[object, ...]:
        """What changes when the keys or their files do. Raises DiskError."""
        with system_error(DiskError, f"{self.path} cannot be read"):
            states = [(file.name, file.stat()) for file in self._files()]
        return tuple((name, each.st_mtime_ns, each.st_ino, each.st_size) for name, each in states)

    def _files(self) -> list[Path]:
        with system_error(DiskError, f"{self.path} cannot be read"):
            if not self.path.is_dir():
                return []
            return sorted(each for each in self.path.iterdir() if each.suffix in _SUFFIXES)

    def add(self, selector: str, kind: str) -> StoredKey:
        """Make a key, for its owner alone. Raises UserError, DiskError."""
        if not SELECTOR.fullmatch(selector):
            raise UserError(f"{selector!r} is no selector: small letters, digits and dashes")
        if kind not in KINDS:
            raise UserError(f"{kind!r} is no kind of key: {' or '.join(KINDS)}")
        if any(file.stem == selector for file in self._files()):
            raise UserError(f"there is a key {selector} already: choose another selector")
        with system_error(DiskError, f"{self.path} cannot be written"):
            self.path.mkdir(mode=0o700, exist_ok=True)
            atomic.write_new(self.path / f"{selector}.key", make_key(kind).expose())
        return _read(self.path / f"{selector}.key")

    def retire(self, selector: str) -> None:
        """Sign no more by this key. Raises UserError, DiskError."""
        file = self.path / f"{selector}.key"
        if not SELECTOR.fullmatch(selector) or not file.is_file():
            raise UserError(f"no key {selector} is in use: `blackthorn dkim list` shows them")
        with system_error(DiskError, f"{file} cannot be renamed"):
            atomic.rename(file, self.path / f"{selector}.retired")


def _read(file: Path) -> StoredKey:
    try:
        key = load_key(Secret(file.read_bytes()))
    except OSError as error:
        raise DamageError(f"{file} cannot be read: {error.strerror}") from None
    except DecodeError as error:
        advice = "restore it from a backup, or delete it and add another"
        raise DamageError(f"{file} cannot be used: {error}; {advice}") from None
    return StoredKey(file.stem, key, _is_retired(file))


def _is_retired(file: Path) -> bool:
    return file.suffix == ".retired"
