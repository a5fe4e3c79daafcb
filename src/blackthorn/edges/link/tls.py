"""TLS of the link between a plain socket transport and a protocol, by OpenSSL's memory BIOs.

An event loop's own TLS keeps large buffers for each connection; here one buffer serves all of
them, and a silent connection holds OpenSSL's state alone. Bytes pass record by record, so that no
BIO grows beyond one (it never shrinks), and OpenSSL is asked only when one is whole.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol

from blackthorn.edges import limits
from blackthorn.edges.link import limits as link_limits

_RECORD: Final = 16_384
"""Bytes of a TLS record's content at most (RFC 8446, 5.1)."""

_HEADER: Final = 5
"""Bytes of a record's header; the last two are the length of what follows (RFC 8446, 5.1)."""

_FRAGMENT: Final = _RECORD + 256
"""Bytes that follow the header at most (RFC 8446, 5.2)."""

_MOST_WAITING: Final = link_limits.MAX_WRITE_BUFFER_BYTES

_MAJOR: Final = 3
"""The second byte of each record."""


class Inner(Protocol):
    """What is spoken inside TLS. It is called by no other thread, and may write and close."""

    def connected(self, transport: "TlsTransport") -> None:
        """The handshake is done."""

    def received(self, data: memoryview) -> None:
        """Bytes of the peer, at most a record; the memory is another's after the call."""

    def disconnected(self) -> None:
        """The connection has ended; once, and only after `connected`."""

    def pause_writing(self) -> None:
        """Too much waits for a peer that does not read."""

    def resume_writing(self) -> None: ...


class TlsTransport(asyncio.Protocol):
    """The server's side of one TLS connection: below it the loop's transport, above it `inner`.

    `failed` is called once when the connection ends before its handshake is done.
    """

    __slots__ = (
        "_blocked",
        "_closing",
        "_established",
        "_failed",
        "_full",
        "_incoming",
        "_inner",
        "_loop",
        "_missing",
        "_object",
        "_outgoing",
        "_passing",
        "_paused",
        "_reading",
        "_rest",
        "_tcp",
        "_timer",
    )

    buffer: Final = memoryview(bytearray(_RECORD))
    """Of all connections: what is read is passed on before anything else is read."""

    def __init__(
        self,
        context: ssl.SSLContext,
        inner: Inner,
        loop: asyncio.AbstractEventLoop,
        failed: Callable[[], None],
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._inner = inner
        self._loop = loop
        self._failed = failed
        self._tcp: Any = None
        self._timer: asyncio.TimerHandle | None = None
        """Ends who does not begin, later who does not read the end."""
        self._rest: memoryview | None = None
        """What the peer sent and `_incoming` did not get yet."""
        self._missing = 0
        """Bytes that complete the record begun in `_incoming`."""
        self._established = False
        self._closing = False
        self._paused = False
        self._passing = False
        self._reading = True
        """Whether the loop reads; not before all that it has read is passed on."""
        self._full = False
        """The inner side was told that too much waits; `_blocked`: by the loop."""
        self._blocked = False

    @property
    def ssl_object(self) -> ssl.SSLObject:
        """The TLS connection, whose channel binding is asked for."""
        return self._object

    def connection_made(self, transport: Any) -> None:
        self._tcp = transport
        transport.set_write_buffer_limits(high=_MOST_WAITING)
        self._timer = self._loop.call_later(limits.HANDSHAKE_SECONDS, self.abort)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._rest = memoryview(data if self._rest is None else bytes(self._rest) + data)
        self._pass_on()

    def eof_received(self) -> bool:
        return False  # the loop closes the transport

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._rest = None
        self._stop_timer()
        if self._established:
            self._inner.disconnected()
        else:
            self._failed()

    def pause_writing(self) -> None:
        self._blocked = True
        self._fill()

    def resume_writing(self) -> None:
        self._blocked = False
        self._drain()

    def _fill(self) -> None:
        if self._established and not self._full:
            self._full = True
            self._inner.pause_writing()

    def _drain(self) -> None:
        """Go on once the loop has written what it can; if too much is left, it says when to."""
        if not self._full or self._blocked or self._closing:
            return
        if self._tcp.get_write_buffer_size() > _MOST_WAITING:
            self._loop.call_soon(self._drain)  # it has not tried yet
        else:
            self._full = False
            self._inner.resume_writing()

    def pause_reading(self) -> None:
        """Pass nothing more on until `resume_reading`."""
        if not self._paused and not self._closing:
            self._paused = True
            if self._reading:
                self._reading = False
                self._tcp.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._closing:
            self._paused = False
            if not self._passing:
                self._loop.call_soon(self._pass_on)

    def write(self, data: bytes) -> None:
        """Send bytes, as far as the peer reads; dropped on a closed connection."""
        if self._closing:
            return
        for start in range(0, len(data), _RECORD):
            self._object.write(data[start : start + _RECORD])
            self._tcp.write(self._outgoing.read())
        if not self._full and self._tcp.get_write_buffer_size() > _MOST_WAITING:
            self._fill()  # the loop itself looks only once it has tried to write
            self._loop.call_soon(self._drain)

    def close(self) -> None:
        """Send what was written and a close_notify, and end with the peer, within SHUTDOWN_SECONDS.

        What the peer still says is read and dropped: a socket that is closed before that is reset,
        and what it has sent may be lost on the way (RFC 1122, 4.2.2.13).
        """
        if self._closing:
            return
        self._closing = True
        self._rest = None
        if self._established:
            with contextlib.suppress(ssl.SSLError):  # the peer's close_notify is not awaited
                self._object.unwrap()
            self._tcp.write(self._outgoing.read())
        self._stop_timer()
        self._timer = self._loop.call_later(limits.SHUTDOWN_SECONDS, self._tcp.abort)
        if not self._reading:
            self._reading = True
            self._tcp.resume_reading()
        self._tcp.write_eof()

    def abort(self) -> None:
        """End at once."""
        self._closing = True
        self._tcp.abort()

    def begin(self) -> None:
        """The peer speaks the inner protocol: from now on that bounds its silence."""
        self._stop_timer()

    def is_closing(self) -> bool:
        return self._closing

    def _pass_on(self) -> None:
        """Pass on what was received, record by record, until the inner side wants no more."""
        if self._passing:
            return
        self._passing = True
        try:
            while not self._closing and self._feed():
                if self._established or self._shake_hands():
                    self._read()
        except ssl.SSLError:
            self._flush()  # the alert
            self.close() if self._established else self.abort()
        finally:
            self._passing = False
        if not (self._reading or self._paused or self._closing):
            self._reading = True  # what came before is passed on: it never grows
            self._tcp.resume_reading()

    def _feed(self) -> bool:
        """Give OpenSSL the next record; False: it is not whole yet, or nothing is wanted."""
        rest = self._rest
        if rest is None or self._paused:
            return False
        size = self._missing
        if not size:
            if len(rest) < _HEADER:
                self._rest = memoryview(bytes(rest))  # nothing keeps what was read
                return False
            size = _HEADER + (rest[3] << 8 | rest[4])
            if rest[1] != _MAJOR or size > _HEADER + _FRAGMENT:
                size = _HEADER  # by which OpenSSL refuses it
        given = len(rest)
        if given <= size:
            self._incoming.write(rest)
            self._rest = None
            self._missing = size - given
            return given == size
        self._incoming.write(rest[:size])
        self._rest = rest[size:]
        self._missing = 0
        return True

    def _shake_hands(self) -> bool:
        """Whether the handshake is done, and something may have come behind it."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush()
        self._established = True
        self._inner.connected(self)
        return not self._closing

    def _read(self) -> None:
        """Pass on what the record opens to, which the buffer always holds."""
        try:
            size: Any = self._object.read(_RECORD, self.buffer)  # bytes, say its stubs
        except ssl.SSLWantReadError:
            self._flush()
            return
        if size:
            self._inner.received(self.buffer[:size])
        else:  # the peer's close_notify
            self.close()

    def _flush(self) -> None:
        waiting = self._outgoing.read()
        if waiting and not self._tcp.is_closing():
            self._tcp.write(waiting)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
