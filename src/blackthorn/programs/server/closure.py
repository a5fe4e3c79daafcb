"""Closures in the server: composition and loop. `server.markets.closure` decides."""

import asyncio
import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from blackthorn.crypto.kdf import hkdf_expand
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DiskError, system_error
from blackthorn.governance.closure import statement as closure
from blackthorn.governance.package.build import register_key
from blackthorn.governance.package.layout import document
from blackthorn.ports.clock import Clock
from blackthorn.ports.store import Done, Reader, Result, Writer
from blackthorn.programs.periodic import Supervisor
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.ledger.ledger import LedgerKeys
from blackthorn.server.markets import closure as markets
from blackthorn.server.markets.closure import Closures
from blackthorn.server.markets.closure_checks import ClosureChecks
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import make_folder
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.stores.markets import compact

STEP_SECONDS: Final = 0.005
"""Pause between two steps, for other commits."""

IDLE_SECONDS: Final = 1.0
"""Period of the check for new decisions."""


def register_seed(keys: LedgerKeys) -> Secret:
    """The 32-byte seed of the register's key, which signs packages and statements."""
    return Secret(hkdf_expand("sha256", keys.log.expose(), b"blackthorn register v1", 32))


def make_closures(
    *,
    database: Path,
    folder: Path,
    keys: KeyFolder,
    ledger: LedgerKeys,
    decisions: DecisionService,
    writer: Writer,
    reader: Reader,
    clock: Clock,
    apart: markets.Apart,
) -> Closures:
    """Closures, whose checks are added to the decision service.

    `folder` gets the published statements. `keys` is the folder used for wrapping, whose cached key
    is dropped with a destroyed one. `database` is the file to compact.
    """
    seed = register_seed(ledger)

    def publish(exit_id: str, statement: bytes) -> None:
        publish_statement(folder, ledger.origin, seed, exit_id, statement)

    closures = Closures(
        cases=lambda: decisions.cases,
        keys=keys,
        writer=writer,
        reader=reader,
        clock=clock,
        log_ms=lambda: decisions.log_ms,
        random=secrets.token_bytes,
        apart=apart,
        compact=partial(compact, database),
        publish=publish,
        register=str(register_key(ledger.origin, seed)),
    )
    checks = ClosureChecks(closures, lambda: decisions.cases, decisions.private, reader)
    decisions.checks.append(checks)
    return closures


def publish_statement(
    folder: Path, origin: str, seed: Secret, exit_id: str, statement: bytes
) -> Path:
    """Write the signed statement to `folder`/EXIT.json, durably. Raises DiskError."""
    value = json.loads(statement)
    signature = closure.sign(origin, seed, exit_id, closure.statement_hash(statement))
    path = folder / f"{exit_id}.json"
    with system_error(DiskError, f"{path} cannot be written"):
        make_folder(folder)
        atomic.replace(path, document({"statement": value, "signature": signature}))
    return path


def closing_step(closures: Closures) -> float:
    """One step of the closures; returns the seconds until the next one."""
    return STEP_SECONDS if closures.tick() else IDLE_SECONDS


class Apart:
    """`server.markets.closure.Apart` in a thread."""

    def __init__(self, tasks: Supervisor) -> None:
        self._tasks = tasks

    def __call__(self, work: Callable[[], Result], done: Done[Result], /) -> None:
        self._tasks.answer("a closure's step", asyncio.to_thread(work), done)
