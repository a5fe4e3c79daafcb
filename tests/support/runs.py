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
    seed = FIXED_SEED


def begin(long: bool, given: int | None = None) -> None:
    """Before any test is collected: a seed of 32 bits for all that is random in this run.

    `given` is the seed that the process has which started this one.
    """
    fresh = random.SystemRandom().randrange(2**32) if long else FIXED_SEED
    Run.long = long
    Run.seed = int(os.environ.get("BLACKTHORN_SEED", fresh)) if given is None else given


def seed() -> int:
    """The seed of this run, printed."""
    print(f"seed {Run.seed}")
    return Run.seed


def pick(usual: Value, long: Value) -> Value:
    """How much of something a run does: as `make test`, or as `make test-long`."""
    return long if Run.long else usual


def many(usual: int) -> int:
    """How often something random is done; in a long run ten times as often."""
    return pick(usual, 10 * usual)


def moments(count: int, usual: int, of: str) -> list[int]:
    """At which of the moments 1 to `count` something strikes: all in a long run, else `usual` many.

    They are seeded, and others for another text `of`.
    """
    everyone = range(1, count + 1)
    chance = random.Random(f"{Run.seed} {of}")
    return list(everyone) if Run.long else sorted(chance.sample(everyone, min(usual, count)))
