"""The server's side of WebSocket (RFC 6455) as the link uses it, without sockets.

One message is one masked binary frame; there are no extensions and no fragments. A frame is judged
by its header: by its size, and before the device is known by the memory that is left.
"""

import logging
import struct
from typing import Final, Protocol

from websockets.frames import (  # type: ignore[attr-defined]  # its C code, or else Python's
    Opcode,
    apply_mask,
)
from websockets.http11 import Request
from websockets.server import ServerProtocol

from blackthorn.edges.link import limits
from blackthorn.edges.link.opening import OpeningMemory
from blackthorn.link import limits as link_limits

LINK_PATH: Final = "/link"

_HEAD_END: Final = b"\r\n\r\n"
_FIN: Final = 0x80
_MASKED: Final = 0x80
_BINARY: Final = _FIN | int(Opcode.BINARY)
_PONG: Final = _FIN | int(Opcode.PONG)
_CLOSE: Final = int(Opcode.CLOSE)
_SHORT: Final = 126
"""Bytes from which on a payload's length is extended."""
_MASK_BYTES: Final = 4
_WIDTHS: Final = {126: 2, 127: 8}
"""Value of the seven bits → bytes of the extended length (5.2)."""

_MEDIUM_HEADER: Final = struct.Struct(">BBH")
_LONG_HEADER: Final = struct.Struct(">BBQ")

_LONGEST_HEADER: Final = 2 + 8 + _MASK_BYTES
_SILENT: Final = logging.LoggerAdapter(logging.Logger("websockets", logging.CRITICAL + 1))


def binary_message(data: bytes) -> bytes:
    """A message of the server: one frame without a mask."""
    size = len(data)
    if size < _SHORT:
        return bytes((_BINARY, size)) + data
    if size < 1 << 16:
        return _MEDIUM_HEADER.pack(_BINARY, 126, size) + data
    return _LONG_HEADER.pack(_BINARY, 127, size) + data


def answer_upgrade(head: bytes) -> tuple[bool, bytes]:
    """Whether an HTTP request, whole up to its empty line, asks for the link; what to answer."""
    server = ServerProtocol(logger=_SILENT)
    server.receive_data(head)
    accepted = False
    for request in server.events_received():
        if isinstance(request, Request) and request.path == LINK_PATH:
            answer = server.accept(request)
            server.send_response(answer)
            accepted = answer.status_code == 101
    return accepted, b"".join(server.data_to_send())


class Stranger(Protocol):
    """Who is on the other end, and what becomes of it."""

    @property
    def frame_bound(self) -> int | None:
        """Bytes that its next frame may have; None once its device is known."""

    @property
    def closed(self) -> bool:
        """Whether nothing more of it is read."""

    def upgraded(self, accepted: bool, answer: bytes) -> None:
        """It asked for the link, or `accepted` is False: then `answer` is all that it gets."""

    def message(self, data: bytes) -> None:
        """A whole message."""

    def leave(self) -> None:
        """It closes the WebSocket."""

    def violate(self) -> None:
        """It sent what the link does not know: a fragment, a text, a ping, no mask."""

    def refuse(self, size: int) -> None:
        """It began a frame of `size` bytes, more than it may have or memory is left for."""


class WebSocket:
    """Reads one peer's bytes; what they say is told to `peer`."""

    __slots__ = ("_begun", "_client", "_frame", "_held", "_left", "_mask", "_memory", "_upgrading")

    def __init__(self, memory: OpeningMemory, client: str) -> None:
        self._memory = memory
        self._client = client
        self._upgrading = True
        self._begun: bytes | bytearray = b""
        """The begin of the upgrade request, a header or, as a bytearray, a payload."""
        self._frame = 0
        """The first byte of the frame whose payload is read; 0: none."""
        self._left = 0
        """Bytes of the payload that are still to come."""
        self._mask = b""
        self._held = 0
        """Bytes charged to `memory`."""

    def receive(self, data: memoryview, peer: Stranger) -> None:
        """Take bytes of the peer; they are copied where they must be kept."""
        while data and not peer.closed:
            if self._frame:
                data = self._payload(data, peer)
            elif self._upgrading:
                data = self._upgrade(data, peer)
            else:
                data = self._header(data, peer)

    def end(self) -> None:
        """The connection has ended: give back what is held."""
        self._memory.give_back(self._client, self._held)
        self._held = 0
        self._begun = b""

    def _upgrade(self, data: memoryview, peer: Stranger) -> memoryview:
        known = len(self._begun)
        self._begun += data
        end = self._begun.find(_HEAD_END)
        if end < 0:
            if len(self._begun) > limits.MAX_UPGRADE_BYTES:
                peer.upgraded(False, b"")
            return data[len(data) :]
        end += len(_HEAD_END)
        head, self._begun = bytes(self._begun[:end]), b""
        self._upgrading = False
        peer.upgraded(*answer_upgrade(head))
        return data[end - known :]

    def _header(self, data: memoryview, peer: Stranger) -> memoryview:
        """Take as much of a header as there is; at its end the frame's size is known (5.2)."""
        begun = self._begun
        head = bytes(data[:_LONGEST_HEADER])
        if begun:
            head = bytes(begun) + head[: _LONGEST_HEADER - len(begun)]
        if len(head) >= 2:
            size = head[1] & 0x7F
            whole = 2 + (wide := _WIDTHS.get(size, 0)) + (_MASK_BYTES if head[1] & _MASKED else 0)
            if len(head) >= whole:
                if wide:
                    size = int.from_bytes(head[2 : 2 + wide], "big")
                self._mask = head[2 + wide : whole]
                self._begun = b""
                self._judge(head[0], size, peer)
                return data[whole - len(begun) :]
        self._begun = head
        return data[len(head) - len(begun) :]

    def _judge(self, first: int, size: int, peer: Stranger) -> None:
        bound = peer.frame_bound
        if size > (link_limits.MAX_FRAME_BYTES if bound is None else bound):
            peer.refuse(size)
        elif first == _BINARY and self._mask:
            self._frame, self._left = first, size
            if not size:
                self._whole(b"", peer)
        elif first & 0x0F == _CLOSE:
            peer.leave()
        elif first == _PONG and self._mask and size < _SHORT:
            self._frame, self._left = first if size else 0, size
        else:
            peer.violate()

    def _payload(self, data: memoryview, peer: Stranger) -> memoryview:
        piece = data[: self._left]
        begun = self._begun
        self._left -= len(piece)
        if not self._left and not begun:
            self._whole(piece, peer)
        elif self._left and peer.frame_bound is not None and not self._charge(len(piece)):
            peer.refuse(self._left + len(piece))
        else:
            whole = begun if isinstance(begun, bytearray) else bytearray()
            whole += piece
            self._begun = whole
            if not self._left:
                self._begun = b""
                self._whole(whole, peer)
        return data[len(piece) :]

    def _charge(self, size: int) -> bool:
        if not self._memory.take(self._client, size):
            return False
        self._held += size
        return True

    def _whole(self, payload: bytes | bytearray | memoryview, peer: Stranger) -> None:
        first, self._frame = self._frame, 0
        if self._held:
            self._memory.give_back(self._client, self._held)
            self._held = 0
        if first == _BINARY:
            peer.message(apply_mask(payload, self._mask))
