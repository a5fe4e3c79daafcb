"""The link's server edge: sockets to the dispatcher, one object per connection, no tasks."""

import asyncio
import time
from typing import Final

from blackthorn.edges.gate import Door, Gate, GatedSocket
from blackthorn.edges.link.opening import OpeningMemory
from blackthorn.edges.link.tls import TlsTransport
from blackthorn.edges.link.websocket import WebSocket, binary_message
from blackthorn.edges.listening import Listener, is_listening, listen
from blackthorn.edges.tls import ServerTls, binding_of
from blackthorn.errors import SecurityError
from blackthorn.ids import DeviceId, Fingerprint
from blackthorn.link.codes import Code
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.handlers.session import Session

TICK_SECONDS: Final = 0.2
DAY_SECONDS: Final = 86_400


class LinkPeer:
    """One connection: a `server.handlers.session.Wire` to the dispatcher."""

    __slots__ = ("_accepted", "_dispatcher", "_fingerprint", "_loop", "_session", "_socket", "_tls")

    def __init__(
        self,
        dispatcher: Dispatcher,
        fingerprint: Fingerprint,
        loop: asyncio.AbstractEventLoop,
        accepted: GatedSocket,
        memory: OpeningMemory,
    ) -> None:
        self._dispatcher = dispatcher
        self._fingerprint = fingerprint
        self._loop = loop
        self._accepted = accepted
        self._socket = WebSocket(memory, accepted.client)
        self._tls: TlsTransport
        self._session: Session | None = None

    def connected(self, transport: TlsTransport) -> None:
        self._tls = transport

    def received(self, data: memoryview) -> None:
        try:
            self._socket.receive(data, self)
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "a link handler failed", "exception": error}
            )
            self._tls.abort()

    def upgraded(self, accepted: bool, answer: bytes) -> None:
        self._tls.write(answer)
        if not accepted:
            self._tls.close()
            return
        try:
            binding = binding_of(self._tls.ssl_object, self._fingerprint)
        except SecurityError:
            self._tls.abort()
            return
        self._tls.begin()
        client = self._accepted.client
        self._session = self._dispatcher.connect(self, binding, self._loop.time(), client)

    def message(self, data: bytes) -> None:
        if self._session is not None:
            self._dispatcher.receive(self._session, data, self._loop.time())

    def leave(self) -> None:
        self.disconnected()  # nothing more of it is served
        self._tls.close()

    def violate(self) -> None:
        if self._session is not None:
            text = "one frame is one binary message"
            self._dispatcher.fault(self._session, Code.MALFORMED, text)

    def disconnected(self) -> None:
        self._socket.end()
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
        self._tls.write(binary_message(data))

    def close(self) -> None:
        if self._session is not None and self._session.paused_since is not None:
            self._tls.abort()
        else:
            self._tls.close()

    def pause_reading(self) -> None:
        self._tls.pause_reading()

    def resume_reading(self) -> None:
        self._tls.resume_reading()

    @property
    def closed(self) -> bool:
        """Whether nothing more of the peer is read."""
        return self._tls.is_closing()

    @property
    def frame_bound(self) -> int | None:
        """Bytes that the peer's next frame may have; None once its device is known."""
        return self._session.frame_bound if self._session is not None else 0

    def refuse(self, size: int) -> None:
        """End a link whose peer began a frame of `size` bytes, more than it may have."""
        if self._session is None:
            self._tls.abort()
            return
        text = f"a frame of {size} bytes"
        if self.frame_bound is not None:
            self._dispatcher.counters.opening_frames_refused += 1
            text += " before the link was opened"
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
    gate = gate or Gate(dispatcher.counters)

    def failed() -> None:
        gate.counters.handshakes_failed += 1

    def protocol(accepted: GatedSocket) -> asyncio.BaseProtocol:
        peer = LinkPeer(dispatcher, tls.fingerprint, loop, accepted, memory)
        return TlsTransport(tls.context, peer, loop, failed)

    listener = listen("the link", host, port, gate, Door.LINK, protocol, paced=True)
    return LinkServer(dispatcher, listener, loop)
