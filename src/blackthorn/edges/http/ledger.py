"""The ledger over HTTPS as tiles (c2sp.org/tlog-tiles), for auditors, mirrors and anybody.

`/` has the published `checkpoint`, `tile/…`, `tile/entries/…`, `policy`, `config`, and a page for
people; `/report/` the transparency report, `/closures/` the statements of closed markets.
`/pending/` has the tiles of a checkpoint that waits for its witnesses, without that checkpoint, for
auditors. No client address is logged. TLS only hides requests: data is trusted by the signatures of
log and witnesses.
"""

import datetime
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from blackthorn.edges.http.answers import SECURITY_HEADERS, text_answer
from blackthorn.edges.http.report import Log, report_routes
from blackthorn.edges.http.server import application
from blackthorn.errors import VerificationError
from blackthorn.tlog.tiles import FULL, Tile, check_tile, format_bundle, parse_path

TEXT: Final = "text/plain; charset=utf-8"
BINARY: Final = "application/octet-stream"
CBOR: Final = "application/cbor"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"

_EXIT: Final = re.compile(r"X-[A-Z]{2}-[0-9]{1,4}")

FOR_EVER: Final = "public, max-age=31536000, immutable"
AN_HOUR: Final = "public, max-age=3600, immutable"
"""A partial tile never changes, but a full one replaces it."""

SECONDS: Final = "public, max-age=2"
NEVER: Final = "no-store"


@dataclass(frozen=True, slots=True)
class PublishedEpoch:
    """The newest published epoch: its cosigned note, and facts for the page."""

    note: bytes
    size: int
    epoch: int
    unix_ms: int
    users: int


class Tiles(Log, Protocol):
    """The ledger as this edge reads it. Every method may raise StorageError."""

    origin: str
    vkey: str

    def newest(self) -> PublishedEpoch | None:
        """The newest published epoch, or None."""

    def pending_size(self) -> int:
        """The log's size that auditors may read, with a pending checkpoint."""

    async def config(self) -> bytes:
        """The configuration record of the newest published epoch."""

    def hashes(self, tile: Tile) -> bytes:
        """The bytes of a tile that passed `check_tile`."""


Closures = Callable[[str], bytes | None]
"""Exit, such as `X-PK-1`, → the public statement of its closed market, or None."""


def ledger_app(
    tiles: Tiles,
    closures: Closures = lambda exit_id: None,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application; `more` are further public pages of the same host."""
    edge = _Edge(tiles, closures)
    return application(
        [
            Route("/", edge.page),
            Route("/checkpoint", edge.checkpoint),
            Route("/policy", edge.policy),
            Route("/config", edge.config),
            Route("/pending/{path:path}", edge.pending),
            *report_routes(tiles),
            Route("/closures/{exit_id}.json", edge.closure),
            *more,
            Route("/{path:path}", edge.published),
        ]
    )


class _Edge:
    def __init__(self, tiles: Tiles, closures: Closures) -> None:
        self._tiles = tiles
        self._closures = closures

    async def page(self, request: Request) -> Response:
        host = request.headers.get("host", "…")
        body = _page(self._tiles, self._tiles.newest(), host).encode()
        return _answer(body, HTML, NEVER)

    async def checkpoint(self, request: Request) -> Response:
        published = self._tiles.newest()
        if published is None:
            return text_answer("nothing is published yet", 404)
        return _answer(published.note, TEXT, SECONDS)

    async def policy(self, request: Request) -> Response:
        return _answer(self._tiles.policy.encode(), TEXT, NEVER)

    async def config(self, request: Request) -> Response:
        if self._tiles.newest() is None:
            return text_answer("nothing is published yet", 404)
        return _answer(await self._tiles.config(), CBOR, NEVER)

    async def closure(self, request: Request) -> Response:
        exit_id = request.path_params["exit_id"]
        statement = self._closures(exit_id) if _EXIT.fullmatch(exit_id) else None
        if statement is None:
            return text_answer("no market was closed by that exit", 404)
        return _answer(statement, JSON, SECONDS)

    async def published(self, request: Request) -> Response:
        published = self._tiles.newest()
        return await self._tile(request.path_params["path"], published.size if published else 0)

    async def pending(self, request: Request) -> Response:
        return await self._tile(request.path_params["path"], self._tiles.pending_size())

    async def _tile(self, path: str, size: int) -> Response:
        try:
            tile = parse_path(path)
            check_tile(tile, size)
        except VerificationError as error:
            return text_answer(str(error), 404)
        kept = FOR_EVER if tile.width == FULL else AN_HOUR
        if tile.level is not None:
            return _answer(self._tiles.hashes(tile), BINARY, kept)
        entries = await self._tiles.entries(tile.start, tile.width)
        return _answer(format_bundle(entries), BINARY, kept)


def _answer(body: bytes, kind: str, kept: str) -> Response:
    headers = {**SECURITY_HEADERS, "Content-Type": kind, "Cache-Control": kept}
    return Response(body, 200, headers)


_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{origin}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: auto; padding: 1rem }}
code {{ overflow-wrap: anywhere }} dt {{ font-weight: bold }} dd {{ margin: 0 0 .7rem }}
</style>
<h1>{origin}</h1>
<p>This is a ledger of Blackthorn: a public log to which every change of the keys of its users is
added, without their names. It can only grow, witnesses sign that it does, and anyone can check
all of it. So nobody, its operator included, can slip in a key unseen.</p>
<dl>
{facts}
</dl>
<p>Check all of it yourself:</p>
<p><code>blackthorn audit ledger https://{host}</code></p>
<p>What governments demanded and what they got: the
<a href="report/">transparency report</a>, made of this ledger alone.</p>
<p>For programs: <a href="checkpoint">checkpoint</a>, <a href="policy">policy</a>,
<a href="config">config</a>, and tiles as
<a href="https://c2sp.org/tlog-tiles" rel="noreferrer">c2sp.org/tlog-tiles</a> says.</p>
</html>
"""


def _page(tiles: Tiles, published: PublishedEpoch | None, host: str) -> str:
    facts = {"Public key": tiles.vkey}
    if published is None:
        facts["State"] = "nothing is published yet"
    else:
        moment = datetime.datetime.fromtimestamp(published.unix_ms // 1000, datetime.UTC)
        facts["Entries"] = f"{published.size:,}"
        facts["Users"] = f"{published.users:,}"
        facts["Last epoch"] = f"{published.epoch:,}, of {moment:%Y-%m-%d %H:%M:%S} UTC"
    rows = [f"<dt>{name}<dd><code>{html.escape(text)}</code>" for name, text in facts.items()]
    origin = html.escape(tiles.origin)
    return _PAGE.format(origin=origin, host=html.escape(host), facts="\n".join(rows))
