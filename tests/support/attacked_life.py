"""Lives in which somebody attacks: a hostile server, a thief with a copy of a folder, an insider.

An event `attack` names one of ATTACKS. People accept every alarm; `raised` has what they were told.
"""

from collections.abc import Callable
from typing import Final

from blackthorn.device.conversations import key_packages, rejoining
from blackthorn.device.core.unit_of_work import unit as unit_over
from blackthorn.device.healing import notes
from blackthorn.device.transparency import alarms
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.simulation.device import Person
from blackthorn.simulation.life import Life
from blackthorn.simulation.schedule import Event, Schedule
from blackthorn.simulation.wires import Wire
from tests.support import forks
from tests.support.evil_server import changed
from tests.support.stranding import sealed


class AttackedLife(Life):
    """A life with attacks."""

    def __init__(self, schedule: Schedule) -> None:
        self.raised: set[tuple[str, str]] = set()
        """(device, code) of alarms that somebody read."""
        self.kept: list[tuple[int, bytes]] = []
        """A hello that the server keeps."""
        self.withheld: list[bytes] = []
        """Parcels that the server keeps to itself."""
        self.repeated: dict[Person, list[f.KeyPackages]] = {}
        """The devices that get the same key packages again and again."""
        super().__init__(schedule)

    def change_devices(self, event: Event, person: Person) -> bool:
        if event.what != "attack":
            return super().change_devices(event, person)
        name, *others = map(str, event.args)
        ATTACKS[name](self, person, *(self.devices[other] for other in others))
        return True

    def read_alarms(self, person: Person) -> None:
        for alarm in person.open_alarms():
            self.raised.add((self.names[person], alarm.code))
            with person.unit() as unit:
                alarms.accept(unit.records, alarm.number)

    def tell(self, wire: Wire, frame: f.AnyFrame) -> None:
        given = self.repeated.get(wire.device)  # type: ignore[call-overload]
        if given is not None and isinstance(frame, f.KeyPackages):
            given.append(frame)
            frame = changed(frame, claimed=given[0].claimed)
        super().tell(wire, frame)

    def put_parcel(self, person: Person, parcel: bytes) -> None:
        """The server puts a parcel into a mailbox, past every check of a sender."""
        sender = next(p for p in self.people if p is not person and p.wire is not None)
        told = fanout_frame([person.keys.device])
        posting = f.Posting(self.chance.randbytes(16), [f.Parcel(told.id, parcel)])
        assert sender.wire is not None
        sender.wire.say(told, f.Send([posting]))


# --- Copies -------------------------------------------------------------------------------------


def use_copy(life: AttackedLife, person: Person) -> None:
    """A thief connects with a copy of the folder."""
    thief = Person(life, person.name, person.vault.copy(), person.keys)
    thief.connect(receives=False)
    life.settle()
    life.disconnect(thief)
    person.connect()


def change_hello(life: AttackedLife, person: Person) -> None:
    """The server shows a hello that the device has never signed."""
    _, hello = _hello(life, person)
    false = hello[:100] + bytes([hello[100] ^ 64]) + hello[101:]
    _put_hello(life, person, (person.number, false))
    person.connect()


def keep_hello(life: AttackedLife, person: Person) -> None:
    life.kept = [_hello(life, person)]


def set_back(life: AttackedLife, person: Person) -> None:
    """The server is an older one again."""
    _put_hello(life, person, life.kept[0])
    person.connect()


def _hello(life: AttackedLife, person: Person) -> tuple[int, bytes]:
    query = "SELECT number, hello FROM device_hello WHERE device = ?"
    (row,) = life.database.writing.execute(query, (person.number,)).fetchall()
    return row


def _put_hello(life: AttackedLife, person: Person, row: tuple[int, bytes]) -> None:
    query = "UPDATE device_hello SET number = ?, hello = ? WHERE device = ?"
    life.database.writing.execute(query, (*row, person.number))


def add_copy_again(life: AttackedLife, person: Person, member: Person) -> None:
    """A copy of the folder asks a member to be added again, and the device joins by its package."""
    nonce = life.chance.randbytes(16)
    copy = person.vault.copy()
    with unit_over(copy, person.keys, person.now_ms, life.chance.randbytes) as unit:
        (record,) = unit.records.conversations.named("group", "team")
        package, _ = key_packages.make_bound(unit, rejoining.bound_to(record.id, nonce))
    with member.unit() as unit:
        wish = notes.Wish(person.address, person.keys.device, nonce, package, member.now_ms)
        notes.change(unit, record.id, wishes=[wish])


# --- Insiders and the server --------------------------------------------------------------------


def withhold_text(life: AttackedLife, person: Person) -> None:
    """The device seals a text that the server does not deliver yet."""
    life.withheld.append(sealed(life, person, "team", "late"))


def deliver_withheld(life: AttackedLife, person: Person) -> None:
    for parcel in life.withheld:
        life.put_parcel(person, parcel)


def lead_away(life: AttackedLife, person: Person, victim: Person) -> None:
    """An insider's Commit without order takes a member to another branch, unless it was added."""
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        key = unit.envelope_key(unit.open(record.id))
    group, chance = forks.fork(person, "team"), life.chance.randbytes
    made = group.commit(random=chance, now=int(life.now), validate=forks.anybody)
    life.put_parcel(victim, key.seal(made.commit, chance))


def repeat_packages(life: AttackedLife, person: Person) -> None:
    """The server gives this device the same key packages again and again."""
    life.repeated[person] = []


ATTACKS: Final[dict[str, Callable[..., None]]] = {
    one.__name__: one
    for one in (
        use_copy,
        change_hello,
        keep_hello,
        set_back,
        add_copy_again,
        withhold_text,
        deliver_withheld,
        lead_away,
        repeat_packages,
    )
}
