"""A server that lies: the real one, with its real keys, and one mutator switched on.

    lie        what the server says to chosen people is changed on its way
    mishear    what chosen people say is changed before the server acts on it
    fork       chosen people are shown a second ledger, made with the same keys
    force      a statement stands in a user's chain that nobody verified
    entry      the next epoch says of a user what his chain does not
    ghost      the server knows a device that no chain has, and hands out its key packages

Everybody else sees the honest server. All that the server was ever sent is kept, so that a trial
can look for what must not be in it.
"""

import copy
from collections.abc import Callable, Iterable

from blackthorn.device.conversations import key_packages
from blackthorn.directory.commitment import Value
from blackthorn.identity.statements import Reset, SignedStatement, Statement
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.key_packages import PublishKeyPackages
from blackthorn.ports.ledger import NewDevice, StoredStatement
from blackthorn.server.handlers.directory import DirectoryHandler
from blackthorn.server.handlers.dispatcher import LEDGER_FRAMES
from blackthorn.server.ledger.changes import kind_of
from blackthorn.server.ledger.epoch_builder import Waiting, WaitingUser
from blackthorn.server.ledger.lookups import Lookups
from blackthorn.simulation.device import Person, Wire
from blackthorn.simulation.memory import memory_database
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.stores.devices import insert_device
from tests.support.device_world import World
from tests.support.ledger_world import LedgerWorld

Told = f.AnyFrame | list[f.AnyFrame] | None
Mutator = Callable[[f.AnyFrame], Told]
"""What is said in place of a frame: another one, several, or nothing."""

MOST_STEPS = 4_000
"""Messages of one wire or another between two moments of rest."""


class Fork:
    """A second ledger with the same keys, from a copy of the database as it was at the fork."""

    def __init__(
        self, world: "EvilServer", witnesses: Iterable[int] | None = None, lies: bool = True
    ) -> None:
        self.world = world
        self.ledger: LedgerWorld = copy.copy(world.ledger)
        self.ledger.database = copied(world.database)
        self.ledger.seen, self.ledger.heard, self.ledger.changes = {}, [], []
        self.ledger.pushed = []
        self.ledger.now_ms = world.now_ms
        self.ledger.start()
        if lies:
            self.ledger.ledger._epochs._again = False  # it waits for nobody's word on the time
        lookups = Lookups(self.ledger.ledger, self.ledger.reader)
        self.desk = DirectoryHandler(self.ledger.ledger, lookups, world)
        self.witnesses = None if witnesses is None else list(witnesses)
        """Which ones sign this fork; None for all of them."""

    def step(self) -> bool:
        """One step of this ledger and the witnesses that obey."""
        self.ledger.now_ms = max(self.ledger.now_ms, self.world.now_ms)
        moved = self.ledger.writer.commit() > 0
        self.ledger.tick()
        if self.ledger.ledger.waiting is not None and self.witnesses != []:
            offered = self.ledger.ledger.waiting.note
            self.ledger.cosign(*(self.witnesses or ()))
            waiting = self.ledger.ledger.waiting
            moved = waiting is None or waiting.note != offered or moved
        return self.ledger.writer.commit() > 0 or moved


def _address(wire: Wire) -> Address:
    """Whose wire it is; empty for a device that is nobody's yet."""
    return getattr(wire.device, "address", Address(""))


class EvilServer(World):
    """See the module. `names` begin with whom the trial is about; two bystanders come last."""

    BYSTANDERS = ("yves", "zoe")

    def __init__(self, seed: int, *names: str, witnesses: int = 2, epoch_ms: int = 0) -> None:
        self.heard: list[bytes] = []
        """All that the server was ever sent, and by whom."""
        self.heard_of: list[tuple[Address, bytes]] = []
        self.told = 0
        """How many frames the mutator has changed."""
        self.forks: dict[Address, Fork] = {}
        self.ghosts: list[Person] = []
        self.canaries: list[str] = []
        self._steps = 0
        self._lies: dict[Address, Mutator] = {}
        self._misheard: dict[Address, Mutator] = {}
        self._entries: dict[str, Value] = {}
        super().__init__(seed, *names, *self.BYSTANDERS, witnesses=witnesses, epoch_ms=epoch_ms)

    def start(self) -> None:
        super().start()
        for kind in LEDGER_FRAMES:
            self.dispatcher._handlers[kind] = self._ledger_frame
        self.falsify(self._falsified)

    @property
    def bystanders(self) -> list[Person]:
        return self.people[-len(self.BYSTANDERS) :]

    def secret(self, about: str = "secret") -> str:
        """A text that no attacker may ever read."""
        text = f"canary {about} {self.chance.randbytes(8).hex()}"
        self.canaries.append(text)
        return text

    # --- What is said ---------------------------------------------------------------------

    def lie(self, victims: Person | Iterable[Person], mutate: Mutator) -> None:
        """Change what these are told from now on."""
        for victim in [victims] if isinstance(victims, Person) else victims:
            self._lies[victim.address] = mutate

    def mishear(self, victims: Person | Iterable[Person], mutate: Mutator) -> None:
        """Change what these have said before the server acts on it."""
        for victim in [victims] if isinstance(victims, Person) else victims:
            self._misheard[victim.address] = mutate

    def honest(self) -> None:
        """The server lies no more."""
        self._lies.clear()
        self._misheard.clear()

    def settle(self) -> None:
        self._steps = 0
        super().settle()

    def step_wire(self, wire: Wire, *, to_server: bool) -> bool:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise AssertionError(f"the world does not come to rest: {self.heard_of[-12:]}")
        if to_server:
            self._hear(wire)
        return super().step_wire(wire, to_server=to_server)

    def tell(self, wire: Wire, frame: f.AnyFrame) -> None:
        mutate = self._lies.get(_address(wire))
        for told in [frame] if mutate is None else self._changed(mutate, frame):
            super().tell(wire, told)

    def _hear(self, wire: Wire) -> None:
        if not (wire.to_server and wire.open):
            return
        self.heard.append(wire.to_server[0])
        self.heard_of.append((_address(wire), wire.to_server[0]))
        mutate = self._misheard.get(_address(wire))
        if mutate is not None:
            data = wire.to_server.popleft()
            changed = self._changed(mutate, f.decode(data))
            wire.to_server.extendleft(f.encode(each) for each in reversed(changed))

    def _changed(self, mutate: Mutator, frame: f.AnyFrame) -> list[f.AnyFrame]:
        """What is said instead; each frame fits its bounds, or the link would refuse it."""
        told = mutate(frame)
        frames = [] if told is None else told if isinstance(told, list) else [told]
        self.told += frames != [frame]
        return [f.decode(f.encode(each)) for each in frames]

    # --- Two ledgers ----------------------------------------------------------------------

    def fork(self, *victims: Person, witnesses: Iterable[int] | None = None) -> Fork:
        """Show these another ledger from now on, which begins where the true one stands."""
        made = Fork(self, witnesses)
        for victim in victims:
            self.forks[victim.address] = made
        return made

    def _ledger_frame(self, session, frame, now: float) -> None:
        fork = self.forks.get(session.device.address) if session.device else None
        (self.desk if fork is None else fork.desk).handle(session, frame, now)

    def _ledger_step(self) -> bool:
        moved = super()._ledger_step()
        for fork in {id(each): each for each in self.forks.values()}.values():
            moved = fork.step() or moved
            fork.desk.tick(self.now)
        return moved

    # --- False entries --------------------------------------------------------------------

    def force(self, signed: SignedStatement, flags: int = 0, fork: Fork | None = None) -> None:
        """Let the statement stand in its user's chain, whatever it is, and publish it."""
        ledger = self.ledger if fork is None else fork.ledger
        statement = signed.statement
        row = (statement.hash, kind_of(signed), flags, signed.encode())
        ledger.database.writing.execute(
            "INSERT INTO chain_statement (user, seq, head, kind, flags, statement)"
            " SELECT number, ?, ?, ?, ?, ? FROM users WHERE address = ?",
            (statement.seq, *row, statement.label),
        )
        ledger.ledger.chains.forget(Address(statement.label))
        ledger.ledger.wake()
        self.publish()

    def entry(self, person: Person, value: Value) -> None:
        """Publish an entry that says this of the person, whatever his chain says."""
        self._entries[person.address] = value
        self.ledger.ledger.wake()
        self.publish()
        assert not self._entries

    def falsify(self, change: Callable[[list[WaitingUser]], list[WaitingUser]]) -> None:
        """Change what the epochs are made of."""
        epochs = self.ledger.ledger._epochs
        gather = epochs._gather

        def gather_false(limit: int, done: Callable[[object], None]) -> None:
            def gathered(waiting: Waiting) -> None:
                done(Waiting(change(list(waiting.users)), waiting.records))

            gather(limit, gathered)

        epochs._gather = gather_false

    def _falsified(self, waiting: list[WaitingUser]) -> list[WaitingUser]:
        entries, self._entries = self._entries, {}
        for address, value in entries.items():
            label = self.ledger.store.label(Address(address))
            leaf = self.ledger.store.leaf(label.user, 2**40)
            row = StoredStatement(value.seq, value.head, "genesis", value.flags, b"")
            waiting = [*waiting, WaitingUser(label, leaf.version, (row,))]
        return waiting

    def statement(self, person: Person, body) -> Statement:
        """A draft behind the person's chain as it is stored."""
        return self.ledger.draft(person.address, body)

    def value_of(self, person: Person) -> Value:
        """What the newest entry says of the person."""
        label = self.ledger.store.label(person.address)
        leaf = self.ledger.store.leaf(label.user, 2**40)
        return Value(leaf.head, leaf.seq, leaf.flags)

    # --- Devices of the attacker ----------------------------------------------------------

    def _device_of(self, person: Person) -> Person:
        ghost = Person.first(self, 0, person.name)
        self.ghosts.append(ghost)
        return ghost

    def ghost(self, person: Person) -> Person:
        """A device in the person's name that the server made and takes for live."""
        ghost = self._device_of(person)
        user = self.database.reading.execute(
            "SELECT number FROM users WHERE address = ?", (person.address,)
        ).get
        new = NewDevice(ghost.keys.device, ghost.keys.identity_public, "ghost", Standing.LIVE)
        insert_device(self.database.writing, user, new, self.now_ms)
        ghost.number = self.database.writing.last_insert_rowid()
        self.enrolled(ghost)
        return ghost

    def enrolled(self, ghost: Person) -> None:
        """The server knows the device: it has its key packages, and connects."""
        with ghost.unit() as unit:
            packages, last = key_packages.make(unit, 8), key_packages.make_last_resort(unit)
        self.ledger.engine.execute(PublishKeyPackages(ghost.number, packages, last, 200))
        self.ledger.enterprise.forget(ghost.address)
        self.dispatcher._submission.forget_fanouts()

    def reset(self, person: Person) -> Person:
        """A device of the attacker asks for a reset, with a code or the enrolment key."""
        ghost = self._device_of(person)
        chain = self.ledger.stored(person.address)
        body = Reset(ghost.keys.info("ghost"))
        draft = Statement(person.address, chain.seq + 1, chain.head, body, self.now_ms)
        self.ledger.now_ms = self.now_ms
        ghost.number = self.ledger.activate(ghost.keys, "ghost", draft)
        self.enrolled(ghost)
        return ghost

    # --- Time -----------------------------------------------------------------------------

    def look(self, person: Person, *at: Person) -> None:
        """One check: the person's device looks these up."""
        person.look_up(*at)
        self.settle()

    def check(self, person: Person) -> None:
        """One check: the person connects, and looks at his own entry."""
        person.connect()
        self.settle()

    def leave(self, person: Person) -> None:
        """The person is off line until `come`."""
        self.away.add(person.address)
        if person.wire is not None:
            self.cut(person.wire)

    def come(self, person: Person) -> None:
        self.away.discard(person.address)
        self.check(person)


def copied(database: Database) -> Database:
    """The same database once more."""
    other = memory_database()
    with other.writing.backup("main", database.writing, "main") as backup:
        backup.step()
    return other


def changed(frame: f.AnyFrame, **fields) -> f.AnyFrame:
    """The frame with other fields."""
    values = {name: getattr(frame, name) for name in frame.__struct_fields__}
    return type(frame)(**(values | fields))
