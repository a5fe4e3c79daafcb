"""Access of users to decisions."""

from dataclasses import dataclass, replace

from blackthorn.ids import Address
from blackthorn.ports.governance.cases import PendingDecision, StoredDecision


@dataclass(frozen=True, slots=True)
class Access:
    """What a user may see: decisions, and their private parts."""

    decisions: bool
    private: bool


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Decisions in order; the last page (not `more`) also has the proposals."""

    decisions: list[StoredDecision]
    pending: list[PendingDecision]
    founders: list[Address]
    log_ms: int
    more: bool

    def for_access(self, access: Access) -> "DecisionPage":
        """The page without forbidden private parts."""
        if access.private:
            return self
        return replace(
            self,
            decisions=[replace(row, private=b"") for row in self.decisions],
            pending=[replace(row, private=b"") for row in self.pending],
        )
