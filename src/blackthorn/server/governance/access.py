"""What of the decisions a user may see."""

from dataclasses import dataclass, replace

from blackthorn.ids import Address
from blackthorn.ports.cases import PendingDecision, StoredDecision


@dataclass(frozen=True, slots=True)
class Access:
    """What a user may see: decisions, and their private parts too."""

    decisions: bool
    private: bool


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Decisions in order; with the last of them (not `more`) those that lack an approver."""

    decisions: list[StoredDecision]
    pending: list[PendingDecision]
    founders: list[Address]
    log_ms: int
    more: bool

    def for_access(self, access: Access) -> "DecisionPage":
        """The page without what may not be seen."""
        if access.private:
            return self
        return replace(
            self,
            decisions=[replace(row, private=b"") for row in self.decisions],
            pending=[replace(row, private=b"") for row in self.pending],
        )
