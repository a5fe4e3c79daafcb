"""A link before its hello: frames are bounded by their header, unfinished ones by shared memory.

`OpeningProtocol` stands between TLS and picows' protocol, reads the headers of the WebSocket
(RFC 6455, 5.2), and steps aside once the device is known.
"""

import asyncio
from collections import Counter
from typing import Any, Final, Protocol

from blackthorn.edges.link import limits

_HEAD_END: Final = b"\r\n\r\n"
_MASK_BYTES: Final = 4
_LENGTHS: Final = {126: 2, 127: 8}
"""Value of the seven bits → bytes of the extended length."""


class OpeningMemory:
    """Bytes of unfinished frames of links before their hello, in all and by client."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self.total = 0

    def take(self, client: str, size: int) -> bool:
        """Hold so many bytes more; False, unheld, at a bound."""
        if (
            self.total + size > limits.MAX_OPENING_BYTES
            or self._held[client] + size > limits.MAX_OPENING_BYTES_PER_CLIENT
        ):
            return False
        self.total += size
        self._held[client] += size
        return True

    def give_back(self, client: str, size: int) -> None:
        self.total -= size
        self._held[client] -= size
        if self._held[client] <= 0:
            del self._held[client]


class Stranger(Protocol):
    """The link of which the frames are."""

    @property
    def frame_bound(self) -> int | None:
        """Bytes that its next frame may have; None once its device is known."""

    def refuse(self, size: int) -> None:
        """End it: it began a frame of `size` bytes, more than it may have or memory is left for."""


class OpeningProtocol(asyncio.Protocol):
    """Passes bytes on to `inner` until the device is known; `stranger` is set at the upgrade."""

    def __init__(self, inner: asyncio.BufferedProtocol, memory: OpeningMemory, client: str) -> None:
        self._inner = inner
        self._memory = memory
        self._client = client
        self._transport: Any = None
        self._head = bytearray()
        """The end of the upgrade request, or the begin of a frame's header."""
        self._upgrading = True
        self._payload = 0
        """Bytes of the frame that are still to come."""
        self._held = 0
        self.stranger: Stranger | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """After a failed TLS handshake too, of which picows must not hear: it would crash."""
        self._let_go()
        if self._transport is not None:
            self._inner.connection_lost(error)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def data_received(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._transport.is_closing():
            if self.stranger is not None and self.stranger.frame_bound is None:
                self._step_aside(rest)
                return
            passed = self._next_part(rest)
            if passed == 0:
                return
            self._pass(rest[:passed])
            rest = rest[passed:]

    def _next_part(self, data: memoryview) -> int:
        """How many bytes may be passed on before it is decided anew; 0 when the link was ended."""
        if self._upgrading:
            return self._upgrade(data)
        if self._payload:
            size = min(self._payload, len(data))
            self._payload -= size
            if not self._payload:
                self._let_go()
            elif self._memory.take(self._client, size):
                self._held += size
            else:
                self._refuse(self._payload + size)
                return 0
            return size
        return self._header(data)

    def _upgrade(self, data: memoryview) -> int:
        """Up to the end of the request; picows bounds its size."""
        known = len(self._head)
        self._head += data
        end = self._head.find(_HEAD_END)
        if end < 0:
            del self._head[: -len(_HEAD_END) + 1]
            return len(data)
        self._upgrading = False
        self._head.clear()
        return end + len(_HEAD_END) - known

    def _header(self, data: memoryview) -> int:
        """Take as much of a header as there is; at its end the frame's size is known."""
        known = len(self._head)
        self._head += data[: 2 + 8 + _MASK_BYTES]
        if len(self._head) < 2:
            return len(data)
        short = self._head[1] & 0x7F
        wide = _LENGTHS.get(short, 0)
        whole = 2 + wide + _MASK_BYTES * bool(self._head[1] & 0x80)
        if len(self._head) < whole:
            return len(data)
        size = int.from_bytes(self._head[2 : 2 + wide], "big") if wide else short
        self._head.clear()
        bound = self.stranger.frame_bound if self.stranger is not None else 0
        if bound is not None and size > bound:
            self._refuse(size)
            return 0
        self._payload = size
        return whole - known

    def _refuse(self, size: int) -> None:
        if self.stranger is None:
            self._transport.abort()
        else:
            self.stranger.refuse(size)

    def _pass(self, data: memoryview) -> None:
        """Fill the buffers of the inner protocol."""
        while data and not self._transport.is_closing():
            buffer = memoryview(self._inner.get_buffer(len(data))).cast("B")
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self._inner.buffer_updated(size)
            data = data[size:]

    def _step_aside(self, rest: memoryview) -> None:
        """From now on TLS reads into the buffers of the inner protocol."""
        self._let_go()
        self._transport.set_protocol(self._inner)
        self._pass(rest)

    def _let_go(self) -> None:
        self._memory.give_back(self._client, self._held)
        self._held = 0
