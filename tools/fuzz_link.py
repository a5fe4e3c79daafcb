"""`make fuzz-link`: throw mutated bytes at the link before a device is known, and count.

    python -m tools.fuzz_link --seconds 600 --seed 1

Three parts of ours: the reader of WebSocket frames (`edges.link.websocket`), the state machine, and
the dispatcher with hello, recovery and pairing behind it. Each may end the link with a code and
nothing else: no other exception, no message of bytes that were not received, no memory kept after
the end.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from blackthorn.crypto.secret import Secret
from blackthorn.edges.link.opening import OpeningMemory
from blackthorn.edges.link.websocket import WebSocket
from blackthorn.link import frames as f
from blackthorn.link.codes import LinkError
from blackthorn.link.hello import sign_hello
from blackthorn.link.session import Link, Role, State
from blackthorn.simulation.world import World
from tools.fuzz_mls import mutate

BOUND: Final = 300
"""Bytes of the largest frame before hello here, so that many inputs meet it."""

SLICE: Final = 20_000
UPGRADE: Final = (
    b"GET /link HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class FuzzFindingError(Exception):
    """Something that must not be; the text names the input in hex."""


def opening_frames(chance: random.Random) -> list[bytes]:
    """A sound frame of each kind that a stranger may say, and of some that they may not."""
    address = "alice@acme.example"
    hello = sign_hello(Secret(bytes(32)), bytes(32), 1)
    sound: list[f.AnyFrame] = [
        hello,
        f.ActivateBegin(2, "12", chance.randbytes(33)),
        f.ActivateProve(bytes(32), bytes(64), chance.randbytes(100)),
        f.JoinPairing(1, "12", chance.randbytes(33)),
        f.Recover(1, address, bytes(64), bytes(3309)),
        f.Relay(chance.randbytes(50)),
        f.PairingEnded("left"),
        f.SubmitStatement(1, chance.randbytes(200)),
        f.Bye("going", "gone"),
        f.Ping(1),
        f.Resume(),
        f.Send([f.Posting(bytes(16), [f.Parcel(bytes(16), b"x")])]),
    ]
    return [f.encode(each) for each in sound]


class _Stranger:
    """Keeps what it is told; `frame_bound` is that of a peer before its hello."""

    frame_bound: int | None = BOUND

    def __init__(self) -> None:
        self.closed = False
        self.said: list[bytes] = []
        self.refused = 0

    def upgraded(self, accepted: bool, answer: bytes) -> None:
        self.closed = not accepted

    def message(self, data: bytes) -> None:
        self.said.append(data)

    def leave(self) -> None:
        self.closed = True

    violate = leave

    def refuse(self, size: int) -> None:
        self.refused = size
        self.closed = True


def websocket(payload: bytes, mask: bytes) -> bytes:
    """A masked binary message (RFC 6455, 5.2 and 5.3)."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    hidden = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return b"\x82" + length + mask + hidden


def _heard(data: bytes, piece: Callable[[], int]) -> _Stranger:
    """What a stream says that comes in such pieces; memory must be given back."""
    memory, stranger = OpeningMemory(), _Stranger()
    socket = WebSocket(memory, "a")
    rest = memoryview(data)
    while rest and not stranger.closed:
        size = piece()
        socket.receive(rest[:size], stranger)
        rest = rest[size:]
    assert memory.total <= BOUND, "more memory than a frame"
    socket.end()
    assert memory.total == 0, "memory was kept"
    return stranger


class Fuzz:
    """The three doors, with what they start from."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.sound = opening_frames(self.chance)
        self.short = [each for each in self.sound if len(each) <= BOUND]
        self.streams = [self._stream([each] * 2) for each in self.short]
        self.counts: Counter[str] = Counter()
        self._world = World(seed, "alice")
        self._session: Any = None

    def run(self) -> None:
        """One input at a door. Raises FuzzFindingError."""
        doors: tuple[tuple[str, Callable[[bytes], None], list[bytes]], ...] = (
            ("header", self.header, self.streams),
            ("state", self.state, self.sound),
            ("dispatcher", self.dispatcher, self.sound),
        )
        name, knock, sound = self.chance.choice(doors)
        data = mutate(self.chance, self.chance.choice(sound), self.chance.choice(sound))
        try:
            knock(data)
        except Exception as error:
            raise FuzzFindingError(f"{name}: {error!r} for {data.hex()}") from error
        self.counts[name] += 1

    def header(self, data: bytes) -> None:
        """A stranger's stream in pieces of any size, and in one; now and then an untouched one."""
        payloads = None
        if not self.chance.randrange(8):
            sound = self.chance.choice(self.short)
            payloads = [sound, sound]
            data = UPGRADE + b"".join(
                websocket(each, self.chance.randbytes(4)) for each in payloads
            )
        whole, cut = _heard(data, lambda: len(data)), _heard(data, self._piece)
        assert (whole.said, whole.refused) == (cut.said, cut.refused), (
            "cut otherwise, read otherwise"
        )
        assert payloads is None or cut.said == payloads, "another message than was sent"
        assert not cut.refused or cut.refused > BOUND, "refused a small frame"

    def _stream(self, payloads: list[bytes]) -> bytes:
        masked = (websocket(each, self.chance.randbytes(4)) for each in payloads)
        return UPGRADE + b"".join(masked)

    def _piece(self) -> int:
        return 1 + self.chance.randrange(200)

    def state(self, data: bytes) -> None:
        """The link's table, with a sound frame before or not."""
        link = Link(Role.SERVER, 0.0)
        for each in (self.chance.choice(self.sound), data)[self.chance.randrange(2) :]:
            try:
                frame = link.receive(each, 0.0)
            except LinkError:
                continue
            assert f.decode(f.encode(frame)) == frame, "a frame that reads otherwise"
        assert link.state is State.CLOSED or not link.opened, "opened without a hello's answer"

    def dispatcher(self, data: bytes) -> None:
        """A session of a whole server; none of these inputs makes a device known."""
        world = self._world
        wire = _Unread()
        session = world.dispatcher.connect(wire, self.chance.randbytes(32), world.now, "b")
        for each in (self.chance.choice(self.sound), data)[self.chance.randrange(2) :]:
            world.dispatcher.receive(session, each, world.now)
        world.writer.commit()
        while world.ledger.reader.waiting:
            world.ledger.reader.release()
        assert session.device is None, "a stranger became a device"
        world.dispatcher.disconnect(session)
        world.now += 1.0
        world.dispatcher.tick(world.now)


class _Unread:
    """A connection whose answers nobody reads."""

    def write(self, data: bytes) -> None:
        """Drop the message, which must be a frame."""
        f.decode(data)

    def close(self) -> None:
        """No-op: there is no connection."""

    pause_reading = resume_reading = close

    def recognise(self, device: object) -> bool:
        return True


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began, seed = time.monotonic(), given.seed
    counts: Counter[str] = Counter()
    while (spent := time.monotonic() - began) < given.seconds:
        print(f"seed {seed}", file=sys.stderr)
        fuzz = Fuzz(seed)
        for _ in range(SLICE):
            fuzz.run()
        counts += fuzz.counts
        seed += 1
    for name, count in sorted(counts.items()):
        print(f"{name:12} {count:>12,} inputs")
    print(f"{counts.total():,} inputs in {spent:.0f} s; nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
