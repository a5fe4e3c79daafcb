"""`blackthorn user move` on the host, and what an exit's state forbids there.

Commands on the host run beside the server over the same database; they replay the signed decisions
and so know each exit.
"""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from blackthorn.errors import DecodeError, UserError
from blackthorn.governance.cases import Cases
from blackthorn.ids import Address
from blackthorn.ports.governance.exits import NoteAct
from blackthorn.ports.governance.notices import FindAddressee
from blackthorn.ports.markets import FindMarkets, MoveUser
from blackthorn.programs.server import configuration
from blackthorn.programs.server.market_start import open_market
from blackthorn.server.governance.replay import replay
from blackthorn.server.markets.exit_rules import ExitRules, May, allowed
from blackthorn.server.markets.notice import notice_step
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine, HostReader
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.wire.address import parse_address

MOVE_ROWS: Final = 64
"""Rows rewrapped in one transaction, between the server's own commits."""

_ROWS: Final = (
    "SELECT (SELECT count(*) FROM mail WHERE user = ?1 AND market <> ?2)"
    " + (SELECT count(*) FROM mail_piece WHERE user = ?1 AND market <> ?2) + (SELECT count(*) FROM"
    " mailbox WHERE device IN (SELECT number FROM devices WHERE user = ?1) AND market <> ?2)"
)

Progress = Callable[[int, int], None]
"""Gets rows done and rows in all."""


def replayed(database: Database) -> Cases:
    """All cases by the stored decisions. Raises StorageError when one was altered."""
    cases = Cases()
    for _ in replay(HostReader(database), cases):
        pass
    return cases


def check_takes_users(database: Database, market: str) -> None:
    """Raises UserError when the market takes no new users."""
    case = replayed(database).exit_of(market)
    if case is not None and not allowed(case.state, May.ACTIVATE):
        raise UserError(f"{market} is being closed ({case.id}, {case.state}): it takes no users")


def check_may_activate(database: Database, address: str) -> None:
    """Raises UserError when the user's market forbids it; ignores a wrong address."""
    cases = replayed(database)
    rules = ExitRules(lambda: cases, lambda address: _market(database, address))
    rules.renew()
    try:
        refusal = rules.refusal(parse_address(address), May.ACTIVATE)
    except DecodeError:
        return
    if refusal:
        raise UserError(refusal)


def move(path: Path, text: str, market: str, progress: Progress) -> tuple[str, int]:
    """Move a user and all their stored rows to another market; returns the old market, and rows.

    Runs beside the server in resumable steps: run it again after an interruption. Raises UserError
    (no such user, that market already, either market does not allow it) and StorageError.
    """
    folder = ServerFolder(path)
    settings = configuration.load(path, os.environ)
    with closing(folder.open_database()) as database:
        try:
            address = parse_address(text)
        except DecodeError as error:
            raise UserError(str(error)) from None
        before = _market(database, address)
        if before is None:
            raise UserError(f"there is no user {address}")
        if before == market:
            raise UserError(f"{address} is of {market} already")
        keys = folder.market_keys(settings.enterprise.market_keys)
        if keys.tombstone(before) is not None:
            raise UserError(f"{before} is closed and its key destroyed: no data remains")
        check_takes_users(database, market)
        now_ms = time.time_ns() // 1_000_000
        open_market(database, keys, market, now_ms)
        moved = _moved(database, address, before, now_ms)
        wrapping = Wrapping(keys, secrets.token_bytes)
        return before, _run(database, address, market, (wrapping, moved), progress)


def _market(database: Database, address: Address) -> str | None:
    (market,) = HostReader(database).read(FindMarkets((address,)))
    return market


def _moved(database: Database, address: Address, before: str, now_ms: int) -> NoteAct | None:
    """The act that records the move, if the old market's exit was announced."""
    case = replayed(database).exit_of(before)
    if case is not None and case.state in ("preparing", "destroying"):
        raise UserError(
            f"{before} is being closed ({case.id}, {case.state}): its receipts are made and counted"
        )
    if case is None or case.state == "rescinded" or notice_step(case) is None:
        return None
    person = HostReader(database).read(FindAddressee(address))
    if person is None:
        raise UserError(f"there is no user {address}")
    return NoteAct(person.number, case.id, "moved", "", now_ms)


def _run(
    database: Database,
    address: Address,
    market: str,
    work: tuple[Wrapping, NoteAct | None],
    progress: Progress,
) -> int:
    wrapping, moved = work
    total, done, over = _left(database, address, market), 0, False
    command = MoveUser(address, market, MOVE_ROWS, moved)
    engine = Engine(database, wrapping)
    while not over:
        progress(done, total)
        over = engine.write(command)
        done = max(done, total - _left(database, address, market))
    progress(total, total)
    return done


def _left(database: Database, address: Address, market: str) -> int:
    person = HostReader(database).read(FindAddressee(address))
    if person is None:
        return 0
    return int(database.reading.execute(_ROWS, (person.number, market)).get or 0)
