"""Link handler: officers' devices read decisions, and submit them.

An officer's device replays itself what it is shown; here are only paging and the answer.
"""

from dataclasses import dataclass

from blackthorn.errors import BlackthornError, DefectError, ForbiddenError, StorageError
from blackthorn.link import limits
from blackthorn.link.frames import (
    Decision,
    Decisions,
    DecisionTaken,
    FetchDecisions,
    SubmitDecision,
)
from blackthorn.ports.enterprise import Standing
from blackthorn.server.counters import Counters
from blackthorn.server.governance.access import Access, DecisionPage
from blackthorn.server.governance.decisions import ONLY_OFFICERS, DecisionService
from blackthorn.server.handlers.failures import close_failed
from blackthorn.server.handlers.session import Session


@dataclass(frozen=True, slots=True)
class DecisionHandler:
    """Handles FetchDecisions and SubmitDecision."""

    decisions: DecisionService
    counters: Counters

    def handle(self, session: Session, frame: FetchDecisions | SubmitDecision, now: float) -> None:
        """Serve one frame of a known device."""
        device = session.device
        if device is None:
            return
        if device.standing is not Standing.LIVE:
            session.transmit(_refusal(frame, ONLY_OFFICERS))
        elif isinstance(frame, FetchDecisions):
            self._fetch(session, frame)
        else:
            self._submit(session, frame)

    def _fetch(self, session: Session, frame: FetchDecisions) -> None:
        assert session.device is not None

        def done(page: DecisionPage | BlackthornError) -> None:
            if isinstance(page, ForbiddenError):
                session.transmit(_refusal(frame, str(page)))
            elif isinstance(page, BlackthornError):
                close_failed(session, page, self.counters)
                return
            else:
                session.transmit(_decisions(frame, page))
            session.answered()

        session.ask()
        limit = limits.MAX_DECISIONS_PER_FRAME
        self.decisions.page(session.device.address, frame.after, limit, done)

    def _submit(self, session: Session, frame: SubmitDecision) -> None:
        assert session.device is not None
        address = session.device.address

        def allowed(access: Access | BlackthornError) -> None:
            if isinstance(access, StorageError | DefectError):
                close_failed(session, access, self.counters)
            elif isinstance(access, BlackthornError) or not access.decisions:
                done(ForbiddenError(ONLY_OFFICERS))
            else:
                self.decisions.submit(address, frame.signed, frame.private, done)

        def done(result: tuple[str, ...] | BlackthornError) -> None:
            if isinstance(result, DefectError):
                close_failed(session, result, self.counters)
                return
            if isinstance(result, BlackthornError):
                session.transmit(_refusal(frame, str(result)))
            else:
                session.transmit(DecisionTaken(frame.request, "", [*result]))
            session.answered()

        session.ask()
        self.decisions.access(address, allowed)


def _refusal(frame: FetchDecisions | SubmitDecision, text: str) -> Decisions | DecisionTaken:
    if isinstance(frame, FetchDecisions):
        return Decisions(frame.request, [], [], [], 0, False, text)
    return DecisionTaken(frame.request, text[:512], [])


def _decisions(frame: FetchDecisions, page: DecisionPage) -> Decisions:
    shown = [Decision(row.number, row.signed, row.private, row.taken_ms) for row in page.decisions]
    pending = [Decision(0, row.signed, row.private, row.since_ms) for row in page.pending]
    founders = [str(address) for address in page.founders]
    return Decisions(frame.request, shown, pending, founders, page.log_ms, page.more)
