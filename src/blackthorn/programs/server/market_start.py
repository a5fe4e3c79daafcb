"""Before anything is stored for a market: its key is there, it is the right one, and it is noted.

What was stored before there were markets is wrapped here too, before the server listens.
"""

import secrets
from typing import Final

from blackthorn.errors import BlackthornError, DamageError
from blackthorn.ports.markets import WrapStored
from blackthorn.programs.server.configuration import Configuration
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.group_commit import commit_group
from blackthorn.storage.sqlite.stores import markets
from blackthorn.storage.sqlite.wrapping import Wrapping

WRAP_ROWS: Final = 256
"""Rows that are wrapped in one transaction: 256 mails of the usual size are a few MiB."""


@storing
def open_market(database: Database, folder: KeyFolder, market: str, now_ms: int) -> None:
    """Make the market's key for its first user, or check it.

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
    """Raises DamageError unless the market's key is the one of that fingerprint, or destroyed."""
    if folder.fingerprint(market) != known:
        raise DamageError(f"{folder.path / market}.key is not the key that market {market} had")


@storing
def start_markets(
    database: Database, folder: ServerFolder, settings: Configuration, now_ms: int
) -> None:
    """Check every market's key, and wrap what lies unwrapped. Raises StorageError in one line."""
    keys = folder.market_keys(settings.enterprise.market_keys)
    for market, known in markets.markets(database.writing).items():
        check_key(keys, market, known)
    for market in markets.unregistered(database.writing):
        open_market(database, keys, market, now_ms)
    if wrap_all(database, Wrapping(keys, secrets.token_bytes)):
        markets.compact(folder.database, rewrite=True)


def wrap_all(database: Database, wrapping: Wrapping) -> bool:
    """Wrap all rows from before markets; whether there was any. It can be ended at any time."""
    if not markets.any_unwrapped(database.writing):
        return False
    done = False
    while not done:
        (outcome,) = commit_group(
            Engine(database, wrapping), [(WrapStored(WRAP_ROWS), lambda _: None)]
        )
        if isinstance(outcome[1], BlackthornError):
            raise outcome[1]
        done = outcome[1]
    return True
