"""A link before its hello: which bytes pass, and what ends it."""

import asyncio

import pytest

from blackthorn.edges.link import limits
from blackthorn.edges.link.opening import OpeningMemory, OpeningProtocol

UPGRADE = b"GET /link HTTP/1.1\r\nHost: a\r\n\r\n"
BOUND = 200


def frame(payload: bytes, masked: bool = True) -> bytes:
    """A binary WebSocket message (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        length = bytes([size | 0x80 * masked])
    elif size < 1 << 16:
        length = bytes([126 | 0x80 * masked]) + size.to_bytes(2, "big")
    else:
        length = bytes([127 | 0x80 * masked]) + size.to_bytes(8, "big")
    return b"\x82" + length + bytes(4) * masked + payload


class Inner(asyncio.BufferedProtocol):
    """picows' place: keeps what passed, in small buffers."""

    def __init__(self) -> None:
        self.passed = b""
        self._buffer = bytearray(7)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.passed += self._buffer[:nbytes]


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol | None = None
        self.ended = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.ended

    def abort(self) -> None:
        self.ended = True


class Peer:
    """A stranger's link; `frame_bound` is None once known."""

    def __init__(self, memory: OpeningMemory, client: str = "a") -> None:
        self.frame_bound: int | None = BOUND
        self.refused: list[int] = []
        self.inner = Inner()
        self.transport = Transport()
        self.opening = OpeningProtocol(self.inner, memory, client)
        self.opening.connection_made(self.transport)

    def refuse(self, size: int) -> None:
        self.refused.append(size)
        self.transport.ended = True

    def upgrade(self) -> "Peer":
        self.opening.data_received(UPGRADE)
        self.opening.stranger = self
        return self


@pytest.mark.parametrize("step", [1, 2, 3, 5, 11, 1_000])
@pytest.mark.parametrize("masked", [True, False])
def test_small_frames_pass_however_they_are_cut(step: int, masked: bool) -> None:
    memory = OpeningMemory()
    peer = Peer(memory)
    told = UPGRADE + b"".join(frame(bytes(size), masked) for size in (0, 1, 125, 126, BOUND))
    for start in range(0, len(told), step):
        if start >= len(UPGRADE):
            peer.opening.stranger = peer
        elif start + step > len(UPGRADE):
            peer.opening.stranger = peer  # which picows makes while the request passes
        peer.opening.data_received(told[start : start + step])
    assert peer.inner.passed == told and not peer.refused and memory.total == 0


@pytest.mark.parametrize("size", [BOUND + 1, 70_000, 1 << 62])
def test_a_frame_is_judged_by_its_header(size: int) -> None:
    memory = OpeningMemory()
    peer = Peer(memory).upgrade()
    head = b"\x82\xff" + size.to_bytes(8, "big") + bytes(4)
    peer.opening.data_received(head[:5])
    assert not peer.refused
    peer.opening.data_received(head[5:])
    assert peer.refused == [size] and memory.total == 0
    peer.opening.data_received(bytes(100))
    assert peer.inner.passed == UPGRADE + head[:5]


def test_unfinished_frames_share_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OPENING_BYTES", 300)
    monkeypatch.setattr(limits, "MAX_OPENING_BYTES_PER_CLIENT", 200)
    memory = OpeningMemory()
    begun = frame(bytes(BOUND))[:-1]  # all but the last of its bytes
    one, two, other = Peer(memory).upgrade(), Peer(memory).upgrade(), Peer(memory, "b").upgrade()
    one.opening.data_received(begun)
    assert memory.total == BOUND - 1
    two.opening.data_received(frame(bytes(50)))  # a whole one waits for nothing
    two.opening.data_received(begun)
    assert two.refused == [BOUND]
    other.opening.data_received(begun)
    assert other.refused == [BOUND] and memory.total == BOUND - 1
    one.opening.data_received(b"\0")
    assert memory.total == 0
    one.opening.data_received(begun)
    one.opening.connection_lost(None)
    assert memory.total == 0


def test_it_steps_aside_once_the_device_is_known() -> None:
    memory = OpeningMemory()
    peer = Peer(memory).upgrade()
    peer.opening.data_received(frame(b"hello"))
    assert peer.transport.protocol is None
    peer.frame_bound = None
    large = frame(bytes(70_000))
    peer.opening.data_received(large)
    assert peer.transport.protocol is peer.inner
    assert peer.inner.passed == UPGRADE + frame(b"hello") + large and memory.total == 0


def test_frames_before_the_upgrade_is_answered_end_the_link() -> None:
    peer = Peer(OpeningMemory())
    peer.opening.data_received(UPGRADE + frame(b"x"))
    assert peer.transport.ended and peer.inner.passed == UPGRADE
