"""The server's folder: what lies in it, how it is made, and that one server uses it at a time.

blackthorn.toml   settings, written last: a folder without it was not made to its end
server.key        TLS key of the server (0600); devices know its fingerprint
server.crt        the certificate around it
blackthorn.db     the database, with its write-ahead log beside it while the server runs
market-keys       folder of the markets' keys (0700), unless the settings name another
ledger.keys       and more of the ledger: see `programs.server.ledger_files`
"""

import datetime
import fcntl
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackthorn.crypto import tls_keys
from blackthorn.errors import ConfigError, DecodeError, StorageError, UserError
from blackthorn.ids import Fingerprint
from blackthorn.programs.server import configuration, ledger_files
from blackthorn.programs.server.ledger_files import LedgerFiles
from blackthorn.storage.files import atomic
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.wire.address import parse_domain


@dataclass(frozen=True, slots=True)
class ServerDirectory:
    """The paths below one server's folder."""

    path: Path

    @property
    def key(self) -> Path:
        """PEM, 0600."""
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

    def market_keys(self, settings: configuration.Configuration) -> KeyFolder:
        """The keys under which sealed bytes are stored; a relative path is below this folder."""
        return KeyFolder(self.path / (settings.enterprise.market_keys or "market-keys"))

    def load(self, environment: Mapping[str, str]) -> configuration.Configuration:
        """The settings. Raises ConfigError."""
        if not self.path.is_dir():
            hint = f"`blackthorn init {self.path} --domain …` makes one"
            raise ConfigError(f"there is no folder {self.path}: {hint}")
        return configuration.load(self.path, environment)

    def fingerprint(self) -> Fingerprint:
        """Of the server's TLS key. Raises StorageError when the certificate cannot be read."""
        try:
            return tls_keys.certificate_fingerprint(self.certificate.read_bytes())
        except (OSError, DecodeError) as error:
            raise StorageError(f"{self.certificate} cannot be used: {error}") from None

    def open_database(self) -> Database:
        """The database that `initialise` made. Raises StorageError."""
        if not self.database.exists():
            raise StorageError(f"{self.database} is missing: restore it from a backup")
        return Database.open(self.database)

    def lock(self) -> int:
        """Hold the folder for one server until this process ends. Raises UserError."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UserError(f"a server is running on {self.path} already") from None
        return descriptor


def initialise(path: Path, domain: str, chosen: Mapping[tuple[str, str], Any]) -> ServerDirectory:
    """Make a server's folder (0700) with key, database and settings. Raises UserError.

    `chosen` are settings by section and key besides the domain; the rest stays at its default.
    """
    try:
        domain = parse_domain(domain)
    except DecodeError as error:
        raise UserError(f"--domain {domain!r}: {error}") from None
    text = configuration.render_template({("enterprise", "domain"): domain, **chosen})
    settings = configuration.parse(text, {})
    directory = ServerDirectory(path)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise UserError(f"{path} is not empty: nothing was changed")
        path.chmod(0o700)
        key = tls_keys.make_key(secrets.token_bytes)
        now = datetime.datetime.now(datetime.UTC)
        certificate = tls_keys.make_certificate(key, domain, secrets.token_bytes, now)
        atomic.write_new(directory.key, key.expose())
        atomic.write_new(directory.certificate, certificate)
        Database.open(directory.database).close()
        directory.database.chmod(0o600)
        embedded = settings.ledger.witness == "embedded"
        ledger_files.initialise(path, domain, embedded=embedded)
        atomic.write_new(path / configuration.FILE_NAME, text.encode())
    except OSError as error:
        raise UserError(f"{path} cannot be made: {error.strerror}") from None
    return directory
