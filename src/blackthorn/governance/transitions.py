"""A case's transitions as table rows: action, states, fields, signers. docs/ draws them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import permutations
from typing import Any, Final

from blackthorn.errors import VerificationError
from blackthorn.governance.values import Spec


class Role(StrEnum):
    """An officer's role; a person may have several."""

    OWNER = "owner"
    ADMIN = "admin"
    HELPDESK = "helpdesk"
    LEGAL = "legal"
    CUSTODIAN = "custodian"
    AUDITOR = "auditor"


Slot = frozenset[Role]
"""One approver with any of these roles."""

ANY_DECIDER: Final = frozenset({Role.OWNER, Role.ADMIN, Role.LEGAL, Role.CUSTODIAN})
LEGAL: Final = frozenset({Role.LEGAL})
CUSTODIAN: Final = frozenset({Role.CUSTODIAN})
OWNER: Final = frozenset({Role.OWNER})

KEEP: Final = "="
"""As a target: the state stays."""


@dataclass(frozen=True, slots=True)
class Step:
    """A taken decision: the latest time of an approval, and the ledger's time if known."""

    seq: int
    action: str
    public: dict[str, Any]
    officers: tuple[str, ...]
    at_ms: int
    logged_ms: int


@dataclass(frozen=True)
class Case:
    """A directive or exit. `head` is the hash of its last statement."""

    id: str
    state: str = ""
    seq: int = 0
    head: bytes = bytes(32)
    history: tuple[Step, ...] = ()
    held: bool = False

    def last(self, action: str) -> dict[str, Any]:
        """The public part of the newest such step, {} without one."""
        return next((step.public for step in reversed(self.history) if step.action == action), {})


@dataclass(frozen=True, slots=True)
class Request:
    """A statement to check.

    `now_ms` is the earliest of the approvers' and the ledger's clocks, `latest_ms` the latest of
    the approvers': auditors see a later ledger time than the server did.
    """

    public: dict[str, Any]
    now_ms: int
    latest_ms: int


Guard = Callable[[Case, Request], None]


@dataclass(frozen=True, slots=True)
class Transition:
    """One action. `target` is a state, KEEP, or (field, value → state).

    A target may also map sources to states, KEEP for others. `sources` are states, "" for a new
    case. `signers` are the required approvers, all different persons.
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
        """All possible states after it, for the pages in docs/."""
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
    raise VerificationError("G3", f"unknown action {action!r}")


def missing(slots: Sequence[Slot], roles: Sequence[frozenset[Role]]) -> tuple[Slot, ...] | None:
    """Slots left open by approvers with these roles; None if one fits none."""
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
