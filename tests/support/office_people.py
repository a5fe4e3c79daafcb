"""Officers over a ledger in memory: real identities, a real office, commits at will."""

from typing import Any

from blackthorn.directory import entries
from blackthorn.directory.entries import Record, decode_entry
from blackthorn.errors import BlackthornError
from blackthorn.governance.officer_requests import officer_fields
from blackthorn.governance.register import Register
from blackthorn.governance.statements import (
    Signed,
    Statement,
    approve,
    private_hash,
    seal_private,
)
from blackthorn.governance.transitions import Role
from blackthorn.ids import Address
from blackthorn.programs.server.decisions import make_decision_service
from blackthorn.simulation.memory import wrapping
from blackthorn.simulation.stepped import SteppedReader
from blackthorn.storage.sqlite.engine import Engine, HostReader
from blackthorn.storage.sqlite.stores.cases import open_founding
from tests.support.governance_world import directive_facts
from tests.support.ledger_world import LedgerWorld, Model

ROLES = {
    "ann": [Role.OWNER],
    "bob": [Role.OWNER],
    "lea": [Role.LEGAL],
    "cus": [Role.CUSTODIAN],
    "tod": [Role.CUSTODIAN],
    "hal": [Role.HELPDESK],
}


class WorldClock:
    """The machine's clock, which a test may set forward; the monotonic one is right."""

    def __init__(self, world: LedgerWorld) -> None:
        self._world = world
        self.jump_ms = 0

    def wall_ms(self) -> int:
        return self._world.now_ms + self.jump_ms

    def monotonic(self) -> float:
        return self._world.now_ms / 1000


class OfficePeople:
    """The officers named above, and `pat`, who is none and whom directives name."""

    def __init__(self, seed: int, most: int = 5) -> None:
        self.world = LedgerWorld(seed)
        self.clock = WorldClock(self.world)
        self.most = most
        self.people: dict[str, tuple[Address, Model]] = {}
        for name in (*ROLES, "pat"):
            self.people[name] = self.world.user(name)
        self.start()
        self.ids = {name: f"O-{number:08x}" for number, name in enumerate(ROLES, 1)}
        founders = [self.address("ann"), self.address("bob")]
        assert open_founding(self.world.database.writing, founders) == ""
        both = {"address": founders[0], "address_2": founders[1]}
        self.decide("officers", "found", self._founding(), both, by="ann bob")
        for name in list(ROLES)[2:]:
            public, private = self.person(name), {"address": self.address(name)}
            self.decide("officers", "appoint", public, private, by="ann bob")

    def start(self) -> None:
        """A new process over what is durable. Raises StorageError when it was altered."""
        world = self.world
        self.reader = SteppedReader(Engine(world.database, wrapping()))
        self.office = make_decision_service(
            world.ledger,
            world.cache,
            world.writer,
            self.reader,
            self.clock,
            self.most,
            world.chance.randbytes,
        )
        self.office.start(HostReader(world.database))

    def restart(self) -> None:
        """The process ends and starts again."""
        self.world.crash()
        self.start()

    def address(self, name: str) -> Address:
        return self.people[name][0]

    def person(self, name: str, suffix: str = "") -> dict[str, Any]:
        public = self.people[name][1].keys.public
        return officer_fields(self.ids[name], sorted(ROLES[name]), public, suffix)

    def _founding(self) -> dict[str, Any]:
        return {**self.person("ann"), **self.person("bob", "_2")}

    # --- Deciding -------------------------------------------------------------------------

    def draft(
        self, case: str, action: str, public: dict[str, Any], private: dict[str, Any] | None = None
    ) -> tuple[Signed, bytes]:
        """The next statement of a case, with no approval yet."""
        before = self.office.cases.case(case)
        kept = b"" if private is None else seal_private(private, self.world.chance.randbytes)
        digest = private_hash(kept) if kept else None
        statement = Statement(case, before.seq + 1, before.head, action, public, digest)
        return Signed(statement, ()), kept

    def sign(self, signed: Signed, *names: str, at_ms: int | None = None) -> Signed:
        for name in names:
            at = self.world.now_ms if at_ms is None else at_ms
            signed = approve(signed, self.ids[name], at, self.people[name][1].keys)
        return signed

    def submit(self, name: str, signed: Signed, kept: bytes) -> tuple[str, tuple[str, ...]]:
        """What a device of `name` is told, once it is durable."""
        told: list[tuple[str, ...] | BlackthornError] = []
        self.office.submit(self.address(name), signed.encode(), kept, told.append)
        self.world.writer.commit()
        (answer,) = told
        return (str(answer), ()) if isinstance(answer, BlackthornError) else ("", answer)

    def decide(
        self,
        case: str,
        action: str,
        public: dict[str, Any],
        private: dict[str, Any] | None = None,
        *,
        by: str,
    ) -> None:
        """Decided by these people; the ledger publishes it."""
        signed, kept = self.draft(case, action, public, private)
        names = by.split()
        assert self.submit(names[0], self.sign(signed, *names), kept) == ("", ())
        self.world.settle()

    def receive(self, accounts: list[str] | None = None, **other: Any) -> tuple[Signed, bytes]:
        """The draft of a directive that names pat."""
        names = [self.address("pat")] if accounts is None else accounts
        public = directive_facts(self.world.now_ms, **{"accounts": len(names), **other})
        private = {"accounts": names, "case_number": "7", "signatory": "s", "contact": "c"}
        return self.draft(self.office.cases.next_directive(), "receive", public, private)

    # --- What the ledger shows --------------------------------------------------------------

    def register(self) -> Register:
        """What an auditor makes of the published log."""
        register = Register()
        published = self.world.ledger.published
        assert published is not None
        log = self.world.store.entries(0, published.size, 2**31)
        heads = {
            entry.epoch: entry.unix_ms
            for entry in map(decode_entry, log)
            if isinstance(entry, entries.Head)
        }
        for place, data in enumerate(log):
            entry = decode_entry(data)
            if isinstance(entry, Record):
                register.add(entry.kind, entry.body, place, heads[entry.epoch])
        return register
