"""The officers of the replay: five people with devices, who sign and submit each decision.

As in service, one officer proposes, and others approve the pending decision. One signature is never
enough.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from blackthorn.demo.replay_2015.people import Person
from blackthorn.demo.replay_2015.world import World
from blackthorn.errors import BlackthornError, UserError
from blackthorn.governance import cases, officer_requests, statements
from blackthorn.governance.officers import CASE
from blackthorn.governance.transitions import Case, Role, find, missing
from blackthorn.ids import Address
from blackthorn.storage.sqlite.stores.cases import open_founding

ROLES: Final = {
    "O-00000001": frozenset({Role.OWNER}),
    "O-00000002": frozenset({Role.OWNER, Role.ADMIN}),
    "O-00000003": frozenset({Role.LEGAL}),
    "O-00000004": frozenset({Role.CUSTODIAN}),
    "O-00000005": frozenset({Role.CUSTODIAN}),
}
"""Two founders, then the officers whom they appoint."""

NAMES: Final = ("owner-one", "owner-two", "legal", "custodian-one", "custodian-two")


@dataclass
class Officers:
    """`people` are activated, in the order of ROLES."""

    world: World
    people: list[Person] = field(repr=False)

    def found(self) -> None:
        """Two owners found the officers and appoint the rest."""
        first, second, *others = ROLES
        addresses = [Address(each.address) for each in self.people]
        refusal = open_founding(self.world.database.writing, addresses[:2])
        if refusal:
            raise UserError(refusal)
        public = {**self._person(0), **self._person(1, "_2")}
        private = {"address": addresses[0], "address_2": addresses[1]}
        self.decide(CASE, "found", public, private, by=(first, second))
        for number, _ in enumerate(others, 2):
            self.decide(CASE, "appoint", self._person(number), {"address": addresses[number]})

    def _person(self, number: int, suffix: str = "") -> dict[str, Any]:
        name, public = list(ROLES)[number], self.people[number].signing.public
        return officer_requests.officer_fields(name, sorted(ROLES[name]), public, suffix)

    def decide(
        self,
        case: str,
        action: str,
        public: dict[str, Any] | None = None,
        private: dict[str, Any] | None = None,
        *,
        by: tuple[str, ...] | None = None,
    ) -> Case:
        """Decide with as many officers as needed, one after the other; the case afterwards.

        Raises UserError for a refusal, and when one signature alone was enough.
        """
        world, before = self.world, self.world.decisions.cases.case(case)
        kept = b"" if private is None else statements.seal_private(private, world.chance.randbytes)
        hashed = statements.private_hash(kept) if kept else None
        statement = statements.Statement(
            case, before.seq + 1, before.head, action, public or {}, hashed
        )
        signed = statements.Signed(statement, ())
        able = by or fewest_officers(case, action)
        for number, name in enumerate(able, 1):
            signed = self._approve(signed, name)
            if self._submit(name, signed, kept) != (number < len(able)):
                raise UserError(f"{action} of {case} was not taken by {len(able)} officers")
            if number < len(able):
                signed = statements.decode(
                    next(e.signed for e in world.decisions.pending if e.case == case)
                )
            world.clock.now_ms += 60_000
        world.settle()
        return world.decisions.cases.case(case)

    def _approve(self, signed: statements.Signed, name: str) -> statements.Signed:
        keys = self.people[list(ROLES).index(name)].signing
        return statements.approve(signed, name, self.world.clock.now_ms, keys)

    def _submit(self, name: str, signed: statements.Signed, kept: bytes) -> bool:
        """Submit; whether another approver is needed."""
        person = Address(self.people[list(ROLES).index(name)].address)
        submit = partial(self.world.decisions.submit, person, signed.encode(), kept)
        try:
            return bool(self.world.answer(submit))
        except BlackthornError as error:
            raise UserError(f"{signed.statement.action}: {error}") from None


def fewest_officers(case: str, action: str) -> tuple[str, ...]:
    """The smallest set of officers of ROLES that may take the action."""
    slots = find(cases.transitions_of(case), action).signers
    chosen: list[str] = []
    for name in ROLES:
        held = [ROLES[each] for each in chosen]
        before, after = missing(slots, held), missing(slots, [*held, ROLES[name]])
        if after is not None and before is not None and len(after) < len(before):
            chosen.append(name)
    return tuple(chosen)
