"""The desk of exits on the link: officers ask whom an exit concerns, persons for their receipt."""

from collections.abc import Callable
from dataclasses import dataclass

from blackthorn.errors import StorageError
from blackthorn.ids import Address
from blackthorn.link.frames import ExitFacts, FetchExit, FetchReceipt, ReceiptPart
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.closure import Closures


@dataclass(frozen=True, slots=True)
class ExitHandler:
    """Handles FetchExit and FetchReceipt. `may_ask` says who is an officer."""

    closures: Closures
    may_ask: Callable[[Address], bool]

    def handle(self, session: Session, frame: FetchExit | FetchReceipt, now: float) -> None:
        """Serve one frame of a known device."""
        device = session.device
        if device is None:
            return
        try:
            if isinstance(frame, FetchReceipt):
                session.transmit(self._receipt(frame, device.address))
            else:
                session.transmit(self._facts(frame, device.address))
        except StorageError as error:
            session.transmit(_refused(frame, str(error)))

    def _receipt(self, frame: FetchReceipt, address: Address) -> ReceiptPart:
        receipt = self.closures.receipt(address)
        if receipt is None:
            return ReceiptPart(frame.request, b"", "there is no receipt for you (yet)")
        return ReceiptPart(frame.request, receipt)

    def _facts(self, frame: FetchExit, address: Address) -> ExitFacts:
        if not self.may_ask(address):
            return _no_facts(frame, "only officers see whom an exit concerns")
        facts = self.closures.facts(frame.market)
        return ExitFacts(frame.request, facts.users, facts.list, facts.fields)


def _refused(frame: FetchExit | FetchReceipt, why: str) -> ExitFacts | ReceiptPart:
    if isinstance(frame, FetchReceipt):
        return ReceiptPart(frame.request, b"", why[:512])
    return _no_facts(frame, why[:512])


def _no_facts(frame: FetchExit, why: str) -> ExitFacts:
    return ExitFacts(frame.request, 0, bytes(32), {}, why)
