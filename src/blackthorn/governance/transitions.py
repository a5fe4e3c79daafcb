"""Transitions of a case as rows of a table: action, from and to states, fields, signers.

The tables are `directives.TRANSITIONS`, `exits.TRANSITIONS` and so on; the pages in docs/ are drawn
from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import permutations
from typing import Any, Final

from blackthorn.errors import VerificationError
from blackthorn.governance.values import Spec


class Role(StrEnum):
    """An officer's role; one person may have several."""

    OWNER = "owner"
    ADMIN = "admin"
    HELPDESK = "helpdesk"
    LEGAL = "legal"
    CUSTODIAN = "custodian"
    AUDITOR = "auditor"


Slot = frozenset[Role]
"""One approver: who has any of these roles."""

ANY_DECIDER: Final = frozenset({Role.OWNER, Role.ADMIN, Role.LEGAL, Role.CUSTODIAN})
LEGAL: Final = frozenset({Role.LEGAL})
CUSTODIAN: Final = frozenset({Role.CUSTODIAN})
OWNER: Final = frozenset({Role.OWNER})

KEEP: Final = "="
"""As a target: the state stays."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decision that was taken: the latest approver's clock and, if known, the ledger's time."""

    seq: int
    action: str
    public: dict[str, Any]
    officers: tuple[str, ...]
    at_ms: int
    logged_ms: int


@dataclass(frozen=True)
class Case:
    """A directive or an exit as it stands. `head` is the hash of its last statement."""

    id: str
    state: str = ""
    seq: int = 0
    head: bytes = bytes(32)
    history: tuple[Step, ...] = ()
    held: bool = False

    def last(self, action: str) -> dict[str, Any]:
        """The public part of the newest such step, {} when there was none."""
        return next((step.public for step in reversed(self.history) if step.action == action), {})


@dataclass(frozen=True, slots=True)
class Request:
    """A statement that asks to be taken.

    `now_ms` is the earliest of its approvers' clocks and the ledger's, `latest_ms` the latest of
    the approvers' alone: the ledger's is later for an auditor than it was for the server.
    """

    public: dict[str, Any]
    now_ms: int
    latest_ms: int


Guard = Callable[[Case, Request], None]


@dataclass(frozen=True, slots=True)
class Transition:
    """One action. `target` is a state, KEEP, or (field, value → state) when a field decides.

    A target may also be a map from a source to its state, KEEP for the sources that it has not.
    `sources` are the states it is taken from; "" is that of a case that does not exist yet.
    `signers` are the approvers that it needs, each a different person.
    """

    action: str
    sources: tuple[str, ...]
    target: str | tuple[str, dict[str, str]] | dict[str, str]
    signers: tuple[Slot, ...]
    public: dict[str, Spec]
    says: str
    private: dict[str, Spec] = field(default_factory=dict)
    guard: Guard | None = None

    def result(self, state: str, public: dict[str, Any]) -> str:
        """The state after it."""
        if isinstance(self.target, tuple):
            name, targets = self.target
            return targets[public[name]]
        return self.targets(state)[0]

    def targets(self, state: str) -> tuple[str, ...]:
        """Every state that it can lead to from `state`, for the pages in docs/."""
        if isinstance(self.target, tuple):
            return tuple(dict.fromkeys(self.target[1].values()))
        if isinstance(self.target, dict):
            return (self.target.get(state, state),)
        return (state if self.target == KEEP else self.target,)


def find(moves: Sequence[Transition], action: str) -> Transition:
    """The row of an action. Raises `VerificationError` (G3)."""
    for move in moves:
        if move.action == action:
            return move
    raise VerificationError("G3", f"there is no action {action!r} here")


def missing(slots: Sequence[Slot], roles: Sequence[frozenset[Role]]) -> tuple[Slot, ...] | None:
    """The slots that approvers with these roles leave open; None when one has no place.

    Each approver takes one slot. Two or three of them: every order is tried.
    """
    best: tuple[Slot, ...] | None = None
    if len(roles) > len(slots):
        return None
    for chosen in permutations(range(len(slots)), len(roles)):
        if all(slots[place] & roles[i] for i, place in enumerate(chosen)):
            still_open = tuple(slot for place, slot in enumerate(slots) if place not in chosen)
            if best is None or len(still_open) < len(best):
                best = still_open
    return best


def named(slot: Slot) -> str:
    """A slot in words, such as `legal or owner`."""
    return " or ".join(sorted(slot))
