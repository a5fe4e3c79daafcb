"""Link handler: officers ask whom an exit concerns, persons for their receipt."""

from dataclasses import dataclass
from typing import Protocol

from blackthorn.errors import BlackthornError, DefectError, ForbiddenError
from blackthorn.ids import Address
from blackthorn.link.frames import ExitFacts, FetchExit, FetchReceipt, ReceiptPart
from blackthorn.ports.store import Done
from blackthorn.server.counters import Counters
from blackthorn.server.governance.access import Access
from blackthorn.server.handlers.failures import close_failed
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.closure import Closures
from blackthorn.server.markets.closure_facts import Facts

ONLY_OFFICERS = "only officers see whom an exit concerns"


class Officers(Protocol):
    """Who is an officer (`DecisionService`)."""

    def access(self, address: Address, done: Done[Access]) -> None:
        """What this user may see."""


@dataclass(frozen=True, slots=True)
class ExitHandler:
    """Handles FetchExit and FetchReceipt."""

    closures: Closures
    officers: Officers
    counters: Counters

    def handle(self, session: Session, frame: FetchExit | FetchReceipt, now: float) -> None:
        """Serve one frame of a known device."""
        device = session.device
        if device is None:
            return
        session.ask()
        if isinstance(frame, FetchReceipt):
            self._receipt(session, frame, device.address)
        else:
            self._facts(session, frame, device.address)

    def _receipt(self, session: Session, frame: FetchReceipt, address: Address) -> None:
        def done(receipt: bytes | BlackthornError | None) -> None:
            if isinstance(receipt, DefectError):
                close_failed(session, receipt, self.counters)
                return
            if isinstance(receipt, BlackthornError):
                part = ReceiptPart(frame.request, b"", str(receipt)[:512])
            elif receipt is None:
                part = ReceiptPart(frame.request, b"", "there is no receipt for you (yet)")
            else:
                part = ReceiptPart(frame.request, receipt)
            session.transmit(part)
            session.answered()

        self.closures.receipt(address, done)

    def _facts(self, session: Session, frame: FetchExit, address: Address) -> None:
        def allowed(access: Access | BlackthornError) -> None:
            if isinstance(access, BlackthornError):
                done(access)
            elif not access.decisions:
                done(ForbiddenError(ONLY_OFFICERS))
            else:
                self.closures.facts(frame.market, done)

        def done(facts: Facts | BlackthornError) -> None:
            if isinstance(facts, DefectError):
                close_failed(session, facts, self.counters)
                return
            if isinstance(facts, BlackthornError):
                session.transmit(ExitFacts(frame.request, 0, bytes(32), {}, str(facts)[:512]))
            else:
                session.transmit(ExitFacts(frame.request, facts.users, facts.list, facts.fields))
            session.answered()

        self.officers.access(address, allowed)
