"""A connection that a test looks at no more."""

from blackthorn.ids import DeviceId


class UnusedWire:
    """`server.handlers.session.Wire` of a session whose test looks at no connection."""

    def write(self, data: bytes) -> None:
        """Drop the message."""

    def close(self) -> None:
        """No-op: there is no connection."""

    def pause_reading(self) -> None:
        """No-op: the test calls the session itself."""

    def resume_reading(self) -> None:
        """No-op, as `pause_reading`."""

    def recognise(self, device: DeviceId) -> bool:
        return True
