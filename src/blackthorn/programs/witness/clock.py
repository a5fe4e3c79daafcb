"""A witness's clock: a step ahead of the machine's clock counts only once it has lasted.

A witness signs nothing before its last cosignature. If it followed a clock that is days ahead for
half a minute, its log would stand still for those days after the clock is right again.
"""

import time
from typing import Final

SLACK_SECONDS: Final = 60.0
"""How far the machine's clock may be ahead of the time since the start."""

BELIEVED_SECONDS: Final = 600.0
"""After this time a step ahead is believed: the clock was wrong before."""


_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux counts the time in which the machine sleeps by a clock of its own."""


class SteadyClock:
    """Times are in seconds; time while the machine sleeps counts as passed."""

    def __init__(self) -> None:
        self._wall, self._passed = self._read()
        self._ahead_since: float | None = None

    def _read(self) -> tuple[float, float]:
        """Unix time by the machine's clock, and the time since it was switched on."""
        return time.time(), time.clock_gettime(_BOOT)

    def now(self) -> int:
        """Unix seconds."""
        wall, passed = self._read()
        expected = self._wall + passed - self._passed
        if wall - expected <= SLACK_SECONDS:
            self._ahead_since = None
            if wall < expected:
                self._wall, self._passed = wall, passed
            return int(wall)
        if self._ahead_since is None:
            self._ahead_since = passed
        if passed - self._ahead_since < BELIEVED_SECONDS:
            return int(expected + SLACK_SECONDS)
        self._wall, self._passed, self._ahead_since = wall, passed, None
        return int(wall)
