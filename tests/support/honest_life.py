"""Random lives among honest people, for schedules that must raise no alarm.

One world lives through many schedules, each a few random steps and then calm. Nobody lies; but
wires break, witnesses fall silent, the server and devices die and start again, days pass.
"""

from collections import Counter
from collections.abc import Callable

from blackthorn.device.core.members import identify
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations import change_chain
from blackthorn.errors import UserError
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import SetRecovery
from blackthorn.mls.group.group import Group
from blackthorn.simulation.device import Person
from tests.support.device_world import World

NAMES = ("alice", "bob", "carol", "dave", "erin")
GROUPS = ("team", "board")
STEPS = 8
PAUSES = (1, 20, 70, 601, 3_700, 25_000, 90_000)
"""Seconds that may pass at once: up to a day."""


class Life:
    """A world, what was written in it, and whoever was ever seen in a group."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed, *NAMES, epoch_ms=0)
        self.chance = self.world.chance
        self.number = 0
        self.written: list[tuple[Person, int, str, Person | None]] = []
        """Sender, wish, text, and to whom; None for a group."""
        self.rosters: dict[tuple[bytes, int], tuple[bytes, tuple[bytes, ...]]] = {}
        self.checked: set[bytes] = set()
        self.steps: Counter[str] = Counter()
        self.told: list[str] = []
        """The steps of this schedule, for whoever must find out."""

    def schedule(self) -> None:
        """A few steps, then calm, then all that must hold."""
        self.told.clear()
        for _ in range(STEPS):
            (step,) = self.chance.choices(list(ACTIONS), list(ACTIONS.values()))
            self.steps[step.__name__] += 1
            self.told.append(step.__name__)
            step(self)
            if self.chance.random() < 0.5:
                self.world.settle()
        self.calm()
        self.check()

    # --- Steps ----------------------------------------------------------------------------

    def _some(self, count: int = 1) -> list[Person]:
        return self.chance.sample(self.world.people, count)

    def _wish(self, person: Person, make: Callable[[], int]) -> int | None:
        """A wish that may be one that a person cannot have just now."""
        try:
            return make()
        except UserError:
            return None

    def _text(self) -> str:
        self.number += 1
        return f"text {self.number}"

    def write(self) -> None:
        sender, to = self._some(2)
        text = self._text()
        enqueue = self._wish(sender, lambda: sender.write(to, text))
        assert enqueue is not None
        self.written.append((sender, enqueue, text, to))

    def write_group(self) -> None:
        (sender,), name, text = self._some(), self.chance.choice(GROUPS), self._text()
        enqueue = self._wish(sender, lambda: sender.write_group(name, text))
        if enqueue is not None:
            self.written.append((sender, enqueue, text, None))

    def make_group(self) -> None:
        first, *others = self._some(self.chance.randint(2, 4))
        name = self.chance.choice(GROUPS)
        if all(
            record.name != name for each in self.world.people for record in each.conversations()
        ):
            self._wish(first, lambda: first.create_group(name, *others))

    def change_group(self) -> None:
        (who, other), name = self._some(2), self.chance.choice(GROUPS)
        if self.chance.random() < 0.6:
            self._wish(who, lambda: who.change_group(name, [other], []))
        else:
            self._wish(who, lambda: who.change_group(name, [], [other]))

    def look(self) -> None:
        who, *others = self._some(3)
        who.look_up(*others)

    def recovery(self) -> None:
        (who,) = self._some()
        keys = SigningKeys.generate(self.chance.randbytes).public

        def make(unit):
            return change_chain.enqueue(unit, "a recovery key", SetRecovery(keys))

        self._wish(who, lambda: who.enqueue(make))

    def certificate(self) -> None:
        (who,) = self._some()

        def make(unit):
            key = mail_keys.fresh(unit.records, unit.me.address, unit.now_ms)
            return change_chain.enqueue_mail_key(unit, key)

        self._wish(who, lambda: who.enqueue(make))

    def connect(self) -> None:
        self._some()[0].connect()

    def cut(self) -> None:
        (who,) = self._some()
        if who.wire is not None:
            self.world.cut(who.wire)

    def restart(self) -> None:
        self._some()[0].restart()

    def move(self) -> None:
        """A few messages of some wires."""
        for _ in range(12):
            if self.world.wires:
                wire = self.chance.choice(self.world.wires)
                self.world.step_wire(wire, to_server=self.chance.random() < 0.5)

    def commit(self) -> None:
        self.world.writer.commit()

    def publish(self) -> None:
        self.world.publish()

    def pause(self) -> None:
        self.world.later(self.chance.choice(PAUSES))

    def crash(self) -> None:
        self.world.crash(committed=self.chance.random() < 0.5)

    def witnesses(self) -> None:
        self.world.cosigning = not self.world.cosigning

    # --- Calm -----------------------------------------------------------------------------

    def calm(self) -> None:
        """Everybody is there, witnesses sign, and time passes until nothing waits."""
        world = self.world
        world.cosigning = True
        for _ in range(12):
            for person in world.people:
                person.connect()
            world.settle()
            world.later(61)
            world.settle()
            if not any(each.waiting() or each.set_aside() for each in world.people):
                return
        raise AssertionError([_waits(each) for each in world.people])

    # --- What must hold -------------------------------------------------------------------

    def check(self) -> None:
        for person in self.world.people:
            told = [(each.code, each.address, each.text) for each in person.open_alarms()]
            assert not told, (person.name, told)
            assert person.gaps() == 0, person.name
            self._check_groups(person)
        self._check_texts()
        self.world.ledger.audit()

    def _check_groups(self, person: Person) -> None:
        """Every leaf is live in its chain, and nobody accepts another roster for one epoch."""
        for record in person.conversations():
            mark = record.id + record.epoch.to_bytes(8, "big") + person.keys.device
            if mark in self.checked or record.standing != "active":
                continue
            self.checked.add(mark)
            group = Group.deserialise(record.state)
            roster = []
            for member in group.members:
                leaf = identify(member.credential)
                device = self.world.ledger.stored(leaf.address).device(leaf.device)
                assert device is not None and device.mls_key == member.signature_key
                roster.append(member.credential.identity)
            seen = (group.epoch_authenticator, tuple(roster))
            assert self.rosters.setdefault((group.group_id, group.epoch), seen) == seen

    def _check_texts(self) -> None:
        """What was written to a person came once; what was written to a group, once at most."""
        received = {person.name: Counter(person.received()) for person in self.world.people}
        accepted = {
            person.name: {line.text for line in person.history() if line.standing == "accepted"}
            for person in self.world.people
        }
        for sender, enqueue, text, to in self.written:
            outcome = sender.outcomes.get(enqueue)  # kept for a day
            done = text in accepted[sender.name]
            counts = [received[each.name][text] for each in self.world.people]
            if to is not None:
                assert done, (sender.name, text, outcome)
                assert received[to.name][text] == 1 and sum(counts) == 1, (
                    sender.name,
                    text,
                    counts,
                )
            else:
                assert max(counts) <= 1 and (done or not sum(counts)), (sender.name, text, counts)
        self.written.clear()


def _waits(person: Person) -> tuple[str, list[str], list[str]]:
    with person.vault.transaction() as records:
        rows = [f"{each.target!r}: {each.problem}" for each in records.outbox.all()]
    return person.name, rows, [each.reason for each in person.set_aside()]


ACTIONS: dict[Callable[[Life], None], int] = {
    Life.write: 30,
    Life.write_group: 20,
    Life.make_group: 6,
    Life.change_group: 10,
    Life.look: 8,
    Life.recovery: 3,
    Life.certificate: 3,
    Life.connect: 10,
    Life.cut: 8,
    Life.restart: 6,
    Life.move: 14,
    Life.commit: 6,
    Life.publish: 6,
    Life.pause: 12,
    Life.crash: 5,
    Life.witnesses: 5,
}
