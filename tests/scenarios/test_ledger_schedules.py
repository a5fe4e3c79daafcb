"""Seeded schedules over the whole ledger: people change their devices, resets come and are
cancelled, witnesses fall silent, wires break, the disk fills, the server dies.

Whatever happens: no two trees of one size are ever shown, the log always replays, each device
can verify all that it is told and never sees a version fall, whatever was called stored is in
the published chain in the end (but a cancel that came too late), and the rows of devices are
those of the published chains.
"""

import pytest

from blackthorn.directory.verify import Present
from blackthorn.errors import InputError, StorageError, VerificationError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.statements import (
    AddDevice,
    Body,
    Cancel,
    RevokeDevice,
    Rotate,
    SetRecovery,
    make,
)
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.ports.enterprise import Standing
from blackthorn.server.ledger.changes import KIND_NAMES
from tests.support import runs
from tests.support.ledger_link import Device, LedgerHub, Promise
from tests.support.ledger_world import Model, certified
from tests.support.link_world import Wire

SEED = runs.seed()
SCHEDULES = runs.many(12)
STEPS = 220
DELAY_MS = 120_000
USERS = ("alice", "bob", "carol")


class Person(Device):
    """A device that submits and asks without waiting for the answers."""

    def __init__(self, life: "Life", model: Model, address: Address) -> None:
        super().__init__(life.world, model, address)
        self.life = life
        self.submitted: dict[int, tuple[Promise, bytes, bytes]] = {}
        self.asked: int | None = None

    def hear(self, wire: Wire, frame: f.AnyFrame) -> None:
        super().hear(wire, frame)
        match frame:
            case f.StatementStored(request, refusal):
                known = self.submitted.pop(request, None)
                if known is not None and not refusal:
                    self.life.promised.append(known[0])
                self.life.answers.append(refusal)
            case f.LookedUp(request) if request == self.asked:
                self.asked = None
                for address, seen in self.verify(frame).items():
                    self.life.saw(self, address, seen.found)

    def come(self) -> None:
        """Connect; what was not answered is asked and submitted once more."""
        self.asked = None
        self.connect()
        for request, (_, data, certificate) in self.submitted.items():
            self.wire.say(f.SubmitStatement(request, data, certificate))

    def submit_later(self, body: Body, data: bytes, certificate: bytes) -> None:
        statement = make_draft(self.life, self.address, body)
        promise = Promise(self.address, statement.seq, statement.hash, isinstance(body, Cancel))
        request = self.request()
        self.submitted[request] = (promise, data, certificate)
        if self.wire is not None:
            self.wire.say(f.SubmitStatement(request, data, certificate))


def make_draft(life: "Life", address: Address, body: Body):
    return life.world.draft(address, body)


class Life:
    """One random life of an enterprise with a few people."""

    def __init__(self, seed: int, witnesses: int, late: bool = False) -> None:
        self.late = late
        self.world = LedgerHub(seed, witnesses, reset_delay_ms=DELAY_MS)
        self.chance = self.world.chance
        self.people: dict[bytes, Person] = {}
        self.addresses: list[Address] = []
        self.promised: list[Promise] = []
        self.answers: list[str] = []
        self.kinds: set[str] = set()
        self.versions: dict[tuple[bytes, str], int] = {}

    def run(self) -> None:
        actions = {
            self.deliver: 60,
            self.commit: 25,
            self.tick: 30,
            self.cosign: 20,
            self.statement: 14,
            self.ask: 10,
            self.connect: 14,
            self.cut: 3,
            self.enrol: 3,
            self.reset: 2,
            self.crash: 3,
            self.disk: 1,
            self.read_late: 8 if self.late else 0,
        }
        for _ in range(STEPS):
            self.chance.choices(list(actions), list(actions.values()))[0]()
            self.world.note_seen()
            if self.chance.random() < 0.03:
                self.world.audit()
        self.calm()

    # --- What can happen ------------------------------------------------------------------

    def deliver(self) -> None:
        for _ in range(6):
            if self.world.wires:
                wire = self.chance.choice(self.world.wires)
                self.world.step_wire(wire, to_server=self.chance.random() < 0.5)

    def commit(self) -> None:
        self.world.writer.commit()

    def tick(self) -> None:
        self.world.tick(self.chance.choice([0, 500, 3_000, 3_000, 11_000, 40_000]))
        self.world.dispatcher.tick(self.world.now)

    def cosign(self) -> None:
        if self.world.witnesses:
            self.world.cosign(self.chance.randrange(len(self.world.witnesses)))

    def enrol(self) -> None:
        if len(self.addresses) < len(USERS):
            address = self.world.add_user(USERS[len(self.addresses)])
            self.addresses.append(address)
            self.world.begin(address, self.person(address).model)

    def person(self, address: Address) -> Person:
        person = Person(self, self.world.model(), address)
        self.people[person.id] = person
        return person

    def reset(self) -> None:
        address = self.somebody()
        if address is None:
            return
        device = self.person(address)
        try:
            self.world.reset(address, device.model)
        except (InputError, VerificationError, StorageError) as error:
            expected = ("[I34]", "I37", "try again in a minute")
            assert any(each in str(error) for each in expected), error

    def somebody(self) -> Address | None:
        """A user with a chain."""
        known = [each for each in self.addresses if self.world.store.statements(each, 0)]
        return self.chance.choice(known) if known else None

    def statement(self) -> None:
        address = self.somebody()
        if address is None:
            return
        try:
            chain = self.world.stored(address)
        except StorageError as error:
            assert "I37" in str(error), "a cancel waits that has come too late"
            return
        live = [self.people[each.id] for each in chain.devices if each.id in self.people]
        signer = self.chance.choice(live)
        body, others, certificate = self.body(chain, signer)
        signers = [signer.model, *others]
        draft = self.world.draft(address, body)
        data = make(draft, [(each.id, each.keys) for each in signers]).encode()
        signer.submit_later(body, data, certificate)
        self.kinds.add(KIND_NAMES[type(body)])

    def body(self, chain: VerifiedChain, signer: Person) -> tuple[Body, list[Model], bytes]:
        """Something that the person may wish now."""
        if chain.pending is not None:
            return Cancel(chain.pending.seq), [], b""
        enqueue = self.chance.random()
        others = [each for each in chain.devices if each.id != signer.id]
        if enqueue < 0.4 and len(chain.devices) < 4:
            new = self.person(signer.address)
            return AddDevice(new.model.info), [new.model], b""
        if enqueue < 0.6 and others:
            return RevokeDevice(self.chance.choice(others).id, "lost", chain.seq), [], b""
        if enqueue < 0.7:
            new = self.person(signer.address)
            return Rotate(new.model.info, signer.id), [new.model], b""
        if enqueue < 0.85:
            certificate, body = certified(signer.address, self.chance.randrange(2))
            return body, [], certificate
        return SetRecovery(None), [], b""

    def on_line(self) -> list[Person]:
        return [each for each in self.people.values() if each.wire is not None]

    def ask(self) -> None:
        people = [each for each in self.on_line() if each.asked is None]
        if people:
            person = self.chance.choice(people)
            person.asked = person.request()
            names = [*self.addresses, "nobody@acme.example"]
            person.wire.say(f.LookUp(person.asked, names, person.have))

    def connect(self) -> None:
        known = [
            each
            for each in self.people.values()
            if each.wire is None and self.world.enterprise.device(each.id) is not None
        ]
        if known and self.world.ledger.published is not None:
            self.world.reader.release()
            self.chance.choice(known).come()

    def cut(self) -> None:
        if self.world.wires:
            self.world.cut(self.chance.choice(self.world.wires))

    def crash(self) -> None:
        self.world.writer.fail(None)
        self.world.crash(committed=self.chance.random() < 0.5, told=self.chance.random() < 0.5)

    def read_late(self) -> None:
        """The store answers late from now on, or gives all the answers that are due."""
        if self.chance.random() < 0.5:
            self.world.reader.hold()
        else:
            self.world.reader.release()

    def disk(self) -> None:
        full = StorageError("the disk is full")
        self.world.writer.fail(full if self.chance.random() < 0.4 else None)

    # --- What must hold -------------------------------------------------------------------

    def saw(self, person: Person, address: str, found: object) -> None:
        if isinstance(found, Present):
            key = (person.id, address)
            assert found.version >= self.versions.get(key, 0), "a version fell"
            self.versions[key] = found.version

    def calm(self) -> None:
        """Everything comes to rest; then whoever is left verifies everything."""
        world = self.world
        world.reader.release()
        world.writer.fail(None)
        world.writer.commit()
        for _ in range(3):
            for person in list(self.people.values()):
                if world.enterprise.device(person.id) is not None:
                    person.come()
                    world.run()
            world.settle(11_000)
            world.run()
        world.settle(DELAY_MS)
        world.settle()
        world.audit()
        for address in self.addresses:
            self.check(address)

    def check(self, address: Address) -> None:
        chain = self.world.published_chain(address)
        rows = self.world.rows(address)
        live = {each.id for each in chain.devices} if chain is not None else set()
        assert {each for each, stands in rows.items() if stands is Standing.LIVE} == live
        assert set(rows) == live, "no reset waits any more"
        for promise in self.promised:
            if promise.address != address:
                continue
            kept = promise.seq <= chain.seq and chain.hash_of(promise.seq) == promise.head
            assert kept or promise.cancel, "what was called stored is lost"
        person = next((each for each in self.people.values() if each.id in live), None)
        if person is not None and chain is not None:
            person.connect()
            for other in self.addresses:
                person.chain_of(other)


@pytest.mark.parametrize("number", range(SCHEDULES))
def test_a_random_life(number: int) -> None:
    seed = SEED + number
    life = Life(seed, witnesses=number % 3)
    life.run()


@pytest.mark.parametrize("number", range(6))
def test_a_random_life_in_which_the_store_answers_late(number: int) -> None:
    Life(SEED + 100 + number, witnesses=number % 3, late=True).run()


def test_the_schedules_reach_what_they_are_for() -> None:
    """A fixed handful of lives in which everything happens."""
    kinds: set[str] = set()
    stored = 0
    for seed in range(8):
        life = Life(seed, witnesses=seed % 3)
        life.run()
        kinds |= life.kinds
        stored += len(life.promised)
    assert kinds == {
        "add_device",
        "revoke_device",
        "rotate",
        "set_openpgp",
        "set_recovery",
        "cancel",
    }
    assert stored > 30
