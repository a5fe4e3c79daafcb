"""Reduction of a failing schedule by delta debugging: fewer events that fail in the same way.

Zeller and Hildebrandt's ddmin: leave out one part after another, in ever smaller parts, as long as
the rest still breaks the same invariant.
"""

from collections.abc import Callable
from typing import Final

from blackthorn.simulation.schedule import Schedule

MAX_WORK: Final = 20
"""Events tried, in schedules of the length of the whole, before the reduction stops with what it
has: a schedule of three years takes many minutes."""


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool], work: int = MAX_WORK) -> Schedule:
    """The smallest schedule found within that work for which `fails` still holds."""
    best, parts, left = schedule, 2, work * len(schedule.events)
    while len(best.events) > 1 and left > 0:
        size = -(-len(best.events) // parts)
        for start in range(0, len(best.events), size):
            shorter = best.with_events(best.events[:start] + best.events[start + size :])
            left -= len(shorter.events)
            if fails(shorter):
                best, parts = shorter, max(parts - 1, 2)
                break
            if left <= 0:
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(best.events))
    return best
