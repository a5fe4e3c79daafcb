"""A session of the server, as far as a handler is concerned, that keeps what it is told."""

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import DeviceRecord
from blackthorn.server.handlers.errors import farewell


class RecordingSession:
    """The session of a user's device; of nobody known for None."""

    def __init__(self, address: Address | None) -> None:
        self.sent: list[object] = []
        self.waits = False
        self.closed: tuple[object, ...] = ()
        self.device = None
        if address is not None:
            self.device = DeviceRecord(1, DeviceId(bytes(16)), bytes(32), address)

    def transmit(self, *frames: object) -> None:
        self.sent += frames

    def ask(self) -> None:
        self.waits = True

    def answered(self) -> None:
        self.waits = False

    def answer(self, *frames: object) -> None:
        self.transmit(*frames)
        self.answered()

    def fail(self, error: Exception) -> None:
        self.closed = farewell(error)
