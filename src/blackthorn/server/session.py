"""One link connection as the server sees it. Small: thousands of them sit idle.

It holds what belongs to the connection; what belongs to the device is its `Mailbox`.
What never lives here: sockets (the `Wire` is the edge's) and decisions (the hub's).
"""

from typing import TYPE_CHECKING, Protocol

from blackthorn import limits
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.link.session import Link, Role, State
from blackthorn.ports.enterprise import DeviceRecord

if TYPE_CHECKING:
    from blackthorn.server.mailbox import Mailbox


class Wire(Protocol):
    """The connection below a session; the edge provides it."""

    def write(self, data: bytes) -> None:
        """Queue one WebSocket message; never blocks, never raises."""
        ...

    def close(self) -> None:
        """Send what is queued, as far as the peer reads, and close."""
        ...

    def pause_reading(self) -> None:
        """Take no more from the peer until `resume_reading`."""
        ...

    def resume_reading(self) -> None:
        """Take from the peer again."""
        ...


class Session:
    """One connection of one device, or of somebody who has not yet said who he is."""

    __slots__ = (
        "_held",
        "_reading",
        "_wire",
        "binding",
        "device",
        "link",
        "mailbox",
        "paused_since",
        "stage",
        "unanswered_bytes",
    )

    def __init__(self, wire: Wire, binding: bytes, now: float) -> None:
        self.link = Link(Role.SERVER, now)
        self.binding = binding
        """The binding of the TLS connection, over which hello and activation are signed."""
        self.device: DeviceRecord | None = None
        """Who is there, once hello has been accepted."""
        self.mailbox: Mailbox | None = None
        """The device's mailbox, once hello has been accepted."""
        self.stage: object | None = None
        """For the handler of a conversation in several steps (activation): where it stands."""
        self.paused_since: float | None = None
        """Since when the peer has not read what it was sent; None while it reads."""
        self.unanswered_bytes = 0
        """Bytes of postings received and not yet answered."""
        self._wire = wire
        self._held = False
        self._reading = True

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

    def hold(self, size: int, crowded: bool) -> None:
        """Count `size` bytes of postings as unanswered; take no more when that is too much."""
        self.unanswered_bytes += size
        if crowded or self.unanswered_bytes > limits.MAX_UNANSWERED_BYTES:
            self._held = True
            self._regulate()

    def release(self, size: int) -> None:
        """The postings of these `size` bytes are answered."""
        self.unanswered_bytes -= size
        if self._held and self.unanswered_bytes <= limits.MAX_UNANSWERED_BYTES:
            self._held = False
            self._regulate()

    def pause(self, since: float | None) -> None:
        """The peer does not read since then, so neither do we; None: it reads again."""
        self.paused_since = since
        self._regulate()

    def _regulate(self) -> None:
        reading = not self._held and self.paused_since is None
        if reading and not self._reading:
            self._wire.resume_reading()
        elif self._reading and not reading:
            self._wire.pause_reading()
        self._reading = reading
