"""The end of the story's market: receipts, destruction, the statement, and what is left after.

Every number of the two custodians' decisions comes from the closure's own store, and the server
holds them against it again. What is published is checked as an outsider would.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blackthorn.apps.story_exit import MARKET, Exit
from blackthorn.apps.story_world import World
from blackthorn.errors import StorageError
from blackthorn.governance import closure as closures
from blackthorn.governance.bag import register_key
from blackthorn.governance.bag_layout import document
from blackthorn.governance.closure_check import decode_published
from blackthorn.mail.errors import MailRefusedError
from blackthorn.server.closure import Closures
from blackthorn.server.closure_checks import ClosureChecks
from blackthorn.storage.sqlite.closure import SqliteClosures
from blackthorn.storage.sqlite.markets import compact, market_of

_STEPS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Closed:
    """What the published statement says, read back from the file."""

    persons: dict[str, int]
    mails: int
    parcels: int
    fingerprint: str
    samples: int
    file: Path


class Closing:
    """The closure over a world; it begins with the decision `prepare`."""

    def __init__(self, leaving: Exit, out: Path) -> None:
        self._exit = leaving
        self._world = world = leaving.world
        self._file = out / f"closure-{leaving.id}.json"
        origin, seed = world.keys.origin, world.keys.log

        def publish(name: str, statement: bytes) -> None:
            note = closures.sign(origin, seed, name, hashlib.sha256(statement).digest())
            self._file.write_bytes(_published(statement, note))

        self.closures = Closures(
            cases=lambda: world.office.cases,
            store=SqliteClosures(world.database.reading),
            keys=world.market_keys,
            writer=world.writer,
            clock=world.clock,
            random=world.chance.randbytes,
            compact=lambda told: told(compact(world.directory.database, rewrite=True)),
            publish=publish,
            register=str(register_key(origin, seed)),
        )
        world.office.checks.append(
            ClosureChecks(
                self.closures,
                lambda: world.office.cases,
                world.office.private,
                lambda address: market_of(world.database.reading, address),
            )
        )

    def work(self) -> int:
        """All steps until somebody must decide; how many. Raises StorageError."""
        for done in range(_STEPS):
            if not self.closures.tick():
                if self.closures.problems():
                    raise StorageError(self.closures.problems()[0])
                return done
            self._world.writer.commit()
        raise StorageError("the closure does not come to an end")

    def fields(self) -> dict[str, Any]:
        """What the next decision has to state."""
        return dict(self.closures.facts(MARKET).fields)

    def run(self) -> Closed:
        """Prepare, destroy, close."""
        leaving = self._exit
        leaving.decide("prepare")
        self.work()
        leaving.decide("destroy", self.fields())
        self.work()
        leaving.decide("close", self.fields())
        self.work()
        statement, _ = decode_published(self._file.read_bytes())
        return Closed(
            statement.counts,
            statement.mails,
            statement.parcels,
            statement.key.hex(),
            len(statement.samples),
            self._file,
        )


def _published(statement: bytes, note: str) -> bytes:
    return document({"statement": json.loads(statement), "signature": note})


def refusals(world: World, addresses: list[str]) -> dict[int, int]:
    """What SMTP says of mail for these now: code → how many of them; 250 when it is taken."""
    codes: dict[int, int] = {}
    for address in addresses:
        try:
            world.reception.recipient(address)
            code = 250
        except MailRefusedError as error:
            code = error.code
        codes[code] = codes.get(code, 0) + 1
    return codes
