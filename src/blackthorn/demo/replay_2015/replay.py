"""The year 2015, replayed: demands, an exit from one market, and what became of its people.

Everything is done by the real engines over a real folder; only the clock is the story's. Each
number that is told is read from the database, the ledger or a checked file, and what should hold
is checked where it happens or at the end.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from blackthorn.crypto.secret import Secret
from blackthorn.demo.replay_2015.actions import EXPORTED, MOVED, READ, Doings
from blackthorn.demo.replay_2015.closure import Closed, Closing, refusals
from blackthorn.demo.replay_2015.crowd import MARKETS, Crowd, Workers, settle_in
from blackthorn.demo.replay_2015.directives import Answer, answer_investigation, refuse_monitoring
from blackthorn.demo.replay_2015.exit import A_DAY_MORE, EXTENDED, MARKET, Exit
from blackthorn.demo.replay_2015.officers import NAMES, Officers
from blackthorn.demo.replay_2015.people import Ask, make_people, plain_mail
from blackthorn.demo.replay_2015.world import DOMAIN, World, at
from blackthorn.errors import SecurityError
from blackthorn.mail.pgp.open import open_mail

BEGINS: Final = "2015-06-01T08:00"
RECEIPT: Final = "receipt-of-one.cbor"
_SMALLER: Final = 10
_LEAST: Final = 10
Told = Callable[[int], None]


class Teller(Protocol):
    """Who tells the story while it is played."""

    def event(self, unix_ms: int, text: str) -> None:
        """Something happened at that time of the story."""
        ...

    def work(self, text: str, total: int) -> AbstractContextManager[Told]:
        """Something takes a while; what the block is given is told how much more is done."""
        ...


@dataclass(frozen=True, slots=True)
class Cast:
    """How many people there are in MARKET and elsewhere, and the seed of what is left to chance."""

    users: int
    elsewhere: int
    seed: int

    @property
    def smaller(self) -> "Cast":
        """For the second run."""
        here = max(_LEAST, self.users // _SMALLER)
        return Cast(here, max(_LEAST, self.elsewhere // _SMALLER), self.seed + 1)


@dataclass
class Play:
    """One run over one server. `failures` says in a line each what did not hold."""

    out: Path
    cast: Cast
    workers: Workers
    teller: Teller
    failures: list[str] = field(default_factory=list)
    person_ms: float = 0.0

    def __post_init__(self) -> None:
        self.world = World(self.out / "server", self.cast.seed, at(BEGINS))
        self.officers = self._officers()
        self.here = Crowd()
        self.others = Crowd()
        self.exit = Exit(self.world, self.officers)
        self.doings = Doings(self.exit, self.here)

    def _officers(self) -> Officers:
        world = self.world
        world.open_market("CA")
        asks = [Ask((f"{name}@{DOMAIN}",), world.clock.now_ms, 1, 0) for name in NAMES]
        people = [each for ask in asks for each in make_people(ask)]
        world.enrol([(world.add_user(each.address, "CA"), each) for each in people])
        world.settle()
        officers = Officers(world, people)
        officers.found()
        return officers

    def happened(self, text: str) -> None:
        """Tell of it, at the story's time."""
        self.teller.event(self.world.clock.now_ms, text)

    def hold(self, holds: bool, text: str) -> None:
        """What should be so."""
        if not holds:
            self.failures.append(text)

    @contextmanager
    def _telling(self, text: str) -> Iterator[Told]:
        """For what is told to everybody in the market."""
        users = self.world.count("SELECT count(*) FROM users WHERE market = ?", MARKET)
        with self.teller.work(text, users) as told:
            yield told

    # --- The steps -------------------------------------------------------------------------

    def settle(self) -> None:
        """People come, each with keys, an identity chain, mail and messages."""
        begun, cast = time.perf_counter(), self.cast
        with self.teller.work("people with keys, mail and messages", cast.users) as told:
            crowd = settle_in(self.world, self.workers, [MARKET], cast.users, told)
        self.here.people, self.here.silent = crowd.people, crowd.silent
        with self.teller.work("people elsewhere", cast.elsewhere) as told:
            self.others = settle_in(self.world, self.workers, MARKETS, cast.elsewhere, told)
        self.person_ms = (time.perf_counter() - begun) * 1000 / (cast.users + cast.elsewhere)
        self.happened(
            f"{cast.users} people in {MARKET}, {cast.elsewhere} elsewhere, each with an identity "
            "chain, a certificate, sealed mail, and messages of a real MLS group of two"
        )

    def demands(self) -> Answer:
        """24 July and after: one refused, one answered."""
        self.world.until(at("2015-07-24T09:00"))
        case = refuse_monitoring(self.world, self.officers, self.out / "letter-of-refusal.txt")
        self.happened(f"{case.id}: monitor all traffic: {case.state}, there is no such capability")
        self.world.until(at("2015-08-10T09:00"))
        named = sorted(self.here.people)[:2]
        answer = answer_investigation(self.world, self.officers, named, self.out)
        with self.teller.work("the people named are told", answer.named) as told:
            self.world.tell_all(told)
        query = "SELECT count(*) FROM case_notice WHERE case_id = ?"
        self.hold(
            self.world.count(query, answer.directive) == answer.named, "not told who is named"
        )
        self.happened(
            f"{answer.directive}: two named accounts, criminal investigation: delivered, "
            f"{answer.files} files, {answer.sealed} of them ciphertext only"
        )
        return answer

    def leave(self) -> None:
        """The order to stop by 30 November: planned, announced, no new activations."""
        self.world.until(at("2015-08-25T09:00"))
        self.exit.plan()
        self.happened(f"{self.exit.id}: ordered to stop by 30 November: planned and approved")
        self.world.until(at("2015-09-01T06:00"))
        with self._telling("notices") as told:
            self.exit.tell("announce", told)
        self.happened(f"{self.exit.id}: announced, by sealed mail to everybody in {MARKET}")
        self.world.until(at("2015-10-01T06:00"))
        self.exit.decide("drain")
        self.happened(f"{self.exit.id}: no new activations")

    def doing(self) -> None:
        """People read, have mail sent on, export and move."""
        self.world.until(at("2015-10-15T12:00"))
        readers = self.doings.read()
        self.doings.forward(readers)
        with self.teller.work("exports", round(len(readers) * EXPORTED)) as told:
            folder = self.out / "export-of-one"
            self.doings.export(readers, self.workers, folder, told)
        with self.teller.work("moves", round(len(readers) * MOVED)) as told:
            self.doings.move(readers, told)
        share = f"{READ:.0%} read the notice"
        self.happened(f"{share}; people export, move and choose where their mail goes")

    def extended(self) -> None:
        """30 November: a month more."""
        self.world.until(at("2015-11-30T07:00"))
        with self._telling("notices of the extension") as told:
            self.exit.extend(EXTENDED, b"The service may go on until 30 December 2015.", told)
        self.happened(f"{self.exit.id}: extended to 30 December")

    def stop(self) -> None:
        """29 and 30 December: read-only, and not stopped before its time; then stopped."""
        self.world.until(at("2015-12-29T06:00"))
        with self._telling("notices: read-only") as told:
            self.exit.tell("freeze", told)
        early = self.exit.refused_early("stop")
        self.happened(f"{self.exit.id}: read-only; a stop a day early is refused ({early})")
        self.world.until(at("2015-12-30T06:00"))
        for action in ("stop", "retrieve"):
            with self._telling(f"notices: {action}") as told:
                self.exit.tell(action, told)
        self.happened(f"{self.exit.id}: stopped; people may fetch what is theirs")
        self._check_refusals()

    def close(self) -> Closed:
        """30 December: destroyed, and proved."""
        self.world.until(at("2015-12-30T18:00"))
        mails, parcels = self._rows()
        with self.teller.work("closure", 1) as told:
            closing = Closing(self.exit, self.out)
            closed = closing.run()
            told(1)
        name = sorted(set(self.here.people) - set(self.doings.moved))[0]
        (self.out / RECEIPT).write_bytes(closing.receipt(name))
        self.hold((closed.mails, closed.parcels) == (mails, parcels), "not all rows were counted")
        self.hold(self._rows() == (0, 0), f"rows of {MARKET} are left")
        self.hold(self.world.market_keys.key(MARKET) is None, f"the key of {MARKET} is left")
        self.happened(
            f"{self.exit.id}: closed: {mails} mails and {parcels} parcels deleted, the key "
            f"{closed.fingerprint[:16]} destroyed, {closed.samples} samples tried, none opens"
        )
        return closed

    def _rows(self) -> tuple[int, int]:
        count = self.world.count
        return (
            count("SELECT count(*) FROM mail WHERE market = ?", MARKET),
            count("SELECT count(*) FROM mailbox WHERE market = ?", MARKET),
        )

    def _check_refusals(self) -> None:
        """What SMTP says now: 551 to who chose an address, 550 to the rest, others as before."""
        forwarded = self.world.count(
            "SELECT count(*) FROM exit_person JOIN users ON number = user"
            " WHERE exit_id = ? AND forward IS NOT NULL AND market = ?",
            self.exit.id,
            MARKET,
        )
        moved = set(self.doings.moved)
        left = [name for name in self.here.people if name not in moved]
        expected = {551: forwarded, 550: len(left) - forwarded}
        said = refusals(self.world, left)
        self.hold(said == {code: n for code, n in expected.items() if n}, f"SMTP says {said}")
        others = [*self.others.people, *moved]
        said = refusals(self.world, others)
        self.hold(said == {250: len(others)}, f"SMTP says {said} elsewhere")

    def stay(self) -> dict[str, Any]:
        """31 December, just before the stop: rescinded, and service goes on."""
        self.world.until(at("2015-12-30T05:00"))
        with self._telling("notices of one day more") as told:
            self.exit.extend(A_DAY_MORE, b"One day more.", told)
        self.happened(f"{self.exit.id}: extended by one day more")
        self.world.until(at("2015-12-31T18:30"))
        with self._telling("notices: the market is not left") as told:
            case = self.exit.rescind(b"The order is withdrawn.", told)
        self.happened(f"{case.id}: half an hour before the stop the order is rescinded")
        self.world.until(at("2016-01-04T09:00"))
        name = sorted(set(self.here.people) - set(self.doings.moved))[0]
        text, now_ms = "Happy new year: the mail goes on.", self.world.clock.now_ms
        self.world.receive(name, plain_mail(name, "New year", now_ms, text))
        sealed = self.world.sealed_mails(name)[-1][2]
        opened = open_mail(sealed, Secret(self.here.people[name].openpgp)).content
        delivered = text.encode() in opened
        self.hold(delivered, "mail after the rescission does not open")
        self.hold(case.state == "rescinded", f"the second exit is {case.state}")
        items = self.check_all(self.here)
        self.happened("mail arrives and opens; everything that was there still opens")
        return {
            "users": self.cast.users,
            "elsewhere": self.cast.elsewhere,
            "state": case.state,
            "mail_delivered_after": delivered,
            "opened_after": items,
        }

    def check_all(self, crowd: Crowd) -> int:
        """Everything of these people opens; how many things that are. Raises SecurityError."""
        doings = Doings(self.exit, crowd)
        return sum(map(doings.check_opens, crowd.people))

    def untouched(self) -> int:
        """What the others have opens, and what moved away too. A failure when it does not."""
        opened = 0
        try:
            opened = self.check_all(self.others)
            for name in self.doings.moved:
                opened += self.doings.check_opens(name)
        except SecurityError as error:
            self.failures.append(f"after the closure: {error}")
        return opened
