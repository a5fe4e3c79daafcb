"""The gateway of received mail: sealed by the pool, stored by the mail service, then accepted.

Plain mail is in memory only between here and the worker. Its buffer is overwritten afterwards;
smaller copies of Python and libraries stay until reused.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from msgspec import structs

from blackthorn.edges.sealing.judging import Judgement, JudgingPool
from blackthorn.edges.sealing.pool import SealedMails, SealingPool
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

    async def recipients(self, path: str, size: int) -> tuple[Recipient, ...]:
        """The users who get mail to an envelope address: one, or those of an alias or a list.

        Raises RecipientRefusedError, MailboxFullError, MailboxBusyError, StorageError.
        """
        found: tuple[Recipient, ...] = await outcome(partial(self._recipients.find, path))
        await self._check_quota(found, size)
        return found

    async def _check_quota(self, recipients: Sequence[Recipient], size: int) -> None:
        for each in recipients:
            needed = size * len(each.certificates)
            await outcome(partial(self._mail_service.quota.check, each.user.number, needed))

    async def accept(self, transaction: Transaction, content: bytearray) -> Verdict:
        """Seal and store the mail for every recipient; durable at the return.

        `content` is overwritten. Raises MailRefusedError with the SMTP reply, or StorageError.
        """
        try:
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
            request = structs.replace(
                self._request(own), recipients=_seal_to(own.recipients), own=True
            )
            content[:] = self._sign_notice(bytes(content), to.user.address)
            sealed = await self._pool.seal(request, content)
            mails = _mails_for(own.recipients, sealed.mails)
            await outcome(partial(self._mail_service.store, mails, also=also, own=True))
        finally:
            _overwrite(content)

    async def _accept(self, transaction: Transaction, content: bytearray) -> Verdict:
        """Only who seals and stores holds the turn for large mail, never who waits for answers.

        One full mailbox refuses the mail for all, so that is found out before it is sealed.
        """
        await self._check_quota(transaction.recipients, len(content))
        large = len(content) > limits.LARGE_MAIL_BYTES
        turn = self._large if large else nullcontext()
        request = self._request(transaction)
        judgement = await self._judging.begin(request, content, header_first=large)
        while True:
            async with turn:
                sealed = await self._seal_and_store(transaction, request, judgement, content)
            if not sealed.questions:
                return Verdict(sealed.summary, sealed.place)
            await judgement.answer(sealed.questions, content)

    async def _seal_and_store(
        self,
        transaction: Transaction,
        request: SealRequest,
        judgement: Judgement,
        content: bytearray,
    ) -> SealedMails:
        """All recipients or none; the last sealed, or the questions to be answered first."""
        batches = _batches(transaction.recipients, len(content))
        storing = self._mail_service.begin()
        sealed = SealedMails([])
        try:
            for number, recipients in enumerate(batches, 1):
                request = structs.replace(request, recipients=_seal_to(recipients))
                sealed = await judgement.seal(request, content)
                if sealed.questions:
                    return sealed
                if number == len(batches):
                    _overwrite(content)
                    content.clear()  # no longer needed, and it may be 25 MiB
                mails = _mails_for(recipients, sealed.mails)
                await outcome(partial(storing.add, mails))
            await outcome(storing.commit)
            return sealed
        finally:
            storing.close()

    def _request(self, transaction: Transaction) -> SealRequest:
        """Without recipients."""
        return SealRequest(
            recipients=[],
            domain=self.recipient_policy.domain,
            sender=transaction.sender,
            helo=transaction.helo,
            peer=transaction.peer,
            tls=transaction.tls,
            now=self._clock.wall_ms() // 1000,
            dots=transaction.dots,
            id=transaction.id,
        )


def _batches(recipients: tuple[Recipient, ...], size: int) -> list[tuple[Recipient, ...]]:
    """The recipients to whom a mail of so many bytes is sealed at once."""
    copies = max(len(to.certificates) for to in recipients)
    unit = max(1, limits.MAX_SEALED_BATCH_BYTES // max(1, size * copies))
    return [recipients[start : start + unit] for start in range(0, len(recipients), unit)]


def _seal_to(recipients: tuple[Recipient, ...]) -> list[SealTo]:
    return [
        SealTo(to.user.address, certificate) for to in recipients for certificate in to.certificates
    ]


def _mails_for(recipients: tuple[Recipient, ...], sealed: list[bytearray]) -> list[MailFor]:
    copies = [
        (to.user, certificate is to.compatible)
        for to in recipients
        for certificate in to.certificates
    ]
    return [
        MailFor(user, data, compatible)
        for (user, compatible), data in zip(copies, sealed, strict=True)
    ]


def _overwrite(content: bytearray) -> None:
    content[:] = bytes(len(content))
