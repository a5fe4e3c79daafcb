"""The policy of mail from the Internet: recipients are users here, and the gateway seals the mail.

Never here: the protocol itself, which `connection` speaks.
"""

import secrets
from typing import Final

from aiosmtpd.smtp import Session

from blackthorn.edges.smtp.gateway import MailGateway, Transaction
from blackthorn.edges.smtp.policy import MailEnvelope, Policy
from blackthorn.mail.smtp.path import NULL_SENDER
from blackthorn.server.mail.recipient_policy import Recipient

_ID_BYTES: Final = 8


class InboundEnvelope(MailEnvelope):
    """An envelope with its checked, distinct recipients by address."""

    def __init__(self) -> None:
        super().__init__()
        self.recipients: dict[str, Recipient] = {}

    @property
    def distinct(self) -> int:
        return len(self.recipients)


class InboundPolicy(Policy):
    """Takes mail for the users of one domain, by the server's host name or else the domain's."""

    def __init__(self, gateway: MailGateway, host_name: str = "") -> None:
        super().__init__(host_name or gateway.recipient_policy.domain, gateway.counters)
        self._gateway = gateway

    def make_envelope(self) -> InboundEnvelope:
        return InboundEnvelope()

    def check_room(self, size: int) -> None:
        self._gateway.check_room(size)

    async def recipient(self, session: Session, envelope: MailEnvelope, address: str) -> None:
        assert isinstance(envelope, InboundEnvelope)  # `make_envelope`
        recipient = await self._gateway.recipient(address, envelope.size)
        envelope.recipients[recipient.user.address] = recipient

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
        await self._gateway.accept(transaction, content)
        return f"250 2.0.0 accepted and sealed as {transaction.id}"
