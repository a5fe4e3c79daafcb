"""The port to stored decisions and pending proposals, which `server.governance` has checked."""

from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import ConflictError
from blackthorn.ids import Address
from blackthorn.ports.store import Command, Query

PENDING: Final = "another decision waits in {}: look at it, and approve that, or wait an hour"


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision: `signed` and `private` as `governance.statements` makes them.

    `number` rises over all cases; `salt` (32 bytes) is that of the ledger's commitment; `sealed`:
    the ledger does not show the decision yet.
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
        """The opening of the ledger's commitment."""
        return self.salt + self.signed


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """A proposal that lacks an approver; proposed at `since_ms`."""

    case: str
    signed: bytes = field(repr=False)
    private: bytes = field(repr=False)
    since_ms: int


class ListDecisions(Query[list[StoredDecision]]):
    """At most `limit` decisions with a number above `after`, in order."""

    after: int
    limit: int


class ListPendingDecisions(Query[list[PendingDecision]]):
    """All proposals, oldest first; the service bounds their number."""


class ListFounders(Query[list[Address]]):
    """At most two users who may found the officers."""


class ListDecisionEntries(Query[list[tuple[int, bytes]]]):
    """Place and bytes of at most `limit` decision entries of the ledger behind `after`."""

    after: int
    limit: int


class StoreDecision(Command[None]):
    """Store the decision; delete its case's proposal."""

    decision: StoredDecision


class MarkDisclosed(Command[None]):
    """The ledger now shows these decisions, (case, seq)."""

    decisions: tuple[tuple[str, int], ...]


class ProposeDecision(Command[None]):
    """Store a proposal in place of its case's one whose bytes are `over`, empty for none.

    Raises ConflictError when another one is pending by now.
    """

    pending: PendingDecision
    over: bytes = field(repr=False)

    def check(self, stored: bytes) -> None:
        """Raise ConflictError unless the stored proposal's bytes are `over`."""
        if stored != self.over:
            raise ConflictError(PENDING.format(self.pending.case))
