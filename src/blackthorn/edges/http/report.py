"""The transparency report over HTTPS, made of the published ledger and cached until it grows.

`/report/` is the last epoch's half year, `/report/2015H2` any other period of the ledger, with the
endings of `report.files`. The log is read once, in small pieces; one request at a time makes files.
"""

import asyncio
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from blackthorn import errors
from blackthorn.edges.http import limits
from blackthorn.edges.http.answers import SECURITY_HEADERS
from blackthorn.report.figures import periods
from blackthorn.report.files import FEED, make, split_name
from blackthorn.report.history import History, Snapshot
from blackthorn.report.page import content_security
from blackthorn.report.period import Period, half_year, parse_period

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8; header=present",
    "-directives.csv": "text/csv; charset=utf-8; header=present",
    FEED: "application/atom+xml; charset=utf-8",
}
_PIECE: Final = 64
"""Entries read at a time: a tenth of a second, with two signatures each."""

_BUSY: Final = "the ledger cannot be read now; try later"


class Published(Protocol):
    """The published log; `size` counts entries."""

    @property
    def size(self) -> int: ...


class Log(Protocol):
    """The ledger as a report reads it. Every method may raise StorageError."""

    policy: str

    def newest(self) -> Published | None:
        """The newest published epoch, or None."""

    async def entries(self, start: int, count: int) -> list[bytes]: ...


def report_routes(log: Log) -> list[BaseRoute]:
    """The routes; put them before any that takes every path."""
    edge = _Edge(log)
    return [
        Route("/report", edge.redirect),
        Route("/report/", edge.current),
        Route("/report/{name}", edge.named),
    ]


class _Edge:
    def __init__(self, log: Log) -> None:
        self._log = log
        self._history = History()
        self._making = asyncio.Lock()
        self._kept: dict[str, dict[str, bytes]] = {}
        self._kept_size = 0

    async def redirect(self, request: Request) -> Response:
        return RedirectResponse("/report/", 308, SECURITY_HEADERS)

    async def current(self, request: Request) -> Response:
        return await self._answer("")

    async def named(self, request: Request) -> Response:
        return await self._answer(request.path_params["name"])

    async def _answer(self, name: str) -> Response:
        try:
            body, ending = await self._file(name)
        except (errors.StorageError, errors.VerificationError):
            raise errors.UnavailableError(_BUSY) from None
        headers = {
            **SECURITY_HEADERS,
            "Content-Security-Policy": f"{content_security()}; frame-ancestors 'none'",
            "Content-Type": TYPES[ending],
            "Cache-Control": "public, max-age=2",
        }
        return Response(body, 200, headers)

    async def _file(self, name: str) -> tuple[bytes, str]:
        asked, ending = _parse(name)
        published = self._log.newest()
        if published is None:
            raise errors.AbsentError("nothing is published yet")
        async with self._making:
            stand = await self._read_to(published.size)
            period = asked or half_year(stand.unix_ms)
            if asked is not None and not any(
                known.start_ms < asked.end_ms and asked.start_ms < known.end_ms
                for known in periods(stand)
            ):
                raise errors.AbsentError("the ledger does not reach that period")
            files = await self._made(stand, period)
        return files[FEED if ending == FEED else f"{period.name}{ending}"], ending

    async def _read_to(self, size: int) -> Snapshot:
        """The newest head, of at least `size` entries."""
        while (at := self._history.size) < size:
            for data in await self._log.entries(at, min(_PIECE, size - at)):
                self._history.feed(data)
            await asyncio.sleep(0)
        stand = self._history.stand
        if stand is None or stand.size != self._history.size:
            raise errors.DamageError("the published log does not end with a head")
        return stand

    async def _made(self, stand: Snapshot, period: Period) -> dict[str, bytes]:
        kept = sum(len(data) for files in self._kept.values() for data in files.values())
        if self._kept_size != stand.size or kept > limits.MAX_REPORT_CACHE_BYTES:
            self._kept.clear()
            self._kept_size = stand.size
        if period.name not in self._kept:
            made = await asyncio.to_thread(make, stand, period, self._log.policy)
            self._kept[period.name] = made
        return self._kept[period.name]


def _parse(name: str) -> tuple[Period | None, str]:
    """The period, None for the current one, and the file's ending."""
    if not name:
        return None, ".html"
    try:
        period, ending = split_name(name if "." in name else f"{name}.html")
        return (None, FEED) if ending == FEED else (parse_period(period), ending)
    except errors.InputError as error:
        raise errors.AbsentError(str(error)) from None
