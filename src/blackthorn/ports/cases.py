"""The port to the store of decisions. What a job is given has been checked by `decisions`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.ids import Address
from blackthorn.ports.writer import Job


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


class CaseStore(Protocol):
    """Decisions taken and pending. Every read raises StorageError when the database fails."""

    def decisions(self, after: int, limit: int) -> list[StoredDecision]:
        """At most `limit` decisions with a number above `after`, in order."""
        ...

    def pending(self) -> list[PendingDecision]:
        """All that lack an approver, oldest first."""
        ...

    def founders(self) -> list[Address]:
        """Who may found the officers."""
        ...

    def entries(self) -> list[bytes]:
        """The ledger's entries that hold decisions, in their order."""
        ...

    def take(self, decision: StoredDecision) -> Job[None]:
        """Store the decision; what waited in its case goes."""
        ...

    def unseal(self, shown: Sequence[tuple[str, int]]) -> Job[None]:
        """The ledger shows these (case, seq) now."""
        ...

    def propose(self, pending: PendingDecision) -> Job[None]:
        """Keep what lacks an approver, in place of what waited in its case."""
        ...
