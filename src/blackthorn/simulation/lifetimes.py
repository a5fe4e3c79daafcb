"""When each user's devices come and go: linked, revoked, lost, recovered by words, reset.

Drawn before all other traffic, so that people use devices that they have.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blackthorn.simulation.schedule import Event

HOUR: Final = 3_600
DAY: Final = 86_400

MAX_LIVE: Final = 4
"""Devices of one user at a time."""

CHANGES: Final[dict[str, float]] = {
    "link": 0.01,
    "revoke": 0.005,
    "lose": 0.004,
    "recover": 0.001,
    "reset": 0.001,
}
"""Changes of a user's devices, and how often each happens for each person and day."""

SETTLED_SECONDS: Final = HOUR
"""From a linking until the device revokes others."""

RESET_SECONDS: Final = 5 * DAY
"""From a reset until its device gives its user new words."""


@dataclass(slots=True)
class Lifetime:
    """A device, and the time in which its user has it."""

    name: str
    since: int
    until: float = math.inf

    def has(self, at: float) -> bool:
        return self.since <= at < self.until


class Lifetimes:
    """The devices of one user."""

    def __init__(self, user: str, chance: random.Random, end: int) -> None:
        self.user = user
        self.chance = chance
        self.end = end
        self.all = [Lifetime(f"{user}.1", 0)]
        self.events: list[Event] = []

    def draw(self) -> None:
        """One to four devices within the first hour, then changes at random moments."""
        for _ in range(self.chance.choice((1, 1, 2, 2, 3, 4)) - 1):
            self._link(self.chance.randrange(60, HOUR // 2))
        self._add(self.chance.randrange(HOUR // 2, HOUR), f"{self.user}.1", "state-recovery")
        for at, what in sorted(self._moments()):
            match what:
                case "link":
                    self._link(at)
                case "revoke":
                    self._revoke(at)
                case "lose":
                    self._lose(at)
                case "recover" | "reset":
                    self._lose_all(at, what)

    def at(self, at: float) -> list[str]:
        """The devices that the user has at that time."""
        return [device.name for device in self.all if device.has(at)]

    def _moments(self) -> Iterator[tuple[int, str]]:
        for what, a_day in CHANGES.items():
            at = HOUR + self.chance.expovariate(a_day / DAY)
            while at < self.end - HOUR:
                yield int(at), what
                at += self.chance.expovariate(a_day / DAY)

    def _add(self, at: int, who: str, what: str, *args: str) -> None:
        self.events.append(Event(at, who, what, args))

    def _come(self, at: int) -> str:
        self.all.append(Lifetime(f"{self.user}.{len(self.all) + 1}", at))
        return self.all[-1].name

    def _link(self, at: int) -> None:
        live = self.at(at)
        if len(live) < MAX_LIVE:
            self._add(at, self.chance.choice(live), "link", self._come(at))

    def _two(self, at: int) -> tuple[Lifetime, Lifetime] | None:
        """Two devices that have been the user's for a while."""
        settled = [one for one in self.all if one.has(at) and one.since <= at - SETTLED_SECONDS]
        if len(settled) < 2:
            return None
        first, second = self.chance.sample(settled, 2)
        return first, second

    def _revoke(self, at: int) -> None:
        if two := self._two(at):
            self._add(at, two[0].name, "revoke", two[1].name)
            two[1].until = at

    def _lose(self, at: int) -> None:
        """A device is gone, and revoked by another one minutes or days later."""
        if two := self._two(at):
            self._add(at, two[1].name, "lose")
            wait = math.exp(self.chance.uniform(math.log(300), math.log(10 * DAY)))
            self._add(min(int(at + wait), self.end - 1), two[0].name, "revoke", two[1].name)
            two[1].until = at

    def _lose_all(self, at: int, what: str) -> None:
        """All devices are lost; a new one comes by the words, or by a reset."""
        live = self.at(at)
        for device in self.all:
            device.until = min(device.until, at)
        self._add(at, live[0], what, self._come(at))
        if what == "reset" and at + RESET_SECONDS < self.end:
            self._add(at + RESET_SECONDS, self.all[-1].name, "state-recovery")
