"""The ledger's tiles over real sockets: paths, headers, bounds, and nothing before it is due."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from blackthorn.edges.http import limits
from blackthorn.edges.http.ledger import PublishedEpoch, ledger_app
from blackthorn.edges.http.server import serve_http
from blackthorn.errors import StorageError, UnavailableError
from blackthorn.tlog.tiles import Tile, parse_bundle, parse_path, tile_hashes, tiles_between
from tests.support import runs
from tests.support.witness_process import Log


class Tiles:
    """A log of `size` entries of which `published` are published."""

    origin = "log.example/<one>"
    policy = "quorum none\n"

    def __init__(self, size: int, published: int) -> None:
        self.log = Log()
        self.log.grow(size)
        self.vkey = self.log.vkey
        self.published = published
        self.broken = False

    def newest(self) -> PublishedEpoch | None:
        if not self.published:
            return None
        return PublishedEpoch(
            self.log.note(self.published), self.published, 3, 1_700_000_000_000, 2
        )

    def pending_size(self) -> int:
        return self.log.tree.size

    async def config(self) -> bytes:
        return b"record"

    def hashes(self, tile: Tile) -> bytes:
        return tile_hashes(self.log.tree, tile)

    async def entries(self, start: int, count: int) -> list[bytes]:
        if self.broken:
            raise StorageError("the disk failed to read or write the database")
        return [f"entry {place}".encode() for place in range(start, start + count)]


@contextlib.asynccontextmanager
async def served(tiles: Tiles) -> AsyncIterator[httpx.AsyncClient]:
    closed = {"X-PK-1": b"{}"}
    server = await serve_http(ledger_app(tiles, closed.get), "the ledger", "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        yield client
    await server.close()


def test_every_tile_of_every_size_is_served_and_none_beyond() -> None:
    async def scenario() -> None:
        tiles = Tiles(70_000, 69_000)
        async with served(tiles) as client:
            for tile in tiles_between(68_900, 69_000):
                got = await client.get(tile.path)
                assert got.status_code == 200, tile.path
                expected = tiles.hashes(tile) if tile.level is not None else None
                if expected is None:
                    entries = await tiles.entries(tile.start, tile.width)
                    assert parse_bundle(got.content, tile.width) == entries
                else:
                    assert got.content == expected
                full = ".p/" not in tile.path
                assert ("max-age=31536000" in got.headers["cache-control"]) == full
                wider = Tile(tile.level, tile.index + 1 if full else tile.index, 255)
                assert (await client.get(wider.path)).status_code == 404
            for tile in tiles_between(69_000, 70_000):
                published = (await client.get(tile.path)).status_code
                pending = (await client.get(f"pending/{tile.path}")).status_code
                beyond = tile.start + tile.width > 69_000 >> tile.height
                assert (published, pending) == (404 if beyond else 200, 200), tile.path

    asyncio.run(scenario())


def test_the_statement_of_a_closed_market_is_served_and_no_other_file() -> None:
    async def scenario() -> None:
        async with served(Tiles(10, 10)) as client:
            assert (await client.get("closures/X-PK-1.json")).json() == {}
            for name in ("X-PK-2", "X-PK", "..%2Fledger", "x-pk-1", "X-PK-1%00"):
                assert (await client.get(f"closures/{name}.json")).status_code == 404, name

    asyncio.run(scenario())


def test_nothing_is_shown_before_the_first_epoch() -> None:
    async def scenario() -> None:
        async with served(Tiles(3, 0)) as client:
            for path in ("checkpoint", "config", "tile/0/000.p/1"):
                assert (await client.get(path)).status_code == 404
            assert (await client.get("pending/tile/0/000.p/3")).status_code == 200
            assert "nothing is published yet" in (await client.get("/")).text

    asyncio.run(scenario())


def test_the_page_for_people_has_no_scripts_and_escapes_what_it_shows() -> None:
    async def scenario() -> None:
        async with served(Tiles(3, 3)) as client:
            page = await client.get("/", headers={"Host": "<script>alert(1)</script>"})
        assert page.status_code in (200, 400)
        if page.status_code == 200:
            assert "<script" not in page.text
            assert "log.example/&lt;one&gt;" in page.text
        async with served(Tiles(3, 3)) as client:
            page = await client.get("/")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "2023-11-14 22:13:20 UTC" in page.text and "<script" not in page.text

    asyncio.run(scenario())


def test_a_failing_disk_is_said_and_not_cached() -> None:
    async def scenario() -> None:
        tiles = Tiles(3, 3)
        tiles.broken = True
        async with served(tiles) as client:
            got = await client.get("tile/entries/000.p/3")
            assert (got.status_code, got.headers["cache-control"]) == (503, "no-store")
            assert (await client.post("checkpoint")).status_code == 405
            assert (await client.head("checkpoint")).status_code == 200

    asyncio.run(scenario())


def test_any_path_is_answered_by_what_it_names_or_by_404() -> None:
    chance = random.Random(runs.seed())
    parts = [
        "tile",
        "entries",
        "0",
        "000",
        "x000",
        "000.p",
        "3",
        "%2e%2e",
        "%00",
        "",
        "1",
        "-1",
    ]

    async def scenario() -> None:
        tiles = Tiles(3, 3)
        async with served(tiles) as client:
            for _ in range(400):
                path = "/".join(chance.choice(parts) for _ in range(chance.randrange(1, 6)))
                got = await client.get(f"/tile/{path}")
                if got.status_code == 200:
                    parse_path(str(got.url.path).lstrip("/"))
                else:
                    assert got.status_code == 404, path

    asyncio.run(scenario())


# --- The server below ---------------------------------------------------------------------


def test_a_port_in_use_is_told() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(UnavailableError, match=f"the ledger cannot listen on .*:{port}"):
                await serve_http(ledger_app(Tiles(1, 1)), "the ledger", "127.0.0.1", port)

    asyncio.run(scenario())


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET"])
def test_a_client_that_is_slow_to_ask_is_cut(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(limits, "HTTP_REQUEST_SECONDS", 0.3)

    async def scenario() -> None:
        server = await serve_http(ledger_app(Tiles(1, 1)), "the ledger", "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(said)
        async with asyncio.timeout(3):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        await server.close()

    asyncio.run(scenario())


def test_a_client_that_does_not_read_its_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_ANSWER_SECONDS", 0.3)

    async def scenario() -> None:
        class Large(Tiles):
            async def entries(self, start: int, count: int) -> list[bytes]:
                return [bytes(60_000)] * count

        tiles = Large(256, 256)
        server = await serve_http(ledger_app(tiles), "the ledger", "127.0.0.1", 0)
        peer = socket.create_connection(("127.0.0.1", server.port))
        peer.setblocking(False)
        peer.sendall(b"GET /tile/entries/000 HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(1.2)
        assert not server._server.server_state.connections
        peer.close()
        await server.close()

    asyncio.run(scenario())


def test_a_fault_is_told_to_the_loop_and_answered_with_500() -> None:
    faults: list[dict[str, object]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        tiles = Tiles(1, 1)
        tiles.config = lambda: 1 // 0  # type: ignore[method-assign, assignment, return-value]
        async with served(tiles) as client:
            got = await client.get("config")
            assert (got.status_code, got.text) == (500, "internal server error\n")
            assert (await client.get("checkpoint")).status_code == 200

    asyncio.run(scenario())
    assert [type(each["exception"]) for each in faults] == [ZeroDivisionError]
