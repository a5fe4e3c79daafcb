"""One link connection as the server sees it. Small: thousands of them sit idle.

The device's state is its mailbox. No sockets (the edge's `Wire`), no choice of handler (the
dispatcher's).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Protocol

from blackthorn.ids import DeviceId
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.session import Link, Role, State
from blackthorn.ports.enterprise import DeviceRecord
from blackthorn.server.handlers import limits
from blackthorn.server.messaging.mailbox import DeviceConnection


class Wire(Protocol):
    def write(self, data: bytes) -> None:
        """Queue one WebSocket message; never blocks, never raises."""

    def close(self) -> None:
        """Send the queue as far as the peer reads, and close."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def recognise(self, device: DeviceId) -> bool:
        """The peer is this device, no stranger any more; False: too many are connected."""


@dataclass(eq=False, slots=True)
class Session:
    """One connection of one device, or of a peer before its hello."""

    _wire: Wire
    binding: bytes
    """The TLS connection's binding, which hello and activation sign."""
    now: InitVar[float]
    client: str = ""
    """The peer's address, by which connections are counted."""
    _work_off: "Callable[[Session], None] | None" = None
    _on_failure: "Callable[[Session, Exception], None] | None" = None
    link: Link = field(init=False)
    device: DeviceRecord | None = None
    messaging: DeviceConnection | None = None
    """Both are set once the hello is accepted."""
    version: int = 1
    """The link version of its hello."""
    stage: object | None = None
    """State of a handler between steps, such as activation."""
    paused_since: float | None = None
    """When the peer stopped reading; None while it reads."""
    backlog: deque[bytes] | None = None
    """Queued frames."""
    backlog_bytes: int = 0
    _working: bool = False
    _asking: bool = False
    _held: bool = False
    _throttled: bool = False
    _queued: bool = False
    _reading: bool = True

    def __post_init__(self, now: float) -> None:
        self.link = Link(Role.SERVER, now)

    @property
    def closed(self) -> bool:
        return self.link.state is State.CLOSED

    @property
    def user(self) -> str:
        """The device's user, or before hello the peer's address."""
        return self.device.address if self.device is not None else self.client

    @property
    def frame_bound(self) -> int | None:
        """Bytes that the peer's next frame may have; None once the link is open."""
        if self.link.opened:
            return None
        bound = limits.MAX_OPENING_FRAME_BYTES
        if self.link.state in (State.PROVING, State.PAIRING):
            bound += link_limits.MAX_ACTIVATION_PAYLOAD_BYTES
        return bound

    def recognise(self, device: DeviceRecord) -> None:
        """The peer has proved that it is this device. Raises LinkError when there are too many."""
        if not self._wire.recognise(device.id):
            raise LinkError(Code.BUSY, "too many devices are connected: try again later")
        self.device = device

    def transmit(self, *frames: f.AnyFrame) -> None:
        """Send these frames, if the link is open."""
        for frame in frames:
            if self.link.state is State.CLOSED:
                return
            self._wire.write(self.link.send(frame))

    def close(self, code: Code, text: str = "") -> None:
        """Send Bye and close. `text` defaults to the code's meaning."""
        if self.link.state is not State.CLOSED:
            self._wire.write(self.link.send(f.Bye(code, (text or code.meaning)[:512])))
        self._wire.close()

    def fail(self, error: Exception) -> None:
        """End the connection with the error's code."""
        if self._on_failure is not None:
            self._on_failure(self, error)

    def hold(self, held: bool) -> None:
        """Whether the peer must wait: too much of it is unanswered."""
        self._held = held
        self._regulate()

    def throttle(self, throttled: bool) -> None:
        """Whether the peer must wait until its budgets are paid."""
        self._throttled = throttled
        self._regulate()

    def wait_turn(self, queued: bool) -> None:
        """Whether the peer must wait for its user's next turn."""
        self._queued = queued
        if self.closed:
            self.backlog = None
        else:
            self._regulate()

    def pause(self, since: float | None) -> None:
        """The peer does not read since then, so neither do we; None: it reads again."""
        self.paused_since = since
        self._regulate()

    def ask(self) -> None:
        """A service is working on the answer: take nothing until `answered`."""
        self._asking = True
        self._regulate()

    def answered(self) -> None:
        self._asking = False
        self._regulate()

    def answer(self, *frames: f.AnyFrame) -> None:
        self.transmit(*frames)
        self.answered()

    @property
    def waits(self) -> bool:
        """Whether the peer must wait."""
        return self._held or self._throttled or self._queued or self.takes_nothing

    @property
    def takes_nothing(self) -> bool:
        """Whether not even urgent frames may be served."""
        return self._asking or self.paused_since is not None

    def put_off(self, data: bytes | memoryview) -> None:
        """Queue a frame of a waiting peer. Raises LinkError over the bound."""
        self.backlog_bytes += max(len(data), limits.MIN_QUEUED_BYTES)
        if self.backlog_bytes > limits.MAX_QUEUED_BYTES:
            raise LinkError(Code.NOT_READING, "too much was sent without reading the answers")
        if self.backlog is None:
            self.backlog = deque()
        self.backlog.append(bytes(data))

    def next_put_off(self) -> bytes | None:
        """The oldest queued frame, if it may be served now."""
        if self.closed:
            self.backlog = None
        if self.waits or not self.backlog:
            return None
        data = self.backlog.popleft()
        self.backlog_bytes -= max(len(data), limits.MIN_QUEUED_BYTES)
        return data

    def _regulate(self) -> None:
        if self._working:
            return
        if self.backlog and not self.waits and self._work_off is not None:
            self._working = True
            try:
                self._work_off(self)
            finally:
                self._working = False
        reading = not self.waits and not self.backlog
        if reading and not self._reading:
            self._wire.resume_reading()
        elif self._reading and not reading:
            self._wire.pause_reading()
        self._reading = reading
