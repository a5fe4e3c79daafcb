"""Link handler: officers fetch the facts of an exit, users their receipt."""

from dataclasses import dataclass

from blackthorn.errors import ForbiddenError
from blackthorn.ids import Address
from blackthorn.link.frames import ExitFacts, FetchExit, FetchReceipt, ReceiptPart
from blackthorn.ports.store import unless_failed
from blackthorn.server.governance.access import Access
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.handlers.answers import answering
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.closure import Closures
from blackthorn.server.markets.closure_facts import Facts

ONLY_OFFICERS = "only officers see the facts of an exit"


@dataclass(frozen=True, slots=True)
class ExitHandler:
    closures: Closures
    officers: DecisionService

    def handle(self, session: Session, frame: FetchExit | FetchReceipt, now: float) -> None:
        device = session.device
        if device is None:
            return
        if isinstance(frame, FetchReceipt):
            self._receipt(session, frame.request, device.address)
        else:
            self._facts(session, frame, device.address)

    def _receipt(self, session: Session, request: int, address: Address) -> None:
        def answer(receipt: bytes | None) -> ReceiptPart:
            if receipt is None:
                return refuse("you have no receipt yet")
            return ReceiptPart(request, receipt)

        def refuse(text: str) -> ReceiptPart:
            return ReceiptPart(request, b"", text)

        self.closures.receipt(address, answering(session, answer, refuse))

    def _facts(self, session: Session, frame: FetchExit, address: Address) -> None:
        def answer(facts: Facts) -> ExitFacts:
            return ExitFacts(frame.request, facts.users, facts.list, facts.fields)

        def refuse(text: str) -> ExitFacts:
            return ExitFacts(frame.request, 0, bytes(32), {}, text)

        def allowed(access: Access) -> None:
            if access.decisions:
                self.closures.facts(frame.market, done)
            else:
                done(ForbiddenError(ONLY_OFFICERS))

        done = answering(session, answer, refuse)
        self.officers.access(address, unless_failed(done, allowed))
