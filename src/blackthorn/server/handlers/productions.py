"""Link handler: deciding officers fetch a directive's package, part by part."""

from dataclasses import dataclass
from functools import partial

from blackthorn.errors import BlackthornError, UnavailableError
from blackthorn.link import limits
from blackthorn.link.frames import FetchProduction, ProductionPart
from blackthorn.server.governance.productions import PackagePart, Productions
from blackthorn.server.handlers.answers import answering
from blackthorn.server.handlers.session import Session


@dataclass(frozen=True, slots=True)
class ProductionHandler:
    productions: Productions

    def handle(self, session: Session, frame: FetchProduction, now: float) -> None:
        if session.device is not None:
            answer, refuse = partial(_part, frame), partial(_refusal, frame)
            answered = answering(session, answer, refuse)

            def done(result: PackagePart | BlackthornError) -> None:
                if isinstance(result, UnavailableError):
                    session.answer(_refusal(frame, str(result)[:512], later=True))
                else:
                    answered(result)

            address, length = session.device.address, limits.MAX_MAIL_CHUNK_BYTES
            self.productions.part(address, frame.case, frame.offset, length, done)


def _part(frame: FetchProduction, part: PackagePart) -> ProductionPart:
    return ProductionPart(
        frame.request,
        frame.offset,
        part.total,
        part.manifest_hash,
        part.items,
        part.accounts_with_data,
        part.data,
    )


def _refusal(frame: FetchProduction, text: str, *, later: bool = False) -> ProductionPart:
    return ProductionPart(frame.request, frame.offset, 0, bytes(32), 0, 0, b"", text, later)
