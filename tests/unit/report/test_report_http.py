"""The report over real sockets: what is published and nothing else, kept until more is."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from blackthorn.edges.http import limits
from blackthorn.edges.http import report as report_http
from blackthorn.edges.http.ledger import PublishedEpoch, ledger_app
from blackthorn.edges.http.server import serve_http
from blackthorn.errors import StorageError
from blackthorn.report.files import make
from blackthorn.report.period import parse_period
from blackthorn.tlog.tiles import Tile
from tests.support.governance_world import DAY_MS, World


class Tiles:
    """A world's log, of which `size` entries are published."""

    origin = "acme.example/ledger"

    def __init__(self, world: World) -> None:
        self.world = world
        self.vkey = world.keys.log_vkey
        self.policy = world.policy
        self.size = len(world.log)
        self.broken = False
        self.reads = 0

    def newest(self) -> PublishedEpoch | None:
        return PublishedEpoch(b"", self.size, 1, self.world.now_ms, 0) if self.size else None

    def pending_size(self) -> int:
        return len(self.world.log)

    async def config(self) -> bytes:
        return b""

    def hashes(self, tile: Tile) -> bytes:
        return b""

    async def entries(self, start: int, count: int) -> list[bytes]:
        if self.broken:
            raise StorageError("the disk failed to read or write the database")
        self.reads += count
        return self.world.log[start : start + count]


@contextlib.asynccontextmanager
async def served(tiles: Tiles) -> AsyncIterator[httpx.AsyncClient]:
    server = await serve_http(ledger_app(tiles), "the ledger", "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        yield client
    await server.close()


def told() -> World:
    world = World()
    world.refuse(world.receive("PK", "technical-capability"), "no-such-capability")
    world.epoch(1)
    return world


def test_every_file_is_served_as_it_is_made() -> None:
    async def scenario() -> None:
        world = told()
        files = make(world.stand(), parse_period("2015H2"), world.policy)
        async with served(Tiles(world)) as client:
            for name, data in files.items():
                got = await client.get(f"/report/{name}")
                assert (got.status_code, got.content) == (200, data), name
                head = await client.head(f"/report/{name}")
                assert (head.status_code, head.content) == (200, b"")
                assert head.headers["content-length"] == str(len(data))
            for path in ("/report/", "/report/2015H2"):
                assert (await client.get(path)).content == files["2015H2.html"]
            moved = await client.get("/report")
            assert (moved.status_code, moved.headers["location"]) == (308, "/report/")
            for period in ("2015", "2015Q3", "2015H2"):
                got = await client.get(f"/report/{period}.json")
                assert got.json()["totals"]["refused"] == 1
            assert 'href="report/"' in (await client.get("/")).text

    asyncio.run(scenario())


def test_types_and_the_policy_that_forbids_scripts() -> None:
    async def scenario() -> None:
        async with served(Tiles(told())) as client:
            page = await client.get("/report/")
            policy = page.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "unsafe" not in policy and "script" not in policy
            assert page.headers["x-content-type-options"] == "nosniff"
            types = {
                "2015H2": "text/html; charset=utf-8",
                "2015H2.json": "application/json",
                "2015H2.csv": "text/csv; charset=utf-8; header=present",
                "2015H2-directives.csv": "text/csv; charset=utf-8; header=present",
                "atom.xml": "application/atom+xml; charset=utf-8",
            }
            for name, kind in types.items():
                assert (await client.get(f"/report/{name}")).headers["content-type"] == kind

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "name",
    [
        "2014H2",
        "2016",
        "1970Q1",
        "2015H3",
        "2015H2.txt",
        "..",
        "%2e%2e",
        "x.json",
        "2015H2.HTML",
        "%00",
    ],
)
def test_what_there_is_not_is_404(name: str) -> None:
    async def scenario() -> None:
        async with served(Tiles(told())) as client:
            got = await client.get(f"/report/{name}")
            assert got.status_code == 404 or got.url.path in ("/", "/report/"), got.text
            assert (await client.post("/report/2015H2")).status_code == 405
            assert (await client.get("/report/2015H2/x")).status_code == 404

    asyncio.run(scenario())


def test_nothing_is_told_before_it_is_published() -> None:
    async def scenario() -> None:
        world = told()
        tiles = Tiles(world)
        published = tiles.size
        world.receive("DE")
        world.epoch()
        tiles.size = 0
        async with served(tiles) as client:
            assert (await client.get("/report/")).status_code == 404
            tiles.size = published
            before = (await client.get("/report/2015H2.json")).json()
            assert (before["totals"]["received"], before["ledger"]["size"]) == (1, published)
            tiles.size = len(world.log)
            after = (await client.get("/report/2015H2.json")).json()
            assert after["totals"]["received"] == 2
            assert after["ledger"]["root"] == world.stand().root.hex()

    asyncio.run(scenario())


def test_a_report_is_made_once_for_what_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counting(stand: Any, period: Any, policy: str) -> dict[str, bytes]:
        made.append(period.name)
        return make(stand, period, policy)

    monkeypatch.setattr(report_http, "make", counting)

    async def scenario() -> None:
        world = told()
        tiles = Tiles(world)
        async with served(tiles) as client:
            asked = [client.get(f"/report/2015H2{end}") for end in ("", ".json", ".csv") * 5]
            assert {got.status_code for got in await asyncio.gather(*asked)} == {200}
            assert (made, tiles.reads) == (["2015H2"], len(world.log))
            await client.get("/report/2015Q3")
            assert made == ["2015H2", "2015Q3"]
            world.epoch()
            tiles.size = len(world.log)
            await client.get("/report/2015Q3")
            assert made == ["2015H2", "2015Q3", "2015Q3"]
            assert tiles.reads == len(world.log), "no entry is read twice"
            monkeypatch.setattr(limits, "MAX_REPORT_CACHE_BYTES", 1)
            await client.get("/report/2015")
            await client.get("/report/2015Q3")
            assert made[3:] == ["2015", "2015Q3"], "what is kept is bounded"

    asyncio.run(scenario())


def test_a_failing_disk_and_a_policy_on_its_way_are_answered_with_503() -> None:
    async def scenario() -> None:
        tiles = Tiles(told())
        tiles.broken = True
        async with served(tiles) as client:
            got = await client.get("/report/")
            assert (got.status_code, got.headers["cache-control"]) == (503, "no-store")
            tiles.broken = False
            tiles.policy += "\n"
            assert (await client.get("/report/")).status_code == 503
            tiles.policy = tiles.world.policy
            assert (await client.get("/report/")).status_code == 200

    asyncio.run(scenario())


def test_a_log_whose_decisions_are_false_has_no_report() -> None:
    async def scenario() -> None:
        world = told()
        world.log[-2] = world.log[-3]
        async with served(Tiles(world)) as client:
            for _ in range(2):
                assert (await client.get("/report/")).status_code == 503

    asyncio.run(scenario())


def test_a_person_follows_the_links_of_a_page() -> None:
    async def scenario() -> None:
        world = told()
        world.now_ms += 200 * DAY_MS
        world.epoch()
        async with served(Tiles(world)) as client:
            page = (await client.get("/report/")).text
            assert 'href="2016H1.html" aria-current="page"' in page
            names = [part.split('"')[0] for part in page.split('href="')[1:]]
            for name in [each for each in names if not each.startswith("#")]:
                assert (await client.get(f"/report/{name}")).status_code == 200, name
            assert json.loads((await client.get("/report/2015H2.json")).content)["half_years"] == [
                {"period": "2015H2", "received": 1},
                {"period": "2016H1", "received": 0},
            ]

    asyncio.run(scenario())
