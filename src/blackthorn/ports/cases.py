"""The port to decisions, taken and pending. `server.governance` has checked what it stores."""

from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import ConflictError
from blackthorn.ids import Address
from blackthorn.ports.store import Command, Query

PENDING: Final = "another decision waits in {}: look at it, and approve that, or wait an hour"


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision: `signed` and `private` as `governance.statements` makes them.

    `number` rises over all cases. `salt` (32 bytes) is that of the ledger's commitment, and
    `sealed` says that the ledger does not show it yet.
    """

    number: int
    case: str
    seq: int
    signed: bytes = field(repr=False)
    private: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    taken_ms: int
    sealed: bool

    @property
    def reveal(self) -> bytes:
        """What the ledger's commitment is to."""
        return self.salt + self.signed


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """One that lacks an approver; `since_ms` is when it was proposed."""

    case: str
    signed: bytes = field(repr=False)
    private: bytes = field(repr=False)
    since_ms: int


class ListDecisions(Query[list[StoredDecision]]):
    """At most `limit` decisions with a number above `after`, in order."""

    after: int
    limit: int


class ListPendingDecisions(Query[list[PendingDecision]]):
    """All that lack an approver, oldest first; the service bounds how many there are."""


class ListFounders(Query[list[Address]]):
    """The users who may found the officers: two at most."""


class ListDecisionEntries(Query[list[tuple[int, bytes]]]):
    """Place and bytes of at most `limit` ledger entries that hold decisions, behind `after`."""

    after: int
    limit: int


class StoreDecision(Command[None]):
    """Store the decision; a pending decision of its case is deleted."""

    decision: StoredDecision


class MarkDisclosed(Command[None]):
    """The ledger shows these decisions, (case, seq), from now on."""

    decisions: tuple[tuple[str, int], ...]


class ProposeDecision(Command[None]):
    """Keep a decision that lacks an approver, in place of the one pending whose bytes are `over`.

    Empty `over`: none is pending in its case. ConflictError when another one is pending by now.
    """

    pending: PendingDecision
    over: bytes = field(repr=False)

    def check(self, stored: bytes) -> None:
        """Raise ConflictError unless the pending decision's bytes, or none, are `stored`."""
        if stored != self.over:
            raise ConflictError(PENDING.format(self.pending.case))
