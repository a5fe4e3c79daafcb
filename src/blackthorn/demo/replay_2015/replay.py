"""The year 2015, replayed: demands, an exit from one market, and its users.

The real engines do everything over a real folder; only the clock is simulated. All reported numbers
come from the database, the ledger or a verified file, and expectations are checked.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from blackthorn.crypto.secret import Secret
from blackthorn.demo.replay_2015.actions import EXPORTED, MOVED, READ, Responses
from blackthorn.demo.replay_2015.closure import ClosureRun, refusals
from blackthorn.demo.replay_2015.crowd import MARKETS, Population, Workers, settle_in
from blackthorn.demo.replay_2015.directives import Answer, answer_investigation, refuse_monitoring
from blackthorn.demo.replay_2015.exit import A_DAY_MORE, EXTENDED, MARKET, Exit
from blackthorn.demo.replay_2015.officers import NAMES, Officers
from blackthorn.demo.replay_2015.people import PeopleTask, make_people, plain_mail
from blackthorn.demo.replay_2015.world import DOMAIN, World, at
from blackthorn.errors import SecurityError
from blackthorn.governance.closure.statement import ClosureStatement
from blackthorn.mail.pgp.open import open_mail

BEGINS: Final = "2015-06-01T08:00"
RECEIPT: Final = "receipt-of-one.cbor"
_SMALLER: Final = 10
_LEAST: Final = 10
Advance = Callable[[int], None]


class Timeline(Protocol):
    """Output of the replay: events at their simulated time, and progress."""

    def event(self, unix_ms: int, text: str) -> None: ...
    def work(self, text: str, total: int) -> AbstractContextManager[Advance]: ...


@dataclass(frozen=True, slots=True)
class Cast:
    """The number of users in MARKET and elsewhere, and the random seed."""

    users: int
    elsewhere: int
    seed: int

    @property
    def smaller(self) -> "Cast":
        here = max(_LEAST, self.users // _SMALLER)
        return Cast(here, max(_LEAST, self.elsewhere // _SMALLER), self.seed + 1)


@dataclass
class Replay:
    """One run over one server; `failures` has one line for each failed check."""

    out: Path
    cast: Cast
    workers: Workers
    timeline: Timeline
    failures: list[str] = field(default_factory=list)
    person_ms: float = 0.0

    def __post_init__(self) -> None:
        self.world = World(self.out / "server", self.cast.seed, at(BEGINS))
        self.officers = self._officers()
        self.here = Population()
        self.others = Population()
        self.exit = Exit(self.world, self.officers)
        self.responses = Responses(self.exit, self.here)

    def _officers(self) -> Officers:
        world = self.world
        world.open_market("CA")
        tasks = [PeopleTask((f"{name}@{DOMAIN}",), world.clock.now_ms, 1, 0) for name in NAMES]
        people = [person for task in tasks for person in make_people(task)]
        world.enrol([(world.add_user(person.address, "CA"), person) for person in people])
        world.settle()
        officers = Officers(world, people)
        officers.found()
        return officers

    def report(self, text: str) -> None:
        self.timeline.event(self.world.clock.now_ms, text)

    def check(self, holds: bool, text: str) -> None:
        if not holds:
            self.failures.append(text)

    @contextmanager
    def _notifying(self, text: str) -> Iterator[Advance]:
        """Progress while all users of the market are notified."""
        users = self.world.count("SELECT count(*) FROM users WHERE market = ?", MARKET)
        with self.timeline.work(text, users) as advance:
            yield advance

    def settle(self) -> None:
        """Create users, each with keys, an identity chain, mail and messages."""
        begun, cast = time.perf_counter(), self.cast
        with self.timeline.work("people with keys, mail and messages", cast.users) as advance:
            crowd = settle_in(self.world, self.workers, [MARKET], cast.users, advance)
        self.here.people, self.here.silent = crowd.people, crowd.silent
        with self.timeline.work("people elsewhere", cast.elsewhere) as advance:
            self.others = settle_in(self.world, self.workers, MARKETS, cast.elsewhere, advance)
        self.person_ms = (time.perf_counter() - begun) * 1000 / (cast.users + cast.elsewhere)
        self.report(
            f"{cast.users} people in {MARKET}, {cast.elsewhere} elsewhere, each with an identity "
            "chain, a certificate, sealed mail, and messages of a real MLS group of two"
        )

    def demands(self) -> Answer:
        """From 24 July: one demand is refused, one is answered."""
        self.world.until(at("2015-07-24T09:00"))
        case = refuse_monitoring(self.world, self.officers, self.out / "letter-of-refusal.txt")
        self.report(f"{case.id}: monitor all traffic: {case.state}, there is no such capability")
        self.world.until(at("2015-08-10T09:00"))
        named = sorted(self.here.people)[:2]
        answer = answer_investigation(self.world, self.officers, named, self.out)
        with self.timeline.work("the people named are told", answer.named) as advance:
            self.world.tell_all(advance)
        query = "SELECT count(*) FROM case_notice WHERE case_id = ?"
        self.check(
            self.world.count(query, answer.directive) == answer.named, "not told who is named"
        )
        self.report(
            f"{answer.directive}: two named accounts, criminal investigation: delivered, "
            f"{answer.files} files, {answer.sealed} of them ciphertext only"
        )
        return answer

    def leave(self) -> None:
        """The order to stop by 30 November: planned, announced, no new activations."""
        self.world.until(at("2015-08-25T09:00"))
        self.exit.plan()
        self.report(f"{self.exit.id}: ordered to stop by 30 November: planned and approved")
        self.world.until(at("2015-09-01T06:00"))
        with self._notifying("notices") as advance:
            self.exit.tell("announce", advance)
        self.report(f"{self.exit.id}: announced, by sealed mail to everybody in {MARKET}")
        self.world.until(at("2015-10-01T06:00"))
        self.exit.decide("drain")
        self.report(f"{self.exit.id}: no new activations")

    def respond(self) -> None:
        """Users read notices, set forwarding, export and move."""
        self.world.until(at("2015-10-15T12:00"))
        readers = self.responses.read()
        self.responses.forward(readers)
        with self.timeline.work("exports", round(len(readers) * EXPORTED)) as advance:
            folder = self.out / "export-of-one"
            self.responses.export(readers, self.workers, folder, advance)
        with self.timeline.work("moves", round(len(readers) * MOVED)) as advance:
            self.responses.move(readers, advance)
        share = f"{READ:.0%} read the notice"
        self.report(f"{share}; people export, move and choose where their mail goes")

    def extended(self) -> None:
        """30 November: extended by a month."""
        self.world.until(at("2015-11-30T07:00"))
        with self._notifying("notices of the extension") as advance:
            self.exit.extend(EXTENDED, b"The service may go on until 30 December 2015.", advance)
        self.report(f"{self.exit.id}: extended to 30 December")

    def stop(self) -> None:
        """29 December: read-only, and an early stop is refused. 30 December: stopped."""
        self.world.until(at("2015-12-29T06:00"))
        with self._notifying("notices: read-only") as advance:
            self.exit.tell("freeze", advance)
        early = self.exit.refused_early("stop")
        self.report(f"{self.exit.id}: read-only; a stop a day early is refused ({early})")
        self.world.until(at("2015-12-30T06:00"))
        for action in ("stop", "retrieve"):
            with self._notifying(f"notices: {action}") as advance:
                self.exit.tell(action, advance)
        self.report(f"{self.exit.id}: stopped; people may fetch what is theirs")
        self._check_refusals()

    def close(self) -> ClosureStatement:
        """30 December: data and key are destroyed, with a verified statement."""
        self.world.until(at("2015-12-30T18:00"))
        mails, parcels = self._rows()
        with self.timeline.work("closure", 1) as advance:
            closing = ClosureRun(self.exit, self.out)
            closed = closing.run()
            advance(1)
        name = sorted(set(self.here.people) - set(self.responses.moved))[0]
        (self.out / RECEIPT).write_bytes(closing.receipt(name))
        self.check((closed.mails, closed.parcels) == (mails, parcels), "not all rows were counted")
        self.check(self._rows() == (0, 0), f"rows of {MARKET} are left")
        self.check(self.world.market_keys.key(MARKET) is None, f"the key of {MARKET} is left")
        self.report(
            f"{self.exit.id}: closed: {mails} mails and {parcels} parcels deleted, the key "
            f"{closed.key.hex()[:16]} destroyed, {len(closed.samples)} samples tried, none opens"
        )
        return closed

    def _rows(self) -> tuple[int, int]:
        count = self.world.count
        return (
            count("SELECT count(*) FROM mail WHERE market = ?", MARKET),
            count("SELECT count(*) FROM mailbox WHERE market = ?", MARKET),
        )

    def _check_refusals(self) -> None:
        """SMTP answers 551 for forwarded users, 550 for the others of the market, 250 elsewhere."""
        forwarded = self.world.count(
            "SELECT count(*) FROM exit_person JOIN users ON number = user"
            " WHERE exit_id = ? AND forward IS NOT NULL AND market = ?",
            self.exit.id,
            MARKET,
        )
        moved = set(self.responses.moved)
        left = [name for name in self.here.people if name not in moved]
        expected = {551: forwarded, 550: len(left) - forwarded}
        said = refusals(self.world, left)
        self.check(said == {code: n for code, n in expected.items() if n}, f"SMTP says {said}")
        others = [*self.others.people, *moved]
        said = refusals(self.world, others)
        self.check(said == {250: len(others)}, f"SMTP says {said} elsewhere")

    def stay(self) -> dict[str, Any]:
        """31 December: rescinded just before the stop, and service continues."""
        self.world.until(at("2015-12-30T05:00"))
        with self._notifying("notices of one day more") as advance:
            self.exit.extend(A_DAY_MORE, b"One day more.", advance)
        self.report(f"{self.exit.id}: extended by one day more")
        self.world.until(at("2015-12-31T18:30"))
        with self._notifying("notices: the market is not left") as advance:
            case = self.exit.rescind(b"The order is withdrawn.", advance)
        self.report(f"{case.id}: half an hour before the stop the order is rescinded")
        self.world.until(at("2016-01-04T09:00"))
        name = sorted(set(self.here.people) - set(self.responses.moved))[0]
        text, now_ms = "Happy new year: the mail goes on.", self.world.clock.now_ms
        self.world.receive(name, plain_mail(name, "New year", now_ms, text))
        sealed = self.world.sealed_mails(name)[-1][2]
        opened = open_mail(sealed, Secret(self.here.people[name].openpgp)).content
        delivered = text.encode() in opened
        self.check(delivered, "mail after the rescission does not open")
        self.check(case.state == "rescinded", f"the second exit is {case.state}")
        items = self.check_all(self.here)
        self.report("mail arrives and opens; everything that was there still opens")
        return {
            "users": self.cast.users,
            "elsewhere": self.cast.elsewhere,
            "state": case.state,
            "mail_delivered_after": delivered,
            "opened_after": items,
        }

    def check_all(self, crowd: Population) -> int:
        """Open all mail and messages of these people; how many. Raises SecurityError."""
        responses = Responses(self.exit, crowd)
        return sum(map(responses.check_opens, crowd.people))

    def untouched(self) -> int:
        """Open everything of users elsewhere and of moved users; how many."""
        opened = 0
        try:
            opened = self.check_all(self.others)
            for name in self.responses.moved:
                opened += self.responses.check_opens(name)
        except SecurityError as error:
            self.failures.append(f"after the closure: {error}")
        return opened
