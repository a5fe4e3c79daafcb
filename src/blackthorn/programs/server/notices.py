"""Notices in the server: what drives them, a few people at a time, beside everything else.

Decides nothing: whom to tell and what says `server.markets.notices`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.errors import StorageError
from blackthorn.ids import Address
from blackthorn.link.frames import AnyFrame
from blackthorn.mail.errors import MailRefusedError
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import Enterprise
from blackthorn.ports.writer import Writer
from blackthorn.programs.server.configuration import Configuration
from blackthorn.programs.server.durable import durable
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.markets.exit_rules import ExitRules
from blackthorn.server.markets.notices import Due, Notices
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores.exits import SqliteExits
from blackthorn.storage.sqlite.stores.markets import market_of
from blackthorn.storage.sqlite.stores.notices import SqliteNotices

SLICE: Final = 16
"""People whose mail is sealed at one time; mail from outside comes in between."""

RETRY_SECONDS: Final = 30.0
"""After so long it is tried again what the disk or the sealing could not do."""


def make_rules(
    connection: Connection, enterprise: Enterprise, office: Callable[[], DecisionService]
) -> ExitRules:
    """The rules over the reading connection; `office` is asked only once it has started."""
    persons = SqliteExits(connection)

    def forward_to(case: str, address: Address) -> str:
        user = enterprise.user(address)
        return "" if user is None else persons.person(user.number, case).forward or ""

    return ExitRules(
        lambda: office().cases,
        partial(market_of, connection),
        forward_to,
        lambda: office().log_ms,
    )


def make_notices(
    connection: Connection,
    office: DecisionService,
    writer: Writer,
    clock: Clock,
    settings: Configuration,
    notify: Callable[[Address, AnyFrame], None],
) -> Notices:
    """The notices over the reading connection; not started."""
    return Notices(
        office=office,
        store=SqliteNotices(connection),
        exits=SqliteExits(connection),
        writer=writer,
        clock=clock,
        domain=settings.enterprise.domain,
        notify=notify,
    )


class Telling:
    """Tells everybody who is due, for as long as the server runs."""

    def __init__(
        self,
        notices: Notices,
        gateway: MailGateway,
        enterprise: Enterprise,
        writer: Writer,
        failed: Callable[[], None],
    ) -> None:
        self._notices = notices
        self._gateway = gateway
        self._enterprise = enterprise
        self._writer = writer
        self._failed = failed

    async def keep_on(self) -> None:
        """Never returns."""
        woken = asyncio.Event()
        self._notices.wake = woken.set
        while True:
            woken.clear()
            try:
                await self.tell_all()
            except (StorageError, MailRefusedError):
                self._failed()
            except Exception as error:  # the others are still to be told
                context = {"message": "a notice failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
            try:
                async with asyncio.timeout(RETRY_SECONDS):
                    await woken.wait()
            except TimeoutError:
                continue

    async def tell_all(self) -> None:
        """Until nobody is due. Raises StorageError or MailRefusedError: then try again later."""
        while due := self._notices.due(SLICE):
            results = await asyncio.gather(*map(self._tell, due), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def _tell(self, due: Due) -> None:
        user = self._enterprise.user(due.to.address)
        try:
            if user is None:
                raise MailRefusedError(550, "5.1.1", "there is no such user here")
            recipient = self._gateway.recipient_policy.sealable(user)
        except MailRefusedError:
            await durable(self._writer, self._notices.unreachable(due))
        else:
            try:
                content = self._notices.mail(due)
                await self._gateway.post(recipient, content, self._notices.leave(due))
            except MailRefusedError as error:
                if error.code < 500:
                    raise
                await durable(self._writer, self._notices.unreachable(due))
        self._notices.left(due)
