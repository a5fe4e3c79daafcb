"""The link's client edge: one connection to a server, its key checked before a byte is sent."""

import asyncio
import logging
import secrets
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from blackthorn.edges.tls import PinError, binding_of, client_context, fingerprint_of
from blackthorn.errors import SecurityError, UnavailableError
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link import limits
from blackthorn.link.codes import MEANINGS, Code, LinkError
from blackthorn.link.session import Link, Role, State

CONNECT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
CHECK_SECONDS: Final = limits.LINK_IDLE_SECONDS / 12
OPENING_CHECK_SECONDS: Final = 2.0
"""Periods of the check for a silent server: of an open link, and before."""

MAX_UNREAD_BYTES: Final = 2 * limits.MAX_FRAME_BYTES
MAX_UNREAD_FRAMES: Final = 1_024
"""Bytes and frames queued for `receive`; beyond either the server must wait."""

_SILENT = logging.LoggerAdapter(logging.Logger("picows", logging.CRITICAL + 1))

OnFrame = Callable[[f.AnyFrame], None]


class LinkClosedError(UnavailableError):
    """The link has ended; `code` is the Code of the server's Bye, or None without one."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code


class NotConnectedError(UnavailableError):
    """No link was opened, and nothing was sent."""


class InterceptedError(SecurityError):
    """What answers has another key than the server of this device."""


class LinkConnection(WSListener):
    """An open link, made by `connect`.

    `fingerprint` is the server key's; hello and activation sign `binding`, the TLS connection's.
    """

    def __init__(self, on_frame: OnFrame | None, *, trusted: bool) -> None:
        """Not `trusted`: the peer is unknown, and of a Bye only the code counts."""
        self._loop = asyncio.get_running_loop()
        self._link = Link(Role.DEVICE, self._loop.time())
        self._on_frame = on_frame
        self._trusted = trusted
        self._frames: deque[tuple[f.AnyFrame, int]] = deque()
        self._unread_bytes = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._timer: asyncio.TimerHandle | None = None
        self._end: LinkClosedError | None = None
        self._transport: WSTransport
        self.fingerprint: Fingerprint
        self.binding: bytes

    def send(self, *frames: f.AnyFrame) -> None:
        """Queue frames; never blocks.

        Raises UnavailableError when the link has ended, ProtocolError when its state forbids a
        frame.
        """
        for frame in frames:
            if self._end is not None:
                raise self._end
            self._transport.send(WSMsgType.BINARY, self._link.send(frame))

    async def drain(self) -> None:
        """Wait until the network has taken most of the queue."""
        await self._writable.wait()

    async def receive(self) -> f.AnyFrame:
        """The next frame, without pings. Raises LinkClosedError when the link has ended."""
        while not self._frames:
            if self._end is not None:
                raise self._end
            self._waiter = self._loop.create_future()
            await self._waiter
        frame, size = self._frames.popleft()
        self._unread_bytes -= size
        few = self._unread_bytes < MAX_UNREAD_BYTES // 2
        few = few and len(self._frames) < MAX_UNREAD_FRAMES // 2
        if self._paused and few and self._end is None:
            self._paused = False
            self._transport.underlying_transport.resume_reading()
        return frame

    def trust(self) -> None:
        """The peer has proved to be the server: from now on its words may be shown."""
        self._trusted = True

    async def close(self) -> None:
        """Send Bye and close."""
        self._finish(LinkClosedError("this device closed the link"), f.Bye(Code.GOING, ""))
        try:
            await asyncio.wait_for(self._transport.wait_disconnected(), CLOSE_SECONDS)
        except (TimeoutError, WSError, OSError):
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        ssl_object = transport.underlying_transport.get_extra_info("ssl_object")
        self.fingerprint = fingerprint_of(ssl_object)
        self.binding = binding_of(ssl_object, self.fingerprint)
        self._timer = self._loop.call_later(OPENING_CHECK_SECONDS, self._check)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._end is not None or frame.msg_type == WSMsgType.PONG:
            return
        if frame.msg_type == WSMsgType.CLOSE:
            self._finish(LinkClosedError("the server closed the link"))
            return
        try:
            if frame.msg_type != WSMsgType.BINARY or not frame.fin:
                raise LinkError(Code.MALFORMED, "one frame is one binary message")
            received = self._link.receive(frame.get_payload_as_memoryview(), self._loop.time())
        except LinkError as error:
            ended = LinkClosedError(f"the server broke the rules of the link: {error}")
            self._finish(ended, f.Bye(error.code, str(error)[:512]))
            return
        match received:
            case f.Ping(nonce):
                if self._writable.is_set():  # a server that does not read gets no more to read
                    self.send(f.Pong(nonce))
            case f.Pong():
                pass
            case f.Bye(code, text):
                said = text if self._trusted else MEANINGS.get(code, "it gave no known reason")
                self._finish(LinkClosedError(f"the server ended the link: {said}", code))
            case _:
                self._pass_on(received, frame.payload_size)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._finish(LinkClosedError("the connection to the server was lost"))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _pass_on(self, frame: f.AnyFrame, size: int) -> None:
        if self._on_frame is not None:
            try:
                self._on_frame(frame)
            except Exception as error:
                context = {"message": "a frame's receiver failed", "exception": error}
                self._loop.call_exception_handler(context)
                self._finish(LinkClosedError("this device failed to take a frame"))
            return
        self._frames.append((frame, size))
        self._unread_bytes += size
        many = self._unread_bytes > MAX_UNREAD_BYTES or len(self._frames) > MAX_UNREAD_FRAMES
        if many and not self._paused:
            self._paused = True
            self._transport.underlying_transport.pause_reading()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check(self) -> None:
        """Ping a silent server; give up on one that stays silent."""
        seconds = CHECK_SECONDS if self._link.opened else OPENING_CHECK_SECONDS
        self._timer = self._loop.call_later(seconds, self._check)
        now = self._loop.time()
        try:
            self._link.check(now)
            if self._link.ping_due(now):
                self.send(f.Ping(secrets.randbits(32)))
        except LinkError as error:
            text = "has fallen silent" if self._link.opened else "does not answer"
            self._finish(LinkClosedError(f"the server {text}"), f.Bye(error.code, ""))

    def _finish(self, end: LinkClosedError, last: f.Bye | None = None) -> None:
        if self._end is not None:
            return
        if last is not None and self._link.state is not State.CLOSED:
            self._transport.send(WSMsgType.BINARY, self._link.send(last))
        self._end = end
        if self._timer is not None:
            self._timer.cancel()
        self._writable.set()
        self._wake()
        self._transport.disconnect()


async def connect(
    host: str, port: int, pin: Fingerprint | None, on_frame: OnFrame | None = None
) -> LinkConnection:
    """Open a link to a server whose key has the fingerprint `pin`.

    `pin` None accepts any key, for activation alone, where SPAKE2 binds the key. `on_frame` gets
    the frames instead of `receive`. Raises InterceptedError for another key, before a byte is sent;
    NotConnectedError when the server cannot be reached.
    """
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        _, connection = await asyncio.wait_for(
            ws_connect(
                lambda: LinkConnection(on_frame, trusted=pin is not None),
                f"wss://{name}/link",
                ssl_context=client_context(pin),
                use_aiofastnet=False,
                max_redirects=0,
                max_frame_size=limits.MAX_FRAME_BYTES,
                read_buffer_init_size=4096,
                websocket_handshake_timeout=CONNECT_SECONDS,
                logger_name=_SILENT,
            ),
            CONNECT_SECONDS,
        )
    except PinError as error:
        raise InterceptedError(str(error.args[0])) from None
    except TimeoutError:
        raise NotConnectedError(f"the server {name} does not answer") from None
    except (ssl.SSLError, WSError):
        raise NotConnectedError(f"what answers at {name} is not a Blackthorn link") from None
    except OSError as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise NotConnectedError(f"the server {name} cannot be reached: {reason}") from None
    if not isinstance(connection, LinkConnection):
        raise NotConnectedError(f"the server {name} closed the connection")
    return connection
