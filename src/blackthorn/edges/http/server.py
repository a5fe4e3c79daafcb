"""An HTTP/1.1 server for a Starlette application: uvicorn behind the gate, bounded in time.

Shared by the ledger's tiles and by witnesses. No access is logged. uvicorn's signal handling and
log are off: the program decides when to end, and faults go to the event loop's handler.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Generator
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from blackthorn.edges.gate import Door, Gate, GatedSocket
from blackthorn.edges.http import limits
from blackthorn.edges.http.answers import answer_error
from blackthorn.edges.listening import Listener, ProtocolFactory, is_listening, listen
from blackthorn.errors import BlackthornError, UnavailableError
from blackthorn.server.counters import Counters, Histogram

_MUTE: Final = logging.CRITICAL + 1
_GRACE_SECONDS: Final = 2
"""Time for running requests once the server ends."""


class ImpatientProtocol(H11Protocol):
    """One connection, cut when it is too slow.

    uvicorn bounds only the time between two requests; this bounds the rest.
    """

    _timer: asyncio.TimerHandle | None = None
    _answering = False
    _connected = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time for the first request."""
        self._connected = True
        super().connection_made(transport)
        self._allow(limits.HTTP_REQUEST_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Start the time for the answer or the next request."""
        super().data_received(data)
        under_way = self.cycle is not None and not self.cycle.response_complete
        if under_way and not self._answering:
            self._answering = True
            self._allow(limits.HTTP_ANSWER_SECONDS)
        elif not under_way and self._timer is None and not self.transport.is_closing():
            self._allow(limits.HTTP_REQUEST_SECONDS)

    def on_response_complete(self) -> None:
        """The transport has the answer; the client must read it in time."""
        self._answering = False
        self._stop()
        super().on_response_complete()
        if self._timer is None and self.transport.get_write_buffer_size():
            self._allow(limits.HTTP_ANSWER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """After a failed TLS handshake too, of which uvicorn need not hear."""
        self._stop()
        if self._connected:
            super().connection_lost(exc)

    def _allow(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Server(uvicorn.Server):
    """uvicorn's server without signal handling, on a listener of ours; it serves once `serving`."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[ProtocolFactory], Listener]):
        super().__init__(config)
        self._listening = listening
        self.port = 0
        self.serving: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; sets `port`."""
        await self.lifespan.startup()

        def protocol(accepted: GatedSocket) -> asyncio.BaseProtocol:
            return ImpatientProtocol(self.config, self.server_state, self.lifespan.state)

        listener = self._listening(protocol)
        self.servers = [listener]  # type: ignore[list-item]  # which is closed like uvicorn's own
        self.started = True
        self.port = listener.port
        self.serving.set_result(None)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HttpServer:
    """A listening server. `port` is the real one when 0 was requested."""

    def __init__(self, server: _Server, task: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._task = task
        self.port: Final = port

    @property
    def listening(self) -> bool:
        """Whether clients can connect."""
        return not self._task.done() and all(map(is_listening, self._server.servers))

    async def close(self) -> None:
        """Refuse new connections and close all."""
        self._server.should_exit = True
        await asyncio.gather(self._task, return_exceptions=True)


async def serve_http(
    app: Starlette,
    what: str,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    seconds: Histogram | None = None,
    gate: Gate | None = None,
) -> HttpServer:
    """Serve `app` on `host`:`port`, with a context over TLS.

    `seconds` gets the duration of each request. Raises UnavailableError, naming `what`, when it
    cannot listen.
    """
    logging.getLogger("uvicorn").setLevel(_MUTE)
    logging.getLogger("uvicorn.error").setLevel(_MUTE)
    config = uvicorn.Config(
        app if seconds is None else _timed(app, seconds),
        loop="none",
        http=ImpatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=limits.MAX_HTTP_HEAD_BYTES,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    passed = gate or Gate(Counters())
    server = _Server(
        config, lambda protocol: listen(what, host, port, passed, Door.HTTP, protocol, tls)
    )
    task = asyncio.get_running_loop().create_task(server.serve())
    await asyncio.wait({task, server.serving}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        if (error := task.exception()) is not None:
            raise error
        raise UnavailableError(f"{what} has ended before it served {host}:{port}")
    return HttpServer(server, task, server.port)


def _timed(app: ASGIApp, seconds: Histogram) -> ASGIApp:
    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.monotonic()
        try:
            await app(scope, receive, send)
        finally:
            seconds.since(begun)

    return timed


def application(routes: list[BaseRoute]) -> Starlette:
    """A Starlette application that answers errors by `edges.http.answers`."""
    handlers = {BlackthornError: answer_error, Exception: answer_error}
    return Starlette(routes=routes, exception_handlers=handlers)


async def read_body(request: Request, most: int) -> bytes | None:
    """The body of a request, or None above `most` bytes."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)
