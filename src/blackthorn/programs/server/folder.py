"""`blackthorn init`: a server's folder with key, certificate, database, ledger and settings."""

import datetime
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackthorn.crypto import tls_keys
from blackthorn.errors import ConflictError, DecodeError, UserError
from blackthorn.programs.server import configuration
from blackthorn.storage.files import atomic, ledger
from blackthorn.storage.files.folder import new_folder
from blackthorn.storage.files.server import SETTINGS, ServerFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.wire.address import parse_domain


def initialise(path: Path, domain: str, chosen: Mapping[tuple[str, str], Any]) -> ServerFolder:
    """Make a server's folder. Raises UserError.

    `chosen` are settings by section and key besides the domain; the rest stays at its default.
    """
    try:
        domain = parse_domain(domain)
    except DecodeError as error:
        raise UserError(f"--domain {domain!r}: {error}") from None
    text = configuration.render_template({("enterprise", "domain"): domain, **chosen})
    settings = configuration.parse(text, {})
    try:
        with new_folder(path, SETTINGS) as stage:
            fresh = ServerFolder(stage)
            key = tls_keys.make_key(secrets.token_bytes)
            now = datetime.datetime.now(datetime.UTC)
            certificate = tls_keys.make_certificate(key, domain, secrets.token_bytes, now)
            atomic.write_new(fresh.key, key.expose())
            atomic.write_new(fresh.certificate, certificate)
            Database.open(fresh.database).close()
            ledger.initialise(stage, domain, embedded=settings.ledger.witness == "embedded")
            atomic.write_new(fresh.settings, text.encode())
    except OSError as error:
        raise UserError(f"{path} cannot be made: {error.strerror}") from None
    except ConflictError as error:
        raise UserError(f"{path} cannot be made: {error}") from None
    return ServerFolder(path)
