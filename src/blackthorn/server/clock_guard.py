"""A clock that a jump of the machine's clock cannot advance.

While the server runs, time goes at most as fast as the monotonic clock plus a slack. At a start the
clock is trusted only near the ledger's last time. Otherwise no date takes effect until the clock is
corrected and the server restarted.
"""

from typing import Final

from blackthorn.ports.clock import Clock

SLACK_MS: Final = 3_600_000
"""Permitted forward step while the server runs: a wrong time zone at most."""

OFF_MS: Final = 14 * 24 * 3_600_000
"""Downtime after which the clock is not trusted by itself."""


class ClockGuard:
    """All times are Unix milliseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall_ms = clock.wall_ms()
        self._monotonic = clock.monotonic()
        self._jumped = False

    def start(self, logged_ms: int) -> None:
        """Compare the clock with the ledger's last time, 0 without one."""
        self._jumped = bool(logged_ms) and self._wall_ms - logged_ms > OFF_MS

    def now_ms(self) -> int:
        """The clock, bounded by the monotonic clock."""
        passed = int((self._clock.monotonic() - self._monotonic) * 1000)
        return min(self._clock.wall_ms(), self._wall_ms + passed + SLACK_MS)

    @property
    def holds(self) -> bool:
        """Whether dates may take effect."""
        return not self._jumped and self.now_ms() == self._clock.wall_ms()

    def problems(self) -> list[str]:
        """One line when the clock is not trusted."""
        if self.holds:
            return []
        return ["the clock has jumped: no gag ends by itself until it is right and serve restarted"]
