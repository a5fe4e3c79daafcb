"""How users' devices come and go in a life: linked, revoked, lost, put back, recovered, reset.

What is done follows the schedule; what cannot be done is left undone.
"""

import random
from typing import Final

from blackthorn.device.account.pairing import Stage
from blackthorn.simulation import linking, recovery
from blackthorn.simulation.device import Person
from blackthorn.simulation.ledger import DELAY_MS
from blackthorn.simulation.memory import MemoryVault
from blackthorn.simulation.records import Came, History, Records, Span
from blackthorn.simulation.schedule import Event, Schedule, user_of
from blackthorn.simulation.world import World

CHAIN_EVENTS: Final = ("link", "revoke", "recover", "reset", "state-recovery", "mail-key")
"""After these many devices have something to do."""

RESET_SECONDS: Final = DELAY_MS // 1000 + 86_400
"""From the request of a reset until all who are on line have seen that it took effect."""


class OwnedWorld(World):
    """A world in which users get and lose devices, with the records of what was done in it."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.records = Records()
        self.devices: dict[str, Person] = {}
        self.wanted: set[str] = set()
        """The devices that want to be on line."""
        self.lost: set[str] = set()
        """Devices that nobody has any more."""
        self.held: dict[Person, set[str]] = {}
        """The ways in which nothing gets through to a device, or from it."""
        self.names: dict[Person, str] = {}
        self._copies: dict[str, tuple[MemoryVault, float]] = {}
        self._words: dict[str, tuple[str, str]] = {}
        super().__init__(schedule.seed, *schedule.users, epoch_ms=10_000)
        self._origin = self.now
        for person in self.people:
            self._adopt(f"{person.name}.1", person, Came.FIRST)

    @property
    def age(self) -> float:
        """Seconds since the beginning."""
        return self.now - self._origin

    def _adopt(self, name: str, person: Person, came: Came) -> None:
        """The device gets its name in schedules, and randomness of its own; it stays on line."""
        person.chance = random.Random(f"{self.schedule.seed} {name}")  # noqa: S311
        self.devices[name], self.names[person] = person, name
        span = Span(self.age, self.age + 1)
        self.records.devices[name] = History(user_of(name), span, came)
        self.wanted.add(name)

    def disconnect(self, person: Person) -> None:
        """The device's connection ends."""
        if person.wire is not None:
            self.cut(person.wire)

    def change_devices(self, event: Event, person: Person) -> bool:
        """Do the event if it is one of these; whether it was."""
        name, user = event.who, user_of(event.who)
        match event.what, event.args:
            case "link", (str(other),):
                self._link(person, other)
            case "revoke", (str(other),):
                self._revoke(person, other)
            case "lose", _:
                self._lose(name)
            case "keep", _:
                self._keep(name, person)
            case "restore", _:
                self._restore(name, person)
            case "state-recovery", _:
                self._words[user] = recovery.make_words(person)
            case "recover", (str(other),):
                self._recover(user, other)
            case "reset", (str(other),):
                self._reset(user, other)
            case _:
                return False
        return True

    def _link(self, person: Person, name: str) -> None:
        """The whole pairing, while both devices are on line; the new one stays so."""
        if name in self.devices or person.wire is None or person in self.held:
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
        self._adopt(name, newcomer.person(), Came.LINKED)

    def _revoke(self, person: Person, name: str) -> None:
        other = self.devices.get(name)
        if other is None or other.address != person.address or other is person:
            return
        linking.revoke(person, other)
        self.records.devices[name].lost(self.age)

    def _lose(self, name: str) -> None:
        """The device is off line for ever."""
        self.lost.add(name)
        self.wanted.discard(name)
        self.records.devices[name].lost(self.age)
        self.disconnect(self.devices[name])

    def _lose_all(self, user: str) -> None:
        for name, _ in list(self.records.devices_of(user)):
            self._lose(name)

    def _keep(self, name: str, person: Person) -> None:
        if person.wire is not None and person not in self.held and person.device.drained:
            self._copies[name] = person.vault.copy(), self.age

    def _restore(self, name: str, person: Person) -> None:
        if name not in self._copies:
            return
        vault, kept = self._copies[name]
        person.vault = vault.copy()
        self.records.forget_pending(name)
        self.records.devices[name].restored.append((kept, self.age))
        person.restart()

    def _recover(self, user: str, name: str) -> None:
        """All devices of the user are lost; a new one comes by the words."""
        if user not in self._words or name in self.devices:
            return
        self._lose_all(user)
        words, check = self._words[user]
        found = recovery.Recoverer(self, name)
        found.recover(words, self.user(user), check)
        self.settle()
        if found.failure is None and found.refusal == "":
            self._adopt(name, found.person(), Came.RECOVERED)

    def _reset(self, user: str, name: str) -> None:
        """All devices of the user are lost; a new one comes by a code of the administrator."""
        if name in self.devices:
            return
        self._lose_all(user)
        self._words.pop(user, None)
        self._adopt(name, recovery.reset(self, user, name), Came.RESET)
        effective = self.age + RESET_SECONDS
        self.records.devices[name].span.surely_since = effective
        self.records.reset(user, self.age, effective)
