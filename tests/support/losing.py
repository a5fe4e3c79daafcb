"""Texts that get lost on their way, and what members say of them."""

from blackthorn.device.conversations import heal_messages
from blackthorn.device.conversations.content import SALT_BYTES
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.ports.parcels import RemoveParcels, WaitingParcels
from tests.support.device_world import Person, World
from tests.support.stranding import come_back, go_off_line, live


def again(person: Person, text: str) -> list[str]:
    """The marks with which the person is shown the text, once for each time."""
    return [line.mark for line in person.history() if line.sort == "text" and line.text == text]


def told(person: Person, part: str) -> list[str]:
    """The events of the person that have these words."""
    return [line for line in person.events() if part in line]


def take_out(world: World, person: Person) -> list[bytes]:
    """The parcels that wait for a person who is off line; the server has them no longer."""
    query = "SELECT number FROM devices WHERE id = ?"
    number = world.database.reading.execute(query, (person.keys.device,)).get
    waiting = world.ledger.engine.read(WaitingParcels(number, 0, True, 10_000, 2**40))
    world.ledger.engine.execute(RemoveParcels([(number, one.seq) for one in waiting]))
    return [one.sealed for one in waiting]


def lose(world: World, author: Person, group: str, text: str, *people: Person) -> list[bytes]:
    """The author writes to the group; the text never comes to these people. Its parcels."""
    for person in people:
        go_off_line(person)
    author.write_group(group, text)
    world.settle()
    parcels = [take_out(world, person) for person in people]
    for person in people:
        come_back(person)
    return [sealed for waiting in parcels for sealed in waiting]


def group_id(person: Person, name: str) -> bytes:
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", name)
        return record.id


def say(person: Person, to: Person | None, message, group: bytes = b"") -> None:
    """A message about healing: to somebody, or in a group."""
    part = heal_messages.encode_part(message)
    name = "" if to is None else to.address
    salt = person.chance.randbytes(SALT_BYTES)
    person.enqueue(lambda unit: SendHeal(name, salt, part, group=group).enqueue(unit))
    live(person.world, 60)


def claim(person: Person, author: Person, group: bytes, digests=(), counts=()) -> None:
    """The person says that it could not read these texts of the author."""
    lost = heal_messages.Lost(group, author.keys.device, list(digests), list(counts))
    say(person, author, lost)
