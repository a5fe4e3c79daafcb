"""The time by the witnesses: it bounds the heads that the server signs."""

from collections.abc import Callable
from typing import Final

from blackthorn.server.ledger import limits

SECOND_MS: Final = 1000


class QuorumClock:
    """When a quorum cosigned last, and the monotonic time since. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._quorum: tuple[int, float] | None = None
        """Unix milliseconds of the last quorum, and the monotonic seconds when it was known."""
        self._offered_at = 0.0

    @property
    def is_set(self) -> bool:
        return self._quorum is not None

    def learn(self, quorum_time: int) -> None:
        """A quorum cosigned at that time, Unix seconds; 0: none did. From now on time passes."""
        if quorum_time and (self._quorum is None or quorum_time * SECOND_MS != self._quorum[0]):
            self._quorum = (quorum_time * SECOND_MS, self._monotonic())

    def offered(self) -> None:
        """A note is offered to the witnesses."""
        self._offered_at = self._monotonic()

    @property
    def is_late(self) -> bool:
        """Whether the quorum took so long that its time, the earliest signature's, is not now."""
        return self._passed_ms(self._offered_at) > limits.HEAD_AHEAD_MS

    def head_ms(self, now_ms: int, tip_ms: int | None) -> int:
        """The time of a head made now, behind that of the last: no later than witnesses allow."""
        wanted = now_ms if tip_ms is None else max(now_ms, tip_ms + 1)
        if self._quorum is None:
            return wanted
        quorum_ms, since = self._quorum
        return min(wanted, quorum_ms + self._passed_ms(since) + limits.HEAD_AHEAD_MS)

    def _passed_ms(self, since: float) -> int:
        return int((self._monotonic() - since) * SECOND_MS)
