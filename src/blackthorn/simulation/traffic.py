"""Schedules from seeds: what people do from day to day, and what goes wrong.

Each person writes two texts a day and makes a change every ten days, in the hours when they are
awake. A fault begins at a random moment and is over before the schedule ends; times are drawn
evenly, lengths by their logarithm, so that short and long ones are as frequent.
"""

import math
import random
from collections.abc import Callable
from typing import Final

from blackthorn.simulation.schedule import SERVER, Event, Schedule

HOUR: Final = 3_600
DAY: Final = 86_400

TEXTS_A_DAY: Final = 2.0
BURSTS: Final = (1, 1, 1, 3)
"""How many texts a person writes at once."""

CHANGES_A_DAY: Final = 0.1
VISITS_A_DAY: Final = 1.0
"""How often a device that is not away goes off line and comes back within hours."""

FEW_PEOPLE: Final = (3, 8)
MANY_PEOPLE: Final = 30
"""In every tenth seed."""

_NAMES: Final = """alice bob carol dave erin frank grace heidi ivan judy kim leo mallory nina oscar
    peggy quentin rupert sybil trent ursula victor wendy xavier yves zoe anna bert cleo dora"""


Fault = Callable[["Traffic"], None]


class Traffic:
    """Draws one schedule."""

    def __init__(self, seed: int, days: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.end = days * DAY
        count = MANY_PEOPLE if seed % 10 == 0 else self.chance.randint(*FEW_PEOPLE)
        self.users = _NAMES.split()[:count]
        self.devices = {user: [f"{user}.1"] for user in self.users}
        self.groups: list[str] = []
        self.events: list[Event] = []

    def draw(self) -> None:
        """Everything that happens."""
        self.link()
        self.make_groups()
        for user in self.users:
            for _ in range(self.often(TEXTS_A_DAY * len(BURSTS) / sum(BURSTS))):
                self.write(user)
            for _ in range(self.often(CHANGES_A_DAY)):
                self.change(user)
        for device in self.all_devices():
            for _ in range(self.often(VISITS_A_DAY)):
                self.away(device, 60, 8 * HOUR)
        for fault, a_day in FAULTS.items():
            for _ in range(self.often(a_day * len(self.users))):
                fault(self)

    # --- Drawing ----------------------------------------------------------------------------

    def often(self, a_day: float) -> int:
        """How often something happens, drawn as a Poisson process does."""
        expected, count = a_day * self.end / DAY, 0
        at = self.chance.expovariate(1.0)
        while at < expected:
            count += 1
            at += self.chance.expovariate(1.0)
        return count

    def moment(self) -> int:
        return self.chance.randrange(HOUR, self.end)

    def duration(self, shortest: float, longest: float) -> int:
        """Seconds; each order of magnitude is as likely."""
        return int(math.exp(self.chance.uniform(math.log(shortest), math.log(longest))))

    def all_devices(self) -> list[str]:
        return [device for devices in self.devices.values() for device in devices]

    def some_device(self) -> str:
        return self.chance.choice(self.all_devices())

    def device_of(self, user: str) -> str:
        return self.chance.choice(self.devices[user])

    def other(self, user: str) -> str:
        return self.chance.choice([other for other in self.users if other != user])

    def add(self, at: int, who: str, what: str, *args: str | int) -> None:
        if at < self.end:
            self.events.append(Event(at, who, what, args))

    # --- People -----------------------------------------------------------------------------

    def link(self) -> None:
        """One to four devices each, within the first hour."""
        for user in self.users:
            for number in range(2, self.chance.choice((1, 1, 2, 2, 3, 4)) + 1):
                name = f"{user}.{number}"
                self.add(self.chance.randrange(60, HOUR // 2), f"{user}.1", "link", name)
                self.devices[user].append(name)

    def make_groups(self) -> None:
        for number in range(max(2, len(self.users) // 2)):
            size = self.chance.randint(2, min(len(self.users), 10))
            first, *others = self.chance.sample(self.users, size)
            self.groups.append(f"group {number}")
            at = self.chance.randrange(HOUR // 2, HOUR)
            self.add(at, f"{first}.1", "create", self.groups[-1], *others)

    def write(self, user: str) -> None:
        """To a person or a group; some texts come in small bursts."""
        at, device = self.moment(), self.device_of(user)
        group, other = self.chance.choice(self.groups), self.other(user)
        for _ in range(self.chance.choice(BURSTS)):
            if self.chance.random() < 0.5:
                self.add(at, device, "text", other)
            else:
                self.add(at, device, "group-text", group)
            at += self.chance.randrange(1, 30)

    def change(self, user: str) -> None:
        what = self.chance.choice(("add", "add", "remove"))
        group, other = self.chance.choice(self.groups), self.other(user)
        self.add(self.moment(), self.device_of(user), what, group, other)

    def away(self, device: str, shortest: int, longest: int) -> None:
        at = self.moment()
        self.add(at, device, "leave")
        self.add(min(at + self.duration(shortest, longest), self.end - 1), device, "connect")

    # --- Faults -----------------------------------------------------------------------------

    def absence(self) -> None:
        """Hours to 200 days."""
        self.away(self.some_device(), 8 * HOUR, min(200 * DAY, self.end // 2))

    def restart(self) -> None:
        self.add(self.moment(), self.some_device(), "restart")

    def cut(self) -> None:
        self.add(self.moment(), self.some_device(), "cut")

    def crash(self) -> None:
        """At any of the next writes."""
        when = self.chance.choice(("before", "after"))
        writes = self.duration(1, 60)
        self.add(self.moment(), self.some_device(), "crash", writes, when)

    def slow(self) -> None:
        """Nothing gets through in one direction, or in both, for a while."""
        at, device = self.moment(), self.some_device()
        self.add(at, device, "hold", self.chance.choice(("up", "down", "both")))
        self.add(min(at + self.duration(5, 200), self.end - 1), device, "release")

    def server_crash(self) -> None:
        self.add(self.moment(), SERVER, "server-crash", self.chance.choice(("before", "after")))

    def silent_witnesses(self) -> None:
        at = self.moment()
        self.add(at, SERVER, "witnesses", "off")
        self.add(min(at + self.duration(60, 6 * HOUR), self.end - 1), SERVER, "witnesses", "on")

    def wrong_clock(self) -> None:
        """Half a minute to a year fast or slow, for a minute to 20 days."""
        at, device = self.moment(), self.some_device()
        self.add(at, device, "clock", self._wrong(30, 400 * DAY))
        self.add(min(at + self.duration(60, 20 * DAY), self.end - 1), device, "clock", 0)

    def wrong_server_clock(self) -> None:
        """Ten seconds to three days fast or slow, for ten seconds to a day."""
        at = self.moment()
        self.add(at, SERVER, "server-clock", self._wrong(10, 3 * DAY))
        self.add(min(at + self.duration(10, DAY), self.end - 1), SERVER, "server-clock", 0)

    def _wrong(self, least: int, most: int) -> int:
        return self.duration(least, most) * self.chance.choice((-1, 1))

    def exhaustion(self) -> None:
        """Somebody claims key packages of a user again and again, and uses none."""
        user = self.chance.choice(self.users)
        self.add(self.moment(), self.device_of(user), "claim", self.other(user), 40)


FAULTS: Final[dict[Fault, float]] = {
    Traffic.absence: 0.02,
    Traffic.restart: 0.05,
    Traffic.cut: 0.1,
    Traffic.crash: 0.03,
    Traffic.slow: 0.05,
    Traffic.server_crash: 0.005,
    Traffic.silent_witnesses: 0.002,
    Traffic.wrong_clock: 0.02,
    Traffic.wrong_server_clock: 0.003,
    Traffic.exhaustion: 0.003,
}
"""Faults, and how often each happens for each person and day."""


def schedule(seed: int, days: int) -> Schedule:
    """The schedule of a seed over that many days."""
    traffic = Traffic(seed, days)
    traffic.draw()
    order = {device: place for place, device in enumerate(traffic.all_devices())}
    events = sorted(traffic.events, key=lambda event: (event.at, order.get(event.who, -1)))
    return Schedule(seed, tuple(traffic.users), tuple(events))
