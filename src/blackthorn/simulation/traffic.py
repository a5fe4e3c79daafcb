"""Schedules from seeds: what people do from day to day, and what goes wrong.

Each person writes two texts a day and makes a change every ten days, in the hours when they are
awake. A fault begins at a random moment and is over before the schedule ends; times are drawn
evenly, lengths by their logarithm, so that short and long ones are as frequent.
"""

import math
import random
from collections.abc import Callable
from typing import Final

from blackthorn.simulation.lifetimes import Lifetimes
from blackthorn.simulation.schedule import SERVER, Event, Schedule

HOUR: Final = 3_600
DAY: Final = 86_400

TEXTS_A_DAY: Final = 2.0
BURSTS: Final = (1, 1, 1, 3)
"""How many texts a person writes at once."""

CHANGES_A_DAY: Final = 0.1
VISITS_A_DAY: Final = 1.0
"""How often a device that is not away goes off line and comes back within hours."""

MAILS_A_DAY: Final = 0.3
MOVES_A_DAY: Final = 0.01
MARKETS: Final = ("XA", "XB", "XC")
"""Mails to a person, and moves of a person between these markets."""

FEW_PEOPLE: Final = (3, 8)
MANY_PEOPLE: Final = 30
"""In every tenth seed."""

_NAMES: Final = """alice bob carol dave erin frank grace heidi ivan judy kim leo mallory nina oscar
    peggy quentin rupert sybil trent ursula victor wendy xavier yves zoe anna bert cleo dora"""


Fault = Callable[["Traffic"], None]


class Traffic:
    """Draws one schedule."""

    def __init__(self, seed: int, days: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)  # noqa: S311
        self.end = days * DAY
        count = MANY_PEOPLE if seed % 10 == 0 else self.chance.randint(*FEW_PEOPLE)
        self.users = _NAMES.split()[:count]
        self.devices = {user: Lifetimes(user, self.chance, self.end) for user in self.users}
        self.groups: list[str] = []
        self.events: list[Event] = []
        self._restored: set[str] = set()

    def draw(self) -> None:
        """Everything that happens."""
        for lifetimes in self.devices.values():
            lifetimes.draw()
            self.events += lifetimes.events
        self.make_groups()
        for user in self.users:
            for _ in range(self.often(TEXTS_A_DAY * len(BURSTS) / sum(BURSTS))):
                self.write(user)
            for _ in range(self.often(CHANGES_A_DAY)):
                self.change(user)
        for user in self.users:
            for device in self.devices[user].all:
                for _ in range(self.often(VISITS_A_DAY)):
                    self.away(self.moment(), device.name, 60, 8 * HOUR)
        for fault, a_day in FAULTS.items():
            for _ in range(self.often(a_day * len(self.users))):
                fault(self)

        self.chance = random.Random(f"mail {self.seed}")  # noqa: S311 (the rest stays as it was)
        for user in self.users:
            self.add(self.chance.randrange(HOUR // 4, HOUR), f"{user}.1", "mail-key")
            for _ in range(self.often(MAILS_A_DAY)):
                self.add(self.moment(), SERVER, "mail", user)
            for _ in range(self.often(MOVES_A_DAY)):
                self.move(user)

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

    def after(self, at: int, shortest: float, longest: float) -> int:
        """A moment that long after another, before the end."""
        return min(at + self.duration(shortest, longest), self.end - 1)

    def some_device(self, at: int) -> str:
        return self.device_of(self.chance.choice(self.users), at)

    def device_of(self, user: str, at: int) -> str:
        """A device that the user has at that time."""
        return self.chance.choice(self.devices[user].at(at))

    def other(self, user: str) -> str:
        return self.chance.choice([other for other in self.users if other != user])

    def add(self, at: int, who: str, what: str, *args: str | int) -> None:
        if at < self.end:
            self.events.append(Event(at, who, what, args))

    # --- People -----------------------------------------------------------------------------

    def make_groups(self) -> None:
        for number in range(max(2, len(self.users) // 2)):
            size = self.chance.randint(2, min(len(self.users), 10))
            first, *others = self.chance.sample(self.users, size)
            self.groups.append(f"group {number}")
            at = self.chance.randrange(HOUR // 2, HOUR)
            self.add(at, f"{first}.1", "create", self.groups[-1], *others)

    def write(self, user: str) -> None:
        """To a person or a group; some texts come in small bursts."""
        at = self.moment()
        device = self.device_of(user, at)
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
        at = self.moment()
        self.add(at, self.device_of(user, at), what, group, other)

    def away(self, at: int, device: str, shortest: int, longest: int) -> None:
        self.add(at, device, "leave")
        self.add(self.after(at, shortest, longest), device, "connect")

    # --- Faults -----------------------------------------------------------------------------

    def absence(self) -> None:
        """Hours to 200 days."""
        at = self.moment()
        self.away(at, self.some_device(at), 8 * HOUR, min(200 * DAY, self.end // 2))

    def restart(self) -> None:
        at = self.moment()
        self.add(at, self.some_device(at), "restart")

    def cut(self) -> None:
        at = self.moment()
        self.add(at, self.some_device(at), "cut")

    def crash(self) -> None:
        """At any of the next writes."""
        when = self.chance.choice(("before", "after"))
        writes = self.duration(1, 60)
        at = self.moment()
        self.add(at, self.some_device(at), "crash", writes, when)

    def slow(self) -> None:
        """Nothing gets through in one direction, or in both, for a while."""
        at = self.moment()
        device = self.some_device(at)
        self.add(at, device, "hold", self.chance.choice(("up", "down", "both")))
        self.add(self.after(at, 5, 200), device, "release")

    def server_crash(self) -> None:
        self.add(self.moment(), SERVER, "server-crash", self.chance.choice(("before", "after")))

    def silent_witnesses(self) -> None:
        at = self.moment()
        self.add(at, SERVER, "witnesses", "off")
        self.add(self.after(at, 60, 6 * HOUR), SERVER, "witnesses", "on")

    def wrong_clock(self) -> None:
        """Half a minute to a year fast or slow, for a minute to 20 days."""
        at = self.moment()
        device = self.some_device(at)
        self.add(at, device, "clock", self._wrong(30, 400 * DAY))
        self.add(self.after(at, 60, 20 * DAY), device, "clock", 0)

    def wrong_server_clock(self) -> None:
        """Ten seconds to three days fast or slow, for ten seconds to a day."""
        at = self.moment()
        self.add(at, SERVER, "server-clock", self._wrong(10, 3 * DAY))
        self.add(self.after(at, 10, DAY), SERVER, "server-clock", 0)

    def _wrong(self, least: int, most: int) -> int:
        return self.duration(least, most) * self.chance.choice((-1, 1))

    def exhaustion(self) -> None:
        """Somebody claims key packages of a user again and again, and uses none."""
        user = self.chance.choice(self.users)
        at = self.moment()
        self.add(at, self.device_of(user, at), "claim", self.other(user), 40)

    def theft(self) -> None:
        """Somebody copies a device's folder and reads along."""
        at = self.moment()
        self.add(at, self.some_device(at), "steal")

    def move(self, user: str) -> None:
        """A user moves to another market; what happens meanwhile may be a crash of the server."""
        at, market = self.moment(), self.chance.choice(MARKETS)
        self.add(at, SERVER, "market", user, market, self.chance.randrange(1, 4))
        if self.chance.random() < 0.3:
            self.add(at + 1, SERVER, "server-crash", self.chance.choice(("before", "after")))
        self.add(self.after(at, 2, HOUR), SERVER, "market", user, market, 0)

    def restored_folder(self) -> None:
        """A copy of a device's folder is put back hours or weeks later; once for each device.

        It has connected anew in between, so that the server has a hello that the copy lacks.
        """
        at = self.moment()
        device, back = self.some_device(at), at + self.duration(HOUR, 20 * DAY)
        if device not in self._restored and back < self.end:
            self._restored.add(device)
            self.add(at, device, "keep")
            self.add(self.chance.randrange(at + 1, back), device, "cut")
            self.add(back, device, "restore")


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
    Traffic.theft: 0.003,
    Traffic.restored_folder: 0.002,
}
"""Faults, and how often each happens for each person and day."""


def schedule(seed: int, days: int) -> Schedule:
    """The schedule of a seed over that many days."""
    traffic = Traffic(seed, days)
    traffic.draw()
    names = [one.name for user in traffic.users for one in traffic.devices[user].all]
    order = {device: place for place, device in enumerate(names)}
    events = sorted(traffic.events, key=lambda event: (event.at, order.get(event.who, -1)))
    return Schedule(seed, tuple(traffic.users), tuple(events))
