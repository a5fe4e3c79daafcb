"""The server's side of WebSocket: what bytes say, however they are cut, and what ends a link."""

import pytest

from blackthorn.edges.link import limits
from blackthorn.edges.link.opening import OpeningMemory
from blackthorn.edges.link.websocket import WebSocket, answer_upgrade, binary_message
from blackthorn.link import limits as link_limits

UPGRADE = (
    b"GET /link HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
BOUND = 200
MASK = b"\x01\x80\xff\x37"


def frame(payload: bytes, first: int = 0x82, mask: bytes = MASK) -> bytes:
    """A frame of a client (RFC 6455, 5.2); without a mask when `mask` is empty."""
    size = len(payload)
    bit = 0x80 if mask else 0
    if size < 126:
        length = bytes([size | bit])
    elif size < 1 << 16:
        length = bytes([126 | bit]) + size.to_bytes(2, "big")
    else:
        length = bytes([127 | bit]) + size.to_bytes(8, "big")
    hidden = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([first]) + length + mask + hidden


class Peer:
    """Keeps what it is told."""

    def __init__(self, memory: OpeningMemory, client: str = "a") -> None:
        self.frame_bound: int | None = BOUND
        self.closed = False
        self.told: list[object] = []
        self.answer = b""
        self._socket = WebSocket(memory, client)

    def take(self, data: bytes, step: int = 1_000_000) -> "Peer":
        for start in range(0, len(data), step):
            self._socket.receive(memoryview(data[start : start + step]), self)
        return self

    def end(self) -> None:
        self._socket.end()

    def upgraded(self, accepted: bool, answer: bytes) -> None:
        self.answer = answer
        self.closed = not accepted

    def message(self, data: bytes) -> None:
        self.told.append(data)

    def leave(self) -> None:
        self._end("left")

    def violate(self) -> None:
        self._end("violated")

    def refuse(self, size: int) -> None:
        self._end(size)

    def _end(self, what: object) -> None:
        self.told.append(what)
        self.closed = True


def opened(memory: OpeningMemory, client: str = "a") -> Peer:
    return Peer(memory, client).take(UPGRADE)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 11, 1_000])
def test_messages_are_whole_however_they_are_cut(step: int) -> None:
    memory = OpeningMemory()
    sizes = (0, 1, 125, 126, BOUND)
    payloads = [bytes(at % 251 for at in range(size)) for size in sizes]
    peer = Peer(memory).take(UPGRADE + b"".join(map(frame, payloads)), step)
    assert peer.told == payloads and memory.total == 0
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in peer.answer  # the example of RFC 6455, 1.3


@pytest.mark.parametrize("size", [126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("step", [4_000, 16_384])
def test_a_known_device_sends_large_messages(size: int, step: int) -> None:
    memory = OpeningMemory()
    peer = opened(memory)
    peer.frame_bound = None
    payload = bytes(at % 253 for at in range(size))
    peer.take(frame(payload) + frame(b"next"), step)
    assert peer.told == [payload, b"next"] and memory.total == 0


@pytest.mark.parametrize("size", [BOUND + 1, 70_000, 1 << 62])
def test_a_frame_is_judged_by_its_header(size: int) -> None:
    memory = OpeningMemory()
    peer = opened(memory)
    head = b"\x82\xff" + size.to_bytes(8, "big") + bytes(4)
    peer.take(head[:5])
    assert peer.told == []
    peer.take(head[5:] + bytes(100))
    assert peer.told == [size] and memory.total == 0


def test_a_known_device_is_judged_by_the_header_too() -> None:
    peer = opened(OpeningMemory())
    peer.frame_bound = None
    size = link_limits.MAX_FRAME_BYTES + 1
    peer.take(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4))
    assert peer.told == [size]


def test_unfinished_frames_share_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPENING_BYTES", 300)
    monkeypatch.setattr(limits, "MAX_OPENING_BYTES_PER_CLIENT", 200)
    memory = OpeningMemory()
    begun = frame(bytes(BOUND))[:-1]  # all but the last of its bytes
    one, two, other = opened(memory), opened(memory), opened(memory, "b")
    one.take(begun)
    assert memory.total == BOUND - 1
    two.take(frame(bytes(50)))  # a whole one waits for nothing
    two.take(begun)
    assert two.told == [bytes(50), BOUND]
    other.take(begun)
    assert other.told == [BOUND] and memory.total == BOUND - 1
    one.take(b"\0")
    assert memory.total == 0
    one.take(begun)
    one.end()
    assert memory.total == 0


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (frame(b"x", 0x02), "violated"),  # the begin of a fragmented message
        (frame(b"x", 0x80), "violated"),  # a continuation
        (frame(b"x", 0x81), "violated"),  # a text
        (frame(b"x", 0x89), "violated"),  # a ping
        (frame(b"x", 0xC2), "violated"),  # a reserved bit
        (frame(b"x", 0x8B), "violated"),  # a reserved kind
        (frame(b"x", mask=b""), "violated"),
        (frame(bytes(126), 0x8A), "violated"),  # a control frame has 125 bytes at most
        (frame(b"", 0x88), "left"),
        (frame(b"\x03\xe8bye", 0x88), "left"),
    ],
)
def test_what_the_link_does_not_know_ends_it(sent: bytes, told: str) -> None:
    peer = opened(OpeningMemory()).take(frame(b"first") + sent + frame(b"after"))
    assert peer.told == [b"first", told]


def test_a_pong_is_read_over() -> None:
    peer = opened(OpeningMemory()).take(frame(b"", 0x8A) + frame(b"x", 0x8A) + frame(b"after"))
    assert peer.told == [b"after"]


@pytest.mark.parametrize(
    "request_head",
    [
        UPGRADE.replace(b"/link", b"/other"),
        UPGRADE.replace(b"GET", b"POST"),
        UPGRADE.replace(b"websocket", b"other"),
        UPGRADE.replace(b"Version: 13", b"Version: 12"),
        b"\x16\x03\x01\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_another_request_is_no_link(request_head: bytes) -> None:
    accepted, answer = answer_upgrade(request_head)
    assert not accepted and not answer.startswith(b"HTTP/1.1 101")
    assert Peer(OpeningMemory()).take(request_head + frame(b"x")).closed


def test_a_request_without_end_is_ended() -> None:
    peer = Peer(OpeningMemory()).take(b"GET /link HTTP/1.1\r\n" + b"a: b\r\n" * 1_000, 500)
    assert peer.closed and peer.answer == b""


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_what_the_server_sends_is_one_unmasked_frame(size: int) -> None:
    payload = bytes(size)
    assert binary_message(payload) == frame(payload, mask=b"")
