"""A world that lives through a schedule: it does its events and lets time pass between them.

Devices keep their connections alive while they are on line; one that wants to be on line comes back
when its connection breaks. What waits for time (retries, upkeep, an epoch of the ledger) gets it in
a few steps after an event, as long as something waits; the rest is served every few hours.
"""

from collections.abc import Callable, Iterable
from typing import Final

from blackthorn.device.transparency import alarms
from blackthorn.errors import UserError
from blackthorn.link import frames as f
from blackthorn.simulation.device import Person
from blackthorn.simulation.mailboxes import Mailboxes, state_key
from blackthorn.simulation.memory import CrashError
from blackthorn.simulation.ownership import CHAIN_EVENTS, OwnedWorld
from blackthorn.simulation.records import NEVER, Change, Text
from blackthorn.simulation.schedule import SERVER, Event, Schedule, user_of
from blackthorn.simulation.thief import Thief
from blackthorn.simulation.wires import Wire
from blackthorn.simulation.world import DAY_SECONDS

STEP_SECONDS: Final = 4 * 3600
"""The longest time in which devices on line are not served."""

FOLLOW_SECONDS: Final = (5, 31, 62, 125, 310, 605, 1_210, 1_815)
"""How long after an event devices are served again, as long as something waits there."""

CALM_STEP_SECONDS: Final = 600
CALM_HOURS: Final = 4
"""How often all devices are served after the last fault, and for how long so often."""

HONEST_ALARMS: Final = frozenset(
    {"identity-reset", "verified-reset", "reset-pending", "own-reset", "own-device"}
)
"""Alarms that tell of what people did, who read and accept them; every other one says that somebody
cheats."""

UP, DOWN = "up", "down"


class Life(OwnedWorld):
    """One simulation."""

    def __init__(self, schedule: Schedule) -> None:
        self.thieves: dict[str, Thief] = {}
        self.mailboxes = Mailboxes(self)
        self._follow: dict[float, set[Person]] = {}
        """Times at which devices are served, by age."""
        self._all_served = 0.0
        self._day = -1
        super().__init__(schedule)

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
        return way in self.held.get(wire.device, ())  # type: ignore[call-overload]

    def tell(self, wire: Wire, frame: f.AnyFrame) -> None:
        if isinstance(frame, f.Deliver) and self.thieves:
            thief = self.thieves.get(self.names.get(wire.device, ""))  # type: ignore[call-overload]
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
        self.held.clear()
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
        if person is not None and event.who not in self.lost:
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
            case "mail", (str(user),):
                self.mailboxes.arrive(user, self.age)
            case "market", (str(user), str(market), int(steps)):
                self.mailboxes.move(user, market, steps)
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
                self.disconnect(person)
            case "cut", _:
                self.disconnect(person)
            case "restart", _:
                person.restart()
            case "crash", (int(writes), when):
                person.vault.crash_in(writes, stored=when == "after")
            case "hold", ("both",):
                self.held[person] = {UP, DOWN}
            case "hold", (str(way),):
                self.held[person] = {way}
            case "release", _:
                self.held.pop(person, None)
            case "clock", (int(seconds),):
                person.ahead_ms = seconds * 1000
            case "mail-key", _:
                state_key(person)
            case "claim", (str(other), int(times)):
                self._claim(person, other, times)
            case "steal", _:
                chance = person.chance.randbytes
                thief = Thief(person.vault, person.keys, self.age, person.now_ms, chance)
                self.thieves.setdefault(name, thief)
            case _ if not self.change_devices(event, person):
                self._do_person(event, person)

    def _do_person(self, event: Event, person: Person) -> None:
        """What people do, rather than their devices."""
        name, user = event.who, user_of(event.who)
        self.read_alarms(person)
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

    def read_alarms(self, person: Person) -> None:
        """The person accepts alarms that tell of what somebody did, and members after a rejoin.

        Those members once they are told that texts wait: there may be nobody else to confirm them.
        """
        person.confirm_rejoins()
        for alarm in person.open_alarms():
            if alarm.code in HONEST_ALARMS:
                with person.unit() as unit:
                    alarms.accept(unit.records, alarm.number)

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
