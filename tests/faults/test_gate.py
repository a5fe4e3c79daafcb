"""Strangers at each listener of a process: real sockets, small bounds."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blackthorn.edges import limits
from blackthorn.edges.gate import Bounds, Door, Gate
from blackthorn.edges.http import limits as http_limits
from blackthorn.edges.http.operations import Operations, serve_ops
from blackthorn.edges.http.server import application, serve_http
from blackthorn.server.counters import Counters
from tests.support.link_harness import run, running
from tests.support.smtp_harness import Dialogue, site

SMALL = Bounds(
    {Door.LINK: 8, Door.SMTP: 4, Door.HTTP: 4},
    devices=100,
    client_sockets=3,
    client_handshakes=1_000,
)


class Strangers:
    """TCP connections that say nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.all: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def come(self, count: int) -> None:
        for _ in range(count):
            self.all.append(await asyncio.open_connection("127.0.0.1", self._port))
        await asyncio.sleep(0.1)

    async def open(self) -> int:
        """How many are connected still."""
        left = 0
        for reader, _ in self.all:
            try:
                async with asyncio.timeout(0.05):
                    left += await reader.read(200) != b""
            except TimeoutError:
                left += 1
            except ConnectionError:
                pass
        return left

    def go(self) -> None:
        for _, writer in self.all:
            writer.transport.abort()


@asynccontextmanager
async def strangers(port: int, count: int) -> AsyncIterator[Strangers]:
    made = Strangers(port)
    await made.come(count)
    try:
        yield made
    finally:
        made.go()


def test_strangers_at_the_link_are_counted_before_tls(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, bounds=SMALL) as server:
            async with strangers(server.server.port, 6) as they:
                assert await they.open() == SMALL.client_sockets
                assert server.counters.link_sockets_refused == 3
                assert server.counters.sockets_of_strangers == SMALL.client_sockets
                await asyncio.sleep(limits.GRACE_SECONDS)
                link = await server.open(server.devices[0])  # for which the oldest gave way
                assert server.counters.sockets_dropped == 1
                assert server.counters.sockets_of_strangers == SMALL.client_sockets - 1
                await link.close()
            await server.until(lambda: server.counters.sockets_of_strangers == 0)

    run(test())


def test_known_devices_are_no_strangers(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, bounds=SMALL) as server:
            links = [await server.open(device, resume=False) for device in server.devices]
            links += [await server.open(device, resume=False) for device in server.devices]
            assert server.counters.connections == 8
            assert server.counters.sockets_of_strangers == 0
            for link in links:
                await link.close()

    run(test())


def test_a_tls_handshake_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.2)

    async def test() -> None:
        async with running(tmp_path) as server, strangers(server.server.port, 2) as they:
            await server.until(lambda: server.counters.handshakes_failed == 2)
            assert await they.open() == 0
            assert server.counters.sockets_of_strangers == 0

    run(test())


def test_handshakes_over_the_rate_are_served_later(tmp_path: Path) -> None:
    bounds = Bounds(client_handshakes=2)

    async def test() -> None:
        async with running(tmp_path, bounds=bounds, serves_after=False) as server:
            rude = [await server.rude() for _ in range(3)]
            assert server.counters.handshakes_delayed == 1
            for each in rude:
                each.transport.disconnect(graceful=False)

    run(test())


def test_before_hello_a_frame_is_judged_by_its_header(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path) as server:
            client = await server.rude()
            client.say(bytes(6 * 1024 * 1024))
            assert await client.last_word() == "too-large"
            assert server.counters.opening_frames_refused == 1

    run(test())


def test_a_listener_rests_when_the_system_has_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blackthorn.edges.listening._REST_SECONDS", 0.1)

    async def test() -> None:
        async with running(tmp_path) as server:
            accept, failing = socket.socket.accept, True

            def fails(listening: socket.socket) -> tuple[socket.socket, object]:
                if failing:
                    raise OSError(24, "Too many open files")
                return accept(listening)

            monkeypatch.setattr(socket.socket, "accept", fails)
            async with strangers(server.server.port, 1):
                assert server.counters.accepts_failed >= 1
                assert server.server.listening
            failing = False  # the harness now asks whether it still serves

    run(test())


def test_the_ledger_is_bounded_before_tls_and_answers_the_next(tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        return Response(b"here")

    async def test() -> None:
        counters = Counters()
        app = application([Route("/", answer)])
        gate = Gate(counters, SMALL)
        server = await serve_http(app, "the ledger", "127.0.0.1", 0, gate=gate)
        async with strangers(server.port, 5) as they:
            assert await they.open() == SMALL.client_sockets
            assert counters.http_sockets_refused == 2
            await asyncio.sleep(limits.GRACE_SECONDS)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200 OK" in await reader.readline()
            assert counters.sockets_dropped == 1
            writer.close()
        await server.close()

    run(test())


def test_four_addresses_do_not_stop_inbound_mail(tmp_path: Path) -> None:
    """Idle connections of other clients give way to a client that holds fewer."""

    async def test() -> None:
        async with site(tmp_path, bounds=SMALL) as running:
            idle = []
            for address in ("127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"):
                idle.append(
                    await asyncio.open_connection(
                        "127.0.0.1", running.port, local_addr=(address, 0)
                    )
                )
            await asyncio.sleep(0.1)
            client = await Dialogue.open(running.port)
            await client.expect("220 ")
            assert running.counters.sockets_dropped == 1
            assert running.counters.smtp_connections_refused == 0
            for _, writer in idle:
                writer.transport.abort()
            await client.close()

    run(test())


def test_a_client_with_too_many_smtp_connections_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with site(tmp_path, bounds=SMALL) as running:
            clients = [await Dialogue.open(running.port) for _ in range(SMALL.client_sockets)]
            for client in clients:
                await client.expect("220 ")
            late = await Dialogue.open(running.port)
            await late.expect("421 4.7.0")
            await late.closed()
            assert running.counters.smtp_connections_refused == 1
            await clients[0].say("QUIT", "221 ")
            await clients[0].closed()
            await asyncio.sleep(0.05)
            await (await Dialogue.open(running.port)).expect("220 ")
            for client in clients:
                await client.close()

    run(test())


def test_operations_answer_while_all_its_places_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_limits, "MAX_OPS_CONNECTIONS", 3)

    async def nothing() -> list[str]:
        return []

    async def test() -> None:
        counters = Counters()
        operations = Operations(nothing, nothing, lambda: b"")
        server = serve_ops(operations, counters, "127.0.0.1", 0)
        async with strangers(server.port, 5) as they:
            assert await they.open() == 3 and counters.operations_sockets_refused == 2
            await asyncio.sleep(limits.GRACE_SECONDS)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
            assert (await reader.read()).endswith(b"alive\n")
            writer.close()
        server.close()

    run(test())
