"""The office's desk on the link: decisions are read by officers, and handed in by them.

Private parts go to those who decide. What an officer's device is shown it replays itself; here
is only paging and the answer.
"""

from dataclasses import dataclass

from blackthorn.link import limits
from blackthorn.link.frames import (
    Decision,
    Decisions,
    DecisionTaken,
    FetchDecisions,
    SubmitDecision,
)
from blackthorn.ports.enterprise import Standing
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.handlers.session import Session

ONLY_OFFICERS = "only officers see decisions: ask an owner for a role"


@dataclass(frozen=True, slots=True)
class DecisionHandler:
    """Handles FetchDecisions and SubmitDecision."""

    office: DecisionService

    def handle(self, session: Session, frame: FetchDecisions | SubmitDecision, now: float) -> None:
        """Serve one frame of a known device."""
        device = session.device
        if device is None:
            return
        if device.standing is not Standing.LIVE or not self.office.may_read(device.address):
            self._refuse(session, frame)
        elif isinstance(frame, FetchDecisions):
            self._fetch(session, frame)
        else:
            self._submit(session, frame)

    def _refuse(self, session: Session, frame: FetchDecisions | SubmitDecision) -> None:
        if isinstance(frame, FetchDecisions):
            session.transmit(Decisions(frame.request, [], [], [], 0, False, ONLY_OFFICERS))
        else:
            session.transmit(DecisionTaken(frame.request, ONLY_OFFICERS, []))

    def _fetch(self, session: Session, frame: FetchDecisions) -> None:
        assert session.device is not None
        private = self.office.reads_private(session.device.address)
        rows = self.office.page(frame.after, limits.MAX_DECISIONS_PER_FRAME + 1)
        more = len(rows) > limits.MAX_DECISIONS_PER_FRAME
        shown = [
            Decision(each.number, each.signed, each.private if private else b"", each.taken_ms)
            for each in rows[: limits.MAX_DECISIONS_PER_FRAME]
        ]
        pending = [
            Decision(0, each.signed, each.private if private else b"", each.since_ms)
            for each in ([] if more else self.office.pending)
        ]
        founders = [str(each) for each in self.office.founders()]
        session.transmit(
            Decisions(frame.request, shown, pending, founders, self.office.log_ms, more)
        )

    def _submit(self, session: Session, frame: SubmitDecision) -> None:
        assert session.device is not None

        def done(refusal: str, lacks: tuple[str, ...]) -> None:
            session.transmit(DecisionTaken(frame.request, refusal[:512], list(lacks)))
            session.answered()

        session.ask()
        self.office.submit(session.device.address, frame.signed, frame.private, done)
