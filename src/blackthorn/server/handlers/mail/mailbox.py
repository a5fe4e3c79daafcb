"""Link handler: a device lists, fetches and deletes the mail of its own user only, and asks for the
certificates of people outside."""

from collections.abc import Callable
from dataclasses import dataclass

from blackthorn.errors import DecodeError, UnavailableError
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link import limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.mail import MailPart
from blackthorn.ports.outside.certificates import FoundCertificates
from blackthorn.ports.store import unless_failed
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.answers import answering
from blackthorn.server.handlers.session import Session
from blackthorn.server.mail.outside_certificates import OutsideCertificates
from blackthorn.server.mail.service import MailPage, MailService
from blackthorn.wire.address import parse_address


@dataclass(frozen=True, slots=True)
class MailHandler:
    mail: MailService
    enterprise: EnterpriseCache
    counters: Counters
    certificates: OutsideCertificates | None = None

    def handle(self, session: Session, frame: f.AnyFrame, now: float) -> None:
        """Serve one frame of a known device; its peer waits for the answer."""
        if isinstance(frame, f.FindCertificates):
            self._find_certificates(session, frame)
        if session.device is None or not isinstance(frame, f.ListMail | f.FetchMail | f.DeleteMail):
            return

        def loaded(user: UserRecord | None) -> None:
            if user is None:
                session.answered()
            elif isinstance(frame, f.ListMail):
                self._list(session, user, frame)
            elif isinstance(frame, f.DeleteMail):
                self._delete(session, user, frame)
            else:
                self._fetch(session, user, frame)

        session.ask()
        self.enterprise.load_user(session.device.address, unless_failed(session.fail, loaded))

    def _find_certificates(self, session: Session, frame: f.FindCertificates) -> None:
        if session.device is None or self.certificates is None:
            return
        try:
            address = parse_address(frame.address)
        except DecodeError as error:
            raise LinkError(Code.MALFORMED, str(error)) from None

        def answer(found: FoundCertificates) -> f.CertificatesFound:
            return f.CertificatesFound(frame.request, frame.address, found.certificates)

        def refuse(text: str) -> f.CertificatesFound:
            return f.CertificatesFound(frame.request, frame.address, b"", text)

        done = answering(session, answer, refuse, UnavailableError)
        self.certificates.find(address, session.device.id, done)

    def _list(self, session: Session, user: UserRecord, frame: f.ListMail) -> None:
        def answer(page: MailPage) -> f.MailListing:
            entries = [f.MailEntry(head.uid, head.size, head.received_ms) for head in page.heads]
            told = (page.more, page.used, page.quota, page.count)
            return f.MailListing(frame.request, entries, *told)

        done = answering(session, answer)
        self.mail.page(user, frame.after, limits.MAX_MAIL_LISTING, done)

    def _delete(self, session: Session, user: UserRecord, frame: f.DeleteMail) -> None:
        def answer(found: bool) -> f.MailDeleted:
            return f.MailDeleted(frame.request, found)

        self.mail.delete(user, frame.uid, answering(session, answer))

    def _fetch(self, session: Session, user: UserRecord, frame: f.FetchMail) -> None:
        def answer(part: MailPart | None) -> f.MailChunk:
            total, data = (0, b"") if part is None else (part.size, part.data)
            self.counters.mail_chunks_sent += 1
            return f.MailChunk(frame.request, frame.uid, frame.offset, total, data)

        done = answering(session, answer)
        self.mail.read(user, frame.uid, frame.offset, limits.MAX_MAIL_CHUNK_BYTES, done)


def announcing(notify: Callable[[Address, f.AnyFrame], None]) -> Callable[[Address, int], None]:
    """Callback that tells a user's devices of a stored mail, by `Dispatcher.notify_user`."""
    return lambda address, uid: notify(address, f.MailArrived(uid))
