"""Unsealed mail to people elsewhere: passed through while the sender waits, never stored.

One reply must do for all recipients, so that a mail goes to one domain, and to all of its
recipients there or to none. A temporary failure is the client's to repeat.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.scan import scan
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.outbound.carrier import CarrierError, Reply
from blackthorn.server.counters import Counters
from blackthorn.server.outbound.submission import Destination, Submission, SubmissionService

_REMEMBERED_SECONDS: Final = 600
_MAX_REMEMBERED: Final = 10_000
_ONE: Final = "unencrypted mail goes to one domain at a time; send it to the others again"


class Hops:
    """Keeps the recipients of unsealed mail to one domain in a transaction.

    Whether a mail is sealed is known after its recipients. So a first one to several domains is put
    off, and for ten minutes recipients of further domains are (451 4.5.3): a client that tries
    again sends a mail for each domain.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: OrderedDict[int, float] = OrderedDict()

    def check(self, user: UserRecord, known: Sequence[Destination], found: Destination) -> None:
        """Raises MailRefusedError 451 for a recipient of another domain than those before."""
        if self._until.get(user.number, 0.0) < self._clock.monotonic():
            return
        if any(other.domain != found.domain for other in known):
            raise MailRefusedError(451, "4.5.3", _ONE)

    def check_clear(self, user: UserRecord, known: Sequence[Destination]) -> None:
        """Raises MailRefusedError 451 for an unsealed mail to several domains."""
        if len({found.domain for found in known}) <= 1:
            return
        self._until[user.number] = self._clock.monotonic() + _REMEMBERED_SECONDS
        self._until.move_to_end(user.number)
        while len(self._until) > _MAX_REMEMBERED:
            self._until.popitem(last=False)
        raise MailRefusedError(451, "4.5.3", _ONE)


class WholeConnection(Protocol):
    async def send(
        self, sender: str, recipients: Sequence[str], content: bytes, *, whole: bool = False
    ) -> list[Reply]: ...

    async def close(self) -> None: ...


class WholeCarrier(Protocol):
    async def connect(self, domain: str) -> WholeConnection: ...


@dataclass(frozen=True, slots=True)
class ClearMail:
    """Passes mail on. `sign` adds signatures; `warn` tells the sender that it was readable."""

    carrier: WholeCarrier
    sign: Callable[[bytes], Awaitable[bytes]]
    submissions: SubmissionService
    counters: Counters
    warn: Callable[[UserRecord, str], Awaitable[None]] | None = None

    async def pass_on(self, submission: Submission, domain: str) -> str:
        """The reply once the next server has taken the mail. Raises MailRefusedError."""
        content = await self.sign(scan(submission.content))
        user = submission.user
        self.submissions.count(user, len(submission.recipients))
        try:
            connection = await self.carrier.connect(domain)
            try:
                replies = await connection.send(
                    submission.sender, submission.recipients, content, whole=True
                )
            finally:
                await connection.close()
        except CarrierError as error:
            replies = [error.reply]
        refused = [reply for reply in replies if not reply.accepted]
        if refused:
            reply = min(refused, key=lambda each: each.code)  # what may yet succeed is tried again
            raise MailRefusedError(reply.code, reply.status, reply.text or "their server refused")
        self.counters.outbound_passed_on += 1
        if self.warn is not None:
            await self.warn(user, domain)
        return "250 2.0.0 passed on unencrypted: others could read it on its way"
