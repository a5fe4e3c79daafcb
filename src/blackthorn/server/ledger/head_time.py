"""The time of the next head: it rises, but for a fall that the officers' waiting entries permit."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from blackthorn.directory import limits as directory_limits
from blackthorn.directory.head_times import Heal, Steps, check_fall
from blackthorn.errors import VerificationError
from blackthorn.governance.ledger_time import heal_of
from blackthorn.server.ledger.epoch_builder import Tip, Waiting
from blackthorn.server.ledger.quorum_clock import QuorumClock


@dataclass(frozen=True, slots=True)
class HeadTime:
    """Of the log `origin`; `tip` gives its newest epoch."""

    origin: str
    quorum: QuorumClock
    tip: Callable[[], Tip | None]

    def next_ms(self, now_ms: int, waiting: Waiting) -> int | None:
        """The time of the next head; None while the newest one is too far ahead."""
        tip, now = self.tip(), self.quorum.head_ms(now_ms, None)
        if tip is None:
            return now
        heal = heal_of((record.kind, record.body) for record in waiting.records)
        if heal is not None and now <= tip.unix_ms:
            with suppress(VerificationError):
                check_fall(heal, self.origin, tip.steps, tip.unix_ms, now)
                return now
        rising = self.quorum.head_ms(now_ms, tip.unix_ms)
        return rising if rising > tip.unix_ms else None

    def check(self, heal: Heal, now_ms: int) -> None:
        """Raises VerificationError (D41) unless by it the time falls to now."""
        tip, now = self.tip(), self.quorum.head_ms(now_ms, None)
        if tip is None or tip.unix_ms - now <= directory_limits.HEAD_STEP_MS:
            raise VerificationError("D41", "the newest head is not an hour ahead of the time")
        check_fall(heal, self.origin, tip.steps, tip.unix_ms, now)

    def fault(self, now_ms: int) -> int | None:
        """The epoch that officers name to set the time right; None if it is, or cannot be set."""
        tip = self.tip()
        if tip is None or tip.unix_ms - now_ms <= directory_limits.HEAD_STEP_MS:
            return None
        return last_right(tip.steps, now_ms)


def last_right(steps: Steps, now_ms: int) -> int | None:
    """The epoch of the last step whose earlier head is not ahead of now, and its later one is."""
    found = (step.epoch for step in reversed(steps) if step.before_ms < now_ms < step.first_ms)
    return next(found, None)
