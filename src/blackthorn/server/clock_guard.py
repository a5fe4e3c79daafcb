"""A time that a jump of the machine's clock cannot carry along.

While the server runs it goes no faster than the monotonic clock, but for a little; at a start the
clock is believed if it is near the ledger's last time. Otherwise nothing that waits for a date
fires by itself until the clock is set right and the server started again.
"""

from typing import Final

from blackthorn.ports.clock import Clock

SLACK_MS: Final = 3_600_000
"""How far the clock may be set forward while the server runs: a wrong time zone at most."""

OFF_MS: Final = 14 * 24 * 3_600_000
"""How long the server may have been off: after longer its clock is not believed by itself."""


class ClockGuard:
    """See the module. All times are Unix milliseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall_ms = clock.wall_ms()
        self._monotonic = clock.monotonic()
        self._jumped = False

    def start(self, logged_ms: int) -> None:
        """The ledger's last time is this; 0 when there is none."""
        self._jumped = bool(logged_ms) and self._wall_ms - logged_ms > OFF_MS

    def now_ms(self) -> int:
        """The clock, or what it can be at most."""
        passed = int((self._clock.monotonic() - self._monotonic) * 1000)
        return min(self._clock.wall_ms(), self._wall_ms + passed + SLACK_MS)

    @property
    def holds(self) -> bool:
        """Whether dates may fire by themselves."""
        return not self._jumped and self.now_ms() == self._clock.wall_ms()

    def problems(self) -> list[str]:
        """One line when the clock is not believed."""
        if self.holds:
            return []
        return ["the clock has jumped: no gag ends by itself until it is right and serve restarted"]
