"""Which users to look up next on one connection: at once, since a moment, or within a minute."""

from collections.abc import Iterable, Mapping
from typing import Final

from blackthorn.device.core import moments
from blackthorn.device.core.unit_of_work import UnitOfWork

AGAIN_MS: Final = 60_000
"""Delay before the next lookup after an invalid or unchanged answer."""

SPREAD_MS: Final = 60_000
"""Longest wait of a lookup for which nothing waits."""


def reached(at_ms: int, now_ms: int, most_ms: int) -> bool:
    """Whether `at_ms`, set at most `most_ms` ahead, has come; a clock may be set back."""
    return not 0 < at_ms - now_ms <= most_ms


def passed(since_ms: int, now_ms: int, wait_ms: int) -> bool:
    """Whether `wait_ms` have passed since a moment; one ahead is of a clock that was set back."""
    return reached(since_ms + wait_ms, now_ms, wait_ms)


class LookupQueue:
    """The users to look up. `moment` is when the last lookup was begun (`device.core.moments`)."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()
        """Users to look up now."""
        self.moment = 0
        self._later: dict[str, int] = {}
        """User → when to look them up at the latest, Unix milliseconds."""
        self._begun: dict[str, tuple[int, int]] = {}
        """User → moment and time of the last lookup, whatever came of it."""

    def want_since(self, unit: UnitOfWork, read: Mapping[str, int]) -> None:
        """Look users up who were not since the moment beside them; again after a failure."""
        for address, moment in read.items():
            begun, at_ms = self._begun.get(address, (-1, 0))
            if begun <= moment or reached(at_ms + AGAIN_MS, unit.now_ms, AGAIN_MS):
                self.wanted.add(address)

    def want_later(self, unit: UnitOfWork, addresses: Iterable[str]) -> None:
        """Look users up within a minute, at a random time: many devices read the same Commit."""
        for address in addresses:
            if address not in self._later:
                wait_ms = int.from_bytes(unit.random(4), "big") % SPREAD_MS
                self._later[address] = unit.now_ms + wait_ms

    def due(self, now_ms: int) -> set[str]:
        """The users to look up now."""
        later = self._later.items()
        return self.wanted | {user for user, at_ms in later if reached(at_ms, now_ms, SPREAD_MS)}

    def begin(self, unit: UnitOfWork, addresses: Iterable[str]) -> None:
        """A lookup of these users begins."""
        self.moment = moments.advance(unit.records)
        for address in addresses:
            self.wanted.discard(address)
            self._later.pop(address, None)
            self._begun[address] = (self.moment, unit.now_ms)
