"""A server's folder.

blackthorn.toml   settings, written last: a folder without it is incomplete
server.key        TLS key of the server; devices know its fingerprint
server.crt        the certificate around it
tls               folder of the certificate of HTTPS and SMTP: `storage.files.certificates`
blackthorn.db     the database, with its write-ahead log beside it while the server runs
market-keys       folder of the markets' keys, unless the settings name another
closures          folder of the published statements of closed markets
productions       folder of directives' packages
dkim              folder of the keys that sign mail that leaves
throttled         devices and users that may send nothing until the next start, if there are any
ledger.keys       and other files of the ledger: see `storage.files.ledger`
"""

from pathlib import Path
from typing import ClassVar, Final

from blackthorn.crypto import tls_keys
from blackthorn.errors import DamageError, DecodeError
from blackthorn.ids import Fingerprint
from blackthorn.storage.files import dkim
from blackthorn.storage.files.dkim import DkimFolder
from blackthorn.storage.files.folder import Folder
from blackthorn.storage.files.ledger import LedgerFiles
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Database

SETTINGS: Final = "blackthorn.toml"


class ServerFolder(Folder):
    """Paths in one server's folder."""

    HOLDER: ClassVar[str] = "a server"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.settings: Final = path / SETTINGS
        self.key: Final = path / "server.key"
        self.certificate: Final = path / "server.crt"
        self.database: Final = path / "blackthorn.db"
        self.ledger: Final = LedgerFiles(path)
        self.closures: Final = path / "closures"
        self.productions: Final = path / "productions"
        self.dkim: Final = DkimFolder(path / dkim.FOLDER)
        self.throttled: Final = path / "throttled"

    def market_keys(self, folder: str) -> KeyFolder:
        """The keys in the setting's folder; a relative path is below this one."""
        return KeyFolder(self.path / (folder or "market-keys"))

    def fingerprint(self) -> Fingerprint:
        """Of the server's TLS key. Raises DamageError."""
        try:
            return tls_keys.certificate_fingerprint(self.certificate.read_bytes())
        except (OSError, DecodeError) as error:
            raise DamageError(f"{self.certificate} cannot be used: {error}") from None

    def open_database(self) -> Database:
        """Raises DamageError when it is missing, StorageError."""
        if not self.database.exists():
            raise DamageError(f"{self.database} is missing: restore it from a backup")
        return Database.open(self.database)
