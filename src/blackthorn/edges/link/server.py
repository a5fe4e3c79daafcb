"""The link's server edge: sockets to the dispatcher, one listener object per connection, no tasks.

Bounded here: the time of the WebSocket handshake, the size of a message, and the queue for a peer
that does not read.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from picows import WSAutoPingStrategy, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stubs

from blackthorn.edges.gate import Door, Gate, GatedSocket
from blackthorn.edges.link import limits as edges_link_limits
from blackthorn.edges.link.opening import OpeningMemory, OpeningProtocol
from blackthorn.edges.listening import Listener, is_listening, listen
from blackthorn.edges.tls import ServerTls, binding_of
from blackthorn.errors import SecurityError
from blackthorn.ids import DeviceId
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.handlers.session import Session

LINK_PATH: Final = b"/link"
TICK_SECONDS: Final = 0.2
DAY_SECONDS: Final = 86_400
MESSAGE_SLACK: Final = 1024
"""Above MAX_FRAME_BYTES, so that a slightly larger frame is answered with a Bye."""

_MUTE: Final = logging.CRITICAL + 1
_SILENT = logging.LoggerAdapter(logging.Logger("picows", _MUTE))
"""picows logs every peer that misbehaves; the dispatcher counts them instead."""


class LinkListener(WSListener):
    """One connection: a `server.handlers.session.Wire` to the dispatcher."""

    __slots__ = ("_accepted", "_dispatcher", "_loop", "_session", "_tls", "_transport")

    def __init__(
        self,
        dispatcher: Dispatcher,
        tls: ServerTls,
        loop: asyncio.AbstractEventLoop,
        accepted: GatedSocket,
    ) -> None:
        self._dispatcher = dispatcher
        self._tls = tls
        self._loop = loop
        self._accepted = accepted
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
        client = self._accepted.client
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

    @property
    def frame_bound(self) -> int | None:
        """Bytes that the peer's next frame may have; None once its device is known."""
        return self._session.frame_bound if self._session is not None else 0

    def refuse(self, size: int) -> None:
        """End a stranger's link that began a frame of `size` bytes."""
        self._dispatcher.counters.opening_frames_refused += 1
        if self._session is None:
            self._transport.disconnect(graceful=False)
            return
        text = f"a frame of {size} bytes before the link was opened"
        self._dispatcher.fault(self._session, Code.TOO_LARGE, text)

    def recognise(self, device: DeviceId) -> bool:
        gate = self._accepted.gate
        return gate is not None and gate.recognise(self._accepted, device, self._loop.time())


class LoopPace:
    """The event loop as a `server.budgets.turns.Pace`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.soon = loop.call_soon
        self.seconds = time.perf_counter


class LinkServer:
    """The listening link. `port` is the real one when 0 was requested."""

    def __init__(
        self, dispatcher: Dispatcher, listener: Listener, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._dispatcher = dispatcher
        self._listener = listener
        self._loop = loop
        self._day = 0
        self._timer = loop.call_soon(self._tick)
        self.port: Final = listener.port

    @property
    def listening(self) -> bool:
        """Whether devices can connect."""
        return is_listening(self._listener)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self._dispatcher.tick(self._loop.time())
        day = int(time.time()) // DAY_SECONDS
        if day != self._day:
            self._day = day
            self._dispatcher.start_day(day)

    async def close(self) -> None:
        """Refuse connections and close all; close the writer after this."""
        self._listener.close()
        self._timer.cancel()
        self._dispatcher.stop()
        await asyncio.sleep(0)


async def serve_link(
    dispatcher: Dispatcher, host: str, port: int, tls: ServerTls, gate: Gate | None = None
) -> LinkServer:
    """Listen for devices. Raises UnavailableError when the address cannot be used."""
    loop = asyncio.get_running_loop()
    dispatcher.take_turns(LoopPace(loop))
    memory = OpeningMemory()

    def protocol(accepted: GatedSocket) -> asyncio.BaseProtocol:
        def listener(request: WSUpgradeRequest) -> WSListener | None:
            if request.path != LINK_PATH:
                return None
            opening.stranger = made = LinkListener(dispatcher, tls, loop, accepted)
            return made

        opening = OpeningProtocol(_protocol(listener), memory, accepted.client)
        return opening

    gate = gate or Gate(dispatcher.counters)
    listener = listen("the link", host, port, gate, Door.LINK, protocol, tls.context)
    return LinkServer(dispatcher, listener, loop)


def _protocol(
    listener: Callable[[WSUpgradeRequest], WSListener | None],
) -> asyncio.BufferedProtocol:
    """picows' protocol of one connection, as its `ws_create_server` makes it."""
    made: asyncio.BufferedProtocol = WSProtocol(
        None,  # no host and path: this is the server's side
        None,
        False,
        listener,
        _SILENT,
        True,  # an exception in a listener ends the connection
        link_limits.LINK_HELLO_SECONDS,
        False,  # the link has its own pings
        0,
        0,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        True,
        link_limits.MAX_FRAME_BYTES + MESSAGE_SLACK,
        None,
        2048,  # the read buffer to begin with
    )
    return made
