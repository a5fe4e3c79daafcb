"""Recovery by words, and resets: what a person does who has lost all devices."""

from blackthorn.device.account import recovery as recovering
from blackthorn.device.account.recovery import RecoveryAttempt
from blackthorn.device.core import anchors, keys
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import local_chain
from blackthorn.errors import SecurityError
from blackthorn.identity.chain import next_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.recovery import from_words, new_seed, recovery_keys, to_words
from blackthorn.identity.statements import Reset, SetRecovery
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import frames as f
from blackthorn.simulation import wires
from blackthorn.simulation.device import Person, Surroundings, Wire
from blackthorn.simulation.linking import SERVER, Newcomer, bring_up
from blackthorn.simulation.memory import memory_vault


class Recoverer(Newcomer):
    """A device that comes by the words: what `blackthorn recovery use` is."""

    def recover(
        self, words: str, address: Address, check: str, fingerprint: Fingerprint = SERVER
    ) -> None:
        self.step = RecoveryAttempt(recovery_keys(from_words(words)), address, check)
        self.fingerprint = fingerprint
        self.refusal: str | None = None
        self.failure: SecurityError | None = None
        self.wire = Wire(self.world, self)
        self.world.wires.append(self.wire)
        self.wire.say(self.step.recover(self.wire.binding))

    def hear(self, wire: wires.Wire, frame: f.AnyFrame) -> None:
        match frame:
            case f.Bye():
                self.bye = frame
            case f.Recognised():
                self._recognised(wire, frame)
            case f.StatementStored(_, refusal):
                self.refusal = refusal

    def _recognised(self, wire: wires.Wire, frame: f.Recognised) -> None:
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
                recovering.keep(records.settings, made, self.world.now_ms)
            anchors.pin(records.settings, frame.config, frame.policy)
        self._keep(self.step.address)
        wire.say(f.SubmitStatement(1, made))


def make_words(person: Person) -> tuple[str, str]:
    """Recovery words and the check on their paper, before the ledger shows them."""
    seed = new_seed(person.world.chance.randbytes)
    body = SetRecovery(recovery_keys(seed).public)
    person.enqueue(lambda unit: change_chain.enqueue(unit, "the recovery key", body))
    return " ".join(to_words(seed)), recovering.check(SERVER, person.world.ledger.config)


def state_recovery(person: Person) -> tuple[str, str]:
    """Give the person recovery words, and wait until they are of use."""
    made = make_words(person)
    bring_up(person.world)
    return made


def reset(world: Surroundings, user: str, phone: str = "new phone") -> Person:
    """All is lost: a device by an activation code, which asks for a reset."""
    vault = memory_vault()
    signing = SigningKeys.generate(world.chance.randbytes)
    address = Address(f"{user}@acme.example")
    with vault.transaction() as records:
        keys.save(records, keys.of(signing, address))
        keys.put_name(records.settings, phone)
        anchors.pin(records.settings, world.ledger.config.encode(), world.ledger.policy_text)
    own = keys.of(signing, address)
    body = Reset(own.info(phone))
    world.ledger.activate(
        own, phone, next_statement(world.ledger.stored(address), body, world.now_ms)
    )
    device = Person(world, phone, vault, own)
    with device.unit() as unit:
        local_chain.stored(unit, world.ledger.stored(address).statements[-1])
    world.people.append(device)
    device.connect()
    return device
