"""A server and real devices in memory: real dispatcher, real ledger, real MLS, no time.

Nothing happens by itself: the caller moves each message of each wire, commits the server's writer,
lets witnesses sign, cuts wires, restarts the server or a device. Both ends run `link.session`, so
that a frame out of place fails. Everybody's identity chain is in the ledger before the world
begins.
"""

import random

from blackthorn.device.conversations import key_packages, limits
from blackthorn.identity.chain import first_statement
from blackthorn.identity.statements import Genesis
from blackthorn.ids import Address
from blackthorn.ports.key_packages import PublishKeyPackages
from blackthorn.server.accounts.recovery import RecoveryService
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.directory import DirectoryHandler
from blackthorn.server.handlers.dispatcher import Dispatcher, FrameHandler
from blackthorn.server.handlers.pairing import PairingHandler
from blackthorn.server.handlers.recovery import RecoveryHandler
from blackthorn.server.ledger.lookups import Lookups
from blackthorn.simulation.device import Person, Surroundings
from blackthorn.simulation.ledger import LedgerWorld
from blackthorn.simulation.stepped import SteppedWriter
from blackthorn.simulation.wires import Wire

DAY_SECONDS = 86_400


class World(Surroundings):
    """The server, its ledger and database, the people and all wires.

    `witnesses` of them cosign each epoch; `epoch_ms` is the delay after the first change.
    """

    def __init__(self, seed: int, *names: str, witnesses: int = 2, epoch_ms: int = 0) -> None:
        self.ledger = self.make_ledger(seed, witnesses, epoch_ms)
        # Not the ledger's, else devices would draw its keys.
        self.chance = random.Random(seed + 2**32)  # noqa: S311
        self.now = self.began = self.ledger.now_ms / 1000
        self.database = self.ledger.database
        self.wires: list[Wire] = []
        self.cosigning = True
        """Whether the witnesses sign what they are offered."""
        self.people = [Person.first(self, number, name) for number, name in enumerate(names, 1)]
        for person in self.people:
            self._enrol(person)
        self.start()
        self.publish()
        for person in self.people:
            person.connect()
        self.settle()

    def make_ledger(self, seed: int, witnesses: int, epoch_ms: int) -> LedgerWorld:
        return LedgerWorld(seed, witnesses, epoch_ms)

    def wall_ms(self) -> int:
        """With `monotonic`: the world is the `ports.clock.Clock` of its server."""
        return self.now_ms

    def monotonic(self) -> float:
        return self.now

    @property
    def writer(self) -> SteppedWriter:
        return self.ledger.writer

    def _enrol(self, person: Person) -> None:
        """A user whose first device was activated: their chain waits for the next epoch."""
        with person.unit() as first:
            packages = key_packages.make(first, limits.KEY_PACKAGE_STOCK_LOW + 10)
            last = key_packages.make_last_resort(first)
            first.records.settings.put(key_packages.NEWEST_SET, self.now_ms.to_bytes(8, "big"))
        genesis = Genesis(person.keys.info(person.name))
        draft = first_statement(self.ledger.add_user(person.name), genesis, self.now_ms)
        person.number = self.ledger.activate(person.keys, person.name, draft)
        today = int(self.now // DAY_SECONDS)
        self.ledger.engine.execute(
            PublishKeyPackages(person.number, packages, last, 200, today + 26, today + 396)
        )

    # --- The server -------------------------------------------------------------------------

    def start(self) -> None:
        """Start the server over what is on its disk; the ledger's part has been started."""
        counters = Counters()
        self.desk = DirectoryHandler(
            self.ledger.ledger, Lookups(self.ledger.ledger, self.ledger.reader), self
        )
        mailbox, submission = self.mail_handlers(counters)
        self.dispatcher = Dispatcher(
            enterprise=self.ledger.cache,
            writer=self.writer,
            reader=self.ledger.reader,
            counters=counters,
            ledger=self.desk,
            pairing=PairingHandler(),
            recovery=RecoveryHandler(RecoveryService(self.ledger.ledger, self)),
            mail_service=mailbox,
            submission=submission,
        )
        self.dispatcher.start_day(int(self.now // DAY_SECONDS))

    def mail_handlers(self, counters: Counters) -> tuple[FrameHandler | None, FrameHandler | None]:
        """The handlers of mailboxes and of submitted mail; here there is no mail."""
        return None, None

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
        self.ledger.now_ms = max(self.ledger.now_ms, self.wall_ms())
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
        epochs, self.ledger.pushed = self.ledger.pushed, []
        for epoch in epochs:
            self.dispatcher.push(epoch)
        changes, self.ledger.changes = self.ledger.changes, []
        for change in changes:
            self.dispatcher.user_changed(change)
        return moved or bool(heard or epochs or changes)

    # --- Time and steps ---------------------------------------------------------------------

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
                moved = any(wire.to_server or wire.to_device for wire in self.wires)

    def person(self, name: str) -> Person | None:
        """The first device of that name."""
        return next((person for person in self.people if person.name == name), None)

    def user(self, name: str) -> Address:
        return Address(f"{name}@acme.example")
