"""What kinds of SMTP server share, and what each decides for itself.

`connection` speaks the protocol for any of them and calls a `Policy`: `inbound` takes mail from the
Internet. aiosmtpd calls the `handle_` hooks, whose results are replies.
"""

from aiosmtpd.smtp import SMTP, Envelope, Session

from blackthorn.edges.smtp import limits as smtp_limits
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import BlackthornError
from blackthorn.mail import limits as mail_limits
from blackthorn.server.counters import Counters


class MailEnvelope(Envelope):
    """aiosmtpd's envelope; a policy may subclass it."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        """What MAIL declared (RFC 1870), 0 for nothing."""
        self.dots = True
        """Whether dots at the beginnings of lines are doubled: after DATA, not after BDAT."""

    @property
    def copies(self) -> int:
        """How many copies the accepted recipients need: a list, one for each member."""
        return len(self.rcpt_tos)


class Policy:
    """Decisions of one kind of SMTP server."""

    what = "SMTP"
    """For errors and logs."""

    offers: tuple[str, ...] = (
        f"SIZE {mail_limits.MAX_MAIL_BYTES}",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
    )
    """EHLO keywords besides those of aiosmtpd (8BITMIME, SMTPUTF8, STARTTLS)."""

    login = False
    """Whether AUTH is offered, over TLS alone, and answered by `handle_AUTH`."""

    max_recipients = smtp_limits.MAX_SMTP_RECIPIENTS

    def __init__(self, hostname: str, counters: Counters) -> None:
        self.hostname = hostname
        self.counters = counters

    def make_envelope(self) -> MailEnvelope:
        """A new transaction's envelope."""
        return MailEnvelope()

    def check_room(self, size: int) -> None:
        """Whether a mail of so many bytes may come. Raises BlackthornError."""

    async def accept(self, session: Session, envelope: MailEnvelope, content: bytearray) -> str:
        """Take a mail's content (see `MailEnvelope.dots`) and overwrite it; the reply, 250 …

        Durable, or taken by the next server, at the return. Raises BlackthornError, which
        `replies` translates.
        """
        raise NotImplementedError

    def session_offers(self, session: Session) -> tuple[str, ...]:
        """EHLO keywords that depend on the session."""
        return ()

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, host: str, offers: list[str]
    ) -> list[str]:
        session.host_name = host
        kept = [line[4:] for line in offers if line[4:8] not in ("HELP", "AUTH")]
        kept += [*self.offers, *self.session_offers(session)]
        return [f"250-{line}" for line in kept[:-1]] + [f"250 {kept[-1]}"]

    async def handle_AUTH(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, args: list[str]
    ) -> str | None:
        """The reply to AUTH; None when the client was told already."""
        return "502 5.5.1 not offered"

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: MailEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        size = max((int(each[5:]) for each in options if each.startswith("SIZE=")), default=0)
        if size > mail_limits.MAX_MAIL_BYTES:
            return "552 5.3.4 the mail is too large"
        try:
            self.check_room(size)
        except BlackthornError as error:
            return refusal(error).reply
        envelope.mail_from = address
        envelope.size = size
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender noted"

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: MailEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        if len(envelope.rcpt_tos) >= self.max_recipients:
            return "452 4.5.3 too many recipients"
        try:
            await self.recipient(session, envelope, address)
        except BlackthornError as error:
            return refusal(error).reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient noted"

    async def recipient(self, session: Session, envelope: MailEnvelope, address: str) -> None:
        """Accept a recipient into the envelope. Raises BlackthornError."""
        raise NotImplementedError

    async def handle_exception(self, error: Exception) -> str:
        """aiosmtpd's last resort."""
        return refusal(error).reply
