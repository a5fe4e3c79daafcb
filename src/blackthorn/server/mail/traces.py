"""What becomes of each mail from outside, by its id: kept in groups, for TRACE_DAYS, no names.

A trace may be lost with the process; the mail itself never is.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from blackthorn.ports.clock import Clock
from blackthorn.ports.inbound.traces import KeepTraces, MailTrace
from blackthorn.server.mail import limits

_DAY_MS = 86_400_000


@dataclass(slots=True)
class Traces:
    """Traces that wait to be written."""

    clock: Clock
    _waiting: deque[MailTrace] = field(
        default_factory=lambda: deque(maxlen=limits.MAX_WAITING_TRACES)
    )

    def begin(self, id: str, size: int, *, tls: bool) -> MailTrace:
        """A mail of `size` bytes has come."""
        return MailTrace(id, self.clock.wall_ms(), 0, size, 0, tls, "", "", "")

    def end(
        self, begun: MailTrace, reply: str, copies: int = 0, verdict: str = "", place: str = ""
    ) -> None:
        """It was replied to, and stored for so many users."""
        done_ms = self.clock.wall_ms()
        self._waiting.append(
            replace(
                begun, done_ms=done_ms, copies=copies, verdict=verdict, place=place, reply=reply
            )
        )

    def take(self) -> KeepTraces | None:
        """What is to be written now, if anything."""
        if not self._waiting:
            return None
        before_ms = self.clock.wall_ms() - limits.TRACE_DAYS * _DAY_MS
        command = KeepTraces(tuple(self._waiting), before_ms)
        self._waiting.clear()
        return command
