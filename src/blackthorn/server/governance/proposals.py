"""Proposals: decisions that lack an approver, one per case."""

from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import ConflictError, LimitError
from blackthorn.governance.cases import Checked
from blackthorn.governance.statements import Signed, decode
from blackthorn.governance.transitions import Case, named
from blackthorn.ids import Address
from blackthorn.link import limits
from blackthorn.ports.clock import Clock
from blackthorn.ports.governance.cases import (
    PENDING,
    ListPendingDecisions,
    PendingDecision,
    ProposeDecision,
)
from blackthorn.ports.store import BlockingReader, Done, Writer, unless_failed
from blackthorn.server.governance.approvers import Approvers

REPLACE_MS: Final = 3_600_000
"""Age at which another officer may replace a proposal."""


@dataclass(slots=True)
class Proposals:
    writer: Writer
    clock: Clock
    approvers: Approvers
    _pending: dict[str, PendingDecision] = field(default_factory=dict)

    def start(self, reader: BlockingReader) -> None:
        self._pending = {row.case: row for row in reader.read(ListPendingDecisions())}

    @property
    def all(self) -> list[PendingDecision]:
        return list(self._pending.values())

    def remove(self, case: str) -> None:
        """A decision of the case was stored, which deleted the proposal."""
        self._pending.pop(case, None)

    def propose(
        self,
        submitter: Address,
        checked: Checked,
        private: bytes,
        before: Case,
        done: Done[tuple[str, ...]],
    ) -> None:
        """Store a proposal; `done` gets the missing approvers. `before` is its case now.

        Raises LimitError, and ConflictError when another proposal may not be replaced yet; `done`
        gets ConflictError when another one was stored first.
        """
        signed, now_ms = checked.signed, self.clock.wall_ms()
        case = signed.statement.case
        earlier = self._pending.get(case)
        if earlier is None:
            if len(self._pending) >= limits.MAX_PENDING_DECISIONS:
                raise LimitError("too many decisions wait for approvers: see to them first")
        elif not self._replaceable(earlier, signed, submitter, before, now_ms):
            raise ConflictError(PENDING.format(case))
        pending = PendingDecision(case, signed.encode(), private, now_ms)

        def stored(_: None) -> None:
            self._pending[case] = pending
            done(tuple(named(slot) for slot in checked.lacks or ()))

        replaced = b"" if earlier is None else earlier.signed
        self.writer.submit(ProposeDecision(pending, replaced), unless_failed(done, stored))

    def _replaceable(
        self,
        earlier: PendingDecision,
        signed: Signed,
        submitter: Address,
        before: Case,
        now_ms: int,
    ) -> bool:
        old = decode(earlier.signed)
        if old.statement.encoded == signed.statement.encoded:
            return True
        if now_ms - earlier.since_ms > REPLACE_MS or old.statement.prev != before.head:
            return True
        mine = self.approvers.officer_of(submitter)
        return any(approval.officer == mine for approval in old.approvals)
