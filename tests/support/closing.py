"""A market that is closed step by step: a database, key files, officers' real decisions.

market = Market(tmp_path)      PK has u1 to u5 with mail and parcels, DE has u6 to u8
market.until("preparing")      decisions up to that state
market.work()                  every step there is now
market.decide("destroy")       as the closure counted it
"""

import random
from pathlib import Path

from blackthorn.errors import BlackthornError
from blackthorn.governance.package.build import register_key
from blackthorn.ids import Address
from blackthorn.link import limits
from blackthorn.ports.governance.closure import Closure, ListClosures
from blackthorn.ports.mail import SealedMail
from blackthorn.programs.server.closure import publish_statement, register_seed
from blackthorn.server.markets.closure import Closures
from blackthorn.server.markets.closure_checks import ClosureChecks
from blackthorn.server.markets.closure_facts import Facts
from blackthorn.simulation.stepped import SteppedReader, SteppedWriter
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.stores import markets
from blackthorn.storage.sqlite.wrapping import Wrapping
from tests.support.governance_world import World
from tests.support.market_keys import add_people
from tests.support.stored import StoredMail, StoredPersons, answered
from tests.support.walks import leaving

SEED = 20151230
LEFT, KEPT = range(1, 6), range(6, 9)
MAILS = 3


class WorldClock:
    def __init__(self, world: World) -> None:
        self.world = world

    def wall_ms(self) -> int:
        return self.world.now_ms

    def monotonic(self) -> float:
        return 0.0


def at_once(work, done) -> None:
    """A thread that has ended before anybody looks."""
    try:
        result = work()
    except BlackthornError as error:
        result = error
    done(result)


class Market:
    """See the module."""

    def __init__(self, folder: Path, *, fresh: bool = True) -> None:
        self.folder = folder
        self.chance = random.Random(SEED)
        self.walk = leaving()
        self.world = self.walk.world
        self.database = Database.open(folder / "b.db")
        self.destroyed = 0
        self.compacts = True
        self.published: Path | None = None
        self.restart()
        if fresh:
            for market in ("PK", "DE"):
                self.keys.create(market, self.chance.randbytes)
            self.fill()

    def restart(self) -> None:
        """The process ends; another begins with what is on the disk."""
        self.keys = KeyFolder(self.folder / "keys")
        self.wrapping = Wrapping(self.keys, self.chance.randbytes)
        self.engine = Engine(self.database, self.wrapping)
        self.writer, self.reader = SteppedWriter(self.engine), SteppedReader(self.engine)
        self.mail = StoredMail(self.database, self.wrapping)
        self.persons = StoredPersons(self.engine)
        seed = register_seed(self.world.keys)
        origin = self.world.keys.origin

        def publish(exit_id: str, statement: bytes) -> None:
            self.published = publish_statement(
                self.folder / "closures", origin, seed, exit_id, statement
            )

        self.closures = Closures(
            cases=lambda: self.world.cases,
            keys=self.keys,
            writer=self.writer,
            reader=self.reader,
            clock=WorldClock(self.world),
            log_ms=lambda: self.world.now_ms,
            random=self.chance.randbytes,
            apart=at_once,
            compact=lambda: self.compacts and markets.compact(self.folder / "b.db"),
            publish=publish,
            register=str(register_key(origin, seed)),
        )
        self.named: list[str] = []
        self.check = ClosureChecks(
            self.closures,
            lambda: self.world.cases,
            lambda case, action: {"accounts": self.named},
            self.reader,
        )

    def fill(self) -> None:
        add_people(self.database, 8)
        self.sql("UPDATE users SET market = CASE WHEN number <= 5 THEN 'PK' ELSE 'DE' END")
        for user in (*LEFT, *KEPT):
            self.put_mail(user)
            for seq in range(2):
                wrapped = self.wrapping.wrap("PK" if user <= 5 else "DE", b"parcel")
                self.sql(
                    "INSERT INTO mailbox (device, seq, market, sealed) VALUES (?, ?, ?, ?)",
                    user,
                    100 * user + seq,
                    "PK" if user <= 5 else "DE",
                    wrapped,
                )
            self.sql(
                "INSERT INTO key_package (id, device, last_resort, package)"
                " VALUES (?, ?, 0, x'00')",
                user,
                user,
            )
            self.sql(
                "INSERT INTO activations (nameplate, user, password, public_key, expires_ms)"
                " VALUES (?, ?, x'00', x'00', 0)",
                f"n{user}",
                user,
            )

    def put_mail(self, user: int, count: int = MAILS) -> None:
        self.do(self.mail.put([SealedMail(user, b"sealed mail" * 9)] * count, 1))

    def do(self, command) -> None:
        self.engine.execute(command)

    @property
    def stored(self) -> list[Closure]:
        return self.engine.read(ListClosures())

    def facts(self, market: str = "PK") -> Facts:
        return answered(self.closures.facts, market)

    def receipt(self, who: Address) -> bytes | None:
        return answered(self.closures.receipt, who)

    def refuse(self, decision) -> None:
        """Raises what the checks refuse it with."""
        answered(self.check, decision, {})

    def sql(self, query: str, *values):
        return self.database.writing.execute(query, values).fetchall()

    # --- The exit ---------------------------------------------------------------------------

    @property
    def state(self) -> str:
        return self.walk.case.state

    def until(self, state: str) -> "Market":
        """Decide step after step; the work in between is the caller's."""
        for action in ("plan", "approve", "announce", "drain", "freeze", "stop", "retrieve"):
            if self.state != state and self.walk.case.last(action) == {} and not self._did(action):
                self.walk.take(action)
        if state == "preparing":
            self.walk.take("prepare")
        assert self.state == state
        return self

    def _did(self, action: str) -> bool:
        return any(each.action == action for each in self.walk.case.history)

    def decide(self, action: str) -> None:
        """With the fields that the closure has counted."""
        self.walk.take(action, **self.facts().fields)

    def step(self) -> bool:
        """One step of the closure and its commit; whether there was one."""
        if not self.closures.tick():
            return False
        self.writer.commit()
        return True

    def work(self) -> int:
        """Every step there is now; how many."""
        steps = 0
        while self.step():
            steps += 1
            assert steps < 500, self.closures.problems()
        return steps

    def close(self) -> "Market":
        """All of it, from nothing to the end."""
        self.until("preparing")
        self.work()
        self.decide("destroy")
        self.work()
        self.decide("close")
        self.work()
        return self

    # --- What is there ----------------------------------------------------------------------

    def rows(self, market: str) -> tuple[int, ...]:
        """Mails, parcels, key packages and activations of the market's users."""
        users = f"(SELECT number FROM users WHERE market = '{market}')"
        return tuple(
            self.sql(f"SELECT count(*) FROM {table} WHERE {column} IN {users}")[0][0]
            for table, column in (
                ("mail", "user"),
                ("mailbox", "device"),
                ("key_package", "device"),
                ("activations", "user"),
            )
        )

    def phase(self) -> str:
        found = self.stored
        return found[0].phase.value if found else ""

    def readable(self, user: int) -> bool:
        heads = self.mail.list(user, 0, limits.MAX_MAIL_LISTING)
        return all(
            self.mail.read(user, each.uid, 0, each.size)[1] == b"sealed mail" * 9 for each in heads
        ) and bool(heads)


def address(number: int) -> Address:
    return Address(f"u{number}@acme.example")
