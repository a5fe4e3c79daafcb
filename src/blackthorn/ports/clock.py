"""The clock port: two times that must never be mixed."""

from typing import Protocol


class Clock(Protocol):
    """Timeouts use `monotonic`; people see `wall_ms`."""

    def wall_ms(self) -> int:
        """Unix time in milliseconds; it may jump."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
