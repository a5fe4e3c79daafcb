"""All cases, and the functions by which decisions change them.

    Cases.check      is the statement allowed, and which approvals are missing?
    Cases.take       the same, complete: the case changes

The server, devices before signing, and auditors' replays share them. The server also checks
accounts and the ledger's time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.governance import directives, exits, ledger_case, officers, warrant_canary
from blackthorn.governance.officers import Officers
from blackthorn.governance.statements import Signed, Statement, message
from blackthorn.governance.transitions import (
    Case,
    Request,
    Slot,
    Step,
    Transition,
    find,
    missing,
    named,
)
from blackthorn.governance.values import check_fields

_EXIT: Final = re.compile(r"X-([A-Z]{2})-([0-9]+)")


@dataclass(frozen=True, slots=True)
class Checked:
    """An allowed statement; `lacks` are the missing approvers."""

    signed: Signed
    case: Case
    move: Transition
    lacks: tuple[Slot, ...]


_NAMED: Final[dict[str, Sequence[Transition]]] = {
    known.CASE: known.TRANSITIONS for known in (officers, warrant_canary, ledger_case)
}


def transitions_of(case: str) -> Sequence[Transition]:
    match case[:2]:
        case "D-":
            return directives.TRANSITIONS
        case "X-":
            return exits.TRANSITIONS
    return _NAMED[case]


@dataclass
class Cases:
    """`officers` are the current ones."""

    officers: Officers = field(default_factory=dict)
    by_id: dict[str, Case] = field(default_factory=dict)

    def case(self, name: str) -> Case:
        """An empty case if unknown."""
        return self.by_id.get(name, Case(name))

    @property
    def directives(self) -> list[Case]:
        """By number."""
        return sorted((case for case in self.by_id.values() if case.id[0] == "D"), key=_id)

    @property
    def exits(self) -> list[Case]:
        """By market and number."""
        return sorted((case for case in self.by_id.values() if case.id[0] == "X"), key=_id)

    def exit_of(self, market: str) -> Case | None:
        """A market's newest exit."""
        found = [case for case in self.exits if case.id[2:4] == market]
        return max(found, key=lambda case: int(case.id[5:])) if found else None

    def next_directive(self) -> str:
        """The next directive's id."""
        return f"D-{sum(name[0] == 'D' for name in self.by_id) + 1:06d}"

    def next_exit(self, market: str) -> str:
        """The id of the market's next exit."""
        return f"X-{market}-{sum(case.id[2:4] == market for case in self.exits) + 1}"

    def check(
        self,
        signed: Signed,
        clock_ms: int | None = None,
        known: Officers | None = None,
        *,
        numbered: bool = False,
    ) -> Checked:
        """Check a statement and its approvals so far. Raises `VerificationError`.

        `clock_ms` is the ledger's time, Unix milliseconds, if known; `known` the officers at the
        time of the decision, by default the current ones. `numbered` says that a new directive's
        number was checked against all others, sealed ones too.
        """
        statement = signed.statement
        case = self.case(statement.case)
        if statement.seq != case.seq + 1 or statement.prev != case.head:
            text = f"another decision on {statement.case} came first: review it, then decide again"
            raise VerificationError("G2", text)
        move = find(transitions_of(statement.case), statement.action)
        if case.state not in move.sources:
            standing = case.state or "not begun"
            ways = ", ".join(source or "not begun" for source in move.sources)
            text = f"{statement.case} is {standing}: {move.action} is possible only from {ways}"
            raise VerificationError("G4", text)
        check_fields(statement.public, move.public, f"a {move.action}")
        if bool(move.private) != (statement.private is not None):
            raise VerificationError("G16", f"{move.action} needs a private part, or must have none")
        if case.seq == 0:
            self._check_new(statement, numbered)
        if case.held and statement.action not in exits.WHILE_HELD:
            raise VerificationError("G13", f"{case.id} is held: release it first")
        lacks = self._approvals(signed, move, self.officers if known is None else known)
        self._guard(signed, case, move, clock_ms)
        return Checked(signed, case, move, lacks)

    def take(
        self,
        signed: Signed,
        clock_ms: int | None = None,
        known: Officers | None = None,
        *,
        numbered: bool = False,
    ) -> Case:
        """Apply a complete decision. Raises `VerificationError`, G6 if approvals are missing."""
        checked = self.check(signed, clock_ms, known, numbered=numbered)
        if checked.lacks:
            raise VerificationError("G6", "an approver is missing")
        statement, case = signed.statement, checked.case
        if statement.case == officers.CASE:
            self.officers = officers.after(self.officers, statement.action, statement.public)
        step = Step(
            statement.seq,
            statement.action,
            statement.public,
            tuple(approval.officer for approval in signed.approvals),
            signed.at_ms,
            clock_ms or 0,
        )
        held = {"hold": True, "release": False}.get(statement.action, case.held)
        after = replace(
            case,
            state=checked.move.result(case.state, statement.public),
            seq=statement.seq,
            head=statement.hash,
            history=(*case.history, step),
            held=held,
        )
        self.by_id[case.id] = after
        return after

    def _check_new(self, statement: Statement, numbered: bool) -> None:
        name = statement.case
        if name[0] == "D" and not numbered and name != self.next_directive():
            raise VerificationError("G12", f"the next directive is {self.next_directive()}")
        if found := _EXIT.fullmatch(name):
            market = found[1]
            if statement.public["market"] != market or name != self.next_exit(market):
                raise VerificationError("G12", f"the next exit of {market} is another")
            before = self.exit_of(market)
            if before is not None and before.state != "rescinded":
                raise VerificationError("G12", f"{before.id} is still {before.state}: end it first")

    def _approvals(self, signed: Signed, move: Transition, known: Officers) -> tuple[Slot, ...]:
        statement = signed.statement
        if statement.case == officers.CASE:
            known = officers.voters(known, statement.action, statement.public)
            officers.after(self.officers, statement.action, statement.public)
        roles = []
        for approval in signed.approvals:
            officer = known.get(approval.officer)
            if officer is None:
                raise VerificationError("G5", f"{approval.officer} is not an officer")
            try:
                text = message(statement, approval.officer, approval.at_ms)
                officer.keys.verify(approval.signature, text)
            except VerificationError:
                fault = f"the signature of {approval.officer} does not verify"
                raise VerificationError("G5", fault) from None
            roles.append(officer.roles)
        lacks = missing(move.signers, roles)
        if lacks is None:
            slots = ", and ".join(named(slot) for slot in move.signers)
            raise VerificationError("G6", f"{move.action} is signed by other roles: {slots}")
        return lacks

    def _guard(self, signed: Signed, case: Case, move: Transition, clock_ms: int | None) -> None:
        own = [approval.at_ms for approval in signed.approvals]
        if move.guard is None or not own:
            return
        earliest = min(own) if clock_ms is None else min(*own, clock_ms)
        move.guard(case, Request(signed.statement.public, earliest, max(own)))


def _id(case: Case) -> tuple[str, int]:
    head, _, number = case.id.rpartition("-")
    return head, int(number)
