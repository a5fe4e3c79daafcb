"""The policy of mail from the Internet: recipients are users here, and the gateway seals the mail.

Never here: the protocol itself, which `connection` speaks.
"""

import asyncio
import secrets
from typing import Final
from weakref import WeakKeyDictionary

from aiosmtpd.smtp import Session

from blackthorn.edges.smtp import limits as smtp_limits
from blackthorn.edges.smtp.gateway import MailGateway, Transaction
from blackthorn.edges.smtp.policy import MailEnvelope, Policy
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import BlackthornError
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.smtp.path import NULL_SENDER
from blackthorn.server.mail.recipient_policy import Recipient, RecipientRefusedError, Refusal
from blackthorn.server.mail.traces import Traces

_ID_BYTES: Final = 8


class InboundEnvelope(MailEnvelope):
    """An envelope with its checked, distinct recipients by address."""

    def __init__(self) -> None:
        super().__init__()
        self.recipients: dict[str, Recipient] = {}

    @property
    def copies(self) -> int:
        return len(self.recipients)


class InboundPolicy(Policy):
    """Takes mail for the users of one domain, by the server's host name or else the domain's."""

    def __init__(self, gateway: MailGateway, traces: Traces, host_name: str = "") -> None:
        super().__init__(host_name or gateway.recipient_policy.domain, gateway.counters)
        self._gateway = gateway
        self._traces = traces
        self._unknown: WeakKeyDictionary[Session, int] = WeakKeyDictionary()

    def make_envelope(self) -> InboundEnvelope:
        return InboundEnvelope()

    def check_room(self, size: int) -> None:
        self._gateway.check_room(size)

    async def recipient(self, session: Session, envelope: MailEnvelope, address: str) -> None:
        assert isinstance(envelope, InboundEnvelope)  # `make_envelope`
        try:
            found = await self._gateway.recipients(address, envelope.size)
        except RecipientRefusedError as error:
            if error.refusal is Refusal.UNKNOWN:
                await self._tarpit(session)
            raise
        together = envelope.recipients | {to.user.address: to for to in found}
        if len(together) > smtp_limits.MAX_SMTP_COPIES:
            text = "too many members of lists: send it to fewer lists at once"
            raise MailRefusedError(452, "4.5.3", text)
        envelope.recipients = together

    async def _tarpit(self, session: Session) -> None:
        """Answer later and later to a peer who tries names."""
        unknown = self._unknown[session] = self._unknown.get(session, 0) + 1
        beyond = unknown - smtp_limits.FREE_UNKNOWN_RECIPIENTS
        if beyond > 0:
            await asyncio.sleep(min(beyond, smtp_limits.MAX_TARPIT_SECONDS))

    async def accept(self, session: Session, envelope: MailEnvelope, content: bytearray) -> str:
        assert isinstance(envelope, InboundEnvelope)
        sender = envelope.mail_from or NULL_SENDER
        transaction = Transaction(
            sender="" if sender == NULL_SENDER else sender,
            helo=(session.host_name or "").encode("utf-8", "replace").decode(),
            peer=str(session.peer[0]) if session.peer else "",
            tls=session.ssl is not None,
            recipients=tuple(envelope.recipients.values()),
            dots=envelope.dots,
            id=secrets.token_hex(_ID_BYTES),
        )
        begun = self._traces.begin(transaction.id, len(content), tls=transaction.tls)
        try:
            verdict = await self._gateway.accept(transaction, content)
        except BlackthornError as error:
            refused = refusal(error)
            self._traces.end(begun, f"{refused.code} {refused.status}")
            raise MailRefusedError(
                refused.code, refused.status, f"{refused} ({transaction.id})"
            ) from None
        copies = len(transaction.recipients)
        self._traces.end(begun, "250 2.0.0", copies, verdict.summary, verdict.place)
        return f"250 2.0.0 accepted and sealed as {transaction.id}"
