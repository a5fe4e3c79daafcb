"""The link's server edge: sockets to the dispatcher, one listener object per connection, no tasks.

Bounded here: the times of the TLS and WebSocket handshakes, the size of a message, and the queue
for a peer that does not read.
"""

import asyncio
import logging
import time
from typing import Any, Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from blackthorn.edges.connection_limits import client_key
from blackthorn.edges.link import limits as edges_link_limits
from blackthorn.edges.listening import is_listening
from blackthorn.edges.tls import ServerTls, binding_of
from blackthorn.errors import SecurityError, UnavailableError
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.handlers.session import Session

LINK_PATH: Final = b"/link"
TICK_SECONDS: Final = 0.2
DAY_SECONDS: Final = 86_400
SHUTDOWN_SECONDS: Final = 2.0
"""How long a peer may take to read the last frames."""

MESSAGE_SLACK: Final = 1024
"""Above MAX_FRAME_BYTES, so that a slightly larger frame is answered with a Bye."""

_MUTE: Final = logging.CRITICAL + 1
_SILENT = logging.LoggerAdapter(logging.Logger("picows", _MUTE))
"""picows and TLS below it log every peer that misbehaves; the dispatcher counts them instead."""


class LinkListener(WSListener):
    """One connection: a `server.handlers.session.Wire` to the dispatcher."""

    __slots__ = ("_dispatcher", "_loop", "_session", "_tls", "_transport")

    def __init__(
        self, dispatcher: Dispatcher, tls: ServerTls, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._dispatcher = dispatcher
        self._tls = tls
        self._loop = loop
        self._transport: WSTransport
        self._session: Session | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        below = transport.underlying_transport
        below.set_write_buffer_limits(high=edges_link_limits.MAX_WRITE_BUFFER_BYTES)
        try:
            binding = binding_of(below.get_extra_info("ssl_object"), self._tls.fingerprint)
        except SecurityError:
            transport.disconnect(graceful=False)
            return
        peer = below.get_extra_info("peername")
        client = client_key(str(peer[0])) if peer else ""
        self._session = self._dispatcher.connect(self, binding, self._loop.time(), client)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A whole WebSocket message; fragments are not allowed."""
        session = self._session
        if session is None:
            return
        try:
            if frame.msg_type == WSMsgType.BINARY and frame.fin:
                self._dispatcher.receive(
                    session, frame.get_payload_as_memoryview(), self._loop.time()
                )
            elif frame.msg_type == WSMsgType.CLOSE:
                self.on_ws_disconnected(transport)  # nothing more of it is served
                transport.disconnect()
            elif frame.msg_type != WSMsgType.PONG:
                self._dispatcher.fault(session, Code.MALFORMED, "one frame is one binary message")
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "a link handler failed", "exception": error}
            )

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._dispatcher.disconnect(session)

    def pause_writing(self) -> None:
        if self._session is not None:
            self._dispatcher.pause(self._session, self._loop.time())

    def resume_writing(self) -> None:
        if self._session is not None:
            self._dispatcher.unpause(self._session)

    def write(self, data: bytes) -> None:
        self._transport.send(WSMsgType.BINARY, data)

    def close(self) -> None:
        stuck = self._session is not None and self._session.paused_since is not None
        self._transport.disconnect(graceful=not stuck)

    def pause_reading(self) -> None:
        self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.underlying_transport.resume_reading()


class LinkServer:
    """The listening link. `port` is the real one when 0 was requested."""

    def __init__(
        self, dispatcher: Dispatcher, server: Any, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._dispatcher = dispatcher
        self._server = server
        self._loop = loop
        self._day = 0
        self._timer = loop.call_soon(self._tick)
        self.port: int = server.sockets[0].getsockname()[1]

    @property
    def listening(self) -> bool:
        """Whether devices can connect."""
        return is_listening(self._server)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self._dispatcher.tick(self._loop.time())
        day = int(time.time()) // DAY_SECONDS
        if day != self._day:
            self._day = day
            self._dispatcher.start_day(day)

    async def close(self) -> None:
        """Refuse connections and close all; close the writer after this."""
        self._server.close()
        self._timer.cancel()
        self._dispatcher.stop()
        await asyncio.sleep(0)


async def serve_link(dispatcher: Dispatcher, host: str, port: int, tls: ServerTls) -> LinkServer:
    """Listen for devices. Raises UnavailableError when the address cannot be used."""
    loop = asyncio.get_running_loop()
    logging.getLogger("aiofastnet").setLevel(_MUTE)

    def listener(request: WSUpgradeRequest) -> WSListener | None:
        return LinkListener(dispatcher, tls, loop) if request.path == LINK_PATH else None

    try:
        server = await ws_create_server(
            listener,
            host,
            port,
            ssl=tls.context,
            ssl_handshake_timeout=link_limits.LINK_HELLO_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            websocket_handshake_timeout=link_limits.LINK_HELLO_SECONDS,
            max_frame_size=link_limits.MAX_FRAME_BYTES + MESSAGE_SLACK,
            read_buffer_init_size=2048,
            use_aiofastnet=False,  # after a pause it keeps what it had read until more comes
            logger_name=_SILENT,
            backlog=1024,
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableError(f"the link cannot listen on {host}:{port}: {reason}") from None
    return LinkServer(dispatcher, server, loop)
