"""Reduction of a failing schedule by delta debugging: fewer events that fail in the same way.

Zeller and Hildebrandt's ddmin: leave out one part after another, in ever smaller parts, as long as
the rest still breaks the same invariant.
"""

from collections.abc import Callable
from typing import Final

from blackthorn.simulation.schedule import Schedule

MAX_TRIES: Final = 200
"""Schedules tried before the reduction stops with what it has."""


def shrink(
    schedule: Schedule, fails: Callable[[Schedule], bool], tries: int = MAX_TRIES
) -> Schedule:
    """The smallest schedule found within that many tries for which `fails` still holds."""
    best, parts = schedule, 2
    while len(best.events) > 1 and tries > 0:
        size = -(-len(best.events) // parts)
        for start in range(0, len(best.events), size):
            tries -= 1
            shorter = best.with_events(best.events[:start] + best.events[start + size :])
            if fails(shorter):
                best, parts = shorter, max(parts - 1, 2)
                break
            if tries <= 0:
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(best.events))
    return best
