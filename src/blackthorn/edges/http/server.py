"""An HTTP/1.1 server for a Starlette application: uvicorn, bounded in connections and time.

Shared by the ledger's tiles and by witnesses. No access is logged. uvicorn's signal handling and
log are off: the program decides when to end, and faults go to the event loop's handler.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import time
from collections.abc import Generator
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from blackthorn.edges.connection_limits import client_key
from blackthorn.edges.http import limits
from blackthorn.edges.http.answers import answer_error
from blackthorn.edges.listening import is_listening
from blackthorn.errors import BlackthornError, UnavailableError
from blackthorn.server.counters import Histogram

_MUTE: Final = logging.CRITICAL + 1
_GRACE_SECONDS: Final = 2
"""Time for running requests once the server ends."""


class ImpatientProtocol(H11Protocol):
    """One connection, cut when it is too slow or one too many.

    uvicorn bounds only the time between two requests; this bounds the rest.
    """

    _timer: asyncio.TimerHandle | None = None
    _answering = False
    _key = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and start the time for its first request."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self._key = client_key(host)
        same = sum(getattr(each, "_key", None) == self._key for each in self.connections)
        if (
            len(self.connections) > limits.MAX_HTTP_CONNECTIONS
            or same > limits.MAX_HTTP_CONNECTIONS_PER_CLIENT
        ):
            transport.abort()
            return
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
        self._stop()
        super().connection_lost(exc)

    def _allow(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Server(uvicorn.Server):
    """uvicorn's server without signal handling; `serving` is set once it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
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
) -> HttpServer:
    """Serve `app` on `host`:`port`, with a context over TLS.

    `seconds` gets the duration of each request. Raises UnavailableError, naming `what`, when it
    cannot listen.
    """
    logging.getLogger("uvicorn").setLevel(_MUTE)
    logging.getLogger("uvicorn.error").setLevel(_MUTE)
    listening = _listen(what, host, port)
    options: dict[str, Any] = {} if tls is None else {"ssl_context_factory": lambda *_: tls}
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
        **options,
    )
    server = _Server(config)
    task = asyncio.get_running_loop().create_task(server.serve([listening]))
    await asyncio.wait({task, server.serving}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        listening.close()
        if (error := task.exception()) is not None:
            raise error
        raise UnavailableError(f"{what} has ended before it served {host}:{port}")
    return HttpServer(server, task, int(listening.getsockname()[1]))


def _timed(app: ASGIApp, seconds: Histogram) -> ASGIApp:
    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.monotonic()
        try:
            await app(scope, receive, send)
        finally:
            seconds.since(begun)

    return timed


def _listen(what: str, host: str, port: int) -> socket.socket:
    try:
        (family, _, _, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.create_server(address[:2], family=family, backlog=256)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise UnavailableError(f"{what} cannot listen on {host}:{port}: {reason}") from None
    listening.setblocking(False)
    # Head and body are two writes; without this the second waits for an ACK of the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


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
