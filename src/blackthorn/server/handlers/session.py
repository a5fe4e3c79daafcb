"""One link connection as the server sees it. Small: thousands of them sit idle.

It holds what belongs to the connection; what belongs to the device is its mailbox. No sockets
(the `Wire` is the edge's), and no decision which handler serves a frame (the dispatcher's).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Protocol

from blackthorn.link import frames as f
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.session import Link, Role, State
from blackthorn.ports.enterprise import DeviceRecord
from blackthorn.server.handlers import limits
from blackthorn.server.messaging.limits import MIN_CHARGED_BYTES
from blackthorn.server.messaging.mailbox import DeviceConnection


class Wire(Protocol):
    """The connection below a session; the edge provides it."""

    def write(self, data: bytes) -> None:
        """Queue one WebSocket message; never blocks, never raises."""

    def close(self) -> None:
        """Send what is queued, as far as the peer reads, and close."""

    def pause_reading(self) -> None:
        """Take no more from the peer until `resume_reading`."""

    def resume_reading(self) -> None:
        """Take from the peer again."""


@dataclass(eq=False, slots=True)
class Session:
    """One connection of one device, or of somebody who has not yet said who he is."""

    _wire: Wire
    binding: bytes
    """The binding of the TLS connection, over which hello and activation are signed."""
    now: InitVar[float]
    client: str = ""
    """Which client it counts for: the peer's address. Forgotten with the connection."""
    _work_off: "Callable[[Session], None] | None" = None
    _on_failure: "Callable[[Session, Exception], None] | None" = None
    link: Link = field(init=False)
    device: DeviceRecord | None = None
    """The device, once its hello has been accepted."""
    messaging: DeviceConnection | None = None
    """The session as the message services see it, once its hello has been accepted."""
    stage: object | None = None
    """For the handler of a conversation in several steps (activation): where it stands."""
    paused_since: float | None = None
    """Since when the peer has not read what it was sent; None while it reads."""
    backlog: deque[tuple[bytes, float]] | None = None
    """Frames and when they came, after the peer was made to wait; served in order."""
    backlog_bytes: int = 0
    _working: bool = False
    _asking: bool = False
    _held: bool = False
    _reading: bool = True

    def __post_init__(self, now: float) -> None:
        self.link = Link(Role.SERVER, now)

    @property
    def closed(self) -> bool:
        """Whether nothing more can be said."""
        return self.link.state is State.CLOSED

    def transmit(self, *frames: f.AnyFrame) -> None:
        """Say these frames, if the link is still open."""
        for frame in frames:
            if self.link.state is State.CLOSED:
                return
            self._wire.write(self.link.send(frame))

    def close(self, code: Code, text: str = "") -> None:
        """Say Bye and end the connection. `text` defaults to the code's meaning."""
        if self.link.state is not State.CLOSED:
            self._wire.write(self.link.send(f.Bye(code, (text or code.meaning)[:512])))
        self._wire.close()

    def fail(self, error: Exception) -> None:
        """An answer could not be given: end the connection by the code of the error."""
        if self._on_failure is not None:
            self._on_failure(self, error)

    def hold(self, held: bool) -> None:
        """Whether the peer must wait because too much that it sent is not yet answered."""
        self._held = held
        self._regulate()

    def pause(self, since: float | None) -> None:
        """The peer does not read since then, so neither do we; None: it reads again."""
        self.paused_since = since
        self._regulate()

    def ask(self) -> None:
        """An answer is being worked on elsewhere: nothing more is taken until `answered`."""
        self._asking = True
        self._regulate()

    def answered(self) -> None:
        """The answer was given."""
        self._asking = False
        self._regulate()

    def answer(self, *frames: f.AnyFrame) -> None:
        """Give the answer that was asked for."""
        self.transmit(*frames)
        self.answered()

    @property
    def waits(self) -> bool:
        """Whether the peer is made to wait: it does not read, or has too much under way."""
        return self._held or self._asking or self.paused_since is not None

    def put_off(self, data: bytes | memoryview, now: float) -> None:
        """Keep a frame that came although the peer is to wait. Raises LinkError over the bound."""
        self.backlog_bytes += max(len(data), MIN_CHARGED_BYTES)
        if self.backlog_bytes > limits.MAX_QUEUED_BYTES:
            raise LinkError(Code.NOT_READING, "too much was sent without reading the answers")
        if self.backlog is None:
            self.backlog = deque()
        self.backlog.append((bytes(data), now))

    def next_put_off(self) -> tuple[bytes, float] | None:
        """The oldest frame that was put off, if it may be served now."""
        if self.closed:
            self.backlog = None
        if self.waits or not self.backlog:
            return None
        data, came = self.backlog.popleft()
        self.backlog_bytes -= max(len(data), MIN_CHARGED_BYTES)
        return data, came

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
