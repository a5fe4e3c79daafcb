"""Times of heads: they rise, but for one fall by an entry of the officers.

A server whose clock was wrong may have signed heads that are ahead of the time: then it can sign no
right one until that time has come. In the log such a fault begins with a step: two heads that
follow each other, more than an hour apart. An entry that two officers have signed names the last
head before the step, and the head of its own epoch, no other, may then be earlier than the one
before it. Its time stays behind the head that is named, and behind the time that the officers'
devices knew of witnesses before the fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from blackthorn.directory import limits
from blackthorn.errors import VerificationError


@dataclass(frozen=True, slots=True)
class Heal:
    """An entry of the officers of the log `origin`: heads after the epoch `after` were ahead.

    The time falls no further than to `least_ms`, Unix milliseconds.
    """

    origin: str
    after: int
    least_ms: int


@dataclass(frozen=True, slots=True)
class Fall:
    """A fall of the time: the heads between the epochs `after` and `epoch` were ahead of it.

    `unix_ms` is the time of the head of `epoch`.
    """

    after: int
    epoch: int
    unix_ms: int

    def covers(self, epoch: int) -> bool:
        """Whether that epoch's head was ahead."""
        return self.after < epoch < self.epoch


@dataclass(frozen=True, slots=True)
class Step:
    """A head of the epoch `epoch` at `before_ms`, and the next one, over an hour later."""

    epoch: int
    before_ms: int
    first_ms: int


Steps = tuple[Step, ...]
"""The newest steps since the last fall, oldest first."""


class Officers(Protocol):
    """The officers' entries of a log, verified; what they permit, for `audit.Replay`."""

    def permitted(self, records: Sequence[tuple[int, bytes]], unix_ms: int) -> Heal | None:
        """What the typed entries of one epoch, by kind and body, permit its head of that time."""

    def save(self) -> bytes: ...
    def load(self, data: bytes) -> None:
        """Raises `VerificationError` (D33)."""


def after_head(steps: Steps, epoch: int, before_ms: int, unix_ms: int) -> Steps:
    """The steps with a head at `unix_ms` behind that of the epoch `epoch` at `before_ms`."""
    if unix_ms <= before_ms:
        return ()  # one fault, one fall
    if not epoch or unix_ms - before_ms <= limits.HEAD_STEP_MS:
        return steps
    return (*steps, Step(epoch, before_ms, unix_ms))[-limits.MAX_HEAD_STEPS :]


def check_fall(heal: Heal, origin: str, steps: Steps, before_ms: int, unix_ms: int) -> None:
    """Raises `VerificationError` (D41) unless a head at `unix_ms` may follow one at `before_ms`."""
    if heal.origin != origin:
        raise VerificationError("D41", "the officers' entry is of another ledger")
    step = next((step for step in steps if step.epoch == heal.after), None)
    if step is None:
        raise VerificationError("D41", f"no head over an hour later follows epoch {heal.after}")
    if before_ms - step.first_ms > limits.MAX_HEAD_FAULT_MS:
        raise VerificationError("D41", f"the step behind epoch {heal.after} is too long ago")
    if unix_ms <= step.before_ms or unix_ms < heal.least_ms:
        raise VerificationError("D41", "the time falls below what it was before the fault")
