"""The keys of markets, checked or created before anything is stored under them.

Rows from before markets are wrapped here, before the server listens.
"""

import secrets
from typing import Final

from blackthorn.errors import DamageError
from blackthorn.ports.markets import WrapStored
from blackthorn.programs.server.configuration import Configuration
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.stores import markets
from blackthorn.storage.sqlite.wrapping import Wrapping

WRAP_ROWS: Final = 256
"""Rows wrapped in one transaction: 256 mails of the usual size are a few MiB."""


@storing
def open_market(database: Database, folder: KeyFolder, market: str, now_ms: int) -> None:
    """Create the market's key for its first user, or check it.

    Raises UserError when the key was destroyed, StorageError when it is missing or another.
    """
    known = markets.markets(database.writing).get(market)
    if known is None:
        fingerprint = folder.create(market, secrets.token_bytes)
        markets.register(database.writing, market, fingerprint, now_ms)
        return
    if folder.tombstone(market) is not None:
        folder.create(market, secrets.token_bytes)  # which refuses
    check_key(folder, market, known)


def check_key(folder: KeyFolder, market: str, known: bytes) -> None:
    """Raises DamageError unless the market's key has that fingerprint, or is destroyed."""
    if folder.fingerprint(market) != known:
        raise DamageError(f"{folder.path / market}.key is not the key of market {market}")


@storing
def start_markets(
    database: Database, folder: ServerFolder, settings: Configuration, now_ms: int
) -> None:
    """Check every market's key, and wrap unwrapped rows. Raises StorageError."""
    keys = folder.market_keys(settings.enterprise.market_keys)
    for market, known in markets.markets(database.writing).items():
        check_key(keys, market, known)
    for market in markets.unregistered(database.writing):
        open_market(database, keys, market, now_ms)
    if wrap_all(database, Wrapping(keys, secrets.token_bytes)):
        markets.compact(folder.database, rewrite=True)


def wrap_all(database: Database, wrapping: Wrapping) -> bool:
    """Wrap all rows from before markets; whether there were any. May be interrupted."""
    if not markets.any_unwrapped(database.writing):
        return False
    engine = Engine(database, wrapping)
    while not engine.write(WrapStored(WRAP_ROWS)):
        pass
    return True
