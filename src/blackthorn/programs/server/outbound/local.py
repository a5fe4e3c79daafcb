"""Delivery into the mailboxes here: the sender's device has sealed the mail to their users."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import BlackthornError, StorageError
from blackthorn.ids import Address
from blackthorn.mail.pgp.seal import BY_SENDER
from blackthorn.ports.outbound.carrier import Reply
from blackthorn.ports.store import Command
from blackthorn.ports.waiting import outcome
from blackthorn.server.mail.recipient_policy import Recipient
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import MailFor, MailService

_DELIVERED = Reply(250, "2.1.5", "delivered")


@dataclass(frozen=True, slots=True)
class LocalMail:
    recipients: Recipients
    mail_service: MailService

    async def deliver(
        self,
        addresses: Sequence[str],
        content: bytes,
        settle: Callable[[dict[str, Reply]], Command[None]],
    ) -> tuple[dict[str, Reply], bool]:
        """Store the mail for each user once, in one transaction with `settle` of the replies.

        Returns a reply for each address, and whether anything was stored. Raises StorageError.
        """
        content = BY_SENDER + content
        replies: dict[str, Reply] = {}
        users: dict[Address, MailFor] = {}
        taken: list[str] = []
        for address in addresses:
            try:
                found = await self._users(address, len(content))
            except BlackthornError as error:
                replies[address] = _reply(error)
            else:
                users |= {to.user.address: MailFor(to.user, content) for to in found}
                taken.append(address)
        if not users:
            return replies, False
        done = replies | dict.fromkeys(taken, _DELIVERED)
        store = partial(self.mail_service.store, list(users.values()), also=settle(done))
        try:
            await outcome(store)
        except BlackthornError as error:
            return replies | dict.fromkeys(taken, _reply(error)), False
        return done, True

    async def _users(self, address: str, size: int) -> tuple[Recipient, ...]:
        """All users behind the address, each with room for the mail. Raises BlackthornError."""
        found: tuple[Recipient, ...] = await outcome(partial(self.recipients.find, address))
        for to in found:
            await outcome(partial(self.mail_service.quota.check, to.user.number, size))
        return found


def _reply(error: BlackthornError) -> Reply:
    """Raises a StorageError again: the attempt did not take place."""
    if isinstance(error, StorageError):
        raise error
    refused = refusal(error)
    return Reply(refused.code, refused.status, str(refused))
