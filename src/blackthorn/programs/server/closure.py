"""Closures in the server: their store, keys and files put together, and the loop that drives them.

Decides nothing: what may be destroyed, and when, say the officers and `server.markets.closure`.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from blackthorn.crypto.kdf import hkdf_expand
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DiskError, StorageError
from blackthorn.governance.closure import statement as closure
from blackthorn.governance.package.build import register_key
from blackthorn.governance.package.layout import document
from blackthorn.ports.clock import Clock
from blackthorn.ports.writer import Writer
from blackthorn.programs.periodic import repeat
from blackthorn.server.counters import Counters
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.ledger.ledger import LedgerKeys
from blackthorn.server.markets.closure import Closures
from blackthorn.server.markets.closure_checks import ClosureChecks
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import make_folder
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores.closure import SqliteClosures
from blackthorn.storage.sqlite.stores.markets import compact, market_of

STEP_SECONDS: Final = 0.005
"""Between two steps: what others have to write comes in between."""

IDLE_SECONDS: Final = 1.0
"""How often it is looked whether officers have decided something."""


def register_seed(keys: LedgerKeys) -> Secret:
    """The 32-byte seed of the key by which the register signs packages and statements."""
    return Secret(hkdf_expand("sha256", keys.log.expose(), b"blackthorn register v1", 32))


def make_closures(
    *,
    connection: Connection,
    database: Path,
    folder: Path,
    keys: KeyFolder,
    ledger: LedgerKeys,
    office: DecisionService,
    writer: Writer,
    clock: Clock,
) -> Closures:
    """Closures over the reading connection, their checks known to the office.

    `folder` takes the published statements. `keys` is the one folder by which rows are wrapped:
    what it has in memory is forgotten with the key. `database` is the file to be compacted.
    """
    seed = register_seed(ledger)

    def publish(exit_id: str, statement: bytes) -> None:
        publish_statement(folder, ledger.origin, seed, exit_id, statement)

    closures = Closures(
        cases=lambda: office.cases,
        store=SqliteClosures(connection),
        keys=keys,
        writer=writer,
        clock=clock,
        log_ms=lambda: office.log_ms,
        random=secrets.token_bytes,
        compact=Compacting(database),
        publish=publish,
        register=str(register_key(ledger.origin, seed)),
    )
    market = partial(market_of, connection)
    office.checks.append(ClosureChecks(closures, lambda: office.cases, office.private, market))
    return closures


def publish_statement(
    folder: Path, origin: str, seed: Secret, exit_id: str, statement: bytes
) -> Path:
    """Write the signed statement to `folder`/EXIT.json, durably. Raises DiskError."""
    value = json.loads(statement)
    signature = closure.sign(origin, seed, exit_id, closure.statement_hash(statement))
    path = folder / f"{exit_id}.json"
    try:
        make_folder(folder)
        atomic.replace(path, document({"statement": value, "signature": signature}))
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror}") from None
    return path


async def keep_closing(closures: Closures, counters: Counters) -> None:
    """Take step after step, for as long as the server runs."""
    await repeat(lambda: STEP_SECONDS if closures.tick() else IDLE_SECONDS, counters, IDLE_SECONDS)


class Compacting:
    """Compacts the database file in a thread, and tells the event loop."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._work: set[asyncio.Task[None]] = set()

    def __call__(self, done: Callable[[bool], None]) -> None:
        async def work() -> None:
            try:
                done(await asyncio.to_thread(compact, self._database))
            except StorageError:
                done(False)

        task = asyncio.get_running_loop().create_task(work())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
