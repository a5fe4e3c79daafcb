"""A server's folder: what lies in it.

blackthorn.toml   settings, written last: a folder without it was not made to its end
server.key        TLS key of the server; devices know its fingerprint
server.crt        the certificate around it
blackthorn.db     the database, with its write-ahead log beside it while the server runs
market-keys       folder of the markets' keys, unless the settings name another
ledger.keys       and more of the ledger: see `storage.files.ledger`
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from blackthorn.crypto import tls_keys
from blackthorn.errors import DamageError, DecodeError
from blackthorn.ids import Fingerprint
from blackthorn.storage.files.folder import Folder
from blackthorn.storage.files.ledger import LedgerFiles
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Database

SETTINGS: Final = "blackthorn.toml"


@dataclass(frozen=True, slots=True)
class ServerFolder(Folder):
    """The paths below one server's folder."""

    HOLDER: ClassVar[str] = "a server"

    @property
    def settings(self) -> Path:
        """TOML; it says that the folder is a server's."""
        return self.path / SETTINGS

    @property
    def key(self) -> Path:
        """PEM."""
        return self.path / "server.key"

    @property
    def certificate(self) -> Path:
        """PEM."""
        return self.path / "server.crt"

    @property
    def database(self) -> Path:
        """SQLite."""
        return self.path / "blackthorn.db"

    @property
    def ledger(self) -> LedgerFiles:
        """Keys, policy and embedded witness."""
        return LedgerFiles(self.path)

    @property
    def closures(self) -> Path:
        """A folder of the published statements of closed markets."""
        return self.path / "closures"

    @property
    def productions(self) -> Path:
        """A folder of directives' packages."""
        return self.path / "productions"

    def market_keys(self, folder: str) -> KeyFolder:
        """The keys in the folder of the setting `market_keys`; a relative path is below this."""
        return KeyFolder(self.path / (folder or "market-keys"))

    def fingerprint(self) -> Fingerprint:
        """Of the server's TLS key. Raises DamageError when the certificate cannot be read."""
        try:
            return tls_keys.certificate_fingerprint(self.certificate.read_bytes())
        except (OSError, DecodeError) as error:
            raise DamageError(f"{self.certificate} cannot be used: {error}") from None

    def open_database(self) -> Database:
        """The database. Raises DamageError when it is missing, StorageError."""
        if not self.database.exists():
            raise DamageError(f"{self.database} is missing: restore it from a backup")
        return Database.open(self.database)
