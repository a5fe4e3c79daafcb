"""A world that lives through a schedule: it does its events and lets time pass between them.

Devices keep their connections alive while they are on line; one that wants to be on line comes back
when its connection breaks. What waits for time (retries, upkeep, an epoch of the ledger) gets it in
a few steps after an event, as long as something waits; the rest is served every few hours.
"""

import random
from collections.abc import Callable, Iterable
from typing import Final

from blackthorn.device.account.pairing import Stage
from blackthorn.errors import UserError
from blackthorn.link import frames as f
from blackthorn.simulation import linking, recovery
from blackthorn.simulation.device import Person
from blackthorn.simulation.memory import CrashError, MemoryVault
from blackthorn.simulation.records import NEVER, Change, History, Records, Span, Text
from blackthorn.simulation.schedule import SERVER, Event, Schedule, user_of
from blackthorn.simulation.thief import Thief
from blackthorn.simulation.wires import Wire
from blackthorn.simulation.world import DAY_SECONDS, World

STEP_SECONDS: Final = 4 * 3600
"""The longest time in which devices on line are not served."""

FOLLOW_SECONDS: Final = (5, 31, 62, 125, 310, 605, 1_210, 1_815)
"""How long after an event devices are served again, as long as something waits there."""

CALM_STEP_SECONDS: Final = 600
CALM_HOURS: Final = 4
"""How often all devices are served after the last fault, and for how long so often."""

CHAIN_EVENTS: Final = ("link", "revoke", "recover", "state-recovery")
"""After these many devices have something to do."""

UP, DOWN = "up", "down"


class Life(World):
    """One simulation, with the records of what was done in it."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.records = Records()
        self.devices: dict[str, Person] = {}
        self.wanted: set[str] = set()
        """The devices that want to be on line."""
        self._names: dict[Person, str] = {}
        self._held: dict[Person, set[str]] = {}
        self._copies: dict[str, tuple[MemoryVault, float]] = {}
        self._lost: set[str] = set()
        """Devices that nobody has any more."""
        self._words: dict[str, tuple[str, str]] = {}
        self.thieves: dict[str, Thief] = {}
        self._follow: dict[float, set[Person]] = {}
        """Times at which devices are served, by age."""
        self._all_served = 0.0
        self._day = -1
        super().__init__(schedule.seed, *schedule.users, epoch_ms=10_000)
        self._origin = self.now
        for person in self.people:
            self._adopt(f"{person.name}.1", person)
            self.wanted.add(f"{person.name}.1")

    @property
    def age(self) -> float:
        """Seconds since the beginning."""
        return self.now - self._origin

    def _adopt(self, name: str, person: Person) -> None:
        """The device gets its name in schedules, and randomness of its own."""
        person.chance = random.Random(f"{self.schedule.seed} {name}")  # noqa: S311
        self.devices[name], self._names[person] = person, name
        user = user_of(name)
        self.records.devices[name] = History(user, Span(self.age, self.age + 1))

    # --- Time -------------------------------------------------------------------------------

    def wall_ms(self) -> int:
        """The time by the server's clock, in Unix milliseconds."""
        return self.now_ms + self.ledger.ahead_ms

    def advance(self, age: float) -> None:
        """Let time pass until that age, serving devices on the way when something is due."""
        while True:
            due = min([age, self._all_served + STEP_SECONDS, *self._follow])
            waiting = self._follow.pop(due, set())
            self.now = self._origin + max(due, self.age)
            if due >= self._all_served + STEP_SECONDS:
                self._all_served = due
                waiting = set(self.people)
            self._serve(waiting)
            if due >= age:
                return

    def _serve(self, waiting: Iterable[Person]) -> None:
        """Keep all connections at this moment, and let these devices do what is due."""
        self._keep_alive()
        if self._day != (today := self.wall_ms() // (1000 * DAY_SECONDS)):
            self._day = today
            self.dispatcher.start_day(today)
        self.dispatcher.tick(self.now)
        self._come_back()
        for person in self.people:
            if person.wire is not None and person in waiting:
                self.attempt(person, person.tick)
        self.settle()

    def _keep_alive(self) -> None:
        """What devices and the server ask and answer while nothing else is said."""
        for wire in list(self.wires):
            if wire.link.opened and wire.open and not self._is_held(wire, UP):
                wire.say(f.Ping(0))
                while wire in self.wires and self.step_wire(wire, to_server=True):
                    pass

    def _come_back(self) -> None:
        for name in sorted(self.wanted):
            person = self.devices.get(name)
            if person is not None and person.wire is None:
                self.attempt(person, person.connect)

    def settle(self) -> None:
        """Move everything that is not held, until nothing moves; then look at the outcomes."""
        moved = True
        while moved:
            moved = self.run_wires()
            self.dispatcher.tick(self.now)
            moved = self._ledger_step() or moved
            if not moved:
                for person in self.people:
                    if person.companion is not None and person.wire is not None:
                        self.attempt(person, person.tick)
                        moved = moved or bool(person.wire and person.wire.to_server)
                moved = moved or any(
                    wire.to_device and not self._is_held(wire, DOWN) for wire in self.wires
                )
        for name, person in self.devices.items():
            self.records.observe(name, person, self.age)

    def step_wire(self, wire: Wire, *, to_server: bool) -> bool:
        if self._is_held(wire, UP if to_server else DOWN):
            return False
        return super().step_wire(wire, to_server=to_server)

    def _is_held(self, wire: Wire, way: str) -> bool:
        return way in self._held.get(wire.device, ())  # type: ignore[call-overload]

    def tell(self, wire: Wire, frame: f.AnyFrame) -> None:
        if isinstance(frame, f.Deliver) and self.thieves:
            thief = self.thieves.get(self._names.get(wire.device, ""))  # type: ignore[call-overload]
            if thief is not None:
                thief.parcels += [parcel.sealed for parcel in frame.parcels]
        try:
            wire.device.hear(wire, frame)
        except CrashError:
            assert isinstance(wire.device, Person)
            wire.device.restart()

    def attempt(self, person: Person, act: Callable[[], object]) -> None:
        """A person tries what may not be possible; their device may crash at a write."""
        try:
            act()
        except UserError:
            return
        except CrashError:
            person.restart()

    def calm(self, seconds: int) -> None:
        """Let time pass in which all are served every ten minutes, and after hours every hour."""
        end = self.age + seconds
        for wait in range(CALM_STEP_SECONDS, seconds + 1, CALM_STEP_SECONDS):
            if wait <= CALM_HOURS * 3_600 or wait % 3_600 == 0:
                self._follow.setdefault(end - seconds + wait, set()).update(self.people)
        self.advance(end)

    def end_faults(self) -> None:
        """From now on everybody who is somebody's device is on line, with the right time."""
        self.cosigning = True
        self._set_server_clock(0)
        self._held.clear()
        for name, person in self.devices.items():
            person.ahead_ms = 0
            person.vault.crash_in(0, stored=False)
            if self.records.devices[name].span.surely_until == NEVER:
                self.wanted.add(name)
        self._serve(self.people)

    # --- Events -----------------------------------------------------------------------------

    def run(self) -> None:
        """All events of the schedule."""
        for event in self.schedule.events:
            self.advance(event.at)
            self.do(event)
            self.settle()
            self._wait_for(event)

    def _wait_for(self, event: Event) -> None:
        """Serve devices again soon if the event, or somebody's operation, waits for that."""
        waiting = {p for p in self.people if p.wire is not None and p.unsettled()}
        if event.what in CHAIN_EVENTS:
            waiting = set(self.people)
        for wait in FOLLOW_SECONDS if waiting else ():
            self._follow.setdefault(self.age + wait, set()).update(waiting)

    def do(self, event: Event) -> None:
        """One event; it does nothing if it cannot be done."""
        if event.who == SERVER:
            self._do_server(event)
            return
        person = self.devices.get(event.who)
        if person is not None and event.who not in self._lost:
            self.attempt(person, lambda: self._do_device(event, person))

    def _do_server(self, event: Event) -> None:
        match event.what, event.args:
            case "server-crash", ("after",):
                self.crash(committed=True)
            case "server-crash", _:
                self.crash(committed=False)
            case "witnesses", (state,):
                self.cosigning = state == "on"
            case "server-clock", (int(seconds),):
                self._set_server_clock(seconds * 1000)
            case _:
                raise ValueError(f"no such event: {event}")

    def _do_device(self, event: Event, person: Person) -> None:
        name = event.who
        match event.what, event.args:
            case "connect", _:
                self.wanted.add(name)
                person.connect()
            case "leave", _:
                self.wanted.discard(name)
                self._cut(person)
            case "cut", _:
                self._cut(person)
            case "restart", _:
                person.restart()
            case "crash", (int(writes), when):
                person.vault.crash_in(writes, stored=when == "after")
            case "hold", ("both",):
                self._held[person] = {UP, DOWN}
            case "hold", (str(way),):
                self._held[person] = {way}
            case "release", _:
                self._held.pop(person, None)
            case "clock", (int(seconds),):
                person.ahead_ms = seconds * 1000
            case "keep", _:
                if person.wire is not None and person not in self._held and person.device.drained:
                    self._copies[name] = person.vault.copy(), self.age
            case "lose", _:
                self._lose(name)
            case "restore", _:
                self._restore(name, person)
            case "claim", (str(other), int(times)):
                self._claim(person, other, times)
            case "steal", _:
                chance = person.chance.randbytes
                thief = Thief(person.vault, person.keys, self.age, person.now_ms, chance)
                self.thieves.setdefault(name, thief)
            case _:
                self._do_person(event, person)

    def _do_person(self, event: Event, person: Person) -> None:
        """What people do, rather than their devices."""
        name, user = event.who, user_of(event.who)
        match event.what, event.args:
            case "text", (str(to),):
                text = Text(self._body(event), name, user, to, "", self.age)
                number = self._number(person, lambda: person.write(self.user(to), text.body))
                self.records.wrote(number, text)
            case "group-text", (str(group),):
                text = Text(self._body(event), name, user, "", group, self.age)
                number = self._number(person, lambda: person.write_group(group, text.body))
                self.records.wrote(number, text)
            case "create", (str(group), *others):
                members = [self.user(str(other)) for other in others]
                number = self._number(person, lambda: person.create_group(group, *members))
                change = Change(group, (user, *map(str, others)), True, self.age)
                self.records.changes(name, number, change)
            case ("add" | "remove") as what, (str(group), str(other)):
                lists = [[self.user(other)], []] if what == "add" else [[], [self.user(other)]]
                number = self._number(person, lambda: person.change_group(group, *lists))
                change = Change(group, (other,), what == "add", self.age)
                self.records.changes(name, number, change)
            case "link", (str(other),):
                self._link(person, other)
            case "revoke", (str(other),):
                self._revoke(person, other)
            case "state-recovery", _:
                self._words[user] = recovery.state_recovery(person)
            case "recover", (str(other),):
                self._recover(user, other)
            case _:
                raise ValueError(f"no such event: {event}")

    def _number(self, person: Person, enqueue: Callable[[], int]) -> int:
        """The number of an operation that is enqueued, also if the device crashes just after.

        Raises UserError, CrashError if it was not stored.
        """
        before = person.last_operation()
        try:
            return enqueue()
        except CrashError:
            person.restart()
            if person.last_operation() == before:
                raise
        return person.last_operation()

    def _body(self, event: Event) -> str:
        return f"text {len(self.records.texts)} of {event.who}"

    def _cut(self, person: Person) -> None:
        if person.wire is not None:
            self.cut(person.wire)

    def _claim(self, person: Person, user: str, times: int) -> None:
        """An insider takes a user's key packages away."""
        for number in range(times):
            if person.wire is not None and person.wire.link.opened:
                person.wire.say(f.ClaimKeyPackages(2**40 + number, [self.user(user)], []))
                self.settle()

    def _set_server_clock(self, ahead_ms: int) -> None:
        """Only the wall clock jumps: the monotonic one goes on, and the witnesses have theirs."""
        self.ledger.ahead_ms = self.ledger.jumped_ms = ahead_ms
        self.ledger.now_ms = self.wall_ms()

    def _restore(self, name: str, person: Person) -> None:
        if name not in self._copies:
            return
        vault, kept = self._copies[name]
        person.vault = vault.copy()
        self.records.forget_pending(name)
        self.records.devices[name].restored.append((kept, self.age))
        person.restart()

    def _link(self, person: Person, name: str) -> None:
        """The whole pairing, while both devices are on line; the new one stays so."""
        if name in self.devices or person.wire is None or person in self._held:
            return
        host, newcomer = linking.Host(person), linking.Newcomer(self, name)
        self.settle()
        joined = newcomer.join(host.code)
        self.settle()
        if joined.digits and joined.digits == host.pairing.digits:
            host.type_digits(joined.digits)
            newcomer.say(joined.confirm())
            self.settle()
            for wait in (12, 12):  # the ledger must show it to the host
                self.now += wait
                self.settle()
        host.leave()
        if newcomer.pairing is None or newcomer.pairing.stage is not Stage.DONE:
            newcomer.crash()
            return
        self._adopt(name, newcomer.person())
        self.wanted.add(name)

    def _revoke(self, person: Person, name: str) -> None:
        other = self.devices.get(name)
        if other is None or other.address != person.address or other is person:
            return
        linking.revoke(person, other)
        self.records.devices[name].lost(self.age)

    def _lose(self, name: str) -> None:
        """The device is off line for ever."""
        self._lost.add(name)
        self.wanted.discard(name)
        self.records.devices[name].lost(self.age)
        self._cut(self.devices[name])

    def _recover(self, user: str, name: str) -> None:
        """All devices of the user are lost; a new one comes by the words."""
        if user not in self._words or name in self.devices:
            return
        for other, _ in list(self.records.devices_of(user)):
            self._lose(other)
        words, check = self._words[user]
        found = recovery.Recoverer(self, name)
        found.recover(words, self.user(user), check)
        self.settle()
        self._adopt(name, found.person())
        self.wanted.add(name)
