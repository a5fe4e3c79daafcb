"""A closure in a process of its own, to be killed: `python -m tests.support.closure_process DIR`.

Officers' decisions are files in DIR, `destroy.json` and `close.json`: they are made from what the
closure has counted, as soon as it has, and then they stand, whatever happens to the process.
"""

import asyncio
import json
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import Any

from blackthorn.governance import exits
from blackthorn.governance.cases import Cases
from blackthorn.governance.transitions import Case, Step
from blackthorn.ports.governance.closure import ListClosures, Phase
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.closure import Apart
from blackthorn.programs.server.wiring import SystemClock
from blackthorn.server.counters import Counters
from blackthorn.server.markets import limits
from blackthorn.server.markets.closure import Closures
from blackthorn.simulation.memory import wrapping
from blackthorn.storage.files import atomic
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.stores.markets import compact
from blackthorn.storage.sqlite.writer import ThreadWriter

EXIT = "X-PK-1"
STATES = {0: "preparing", 1: "destroying", 2: "closed"}


def decided(folder: Path) -> Case:
    """The exit as its decisions in the folder say."""
    dates = dict.fromkeys((*exits.DATES, "forwarding_end_ms"), 2**50)
    steps: list[tuple[str, dict[str, Any]]] = [("plan", {"market": "PK", **dates})]
    for action in ("destroy", "close"):
        path = folder / f"{action}.json"
        if path.exists():
            value = json.loads(path.read_text())
            steps.append((action, {k: _back(v) for k, v in value.items()}))
    history = tuple(Step(n, *each, (), 0, 0) for n, each in enumerate(steps, 1))
    return Case(EXIT, STATES[len(steps) - 1], len(steps), history=history)


def _back(value: Any) -> Any:
    return bytes.fromhex(value) if isinstance(value, str) else value


def _decide(folder: Path, fields: dict[str, Any], case: Case) -> None:
    action = "destroy" if case.state == "preparing" else "close"
    value = {k: v.hex() if isinstance(v, bytes) else v for k, v in fields.items()}
    atomic.replace(folder / f"{action}.json", json.dumps(value).encode())


async def close(folder: Path) -> None:
    """Until the statement is published."""
    limits.CLOSURE_PERSONS, limits.CLOSURE_ROWS = 3, 7
    database = Database.open(folder / "b.db")
    engine, wake = Engine(database, wrapping()), asyncio.get_running_loop().call_soon_threadsafe
    writer, reader = ThreadWriter(engine, wake), ThreadReader(engine, wake)
    cases = Cases()
    closures = Closures(
        cases=lambda: cases,
        keys=KeyFolder(folder / "keys"),
        writer=writer,
        reader=reader,
        clock=SystemClock(),
        log_ms=SystemClock().wall_ms,
        random=secrets.token_bytes,
        apart=Apart(Supervisor(Counters())),
        compact=partial(compact, folder / "b.db"),
        publish=lambda name, data: atomic.replace(folder / f"{name}.json", data),
        register="of no key",
    )
    while not any(
        closure.phase is Phase.CLOSED
        for closure in await outcome(partial(reader.ask, ListClosures()))
    ):
        cases.by_id[EXIT] = case = decided(folder)
        working = closures.tick()
        facts = await outcome(partial(closures.facts, "PK"))
        if not working and facts.fields:
            _decide(folder, facts.fields, case)
        await asyncio.sleep(0.001)
    reader.close()
    writer.close()
    database.close()


if __name__ == "__main__":
    print("begun", flush=True)
    asyncio.run(close(Path(sys.argv[1])))
