"""A listener that ended by itself is seen, and ends the program with a clear message."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from starlette.applications import Starlette

from blackthorn.edges.http import server as http
from blackthorn.edges.listening import check_listening, is_listening
from blackthorn.errors import UnavailableError


def test_a_listener_listens_until_its_loop_closes_it() -> None:
    async def inside() -> None:
        server = await asyncio.start_server(lambda *unused: None, "127.0.0.1", 0)
        assert is_listening(server)
        server.close()
        assert not is_listening(server)

    uvloop.run(inside())


@pytest.mark.parametrize("sockets", [(), (None,), (SimpleNamespace(fileno=lambda: -1),)])
def test_a_server_without_an_open_socket_listens_no_more(sockets: Any) -> None:
    assert not is_listening(SimpleNamespace(sockets=sockets))  # type: ignore[arg-type]


def test_a_listener_that_ended_ends_the_program() -> None:
    ended: list[str] = []
    listeners = {"the link": lambda: True, "SMTP": lambda: False}
    check_listening(listeners, lambda error: ended.append(str(error)))
    assert ended == ["SMTP has stopped listening: start the program again"]


async def serve() -> http.HttpServer:
    return await http.serve_http(Starlette(), "the ledger", "127.0.0.1", 0)


@pytest.mark.parametrize("cancelled", [True, False])
def test_an_http_server_that_ends_by_itself_is_seen(cancelled: bool) -> None:
    async def inside() -> None:
        server = await serve()
        assert server.listening
        if cancelled:
            server._task.cancel()
        else:
            server._server.should_exit = True
        await asyncio.wait({server._task})
        assert not server.listening
        await server.close()

    uvloop.run(inside())


@pytest.mark.parametrize("error", [RuntimeError("no"), None])
def test_an_http_server_that_does_not_start_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    async def failing(server: Any, sockets: Any = None) -> None:
        if error is not None:
            raise error
        server.should_exit = True
        server.servers = []

    monkeypatch.setattr(http._Server, "startup", failing)

    async def inside() -> None:
        expected = type(error) if error is not None else UnavailableError
        with pytest.raises(expected):
            await serve()

    uvloop.run(inside())
