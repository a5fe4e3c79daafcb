"""Delivery of notices in the server, a few people at a time; `server.markets.notices` decides."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from blackthorn.crypto import tls_keys
from blackthorn.crypto.secret import Secret
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.errors import StorageError
from blackthorn.ids import Address
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.pgp.notice import sign_notice
from blackthorn.ports.enterprise import UsersByAddress
from blackthorn.ports.governance.exits import FindExitPerson
from blackthorn.ports.markets import FindMarkets
from blackthorn.ports.store import Writer
from blackthorn.ports.waiting import outcome
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.mail.recipient_policy import RecipientRefusedError
from blackthorn.server.markets.exit_rules import ExitRules
from blackthorn.server.markets.notice import Notice
from blackthorn.server.markets.notices import Notices
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import HostReader

SLICE: Final = 16
"""Notices sealed at a time, between mails from outside."""

RETRY_SECONDS: Final = 30.0
"""Pause after a failure of disk or sealing."""


def notice_signer(key: Secret) -> Callable[[bytes, Address], bytes]:
    """Signs the server's own mail for a recipient, by the link's key, which devices have pinned."""
    public, sign = tls_keys.signer(key)
    return lambda content, address: sign_notice(content, address, public, sign)


def make_rules(database: Database, decisions: Callable[[], DecisionService]) -> ExitRules:
    """The rules, over point reads; `decisions` is called once they have started."""
    reader = HostReader(database)

    def forward_to(case: str, address: Address) -> str:
        user = reader.read(UsersByAddress((address,))).get(address)
        if user is None:
            return ""
        return reader.read(FindExitPerson(user.number, case)).forward or ""

    def market_of(address: Address) -> str | None:
        return reader.read(FindMarkets((address,)))[0]

    return ExitRules(lambda: decisions().cases, market_of, forward_to, lambda: decisions().log_ms)


@dataclass(eq=False, repr=False)
class NoticeDelivery:
    """Delivers due notices while the server runs."""

    notices: Notices
    gateway: MailGateway
    enterprise: EnterpriseCache
    writer: Writer
    failed: Callable[[], None]

    def __post_init__(self) -> None:
        self._woken = asyncio.Event()
        self.notices.wake = self._woken.set

    async def notify_and_wait(self) -> None:
        """Notify all who are due, then wait for more."""
        self._woken.clear()
        try:
            await self.notify_all()
        except (StorageError, MailRefusedError):
            self.failed()
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self._woken.wait()

    async def notify_all(self) -> None:
        """Notify until nobody is due, skipping users whose mail cannot be sealed now.

        Raises StorageError, or MailRefusedError when nobody of a slice could be notified: retry
        later.
        """
        while due := await outcome(partial(self.notices.due, SLICE)):
            results = await asyncio.gather(*map(self._notify, due), return_exceptions=True)
            for error in (result for result in results if result is not None):
                if None not in results or not isinstance(error, MailRefusedError):
                    raise error

    async def _notify(self, notice: Notice) -> None:
        if not await self._posted(notice):
            command = self.notices.note_unreachable(notice)
            await outcome(partial(self.writer.submit, command))
        self.notices.notify(notice)

    async def _posted(self, notice: Notice) -> bool:
        """Whether the mail is stored; False when it can never be sealed to its user."""
        user = await outcome(partial(self.enterprise.load_user, notice.to.address))
        if user is None:
            return False
        try:
            recipient = self.gateway.recipient_policy.sealable(user)
        except RecipientRefusedError:
            return False
        try:
            content = self.notices.mail(notice)
            await self.gateway.post(recipient, content, self.notices.note_stored(notice))
        except MailRefusedError as error:
            if error.code < 500:
                raise
            return False
        return True
