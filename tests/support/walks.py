"""Cases brought to a state by real decisions, for tests of what may follow."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from blackthorn.governance import directives, exits
from blackthorn.governance.transitions import Case, Transition
from tests.support.governance_world import DAY_MS, World, directive_facts

DAY = DAY_MS


def directive_fields(world: World) -> dict[str, dict[str, Any]]:
    """Public fields of every action of a directive, as good as any."""
    return {
        "receive": directive_facts(world.now_ms, gag_until_ms=world.now_ms + 30 * DAY),
        "verify": {"method": "call-back", "result": "genuine"},
        "assess": {"decision": "comply", "grounds": "It is lawful.", "deadline_ms": 0},
        "approve": {"categories": ["account-facts"]},
        "produce": {"manifest": bytes(32), "items": 1, "accounts_with_data": 1, "recipient": None},
        "deliver": {"delivered_ms": world.now_ms, "receipt": None},
        "refuse": {"reason": "not-lawful", "letter": bytes(32)},
        "contest": {"court": "High Court", "filed_ms": world.now_ms},
        "extend-gag": {"until_ms": world.now_ms + 60 * DAY, "order": bytes(32)},
        "lift-gag": {"order": None},
        "correct": {"corrects": 1, "note": "The court is another one."},
    }


def exit_fields(world: World) -> dict[str, dict[str, Any]]:
    """Public fields of every action of an exit, as good as any."""
    now = world.now_ms
    dates = {
        "announce_ms": now,
        "activations_ms": now,
        "read_only_ms": now + 20 * DAY,
        "stop_ms": now + 40 * DAY,
        "retrieval_end_ms": now + 80 * DAY,
        "backups_end_ms": now + 200 * DAY,
        "forwarding_end_ms": now + 300 * DAY,
    }
    later = {name: at + 200 * DAY for name, at in dates.items()}
    counted = dict.fromkeys(
        ("notified", "read", "exported", "moved", "forwarded", "unreachable", "held", "users"), 1
    )
    hashes = {"receipts": bytes(32), "key": bytes(32)}
    return {
        "plan": {
            "market": "PK",
            "reason": "A demand for open access.",
            "directive": "D-000001",
            "users": 1,
            "list": bytes(32),
            **dates,
            "no_notice": 0,
            "compelled": None,
        },
        "extend": {**later, "document": bytes(32)},
        "accelerate": {**dates, "document": bytes(32), "compelled": bytes(32)},
        "rescind": {"document": bytes(32)},
        "hold": {"reason": "A court has asked for it."},
        "release": {"reason": "The court has released it."},
        "destroy": {**counted, **hashes},
        "close": {
            "mails": 1,
            "parcels": 1,
            "key": bytes(32),
            "samples": 1,
            "opened": 0,
            "statement": bytes(32),
        },
    }


PRIVATE: dict[str, dict[str, Any]] = {
    "receive": {
        "accounts": ["p@acme.example"],
        "case_number": "7",
        "signatory": "a judge",
        "contact": "the registry",
    },
    "verify": {"contact": "the registry", "source": "a printed directory"},
}

DATED = {
    "announce": "announce_ms",
    "drain": "activations_ms",
    "freeze": "read_only_ms",
    "stop": "stop_ms",
    "retrieve": "stop_ms",
    "prepare": "retrieval_end_ms",
    "destroy": "retrieval_end_ms",
}
"""Actions that wait for a date of the plan."""


NOT_FROM = {("stop", "announced"), ("stop", "draining")}
"""Ways of an exit without notice only; they have a test of their own."""


@dataclass
class Walk:
    """One case of a kind, taken from state to state by officers who may."""

    name: str
    moves: Sequence[Transition]
    fields: Callable[[World], dict[str, dict[str, Any]]]
    world: World = field(default_factory=World)

    @property
    def case(self) -> Case:
        return self.world.cases.case(self.name)

    def take(self, action: str, **other: Any) -> None:
        """Decide; an action that waits for a date is decided on it."""
        if action in DATED and self.name[0] == "X":
            due = exits.dates(self.case)[DATED[action]]
            self.world.now_ms = max(self.world.now_ms, due)
        public = dict(self.fields(self.world).get(action, {}))
        if action == "accelerate":
            public |= exits.dates(self.case)
        public |= other
        self.world.decide(self.name, action, public, PRIVATE.get(action))

    def to(self, state: str) -> "Walk":
        """Take the shortest way that the table has to the state."""
        for action, other in path(self.moves, state):
            self.take(action, **other)
        assert self.case.state == state
        return self


def path(moves: Sequence[Transition], state: str) -> list[tuple[str, dict[str, Any]]]:
    """Actions, with the field that decides where they lead, from nothing to a state."""
    ways: dict[str, list[tuple[str, dict[str, Any]]]] = {"": []}
    queue = deque([""])
    while queue:
        here = queue.popleft()
        for move in moves:
            barred = here not in move.sources or (move.action, here) in NOT_FROM
            for target in () if barred else move.targets(here):
                if target not in ways:
                    ways[target] = [*ways[here], (move.action, _choice(move, target))]
                    queue.append(target)
    return ways[state]


def _choice(move: Transition, target: str) -> dict[str, Any]:
    if not isinstance(move.target, tuple):
        return {}
    name, targets = move.target
    return {name: next(value for value, state in targets.items() if state == target)}


def directive() -> Walk:
    """D-000001."""
    return Walk("D-000001", directives.TRANSITIONS, directive_fields)


def leaving() -> Walk:
    """X-PK-1."""
    return Walk("X-PK-1", exits.TRANSITIONS, exit_fields)


def states(moves: Sequence[Transition]) -> list[str]:
    """Every state of a table, that of nothing first."""
    found = [state for move in moves for state in move.sources]
    found += [state for move in moves for each in move.sources for state in move.targets(each)]
    return list(dict.fromkeys(["", *found]))
