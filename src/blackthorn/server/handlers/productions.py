"""Link handler: officers who decide fetch the package of a directive, part by part."""

from dataclasses import dataclass

from blackthorn.errors import BlackthornError, DefectError
from blackthorn.link import limits
from blackthorn.link.frames import FetchProduction, ProductionPart
from blackthorn.server.counters import Counters
from blackthorn.server.governance.productions import PackagePart, Productions
from blackthorn.server.handlers.failures import close_failed
from blackthorn.server.handlers.session import Session


@dataclass(frozen=True, slots=True)
class ProductionHandler:
    """Handles FetchProduction."""

    productions: Productions
    counters: Counters

    def handle(self, session: Session, frame: FetchProduction, now: float) -> None:
        """Serve one frame of a known device."""
        if session.device is None:
            return

        def done(part: PackagePart | BlackthornError) -> None:
            if isinstance(part, DefectError):
                close_failed(session, part, self.counters)
                return
            session.transmit(_answer(frame, part))
            session.answered()

        session.ask()
        address, length = session.device.address, limits.MAX_MAIL_CHUNK_BYTES
        self.productions.part(address, frame.case, frame.offset, length, done)


def _answer(frame: FetchProduction, part: PackagePart | BlackthornError) -> ProductionPart:
    if isinstance(part, BlackthornError):
        text = str(part)[:512]
        return ProductionPart(frame.request, frame.offset, 0, bytes(32), 0, 0, b"", text)
    return ProductionPart(
        frame.request,
        frame.offset,
        part.total,
        part.manifest_hash,
        part.items,
        part.accounts_with_data,
        part.data,
    )
