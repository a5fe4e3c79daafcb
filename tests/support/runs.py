"""How far the randomised tests go: `make test` repeats itself exactly, `make test-long` never does.

`--long` makes a run a long one (tests/conftest.py). BLACKTHORN_SEED lives any run once more.
"""

import os
import random
from typing import TypeVar

Value = TypeVar("Value")

FIXED_SEED = 20_150_611
"""Of every run that is not a long one."""


class Run:
    """What the options of pytest have said."""

    long = False


def seed() -> int:
    """A seed of 32 bits, printed: BLACKTHORN_SEED's, else a fresh one if long, else FIXED_SEED."""
    fresh = random.SystemRandom().randrange(2**32) if Run.long else FIXED_SEED
    chosen = int(os.environ.get("BLACKTHORN_SEED", fresh))
    print(f"seed {chosen}")
    return chosen


def pick(usual: Value, long: Value) -> Value:
    """How much of something a run does: as `make test`, or as `make test-long`."""
    return long if Run.long else usual
