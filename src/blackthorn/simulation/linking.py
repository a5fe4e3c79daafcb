"""Linking and revoking devices: what `blackthorn device add` and `device revoke` do.

A `Newcomer` is a device that is not yet anybody's, with a wire of its own to the server. Once it
is paired it goes on as a `Person` over the vault that the pairing has filled.
"""

from blackthorn.device.account.pairing import Stage
from blackthorn.device.account.pairing_live import LivePairing
from blackthorn.device.account.pairing_new import NewPairing
from blackthorn.device.core import keys
from blackthorn.device.operations import change_chain
from blackthorn.identity.keys import SigningKeys
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.activation.code import Code, new_code
from blackthorn.simulation import wires
from blackthorn.simulation.device import Person, Surroundings, Wire
from blackthorn.simulation.memory import MemoryVault, memory_vault

SERVER = Fingerprint(b"\x11" * 32)


class Newcomer:
    """A device that joins a pairing."""

    def __init__(self, world: Surroundings, name: str, fingerprint: Fingerprint = SERVER) -> None:
        self.world = world
        self.name = name
        self.fingerprint = fingerprint
        self.vault = memory_vault()
        self.signing = SigningKeys.generate(world.chance.randbytes)
        self.pairing: NewPairing | None = None
        self.wire: wires.Wire | None = None
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

    def _keep(self, address: Address) -> MemoryVault:
        with self.vault.transaction() as records:
            keys.belongs_to(records.settings, address)
            keys.save(records, keys.of(self.signing, address))
            keys.put_name(records.settings, self.name)
        return self.vault

    def hear(self, wire: wires.Wire, frame: f.AnyFrame) -> None:
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

    def person(self) -> Person:
        """It is one of its user's devices now."""
        with self.vault.transaction() as records:
            own = keys.load(records)
        assert own is not None
        device = Person(self.world, self.name, self.vault, own)
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
        person.companion = self
        with person.vault.transaction() as records:
            records.settings.put("domain", b"acme.example")
            records.settings.put("user-pin", b"2100CAFE")
        assert person.wire is not None
        person.wire.say(*self.pairing.open())

    def frames_for(self, frame: f.AnyFrame) -> list[f.AnyFrame]:
        return self.pairing.receive(frame, self.world.now_ms)

    def due(self) -> list[f.AnyFrame]:
        return self.pairing.advance(self.world.now_ms)

    def type_digits(self, digits: str) -> None:
        assert self.person.wire is not None
        self.person.wire.say(*self.pairing.type_digits(digits, self.world.now_ms))
        self.person.tick()

    def leave(self) -> None:
        """The command has ended."""
        self.person.companion = None


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


def add_device(person: Person, name: str = "tablet") -> Person:
    """Another device of the same user, in all of their conversations."""
    _, newcomer = pair(person, name)
    person.world.publish()
    other = newcomer.person()
    bring_up(person.world)
    return other


def bring_up(world: Surroundings) -> None:
    """Let time pass until everything that follows from the chains has come about."""
    for _ in range(4):
        world.publish()
        world.settle()
        world.later(31)
        on_line(world)  # some were cut for their silence
        world.settle()


def on_line(world: Surroundings) -> None:
    """Those who lost their connection connect again."""
    for person in world.people:
        if person.wire is None:
            person.connect()


def revoke(person: Person, other: Person, reason: str = "lost") -> int:
    """Revoke another device of the same user; the operation's number."""
    info = other.keys.info(other.name)
    return person.enqueue(lambda unit: change_chain.enqueue_revocation(unit, info, reason))
