"""The policy of submission (RFC 6409): a user's mail program logs in and sends mail as that user.

Sealed mail is queued, and accepted once durable. Unsealed mail between users here is refused.
Unsealed mail to others is passed through, where the setting allows it: accepted only once the next
server has, and never stored.
"""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from blackthorn.edges.gate import client_key
from blackthorn.edges.smtp.clear import ClearMail, Hops
from blackthorn.edges.smtp.login import credentials
from blackthorn.edges.smtp.policy import MailEnvelope, Policy
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import BlackthornError, UnavailableError
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.scan import normalise, remove_dots
from blackthorn.mail.pgp.sealed import NotSealedError
from blackthorn.mail.smtp.outer import completed
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.waiting import outcome
from blackthorn.server.counters import Counters
from blackthorn.server.mail.recipient_policy import RecipientRefusedError
from blackthorn.server.outbound.passwords import AppPasswords, LoginRefusedError
from blackthorn.server.outbound.queue import queue_id
from blackthorn.server.outbound.submission import (
    BadRecipientError,
    Destination,
    NotOwnAddressError,
    Submission,
    SubmissionService,
    TooManyRecipientsError,
)

_LOGIN: Final = "530 5.7.0 log in first, by an app password over TLS"
_OWN: Final = "553 5.7.1 "


class SubmissionEnvelope(MailEnvelope):
    def __init__(self) -> None:
        super().__init__()
        self.destinations: list[Destination] = []

    @property
    def copies(self) -> int:
        return len(self.destinations)


class SubmissionPolicy(Policy):
    """Takes mail of this server's users. `clear` passes unsealed mail on; None: it is refused."""

    what = "submission"
    login = True

    def __init__(
        self,
        hostname: str,
        counters: Counters,
        submissions: SubmissionService,
        passwords: AppPasswords,
        clear: ClearMail | None,
        clock: Clock,
    ) -> None:
        super().__init__(hostname, counters)
        self._submissions = submissions
        self._passwords = passwords
        self._clear = clear
        self._clock = clock
        self._hops = Hops(clock)

    def make_envelope(self) -> SubmissionEnvelope:
        return SubmissionEnvelope()

    def check_room(self, size: int) -> None:
        if not self._submissions.queue.has_room(size):
            raise UnavailableError("the disk is nearly full")

    def session_offers(self, session: Session) -> tuple[str, ...]:
        may_log_in = session.ssl is not None and _user(session) is None
        return ("AUTH PLAIN LOGIN",) if may_log_in else ()

    async def handle_AUTH(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, args: list[str]
    ) -> str | None:
        """The reply to AUTH; None when the client was told already."""
        if session.ssl is None:
            return "538 5.7.11 begin TLS first"
        if _user(session) is not None:
            return "503 5.5.1 you are logged in"
        given = await credentials(" ".join(args), partial(_ask, server))
        if given is None or isinstance(given, str):
            return given
        peer = str(session.peer[0]) if session.peer else ""
        try:
            user = await self._passwords.log_in(*given, client_key(peer))
        except LoginRefusedError as error:
            self.counters.logins_refused += 1
            return f"535 5.7.8 {error}"
        except BlackthornError as error:
            return f"454 4.7.0 {error}"
        session.auth_data = user  # type: ignore[assignment]
        return "235 2.7.0 welcome"

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: MailEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        user = _user(session)
        if user is None:
            return _LOGIN
        try:
            await outcome(partial(self._submissions.check_sender, user, address))
        except NotOwnAddressError as error:
            return f"{_OWN}{error}"
        except BlackthornError as error:
            return refusal(error).reply
        return await super().handle_MAIL(server, session, envelope, address, options)

    async def recipient(self, session: Session, envelope: MailEnvelope, address: str) -> None:
        assert isinstance(envelope, SubmissionEnvelope)  # `make_envelope`
        user = _user(session)
        if user is None:
            raise MailRefusedError(530, "5.7.0", _LOGIN[10:])
        try:
            self._submissions.check_rate(user, 1)
            find: Callable[..., None] = partial(self._submissions.destination, address)
            found: Destination = await outcome(find)
        except BadRecipientError as error:
            raise MailRefusedError(501, "5.1.3", str(error)) from None
        except TooManyRecipientsError as error:
            raise MailRefusedError(450, "4.7.1", str(error)) from None
        self._hops.check(user, envelope.destinations, found)
        envelope.destinations.append(found)

    async def accept(self, session: Session, envelope: MailEnvelope, content: bytearray) -> str:
        assert isinstance(envelope, SubmissionEnvelope)
        user = _user(session)
        assert user is not None and envelope.mail_from is not None  # MAIL was refused otherwise
        try:
            mail = self._completed(bytes(content))
        finally:
            content[:] = bytes(len(content))
        addresses = tuple(found.address for found in envelope.destinations)
        submission = Submission(user, envelope.mail_from, addresses, mail)
        try:
            number: int = await outcome(partial(self._submissions.accept, submission))
        except NotSealedError as error:
            return await self._pass_on(submission, envelope, error)
        except NotOwnAddressError as error:
            raise MailRefusedError(553, "5.7.1", str(error)) from None
        except (BadRecipientError, RecipientRefusedError) as error:
            raise MailRefusedError(550, "5.1.1", str(error)) from None
        return f"250 2.0.0 queued as {queue_id(number)}"

    def _completed(self, content: bytes) -> bytes:
        mail = normalise(remove_dots(content))
        domain = self._submissions.domain
        made = f"{secrets.token_hex(16)}@{domain}"
        return completed(mail, self._clock.wall_ms() // 1_000, made)

    async def _pass_on(
        self, submission: Submission, envelope: SubmissionEnvelope, why: NotSealedError
    ) -> str:
        """Unsealed mail: to nobody here, and to one domain at a time."""
        local = [found.address for found in envelope.destinations if found.local]
        if local:
            text = f"{why}; mail to {local[0]} is never sent in the clear"
            raise MailRefusedError(523, "5.7.10", text)
        if self._clear is None:
            text = f"{why}; this server sends no mail in the clear"
            raise MailRefusedError(523, "5.7.10", text)
        self._hops.check_clear(submission.user, envelope.destinations)
        return await self._clear.pass_on(submission, envelope.destinations[0].domain)


def _user(session: Session) -> UserRecord | None:
    found = session.auth_data
    return found if isinstance(found, UserRecord) else None


async def _ask(server: SMTP, challenge: bytes) -> bytes | None:
    answer = await server.challenge_auth(challenge)
    return answer if isinstance(answer, bytes) else None
