"""The gateway of received mail: sealed by the pool, stored by the mail service, then accepted.

Plain mail is in memory only between here and the worker. Its buffer is overwritten afterwards;
smaller copies of Python and libraries stay until reused.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from msgspec import structs

from blackthorn.edges.sealing.judging import JudgingPool
from blackthorn.edges.sealing.pool import SealingPool
from blackthorn.edges.sealing.worker import SealRequest, SealTo
from blackthorn.edges.smtp import limits
from blackthorn.errors import DiskError
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.store import Command
from blackthorn.ports.waiting import outcome
from blackthorn.server.counters import Counters
from blackthorn.server.mail.recipient_policy import Recipient, RecipientPolicy
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import MailFor, MailService


@dataclass(frozen=True, slots=True)
class Transaction:
    """The envelope of one mail from a peer; `recipients` are checked and distinct."""

    sender: str
    helo: str
    peer: str
    tls: bool
    recipients: tuple[Recipient, ...]
    dots: bool = True
    """Whether dots at the beginnings of lines are doubled (RFC 5321, 4.5.2)."""
    id: str = ""
    """Names the mail in 250, Received and the trace."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a mail, without names (`edges.sealing.worker.SealAnswer`)."""

    summary: str
    place: str


class MailGateway:
    """Decides on recipients and takes mail, for the SMTP edge."""

    def __init__(
        self,
        recipient_policy: RecipientPolicy,
        mail_service: MailService,
        pool: SealingPool,
        clock: Clock,
        counters: Counters,
        sign_notice: Callable[[bytes, Address], bytes],
        judging: JudgingPool,
        recipients: Recipients,
    ) -> None:
        """`sign_notice` signs the server's own mail for its recipient."""
        self._sign_notice = sign_notice
        self.recipient_policy = recipient_policy
        self.counters = counters
        self._mail_service = mail_service
        self._pool = pool
        self._judging = judging
        self._recipients = recipients
        self._clock = clock
        self._large = asyncio.Lock()

    def check_room(self, size: int) -> None:
        """Whether a mail of so many bytes may come. Raises DiskError."""
        if not self._mail_service.has_room(size):
            raise DiskError("the disk is nearly full")

    async def recipient(self, path: str, size: int) -> Recipient:
        """The user of an envelope address, who may get a mail of so many bytes.

        Raises RecipientRefusedError, MailboxFullError, MailboxBusyError, StorageError.
        """
        recipient: Recipient = await outcome(partial(self.recipient_policy.recipient, path))
        size *= len(recipient.certificates)
        await outcome(partial(self._mail_service.quota.check, recipient.user.number, size))
        return recipient

    async def recipients(self, path: str, size: int) -> tuple[Recipient, ...]:
        """The users who get mail to an envelope address: one, or those of an alias or a list.

        Raises as `recipient`.
        """
        found: tuple[Recipient, ...] = await outcome(partial(self._recipients.find, path))
        for each in found:
            needed = size * len(each.certificates)
            await outcome(partial(self._mail_service.quota.check, each.user.number, needed))
        return found

    async def accept(self, transaction: Transaction, content: bytearray) -> Verdict:
        """Seal and store the mail for every recipient; durable at the return.

        `content` is overwritten. Raises MailRefusedError
        with the SMTP reply, or StorageError. A mail too large for all recipients at once may then
        have reached some; the sender retries.
        """
        try:
            if len(content) > limits.LARGE_MAIL_BYTES:
                async with self._large:
                    return await self._accept(transaction, content)
            return await self._accept(transaction, content)
        finally:
            _overwrite(content)

    async def post(self, to: Recipient, content: bytearray, also: Command[None]) -> None:
        """Seal and store the server's own mail, in one transaction with `also`.

        `content` is overwritten. Raises MailRefusedError, StorageError.
        """
        sender = f"postmaster@{self.recipient_policy.domain}"
        own = Transaction(sender, self.recipient_policy.domain, "localhost", True, (to,))
        try:
            request = structs.replace(self._request(own, own.recipients), own=True)
            content[:] = self._sign_notice(bytes(content), to.user.address)
            sealed = await self._pool.seal(request, content)
            await self._store(own.recipients, sealed.mails, also)
        finally:
            _overwrite(content)

    async def _accept(self, transaction: Transaction, content: bytearray) -> Verdict:
        verdict = Verdict("", "")
        copies = max(len(to.certificates) for to in transaction.recipients)
        unit = max(1, limits.MAX_SEALED_BATCH_BYTES // max(1, len(content) * copies))
        for start in range(0, len(transaction.recipients), unit):
            recipients = transaction.recipients[start : start + unit]
            request = self._request(transaction, recipients)
            sealed = await self._judging.seal(request, content)
            if start + unit >= len(transaction.recipients):
                _overwrite(content)
                content.clear()  # no longer needed, and it may be 25 MiB
            await self._store(recipients, sealed.mails)
            verdict = Verdict(sealed.summary, sealed.place)
        return verdict

    def _request(self, transaction: Transaction, recipients: tuple[Recipient, ...]) -> SealRequest:
        return SealRequest(
            recipients=[
                SealTo(to.user.address, certificate)
                for to in recipients
                for certificate in to.certificates
            ],
            domain=self.recipient_policy.domain,
            sender=transaction.sender,
            helo=transaction.helo,
            peer=transaction.peer,
            tls=transaction.tls,
            now=self._clock.wall_ms() // 1000,
            dots=transaction.dots,
            id=transaction.id,
        )

    async def _store(
        self,
        recipients: tuple[Recipient, ...],
        sealed: list[bytearray],
        also: Command[None] | None = None,
    ) -> None:
        copies = [
            (to.user, certificate is to.compatible)
            for to in recipients
            for certificate in to.certificates
        ]
        mails = [
            MailFor(user, data, compatible)
            for (user, compatible), data in zip(copies, sealed, strict=True)
        ]
        own = also is not None
        await outcome(partial(self._mail_service.store, mails, also=also, own=own))


def _overwrite(content: bytearray) -> None:
    content[:] = bytes(len(content))
