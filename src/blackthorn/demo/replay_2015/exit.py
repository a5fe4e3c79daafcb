"""The exit from the market as its officers decide it, step after step.

A government's order compels it, which allows a short retrieval time. Nothing happens without a
decision.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from blackthorn.demo.replay_2015.officers import Officers
from blackthorn.demo.replay_2015.world import World, at
from blackthorn.errors import UserError
from blackthorn.governance.transitions import Case
from blackthorn.ports.governance.closure import ListAddresses
from blackthorn.server.markets.closure_facts import list_hash

MARKET: Final = "PK"
_ORDER: Final = b"The service ends on 30 November 2015."

FIRST: Final = {
    "announce_ms": at("2015-09-01T06:00"),
    "activations_ms": at("2015-10-01T06:00"),
    "read_only_ms": at("2015-11-30T18:00"),
    "stop_ms": at("2015-11-30T19:00"),
    "retrieval_end_ms": at("2015-11-30T22:00"),
    "backups_end_ms": at("2015-12-30T22:00"),
    "forwarding_end_ms": at("2016-11-30T19:00"),
}
EXTENDED: Final = {
    **FIRST,
    "read_only_ms": at("2015-12-29T06:00"),
    "stop_ms": at("2015-12-30T06:00"),
    "retrieval_end_ms": at("2015-12-30T18:00"),
    "backups_end_ms": at("2016-01-29T18:00"),
    "forwarding_end_ms": at("2016-12-30T06:00"),
}
A_DAY_MORE: Final = {
    **EXTENDED,
    "read_only_ms": at("2015-12-31T06:00"),
    "stop_ms": at("2015-12-31T19:00"),
    "retrieval_end_ms": at("2015-12-31T22:00"),
    "backups_end_ms": at("2016-01-30T22:00"),
    "forwarding_end_ms": at("2016-12-31T06:00"),
}


@dataclass
class Exit:
    """One exit of MARKET; `case` is its current state."""

    world: World
    officers: Officers
    case: Case = field(default_factory=lambda: Case(""))

    @property
    def id(self) -> str:
        return self.case.id

    def decide(self, action: str, public: dict[str, Any] | None = None) -> Case:
        """Decide the next step with as many officers as it needs."""
        self.case = self.officers.decide(self.id, action, public)
        return self.case

    def refused_early(self, action: str) -> str:
        """The refusal of a step tried before its date. Raises UserError if it was accepted."""
        seq = self.case.seq
        try:
            self.officers.decide(self.id, action)
        except UserError as refusal:
            return str(refusal)
        raise UserError(f"{action} of {self.id} was taken before its date, as step {seq + 1}")

    def plan(self) -> Case:
        """Plan the exit with its users, reason and dates, and approve it."""
        world = self.world
        users = world.engine.read(ListAddresses(MARKET, "", 2**31))
        self.case = self.officers.decide(
            world.decisions.cases.next_exit(MARKET),
            "plan",
            {
                "market": MARKET,
                "reason": "An order ends the service unless all traffic can be read.",
                "directive": "D-000001",
                "users": len(users),
                "list": list_hash(users),
                **FIRST,
                "no_notice": 0,
                "compelled": hashlib.sha256(_ORDER).digest(),
            },
        )
        return self.decide("approve")

    def tell(
        self, action: str, advance: Callable[[int], None], public: dict[str, Any] | None = None
    ) -> Case:
        """Decide a step, and notify all affected users by sealed mail."""
        case = self.decide(action, public)
        self.world.tell_all(advance)
        return case

    def extend(self, dates: dict[str, int], order: bytes, advance: Callable[[int], None]) -> Case:
        public = {**dates, "document": hashlib.sha256(order).digest()}
        return self.tell("extend", advance, public)

    def rescind(self, order: bytes, advance: Callable[[int], None]) -> Case:
        return self.tell("rescind", advance, {"document": hashlib.sha256(order).digest()})
