"""The clock port: two times that must never be mixed."""

from typing import Protocol


class Clock(Protocol):
    """Where time comes from. Timeouts use `monotonic`; what people see uses `wall_ms`."""

    def wall_ms(self) -> int:
        """Unix time in milliseconds; it may jump."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
