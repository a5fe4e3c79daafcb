"""A server and real devices in memory, for scenarios: real hub, real ledger, real MLS, no time.

Nothing happens by itself: the test moves each message of each wire, commits the server's
writer, lets witnesses sign, cuts wires, restarts the server or a device. A device that is
restarted keeps its vault and nothing else. Both ends run `link.session`, so that a frame out of
place fails the scenario. Everybody's identity chain is in the ledger before the scenario begins.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import key_packages, limits
from blackthorn.device.core import anchors, keys
from blackthorn.device.core.group_metadata import DIRECT, GROUP
from blackthorn.device.core.unit_of_work import unit
from blackthorn.device.engine import Device
from blackthorn.device.operations import change_group, create_group, send_text
from blackthorn.device.operations.operation import Outcome, outcome_of
from blackthorn.device.transparency import alarms
from blackthorn.identity.chain import first_statement
from blackthorn.identity.statements import Genesis
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.ports.key_packages import PublishKeyPackages
from blackthorn.ports.parcels import FirstSeq, WaitingParcels
from blackthorn.server.accounts.recovery import RecoveryService
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.directory import DirectoryHandler
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.handlers.pairing import PairingHandler
from blackthorn.server.handlers.recovery import RecoveryHandler
from blackthorn.server.ledger.lookups import Lookups
from tests.support import wires
from tests.support.databases import memory_vault
from tests.support.ledger_world import LedgerWorld
from tests.support.wires import Wires


class Wire(wires.Wire):
    """A connection on which what was sent arrives although the server has paused reading."""

    def __init__(self, world: "World", device: Any) -> None:
        super().__init__(world, device, world.chance.randbytes(64))

    def pause_reading(self) -> None:
        """No-op: a transport may still deliver what it has buffered."""


class Person:
    """One user's device: its vault, the running `Device` over it, and its wire if on line."""

    ahead_ms = 0
    """How far this device's clock is ahead of the world's."""

    @property
    def now_ms(self) -> int:
        """The time by this device's clock."""
        return self.world.now_ms + self.ahead_ms

    def __init__(self, world: "World", number: int, name: str) -> None:
        self.world = world
        self.number = number
        self.name = name
        self.address = Address(f"{name}@acme.example")
        chance = world.chance.randbytes
        self.keys = keys.DeviceKeys(
            self.address, Secret(chance(32)), Secret(b""), b"", Secret(chance(32))
        )
        self.vault = memory_vault()
        self.wire: Wire | None = None
        with self.unit() as first:
            keys.save(first.records, self.keys)
            keys.put_name(first.records.settings, name)
            anchors.pin(
                first.records.settings, world.ledger.config.encode(), world.ledger.policy_text
            )
        self.restart()

    def unit(self):
        """A turn of its own over the vault."""
        return unit(self.vault, self.keys, self.now_ms, self.world.chance.randbytes)

    def restart(self) -> None:
        """The device's process ends and begins again: what was not in the vault is gone."""
        if self.wire is not None:
            self.world.cut(self.wire)
        self.device = Device(self.vault, self.keys, random=self.world.chance.randbytes)

    def connect(self, receives: bool = True) -> Wire:
        """Connect and say hello; the rest follows when the world moves."""
        if self.wire is not None:
            self.world.cut(self.wire)
        self.wire = Wire(self.world, self)
        self.receives = receives
        self.world.wires.append(self.wire)
        self.wire.say(sign_hello(self.keys.identity, self.wire.binding))
        return self.wire

    def hear(self, wire: Wire, frame: f.AnyFrame) -> None:
        now_ms = self.now_ms
        if isinstance(frame, f.Ready):
            wire.say(*self.device.connected(frame, now_ms, receives=self.receives))
        elif not isinstance(frame, f.Bye):
            wire.say(*self.device.receive(frame, now_ms))

    def disconnected(self) -> None:
        self.device.disconnected()

    def tick(self) -> None:
        frames = self.device.tick(self.now_ms)
        if self.wire is not None:
            self.wire.say(*frames)

    # --- Wishes ---------------------------------------------------------------------------

    def _wish(self, make: Callable) -> int:
        number = self.device.enqueue(self.now_ms, make)
        self.tick()
        return number

    def write(self, to: "Person", text: str) -> int:
        return self._wish(lambda t: send_text.enqueue(t, DIRECT, to.address, text))

    def write_group(self, name: str, text: str) -> int:
        return self._wish(lambda t: send_text.enqueue(t, GROUP, name, text))

    def create_group(self, name: str, *people: "Person") -> int:
        members = [person.address for person in people]
        return self._wish(lambda t: create_group.enqueue(t, name, members))

    def change_group(self, name: str, add: list["Person"], remove: list["Person"]) -> int:
        adding, removing = [p.address for p in add], [p.address for p in remove]
        return self._wish(lambda t: change_group.enqueue(t, name, adding, removing))

    # --- Looking --------------------------------------------------------------------------

    def look_up(self, *people: "Person") -> None:
        """Ask the ledger for these, or for the own user; the answers come when the world moves."""
        if people:
            self.device.directory.want([each.address for each in people])
        else:
            self.device.directory.own_changed()
        self.tick()

    def chain_of(self, person: "Person"):
        """The chain of that person as this device has verified it, or None."""
        with self.unit() as made:
            return made.chains.of(person.address)

    def history(self):
        with self.vault.transaction() as records:
            return records.history.latest(100_000)

    def received(self) -> list[str]:
        """The texts of others that this device shows."""
        lines = self.history()
        return [each.text for each in lines if each.sort == "text" and each.standing == "received"]

    def events(self) -> list[str]:
        return [each.text for each in self.history() if each.sort == "event"]

    def open_alarms(self):
        """The open alarms."""
        with self.vault.transaction() as records:
            return alarms.open_alarms(records)

    def alarms(self) -> list[str]:
        """The codes of the open alarms."""
        return [each.code for each in self.open_alarms()]

    def set_aside(self):
        with self.vault.transaction() as records:
            return records.parcels.all_undecryptable()

    @property
    def outcomes(self) -> dict[int, Outcome]:
        """What became of operations, by number, and why others wait."""
        known = "SELECT number FROM outcome UNION SELECT number FROM outbox WHERE problem <> ''"
        numbers = [number for (number,) in self.vault._connection.execute(known).fetchall()]
        with self.vault.transaction() as records:
            return {number: outcome_of(records, number) for number in numbers}

    def waiting(self) -> int:
        with self.vault.transaction() as records:
            return len(records.outbox.all())

    def gaps(self) -> int:
        with self.vault.transaction() as records:
            return records.peers.count_gaps()

    def conversations(self):
        with self.vault.transaction() as records:
            return records.conversations.all()


class World(Wires):
    """The server, its ledger and database, the people and all wires.

    `witnesses` of them cosign each epoch; `epoch_ms` is the delay after the first change.
    """

    def __init__(self, seed: int, *names: str, witnesses: int = 2, epoch_ms: int = 0) -> None:
        self.ledger = LedgerWorld(seed, witnesses, epoch_ms)
        self.chance = random.Random(seed + 2**32)  # else devices would draw the keys of the ledger
        self.now = self.began = self.ledger.now_ms / 1000
        self.database = self.ledger.database
        self.wires: list[Wire] = []
        self.away: set[Address] = set()
        """The users who stay off line when others connect."""
        self.cosigning = True
        """Whether the witnesses sign what they are offered."""
        self.people = [Person(self, number, name) for number, name in enumerate(names, 1)]
        for person in self.people:
            self._enrol(person)
        self.start()
        self.publish()
        for person in self.people:
            person.connect()
        self.settle()

    @property
    def now_ms(self) -> int:
        return int(self.now * 1000)

    def wall_ms(self) -> int:
        """With `monotonic`: the world is the `ports.clock.Clock` of its server."""
        return self.now_ms

    def monotonic(self) -> float:
        return self.now

    @property
    def writer(self):
        return self.ledger.writer

    def _enrol(self, person: Person) -> None:
        """A user whose first device was activated: his chain waits for the next epoch."""
        with person.unit() as first:
            packages = key_packages.make(first, limits.KEY_PACKAGE_STOCK_LOW + 10)
            last = key_packages.make_last_resort(first)
            first.records.settings.put(key_packages.NEWEST_SET, self.now_ms.to_bytes(8, "big"))
        genesis = Genesis(person.keys.info(person.name))
        draft = first_statement(self.ledger.add_user(person.name), genesis, self.now_ms)
        person.number = self.ledger.activate(person.keys, person.name, draft)
        today = int(self.now // 86_400)
        self.ledger.engine.execute(
            PublishKeyPackages(person.number, packages, last, 200, today + 26, today + 396)
        )

    def start(self) -> None:
        """Start the server over what is on its disk; the ledger's part has been started."""
        counters = Counters()
        self.desk = DirectoryHandler(
            self.ledger.ledger, Lookups(self.ledger.ledger, self.ledger.reader), self
        )
        self.dispatcher = Dispatcher(
            enterprise=self.ledger.cache,
            writer=self.writer,
            reader=self.ledger.reader,
            next_seq=self.ledger.engine.read(FirstSeq()),
            counters=counters,
            ledger=self.desk,
            pairing=PairingHandler(),
            recovery=RecoveryHandler(RecoveryService(self.ledger.ledger, self)),
        )
        self.dispatcher.start_day(int(self.now // 86_400))

    def crash(self, *, committed: bool) -> None:
        """The server dies; with `committed` just after a commit that nobody was told of."""
        if committed:
            self.writer.commit(told=False)
        for wire in list(self.wires):
            self.cut(wire, tell=False)
        self.ledger.now_ms = self.now_ms
        self.ledger.crash()
        self.start()

    def publish(self) -> None:
        """Let time pass until all that waits is in the ledger."""
        self.later(self.ledger.config.epoch_ms / 1000 + 1)
        for _ in range(8):
            self._ledger_step()

    def _ledger_step(self) -> bool:
        """One step of the ledger and its witnesses; whether anything moved."""
        self.ledger.now_ms = max(self.ledger.now_ms, self.now_ms)
        moved = self.writer.commit() > 0
        self.ledger.tick()
        if self.cosigning and self.ledger.ledger.waiting is not None:
            offered = self.ledger.ledger.waiting.note
            self.ledger.cosign()
            waiting = self.ledger.ledger.waiting
            moved = waiting is None or waiting.note != offered
        moved = self.writer.commit() > 0 or moved
        heard, self.ledger.heard = self.ledger.heard, []
        for address, frame in heard:
            self.dispatcher.notify_user(address, frame)
        changes, self.ledger.changes = self.ledger.changes, []
        for change in changes:
            self.dispatcher.user_changed(change)
        return moved or bool(heard or changes)

    # --- Steps ----------------------------------------------------------------------------

    def settle(self) -> None:
        """Move everything until nothing moves."""
        moved = True
        while moved:
            moved = self.run_wires()
            self.dispatcher.tick(self.now)
            moved = self._ledger_step() or moved
            if not moved:
                for person in self.people:
                    if person.wire is not None:
                        person.tick()
                moved = any(wire.to_server for wire in self.wires)

    def introduce(self, person: Person) -> None:
        """The person's device has looked up everybody."""
        person.look_up(*self.people)
        self.settle()

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    def wake(self, seconds: float, times: int = 1) -> None:
        """Time passes, of which nobody was on line; then everybody connects who is not away."""
        for _ in range(times):
            self.later(seconds)
            for _ in range(3):
                self._ledger_step()
            for person in self.people:
                if person.address not in self.away:
                    person.connect()
            self.settle()

    def reconnect_all(self) -> None:
        """Everybody connects anew, twice, with time between, until all is quiet."""
        for _ in range(2):
            for person in self.people:
                person.connect()
            self.settle()
            self.later(60)
            self.settle()

    def stored(self, person: Person) -> list[bytes]:
        """The sealed parcels on the server's disk for the person, oldest first."""
        waiting = self.ledger.engine.read(WaitingParcels(person.number, 0, True, 10_000, 2**40))
        return [parcel.sealed for parcel in waiting]

    def put_parcel(self, person: Person, sealed: bytes) -> None:
        """Somebody gets a parcel into the person's mailbox, past every check of a sender."""
        sender = next(each for each in self.people if each is not person)
        assert sender.wire is not None
        devices = [person.keys.device]
        told = fanout_frame(devices)
        posting = f.Posting(self.chance.randbytes(16), [f.Parcel(told.id, sealed)])
        sender.wire.say(told, f.Send([posting]))

    # --- Invariants -----------------------------------------------------------------------

    def check_received(self, person: Person, expected: list[str]) -> None:
        """The person was shown exactly these texts, each once."""
        assert Counter(person.received()) == Counter(expected)
