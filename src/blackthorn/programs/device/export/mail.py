"""The mails of an export: fetched ahead over one link, opened one by one."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from itertools import count
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.device.export.export import ExportMail
from blackthorn.device.mail.fetching import Pieces, check_asked
from blackthorn.edges.link.client import LinkClosedError, LinkConnection
from blackthorn.errors import InputError, SecurityError, UnavailableError
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.programs.device.mail import MailFetcher
from blackthorn.programs.device.opening.opener import open_any
from blackthorn.programs.device.program import FINISH_SECONDS, DeviceProgram

AHEAD_MAILS: Final = 16
AHEAD_BYTES: Final = 8 * 1024 * 1024
"""Mail requested ahead, so that server and device work in parallel."""

Fetched = tuple[f.MailEntry, bytes | str]
"""A sealed mail, or the reason why it cannot be fetched."""

_GONE: Final = "the server has it no more"


def open_export_mail(entry: f.MailEntry, sealed: bytes | str, keys: list[Secret]) -> ExportMail:
    """The opened mail, or its problem."""
    if isinstance(sealed, str):
        return ExportMail(entry.uid, entry.received_ms, None, problem=sealed)
    try:
        opened = open_any(sealed, keys)
    except (InputError, SecurityError, UnavailableError) as error:
        return ExportMail(entry.uid, entry.received_ms, None, problem=str(error))
    return ExportMail(entry.uid, entry.received_ms, opened.content, opened.envelope_sender)


class ServerMail:
    """All mails of the server, over a link that stays open during the iteration."""

    def __init__(self, program: DeviceProgram, keys: list[Secret]) -> None:
        self._program = program
        self._keys = keys
        self.total = 0

    def mails(self) -> Iterator[ExportMail]:
        """Raises UnavailableError."""
        with asyncio.Runner() as runner:
            fetched = self._fetch()
            try:
                while True:
                    try:
                        entry, sealed = runner.run(_next(fetched))
                    except StopAsyncIteration:
                        return
                    except asyncio.CancelledError:  # an interrupt before the task had begun
                        raise KeyboardInterrupt from None
                    yield open_export_mail(entry, sealed, self._keys)
            finally:
                with suppress(RuntimeError):  # it still runs when an interrupt fell into it
                    runner.run(_close(fetched))

    async def _fetch(self) -> AsyncIterator[Fetched]:
        """Skip a mail at which the server ends the link: it is then fetched alone to find it."""
        remaining: deque[f.MailEntry] | None = None
        ahead = AHEAD_MAILS
        while remaining is None or remaining:
            try:
                async with self._program.link(receive=False) as connection:
                    if remaining is None:
                        remaining = deque(await MailFetcher(self._program, connection).listing(0))
                        self.total = len(remaining)
                    async for mail in _Ahead(self._program, connection, remaining, ahead).all():
                        remaining.popleft()
                        yield mail
            except LinkClosedError as error:
                if not remaining or error.code in (None, Code.GOING):
                    raise
                if ahead == 1:
                    yield remaining.popleft(), str(error)
                ahead = AHEAD_MAILS if ahead == 1 else 1


async def _next(fetched: AsyncIterator[Fetched]) -> Fetched:
    try:
        async with asyncio.timeout(FINISH_SECONDS):
            return await anext(fetched)
    except TimeoutError:
        raise UnavailableError("the server did not answer in time") from None


async def _close(fetched: AsyncIterator[Fetched]) -> None:
    await fetched.aclose()  # type: ignore[attr-defined]  # it is an async generator


class _Ahead:
    """Requests the first pieces of several mails at once and yields the mails in order."""

    def __init__(
        self,
        program: DeviceProgram,
        connection: LinkConnection,
        entries: Iterable[f.MailEntry],
        most: int = AHEAD_MAILS,
    ) -> None:
        self._most = most
        self._program = program
        self._connection = connection
        self._left = deque(entries)
        self._asked: deque[tuple[int, f.MailEntry]] = deque()
        self._asked_bytes = 0
        self._requests = count(1_000_000)
        self._waiting: dict[int, int] = {}
        """Uids of the requests that wait for their answer."""
        self._early: dict[int, f.MailChunk] = {}

    async def all(self) -> AsyncIterator[Fetched]:
        while self._left or self._asked:
            self._ask()
            request, entry = self._asked.popleft()
            sealed = await self._sealed(request, entry)
            self._asked_bytes -= entry.size
            yield entry, sealed

    def _ask(self) -> None:
        while self._left and len(self._asked) < self._most:
            if self._asked and self._asked_bytes + self._left[0].size > AHEAD_BYTES:
                return
            entry = self._left.popleft()
            self._asked.append((self._request(entry.uid, 0), entry))
            self._asked_bytes += entry.size

    def _request(self, uid: int, offset: int) -> int:
        request = next(self._requests)
        self._connection.send(f.FetchMail(request, uid, offset))
        self._waiting[request] = uid
        return request

    async def _sealed(self, request: int, entry: f.MailEntry) -> bytes | str:
        pieces = Pieces(entry)
        while True:
            chunk = await self._chunk(request)
            if not chunk.total:
                return _GONE
            sealed = pieces.add(chunk)
            if sealed is not None:
                return sealed
            request = self._request(entry.uid, pieces.offset)

    async def _chunk(self, request: int) -> f.MailChunk:
        """The answer to this request; answers to later ones are stored."""
        while request not in self._early:
            frame = await self._program.step(self._connection)
            if isinstance(frame, f.MailChunk):
                check_asked(frame, self._waiting)
                del self._waiting[frame.request]
                self._early[frame.request] = frame
        return self._early.pop(request)
