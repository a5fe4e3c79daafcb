"""Link handler: officers' devices read decisions, and submit them."""

from dataclasses import dataclass
from functools import partial

from blackthorn.errors import BlackthornError, DefectError, ForbiddenError, StorageError
from blackthorn.ids import Address
from blackthorn.link import limits
from blackthorn.link.frames import (
    Decision,
    Decisions,
    DecisionTaken,
    FetchDecisions,
    SubmitDecision,
)
from blackthorn.ports.enterprise import Standing
from blackthorn.server.governance.access import Access, DecisionPage
from blackthorn.server.governance.decisions import ONLY_OFFICERS, DecisionService
from blackthorn.server.handlers.answers import answering
from blackthorn.server.handlers.session import Session


@dataclass(frozen=True, slots=True)
class DecisionHandler:
    decisions: DecisionService

    def handle(self, session: Session, frame: FetchDecisions | SubmitDecision, now: float) -> None:
        device = session.device
        if device is None:
            return
        if device.standing is not Standing.LIVE:
            session.transmit(_refusal(frame, ONLY_OFFICERS))
        elif isinstance(frame, FetchDecisions):
            answer, refuse = partial(_decisions, frame), partial(_refusal, frame)
            done = answering(session, answer, refuse, ForbiddenError)
            limit = limits.MAX_DECISIONS_PER_FRAME
            self.decisions.page(device.address, frame.after, limit, done)
        else:
            self._submit(session, device.address, frame)

    def _submit(self, session: Session, address: Address, frame: SubmitDecision) -> None:
        def taken(lacks: tuple[str, ...]) -> DecisionTaken:
            return DecisionTaken(frame.request, "", [*lacks])

        def allowed(access: Access | BlackthornError) -> None:
            if isinstance(access, StorageError | DefectError):
                session.fail(access)
            elif isinstance(access, BlackthornError) or not access.decisions:
                done(ForbiddenError(ONLY_OFFICERS))
            else:
                self.decisions.submit(address, frame.signed, frame.private, done)

        done = answering(session, taken, partial(_refusal, frame))
        self.decisions.access(address, allowed)


def _refusal(frame: FetchDecisions | SubmitDecision, text: str) -> Decisions | DecisionTaken:
    if isinstance(frame, FetchDecisions):
        return Decisions(frame.request, [], [], [], 0, False, text)
    return DecisionTaken(frame.request, text, [])


def _decisions(frame: FetchDecisions, page: DecisionPage) -> Decisions:
    shown = [Decision(row.number, row.signed, row.private, row.taken_ms) for row in page.decisions]
    pending = [Decision(0, row.signed, row.private, row.since_ms) for row in page.pending]
    founders = [str(address) for address in page.founders]
    return Decisions(frame.request, shown, pending, founders, page.log_ms, page.more)
