"""Several devices of one user in the world of scenarios: pairing, revoking, restarting.

A `Newcomer` is a device that is not yet anybody's, with a wire of its own to the server. Once it
is paired it goes on as a `Person` over the vault that the pairing has filled.
"""

from blackthorn.device.account import recovery as recovering
from blackthorn.device.account.pairing import Stage
from blackthorn.device.account.pairing_live import LivePairing
from blackthorn.device.account.pairing_new import NewPairing
from blackthorn.device.account.recovery import RecoveryAttempt
from blackthorn.device.core import anchors, keys
from blackthorn.device.operations import change_chain
from blackthorn.errors import SecurityError
from blackthorn.identity.chain import next_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.recovery import from_words, new_seed, recovery_keys, to_words
from blackthorn.identity.statements import Reset, SetRecovery
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.activation.code import Code, new_code
from blackthorn.storage.device.vault import Vault
from tests.support.databases import memory_vault
from tests.support.device_world import Person, Wire, World

SERVER = Fingerprint(b"\x11" * 32)


class OtherDevice(Person):
    """Another device of a user, over a vault that exists."""

    def __init__(self, world: World, name: str, vault: Vault, own: keys.DeviceKeys) -> None:
        self.world = world
        self.number = 0
        self.name = name
        self.address = own.address
        self.keys = own
        self.vault = vault
        self.wire = None
        self.receives = True
        self.restart()


class Newcomer:
    """A device that joins a pairing."""

    def __init__(self, world: World, name: str, fingerprint: Fingerprint = SERVER) -> None:
        self.world = world
        self.name = name
        self.fingerprint = fingerprint
        self.vault = memory_vault()
        self.signing = SigningKeys.generate(world.chance.randbytes)
        self.pairing: NewPairing | None = None
        self.wire: Wire | None = None
        self.said: list[f.AnyFrame] = []
        self.bye: f.Bye | None = None

    def disconnected(self) -> None:
        pass

    def tick(self) -> None:
        pass

    def join(self, code: Code) -> NewPairing:
        """Connect and join; the rest follows when the world moves."""
        self.pairing = NewPairing(self.signing, self.name, self._keep, self.world.chance.randbytes)
        self.wire = Wire(self.world, self)
        self.world.wires.append(self.wire)
        self.wire.say(*self.pairing.join(code, self.fingerprint))
        return self.pairing

    def _keep(self, address):
        with self.vault.transaction() as records:
            keys.belongs_to(records.settings, address)
            keys.save(records, keys.of(self.signing, address))
            keys.put_name(records.settings, self.name)
        return self.vault

    def hear(self, wire: Wire, frame: f.AnyFrame) -> None:
        if isinstance(frame, f.Bye):
            self.bye = frame
            return
        assert self.pairing is not None
        self.say(self.pairing.receive(frame, self.world.now_ms))

    def say(self, frames: list[f.AnyFrame]) -> None:
        self.said += frames
        if self.wire is not None and self.wire.open:
            self.wire.say(*frames)

    def crash(self) -> None:
        """Its process ends; the vault stays."""
        if self.wire is not None:
            self.world.cut(self.wire)
        self.wire, self.pairing = None, None

    def person(self) -> OtherDevice:
        """It is one of its user's devices now."""
        with self.vault.transaction() as records:
            own = keys.load(records)
        assert own is not None
        device = OtherDevice(self.world, self.name, self.vault, own)
        self.world.people.append(device)
        device.connect()
        return device


class Host:
    """A live device that adds another one: what `blackthorn device add` is beside a `Person`."""

    def __init__(self, person: Person, code: Code | None = None) -> None:
        self.person = person
        self.world = person.world
        chance = self.world.chance.randbytes
        self.code = code or new_code(chance)
        self.pairing = LivePairing(person.device, self.code, SERVER, chance)
        hear, tick = type(person).hear, type(person).tick

        def both(wire: Wire, frame: f.AnyFrame) -> None:
            hear(person, wire, frame)
            if not isinstance(frame, f.Bye):
                wire.say(*self.pairing.receive(frame, self.world.now_ms))

        def ticking() -> None:
            tick(person)
            if person.wire is not None and person.wire.open:
                person.wire.say(*self.pairing.advance(self.world.now_ms))

        person.hear = both  # type: ignore[method-assign]
        person.tick = ticking  # type: ignore[method-assign]
        with person.vault.transaction() as records:
            records.settings.put("domain", b"acme.example")
            records.settings.put("user-pin", b"2100CAFE")
        assert person.wire is not None
        person.wire.say(*self.pairing.open())

    def type_digits(self, digits: str) -> None:
        assert self.person.wire is not None
        self.person.wire.say(*self.pairing.type_digits(digits, self.world.now_ms))
        self.person.tick()

    def leave(self) -> None:
        """The command has ended."""
        self.person.__dict__.pop("hear", None)
        self.person.__dict__.pop("tick", None)


def pair(person: Person, name: str = "tablet") -> tuple[Host, Newcomer]:
    """A whole pairing, from the code to the last batch."""
    world = person.world
    host, newcomer = Host(person), Newcomer(world, name)
    world.settle()
    compare(host, newcomer)
    world.settle()
    assert host.pairing.failure is None and host.pairing.stage is Stage.DONE, host.pairing.stage
    assert newcomer.pairing is not None and newcomer.pairing.stage is Stage.DONE
    host.leave()
    return host, newcomer


def compare(host: Host, newcomer: Newcomer) -> None:
    """Join, and let two people compare the digits honestly."""
    joined = newcomer.join(host.code)
    host.world.settle()
    assert joined.digits == host.pairing.digits != ""
    host.type_digits(joined.digits)
    newcomer.say(joined.confirm())


def add_device(person: Person, name: str = "tablet") -> OtherDevice:
    """Another device of the same user, in all of his conversations."""
    _, newcomer = pair(person, name)
    person.world.publish()
    other = newcomer.person()
    bring_up(person.world)
    return other


def bring_up(world: World) -> None:
    """Let time pass until everything that follows from the chains has come about."""
    for _ in range(4):
        world.publish()
        world.settle()
        world.later(31)
        on_line(world)  # some were cut for their silence
        world.settle()


def step(world: World) -> bool:
    """One step of anything; False when nothing moves."""
    for wire in list(world.wires):
        for to_server in (True, False):
            if wire in world.wires and world.step_wire(wire, to_server=to_server):
                return True
    world.dispatcher.tick(world.now)
    if world._ledger_step():
        return True
    for person in world.people:
        if person.wire is not None:
            person.tick()
    return any(wire.to_server for wire in world.wires)


def steps(world: World, count: int) -> bool:
    """So many steps; False when it came to rest before."""
    return all(step(world) for _ in range(count))


def on_line(world: World) -> None:
    """Whoever lost his connection connects again."""
    for person in world.people:
        if person.wire is None:
            person.connect()


def revoke(person: Person, other: Person, reason: str = "lost") -> int:
    """Wish that another device of the same user be no more his."""
    info = other.keys.info(other.name)
    return person._wish(lambda unit: change_chain.enqueue_revocation(unit, info, reason))


class Recoverer(Newcomer):
    """A device that comes by the words: what `blackthorn recovery use` is."""

    def recover(self, words: str, address, check: str, fingerprint: Fingerprint = SERVER) -> None:
        self.step = RecoveryAttempt(recovery_keys(from_words(words)), address, check)
        self.fingerprint = fingerprint
        self.refusal: str | None = None
        self.failure: SecurityError | None = None
        self.wire = Wire(self.world, self)
        self.world.wires.append(self.wire)
        self.wire.say(self.step.recover(self.wire.binding))

    def hear(self, wire: Wire, frame: f.AnyFrame) -> None:
        match frame:
            case f.Bye():
                self.bye = frame
            case f.Recognised():
                self._recognised(wire, frame)
            case f.StatementStored(_, refusal):
                self.refusal = refusal

    def _recognised(self, wire: Wire, frame: f.Recognised) -> None:
        try:
            self.step.trust(self.fingerprint, frame)
        except SecurityError as error:
            self.failure = error
            return
        with self.vault.transaction() as records:
            made = recovering.kept(records.settings)
            if not made:
                info = keys.info_of(self.signing, self.name)
                made = self.step.statement(frame, info, self.signing, self.world.now_ms)
                recovering.keep(records.settings, made)
            anchors.pin(records.settings, frame.config, frame.policy)
        self._keep(self.step.address)
        wire.say(f.SubmitStatement(1, made))


def state_recovery(person: Person) -> tuple[str, str]:
    """Give the person recovery words; the words and the check on his paper."""
    seed = new_seed(person.world.chance.randbytes)
    body = SetRecovery(recovery_keys(seed).public)
    person._wish(lambda unit: change_chain.enqueue(unit, "the recovery key", body))
    bring_up(person.world)
    return " ".join(to_words(seed)), recovering.check(SERVER, person.world.ledger.config)


def reset(world: World, name: str, phone: str = "new phone") -> OtherDevice:
    """All is lost: a device by an activation code, which asks for a reset."""
    vault = memory_vault()
    signing = SigningKeys.generate(world.chance.randbytes)
    address = Address(f"{name}@acme.example")
    with vault.transaction() as records:
        keys.save(records, keys.of(signing, address))
        keys.put_name(records.settings, phone)
        anchors.pin(records.settings, world.ledger.config.encode(), world.ledger.policy_text)
    own = keys.of(signing, address)
    body = Reset(own.info(phone))
    world.ledger.activate(
        own, phone, next_statement(world.ledger.stored(address), body, world.now_ms)
    )
    device = OtherDevice(world, phone, vault, own)
    world.people.append(device)
    device.connect()
    return device
