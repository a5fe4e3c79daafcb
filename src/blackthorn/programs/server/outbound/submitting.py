"""Submission by mail programs: its listeners, and the notice to who sends in the clear."""

import ssl
from collections import OrderedDict
from contextlib import AsyncExitStack
from email.utils import formatdate
from typing import Final

from blackthorn.edges.gate import Gate
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.edges.smtp.memory import MailMemory
from blackthorn.edges.smtp.server import serve_smtp
from blackthorn.edges.smtp.submission import SubmissionPolicy
from blackthorn.errors import BlackthornError
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.store import Together
from blackthorn.programs.server.settings.outbound import SubmissionSettings

_DAY_SECONDS: Final = 86_400
_MAX_WARNED: Final = 10_000

_TEXT: Final = (
    "Your mail to {domain} left without encryption: every server on its way could read it, and "
    "this one passed it on without storing it.\r\n\r\n"
    "Turn on encryption in your mail program, or write with Blackthorn on your device, which "
    "encrypts wherever the other side has a key.\r\n\r\n"
    "This notice comes once a day at most.\r\n"
)


class ClearNotices:
    """Tells a user, once a day, that mail of theirs left unencrypted."""

    def __init__(self, gateway: MailGateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._warned: OrderedDict[int, int] = OrderedDict()

    async def warn(self, user: UserRecord, domain: str) -> None:
        """Put the notice into the user's mailbox; a failure changes nothing of what was sent."""
        now = self._clock.wall_ms() // 1_000
        day = now // _DAY_SECONDS
        if self._warned.get(user.number) == day:
            return
        self._warned[user.number] = day
        while len(self._warned) > _MAX_WARNED:
            self._warned.popitem(last=False)
        own = self._gateway.recipient_policy.domain
        mail = (
            f"From: Mail delivery <postmaster@{own}>\r\nTo: {user.address}\r\n"
            f"Subject: Your mail left without encryption\r\nDate: {formatdate(now)}\r\n"
            f"Message-ID: <clear.{user.number}.{day}@{own}>\r\nAuto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        ) + _TEXT.format(domain=domain)
        try:
            recipient = self._gateway.recipient_policy.sealable(user)
            await self._gateway.post(recipient, bytearray(mail.encode()), Together(()))
        except BlackthornError:
            self._warned.pop(user.number, None)  # others warned meanwhile may have pushed it out


def serve_submission(
    stack: AsyncExitStack,
    policy: SubmissionPolicy,
    settings: SubmissionSettings,
    tls: ssl.SSLContext,
    gate: Gate,
    memory: MailMemory,
) -> tuple[int, int]:
    """Listen until the stack ends; the ports of STARTTLS and TLS. Raises UnavailableError."""
    plain = serve_smtp(policy, settings.host, settings.port, tls, gate, memory)
    stack.push_async_callback(plain.close)
    secured = serve_smtp(policy, settings.host, settings.tls_port, tls, gate, memory, implicit=True)
    stack.push_async_callback(secured.close)
    return plain.port, secured.port
