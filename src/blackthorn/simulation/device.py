"""A simulated device: a vault, the running engine over it, and its wire while it is on line.

Restarted, it keeps its vault and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from random import Random
from typing import Protocol

from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import rejoining
from blackthorn.device.core import anchors, keys
from blackthorn.device.core.group_metadata import DIRECT, GROUP
from blackthorn.device.core.groups import Conversation
from blackthorn.device.core.unit_of_work import UnitOfWork, unit
from blackthorn.device.engine import Device
from blackthorn.device.healing import notes
from blackthorn.device.healing.states import State
from blackthorn.device.operations import change_group, create_group, send_text
from blackthorn.device.operations.operation import Outcome, outcome_of
from blackthorn.device.transparency import alarms
from blackthorn.identity.chain import VerifiedChain
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.ports.device_store import (
    AlarmRecord,
    ConversationRecord,
    HistoryRecord,
    Records,
    UndecryptableRecord,
)
from blackthorn.simulation import wires
from blackthorn.simulation.ledger import LedgerWorld
from blackthorn.simulation.memory import MemoryVault, memory_vault

MAX_LINES = 1_000_000

UNSETTLED = frozenset({State.UNCONFIRMED, State.SUSPECT, State.BEHIND, State.ASKING})
"""A conversation in one of these states is on its way back to the others' epoch."""


class Surroundings(wires.Wires):
    """What a device sees of its world."""

    chance: Random
    ledger: LedgerWorld
    people: "list[Person]"

    @property
    def now_ms(self) -> int:
        """The true time, in Unix milliseconds."""
        return int(self.now * 1000)

    def settle(self) -> None:
        """Move everything until nothing moves."""
        raise NotImplementedError

    def publish(self) -> None:
        """Let time pass until all that waits is in the ledger."""
        raise NotImplementedError

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds


class Wire(wires.Wire):
    """A connection on which what was sent arrives although the server has paused reading."""

    def __init__(self, world: Surroundings, device: wires.Endpoint) -> None:
        super().__init__(world, device, world.chance.randbytes(64))

    def pause_reading(self) -> None:
        """No-op: a transport may still deliver what it has buffered."""


class Companion(Protocol):
    """A command that shares the device's connection, such as `device add`."""

    def frames_for(self, frame: f.AnyFrame) -> list[f.AnyFrame]:
        """What it answers to a frame of the server."""

    def due(self) -> list[f.AnyFrame]:
        """What it has to send by itself."""


class Person:
    """One device of a user, with the user's name and address."""

    def __init__(
        self, world: Surroundings, name: str, vault: MemoryVault, own: keys.DeviceKeys
    ) -> None:
        self.world = world
        self.name = name
        self.address: Address = own.address
        self.keys = own
        self.vault = vault
        self.number = 0
        """Its number at the server, for the first device of a user."""
        self.ahead_ms = 0
        """How far this device's clock is ahead of the world's."""
        self.chance: Random = world.chance
        self.companion: Companion | None = None
        self.wire: wires.Wire | None = None
        self.receives = True
        self.restart()

    @classmethod
    def first(cls, world: Surroundings, number: int, name: str) -> "Person":
        """The first device of a new user, not yet enrolled."""
        chance = world.chance.randbytes
        address = Address(f"{name}@acme.example")
        own = keys.DeviceKeys(address, Secret(chance(32)), Secret(b""), b"", Secret(chance(32)))
        person = cls(world, name, memory_vault(), own)
        person.number = number
        with person.unit() as made:
            keys.save(made.records, own)
            keys.put_name(made.records.settings, name)
            settings, ledger = made.records.settings, world.ledger
            anchors.pin(settings, ledger.config.encode(), ledger.policy_text)
        return person

    @property
    def now_ms(self) -> int:
        """The time by this device's clock."""
        return self.world.now_ms + self.ahead_ms

    def unit(self) -> AbstractContextManager[UnitOfWork]:
        """A turn of its own over the vault."""
        return unit(self.vault, self.keys, self.now_ms, self.chance.randbytes)

    # --- Its process and its wire -----------------------------------------------------------

    def restart(self) -> None:
        """The device's process ends and begins again: what was not in the vault is gone."""
        if self.wire is not None:
            self.world.cut(self.wire)
        self.companion = None
        self.device = Device(self.vault, self.keys, random=self.chance.randbytes)

    def connect(self, receives: bool = True) -> wires.Wire:
        """Connect and say hello; the rest follows when the world moves."""
        if self.wire is not None:
            self.world.cut(self.wire)
        self.wire = Wire(self.world, self)
        self.receives = receives
        self.world.wires.append(self.wire)
        self.wire.say(self.device.hello(self.wire.binding, self.now_ms))
        return self.wire

    def hear(self, wire: wires.Wire, frame: f.AnyFrame) -> None:
        now_ms = self.now_ms
        if isinstance(frame, f.Ready):
            wire.say(*self.device.connected(frame, now_ms, receives=self.receives))
        elif not isinstance(frame, f.Bye):
            wire.say(*self.device.receive(frame, now_ms))
            if self.companion is not None:
                wire.say(*self.companion.frames_for(frame))

    def disconnected(self) -> None:
        self.device.disconnected()

    def tick(self) -> None:
        """Send whatever is due by the device's clock."""
        frames = self.device.tick(self.now_ms)
        if self.wire is None:
            return
        self.wire.say(*frames)
        if self.companion is not None and self.wire.open:
            self.wire.say(*self.companion.due())

    # --- Operations -------------------------------------------------------------------------

    def enqueue(self, make: Callable[[UnitOfWork], int]) -> int:
        """Store an operation and send it if the device is on line; its number."""
        number = self.device.enqueue(self.now_ms, make)
        self.tick()
        return number

    def write(self, to: "Person | Address", text: str) -> int:
        address = to.address if isinstance(to, Person) else to
        return self.enqueue(lambda t: send_text.enqueue(t, DIRECT, address, text))

    def write_group(self, name: str, text: str) -> int:
        return self.enqueue(lambda t: send_text.enqueue(t, GROUP, name, text))

    def create_group(self, name: str, *people: "Person | Address") -> int:
        members = addresses(people)
        return self.enqueue(lambda t: create_group.enqueue(t, name, members))

    def change_group(
        self, name: str, add: "Sequence[Person | Address]", remove: "Sequence[Person | Address]"
    ) -> int:
        adding, removing = addresses(add), addresses(remove)
        return self.enqueue(lambda t: change_group.enqueue(t, name, adding, removing))

    # --- What it shows ----------------------------------------------------------------------

    def look_up(self, *people: "Person") -> None:
        """Ask the ledger for these, or for the own user; the answers come when the world moves."""
        if people:
            self.device.directory.want([person.address for person in people])
        else:
            self.device.directory.own_changed()
        self.tick()

    def chain_of(self, person: "Person") -> VerifiedChain | None:
        """The chain of that person as this device has verified it, or None."""
        with self.unit() as made:
            return made.chains.of(person.address)

    def history(self) -> list[HistoryRecord]:
        with self.vault.transaction() as records:
            return records.history.latest(MAX_LINES)

    def received(self) -> list[str]:
        """The texts of others that this device shows."""
        return [
            line.text
            for line in self.history()
            if line.sort == "text" and line.standing == "received"
        ]

    def events(self) -> list[str]:
        return [line.text for line in self.history() if line.sort == "event"]

    def confirm_rejoins(self) -> None:
        """Say yes to the members of groups where texts have waited for a day after a rejoin."""
        with self.unit() as made:
            for known in made.records.healing.restless((State.FOLLOWING.value,)):
                healing, conversation = notes.of(made.records, known), made.open(known)
                waits = conversation.record.standing == State.UNCONFIRMED
                if waits and healing.told and healing.rejoin is not None:
                    rejoining.confirm(made, conversation)

    def open_alarms(self) -> list[AlarmRecord]:
        with self.vault.transaction() as records:
            return alarms.open_alarms(records)

    def alarms(self) -> list[str]:
        """The codes of the open alarms."""
        return [alarm.code for alarm in self.open_alarms()]

    def set_aside(self) -> list[UndecryptableRecord]:
        with self.vault.transaction() as records:
            return records.parcels.all_undecryptable()

    @property
    def outcomes(self) -> dict[int, Outcome]:
        """What became of operations, by number, and why others wait."""
        known = "SELECT number FROM outcome UNION SELECT number FROM outbox WHERE problem <> ''"
        rows = self.vault.connection.execute(known).fetchall()
        numbers = [int(str(number)) for (number,) in rows]
        with self.vault.transaction() as records:
            return {number: outcome_of(records, number) for number in numbers}

    def waiting(self) -> int:
        """Operations in the outbox."""
        with self.vault.transaction() as records:
            return len(records.outbox.all())

    def unsettled(self) -> bool:
        """Whether something waits for time: an operation, a parcel, or the way back to others."""
        with self.vault.transaction() as records:
            return bool(
                records.outbox.all()
                or records.parcels.all_undecryptable()
                or any(record.standing in UNSETTLED for record in records.conversations.all())
            )

    def last_operation(self) -> int:
        """The number of the newest operation in the outbox, 0 if it is empty."""
        with self.vault.transaction() as records:
            return max((row.number for row in records.outbox.all()), default=0)

    def gaps(self) -> int:
        with self.vault.transaction() as records:
            return records.peers.count_gaps()

    def conversations(self) -> list[ConversationRecord]:
        """All, with what is stored of each group, past epochs too, in one piece."""
        with self.vault.transaction() as records:
            return whole_conversations(records)


def whole_conversations(records: Records) -> list[ConversationRecord]:
    """All conversations, each with its group in one piece, as older vaults have it."""
    found = []
    for record in records.conversations.all():
        conversation = Conversation.read(records, record)
        for (epoch,) in records.groups.read(record.id, "epoch", ()):
            conversation.recall(records, epoch)
        found.append(replace(record, state=conversation.group.serialise()))
    return found


def addresses(people: Iterable[Person | Address]) -> list[Address]:
    return [person.address if isinstance(person, Person) else person for person in people]
