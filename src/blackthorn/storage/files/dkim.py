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

SELECTOR: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class StoredKey:
    selector: str
    key: SigningKey
    retired: bool


@dataclass(frozen=True, slots=True)
class DkimFolder:
    path: Path

    def stored(self) -> list[StoredKey]:
        """All keys by selector; none while there is no folder. Raises DamageError."""
        if not self.path.is_dir():
            return []
        found = []
        for file in sorted(self.path.iterdir()):
            if file.suffix in (".key", ".retired"):
                found.append(StoredKey(file.stem, _load(file), file.suffix == ".retired"))
        return found

    def changed(self) -> int:
        """A number that is another one after each change of the folder."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def add(self, selector: str, kind: str) -> StoredKey:
        """Make a key, for its owner alone. Raises UserError, DiskError."""
        if not SELECTOR.fullmatch(selector):
            raise UserError(f"{selector!r} is no selector: small letters, digits and dashes")
        if kind not in KINDS:
            raise UserError(f"{kind!r} is no kind of key: {' or '.join(KINDS)}")
        if any(known.selector == selector for known in self.stored()):
            raise UserError(f"there is a key {selector} already: choose another selector")
        with system_error(DiskError, f"{self.path} cannot be written"):
            self.path.mkdir(mode=0o700, exist_ok=True)
            atomic.write_new(self.path / f"{selector}.key", make_key(kind).expose())
        return StoredKey(selector, _load(self.path / f"{selector}.key"), retired=False)

    def retire(self, selector: str) -> None:
        """Sign no more by this key. Raises UserError, DiskError."""
        file = self.path / f"{selector}.key"
        if not SELECTOR.fullmatch(selector) or not file.is_file():
            raise UserError(f"no key {selector} is in use: `blackthorn dkim list` shows them")
        with system_error(DiskError, f"{file} cannot be renamed"):
            atomic.rename(file, self.path / f"{selector}.retired")


def keys(server: Path) -> dict[str, Secret]:
    """Selector → PEM of the keys that sign, in the order of names. Raises DiskError."""
    found = {}
    with system_error(DiskError, f"{server / FOLDER} cannot be read"):
        for file in sorted((server / FOLDER).glob("*.key")):
            if SELECTOR.fullmatch(file.stem):
                found[file.stem] = Secret(file.read_bytes())
    return found


def _load(file: Path) -> SigningKey:
    try:
        return load_key(Secret(file.read_bytes()))
    except OSError as error:
        raise DamageError(f"{file} cannot be read: {error.strerror}") from None
    except DecodeError as error:
        raise DamageError(f"{file}: {error}") from None
