"""Devices that fall out of a conversation, and the time that passes until they are back."""

from blackthorn.device.conversations import content
from blackthorn.device.core.members import identities
from blackthorn.link import frames as f
from blackthorn.ports.parcels import RemoveParcels, WaitingParcels
from tests.support.device_world import Person, World


def lose_oldest(world: World, person: Person, kind: str = "group") -> None:
    """The server loses a device's oldest waiting parcel of a conversation of that kind."""
    assert person.wire is None
    with person.unit() as unit:
        ids = {record.id for record in unit.records.conversations.all() if record.kind == kind}
        keys = [key for key in unit.envelopes() if key.owner[0] in ids]
    query = "SELECT number FROM devices WHERE id = ?"
    number = world.database.reading.execute(query, (person.keys.device,)).get
    waiting = world.ledger.engine.read(WaitingParcels(number, 0, True, 10_000, 2**40))
    ours = [one.seq for one in waiting if any(key.matches(one.sealed) for key in keys)]
    world.ledger.engine.execute(RemoveParcels([(number, ours[0])]))


def sealed(world: World, person: Person, name: str, text: str) -> bytes:
    """A text of a person to a group that stays on its way."""
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", name)
        conversation = unit.open(record.id)
        body = content.encode(content.TextContent(world.chance.randbytes(16), text, 1, 0))
        message = conversation.group.encrypt(body, random=unit.random)
        return unit.envelope_key(conversation).seal(message, unit.random)


def go_off_line(person: Person) -> None:
    assert person.wire is not None
    person.world.cut(person.wire)
    person.wire = None
    person.world.people.remove(person)  # others may be brought on line meanwhile


def come_back(person: Person) -> None:
    person.world.people.append(person)
    person.connect()
    person.world.settle()


def strand(world: World, person: Person, change, *, kept: bool = False) -> None:
    """`change` makes a Commit while the person is off line, and its parcel is lost for them.

    Unless it is `kept`, nobody can give it to them.
    """
    go_off_line(person)
    change()
    world.settle()
    lose_oldest(world, person)
    if not kept:
        keep_no_commit(world)
    come_back(person)


def keep_no_commit(world: World) -> None:
    """Devices keep Commits for others no longer: as if they were too large."""
    for person in world.people:
        person.vault._connection.execute("DELETE FROM kept_commit")


def live(world: World, seconds: float, step: float = 15) -> None:
    """Time passes on line, with the timers of all devices."""
    passed = 0.0
    while passed < seconds:
        world.later(step)
        for person in world.people:
            if person.wire is not None and person.wire.link.opened:
                person.wire.say(f.Ping(1))
        world.settle()
        passed += step


def standing(person: Person, kind: str = "group") -> list[str]:
    """The standings of the person's conversations of that kind."""
    return [record.standing for record in person.conversations() if record.kind == kind]


def epochs(world: World, name: str) -> set[tuple[int, bytes]]:
    """(epoch, authenticator) of a group on all devices that count themselves in it."""
    found = set()
    for person in world.people:
        with person.unit() as unit:
            for record in unit.records.conversations.named("group", name):
                if record.standing == "active":
                    group = unit.open(record.id).group
                    found.add((group.epoch, group.epoch_authenticator))
    return found


def members_of(person: Person, name: str) -> set[str]:
    """The users in the person's group of that name."""
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", name)
        return {str(one.address) for one in identities(unit.open(record.id).group.members)}
