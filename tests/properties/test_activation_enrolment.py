"""Activation against the server's desk and its database: tries, expiry, crashes, repeats."""

import msgspec
import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.directory.config import decode_config
from blackthorn.errors import StorageError
from blackthorn.identity.statements import (
    ENROLMENT,
    AddDevice,
    Reset,
    RevokeDevice,
    Statement,
    make,
)
from blackthorn.identity.statements import decode as decode_statement
from blackthorn.ids import Address, Fingerprint, device_id
from blackthorn.link import limits as link_limits
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import Code, new_code
from blackthorn.link.activation.exchange import Channel, DeviceKeys, Enrolment, Owner
from blackthorn.link.frames import ActivateChallenge, Activated, Bye, decode, encode
from blackthorn.ports.enrolment import CODE_USED, FindCode, PurgeCodes
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.key_packages import KeyPackageStock
from blackthorn.ports.users import NewCode, RenewCode
from blackthorn.server.accounts import limits
from blackthorn.server.accounts.enrolment import EXPIRED, EnrolmentService
from blackthorn.server.accounts.users import add_user, all_users
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.connections import Connections
from blackthorn.server.handlers.enrolment import EnrolmentHandler
from blackthorn.storage.sqlite.stores import enrolment as enrolment_store
from blackthorn.tlog.policy import parse_policy
from tests.support import runs
from tests.support.activation_forge import begin_as_thief, prove_unasked
from tests.support.ledger_world import LedgerWorld, Model, certified
from tests.support.wires import UnusedWire

SERVER = Fingerprint(b"\x11" * 32)
ALICE = Address("alice@acme.example")
HOUR_MS = 3_600_000


class Clock:
    """A clock that moves when told."""

    now_ms = 1_700_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1000


class Wire(UnusedWire):
    """The server's words, decoded."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def write(self, data: bytes) -> None:
        self.said.append(decode(data))


class World:
    """A server in memory with one user, Alice, who has a code."""

    def __init__(self, seed: int) -> None:
        self.clock = Clock()
        self.base = LedgerWorld(seed)
        self.random = self.base.chance.randbytes
        self.warnings: list[str] = []
        self.waited = 0.0
        self.database, self.engine = self.base.database, self.base.engine
        self.code = self.fresh_code()
        add_user(self.engine, ALICE, self.random, self.clock.now_ms, self.stored(self.code))
        self.restart()

    def fresh_code(self) -> Code:
        return new_code(self.random)

    def stored(self, code: Code, life_ms: int = HOUR_MS) -> NewCode:
        verifier = exchange.verifier(code, SERVER)
        return NewCode(code.nameplate, verifier, self.clock.now_ms + life_ms)

    def renewed(self) -> Code:
        """One more code for Alice."""
        code = self.fresh_code()
        self.engine.write(RenewCode(ALICE, self.stored(code)))
        return code

    def restart(self) -> None:
        """A new process over the same database; what was not durable is gone."""
        self.base.start()
        self.writer, self.enterprise = self.base.writer, self.base.enterprise
        self.counters = Counters()
        self.engine = self.base.engine
        enrolment = EnrolmentService(
            writer=self.writer,
            reader=self.base.reader,
            enterprise=self.enterprise,
            ledger=self.base.ledger,
            admissions=self.base.admissions,
            counters=self.counters,
            clock=self.clock,
            warn=self.warnings.append,
            random=self.random,
        )
        self.tries = enrolment.queue
        self.desk = EnrolmentHandler(enrolment, SERVER, self.random)

    def monotonic(self) -> float:
        """The event loop's time, which passes between two tries, unlike the clock's."""
        return self.clock.monotonic() + self.waited

    def listed(self):
        """The users as a list shows them."""
        return list(all_users(self.engine, self.clock.now_ms))

    def find_code(self):
        return self.engine.read(FindCode(self.code.nameplate))

    def purge(self) -> None:
        self.writer.submit(PurgeCodes(self.clock.now_ms, 10), lambda count: None)
        self.writer.commit()

    def settle(self, ms: int = 10_000) -> None:
        """Time passes, and the ledger publishes."""
        self.base.settle(ms)
        self.clock.now_ms = self.base.now_ms

    def chain(self):
        return self.base.stored(ALICE)

    def connect(self, client: str = "") -> "Talk":
        return Talk(self, client)


class Talk:
    """One connection to the desk."""

    def __init__(self, world: World, client: str) -> None:
        self.world = world
        self.wire = Wire()
        self.channel = Channel(SERVER, world.random(64))
        self.session = Connections(world.counters, lambda session: None).connect(
            self.wire, self.channel.binding, world.monotonic(), client, lambda session: None
        )

    def say(self, frame, *, commit: bool = True, told: bool = True) -> object | None:
        """Send a frame and let the writer commit; the server's last word, if any."""
        now = self.world.monotonic()
        self.world.desk.handle(self.session, self.session.link.receive(encode(frame), now), now)
        if commit:
            self.world.writer.commit(told=told)
        return self.wire.said[-1] if self.wire.said else None

    def begin(self, code: Code, **how):
        frame, device = exchange.begin(code, self.channel, self.world.random)
        self.world.waited += 0.1  # so that it is challenged at once
        return self.say(frame, **how), device


def wrong(code: Code) -> Code:
    secret = code.secret.expose()
    return Code(code.nameplate, Secret(bytes([secret[0] ^ 1]) + secret[1:]))


def new_device(world: World) -> tuple[Secret, DeviceKeys]:
    """Alice's first device, with a certificate."""
    return first_of(world, world.base.model("laptop"))


def first_of(world: World, model: Model, address: str = ALICE) -> tuple[Secret, DeviceKeys]:
    keys = model.genesis(address, world.clock.now_ms, openpgp=True)
    return model.keys.ed25519, msgspec.structs.replace(keys, key_packages=[b"one", b"two"])


def activate(world: World, code: Code, device_keys=None) -> Enrolment | Bye:
    """An honest activation from the first frame to the last."""
    identity, keys = device_keys or new_device(world)
    return activate_as(world, code, lambda owner: (identity, keys))


def activate_as(world: World, code: Code, device_keys) -> Enrolment | Bye:
    """An activation by a device that makes its statements once it knows where the chain stands."""
    talk = world.connect()
    challenge, device = talk.begin(code)
    if isinstance(challenge, Bye):
        return challenge
    challenged = device.open(challenge)
    identity, keys = device_keys(challenged.owner)
    prove, waiting = challenged.prove(keys, identity)
    answer = talk.say(prove)
    return waiting.open(answer) if isinstance(answer, Activated) else answer


def resetting(world: World, model: Model):
    """How a new device asks for a reset."""

    def keys(owner: Owner) -> tuple[Secret, DeviceKeys]:
        body = Reset(model.info)
        asked = model.asks(owner.address, body, owner.seq, owner.head, world.clock.now_ms)
        return model.keys.ed25519, asked

    return keys


@pytest.fixture
def world() -> World:
    seed = runs.seed()
    return World(seed)


def test_an_activated_device_is_found_with_its_certificate_and_key_packages(world):
    identity, keys = new_device(world)
    enrolment = activate(world, world.code, (identity, keys))
    user = world.enterprise.user(ALICE)
    assert enrolment.address == ALICE and enrolment.pin == user.pin and len(user.pin) == 8
    assert enrolment.domain == "acme.example"
    record = world.enterprise.device(device_id(keys.identity_key))
    assert record.identity_key == keys.identity_key and record.address == ALICE
    assert user.certificate == certified(ALICE)[0] and user.devices == (record,)
    assert world.engine.read(KeyPackageStock(record.number)) == 2


def test_a_user_read_before_his_activation_is_read_afresh_after_it(world):
    assert world.enterprise.user(ALICE).certificate is None
    activate(world, world.code)
    assert world.enterprise.user(ALICE).certificate == certified(ALICE)[0]


def guess(world: World, code: Code, client: str = "") -> object:
    """A wrong proof; the server's last word."""
    talk = world.connect(client)
    challenge, device = talk.begin(wrong(code))
    if isinstance(challenge, Bye):
        return challenge
    identity, keys = new_device(world)
    return talk.say(prove_unasked(device, challenge, keys, identity))


def test_strangers_burn_no_code(world):
    for attempt in range(12):
        refused = guess(world, world.code, f"192.0.2.{attempt % 2}")
        assert refused == Bye("activation-refused", "the code is wrong")
    assert isinstance(activate(world, world.code), Enrolment)
    assert world.warnings.count("activation_not_proven_before") == 12
    assert world.warnings.count("activation_refused") == 12
    assert world.counters.activations_refused == 12


def test_one_client_has_so_many_unproven_tries(world):
    for _ in range(limits.MAX_CLIENT_TRIES):
        guess(world, world.code)
    said = guess(world, world.code)
    assert isinstance(said, Bye) and said.code == "busy" and "in ten minutes" in said.text
    elsewhere = world.connect("192.0.2.1")
    assert isinstance(elsewhere.begin(world.code)[0], ActivateChallenge)
    world.clock.now_ms += limits.TRIES_SECONDS * 1000
    assert guess(world, world.code) == Bye("activation-refused", "the code is wrong")


def test_proven_tries_are_not_counted(world):
    mine = new_device(world)
    for _ in range(limits.MAX_CLIENT_TRIES + 2):
        assert isinstance(activate(world, world.code, mine), Enrolment)


def test_tries_at_other_codes_do_not_delay_one_for_long(world):
    """A stranger fills the lanes of an unknown code and of a known one."""
    other = world.renewed()
    frames = []
    for attempt, code in enumerate([Code("1000", Secret(bytes(8))), other] * 6):
        talk = world.connect(f"192.0.2.{attempt}")
        talk.wire.said.clear()
        frame, _ = exchange.begin(wrong(code), talk.channel, world.random)
        talk.say(frame)
        frames.append(talk)
    honest = world.connect()
    frame, _ = exchange.begin(world.renewed(), honest.channel, world.random)
    assert honest.say(frame) is None  # it waits: many tries came at the same moment
    for _ in range(3):
        world.clock.now_ms += 1000 // limits.TRIES_PER_SECOND
        world.tries.tick(world.monotonic())
    assert isinstance(honest.wire.said[-1], ActivateChallenge)
    challenged = sum(bool(talk.wire.said) for talk in frames)
    assert challenged <= limits.TRIES_AT_ONCE + 3
    world.clock.now_ms += 60_000
    for _ in range(14):
        world.tries.tick(world.monotonic())
        world.clock.now_ms += 1000 // limits.TRIES_PER_SECOND
    assert all(isinstance(talk.wire.said[-1], ActivateChallenge) for talk in frames)


def test_too_many_tries_at_one_code_are_told_to_come_back(world):
    answers = []
    frame, _ = exchange.begin(wrong(world.code), Channel(SERVER, bytes(64)), world.random)
    for attempt in range(limits.MAX_WAITING_TRIES + limits.TRIES_AT_ONCE + 1):
        answers.append(world.connect(f"192.0.2.{attempt}").say(frame))
    assert isinstance(answers[-1], Bye) and answers[-1].code == "busy"
    assert answers[limits.TRIES_AT_ONCE : -1] == [None] * limits.MAX_WAITING_TRIES


def test_a_peer_that_left_while_it_waited_costs_no_challenge(world):
    for attempt in range(3):
        talk = world.connect(f"192.0.2.{attempt}")
        frame, _ = exchange.begin(world.code, talk.channel, world.random)
        talk.say(frame)
    talk.session.link.close()
    talk.wire.said.clear()
    world.clock.now_ms += 1_000
    world.tries.tick(world.monotonic())
    assert talk.wire.said == []


def test_codes_that_are_unknown_used_or_expired_answer_alike(world):
    used = world.code
    activate(world, used)
    expired = world.renewed()
    world.engine.write(RenewCode(ALICE, world.stored(world.fresh_code())))  # unlike `renewed`
    late = world.fresh_code()
    world.engine.write(RenewCode(ALICE, world.stored(late, life_ms=1)))
    world.clock.now_ms += 2
    taken = {used.nameplate, expired.nameplate, late.nameplate}
    other = next(str(number) for number in range(1000, 1010) if str(number) not in taken)
    said = []
    for code in (used, late, Code(other, Secret(bytes(8)))):
        talk = world.connect()
        challenge, device = talk.begin(wrong(code))
        assert isinstance(challenge, ActivateChallenge)
        identity, keys = new_device(world)
        answer = talk.say(prove_unasked(device, challenge, keys, identity))
        said.append((len(challenge.message), len(challenge.payload), answer))
    assert said == [said[0]] * 3
    assert said[0][2] == Bye("activation-refused", "the code is wrong")


@pytest.mark.parametrize("address", ["a@b.example", "a" * 60 + "@" + "b" * 60 + ".example"])
def test_the_size_of_a_challenge_tells_no_address(world, address):
    channel = Channel(SERVER, bytes(64))
    frame, device = exchange.begin(world.code, channel, world.random)
    owner = Owner(address, 2**40, bytes(32), 2**41)
    known = exchange.verifier(world.code, SERVER)
    challenge, _ = exchange.challenge(frame, known, owner, channel, world.random)
    assert len(challenge.payload) == link_limits.PADDED_OWNER_BYTES + 16
    assert device.open(challenge).address == address


def test_a_list_of_users_says_how_their_codes_stand(world):
    def listed() -> tuple[str, int | None]:
        (user,) = world.listed()
        return user.code, user.code_expires_ms

    assert listed() == ("open", world.clock.now_ms + HOUR_MS)
    world.clock.now_ms += HOUR_MS
    assert listed() == ("expired", None)
    world.purge()
    assert listed() == ("expired", None)
    code = world.renewed()
    assert listed()[0] == "open"
    activate(world, code)
    assert listed() == ("", None) and world.warnings == []


def test_a_code_ends_with_its_time(world):
    talk = world.connect()
    challenge, device = talk.begin(world.code)
    world.clock.now_ms += HOUR_MS
    identity, keys = new_device(world)
    late = talk.say(device.open(challenge).prove(keys, identity)[0])
    assert late == Bye("activation-refused", EXPIRED)
    before = world.database.reading.serialize("main")
    assert "expired" in activate(world, world.code).text
    assert world.database.reading.serialize("main") == before
    world.purge()
    assert world.find_code() is None


def test_another_device_cannot_use_a_used_code(world):
    assert isinstance(activate(world, world.code), Enrolment)
    second = activate(world, world.code)
    assert second == Bye("activation-refused", CODE_USED)
    assert "ask the administrator for a new one" in second.text
    assert len(world.enterprise.user(ALICE).devices) == 1


def test_two_devices_prove_at_once_and_one_is_enrolled(world):
    talks = []
    for _ in range(2):
        talk = world.connect()
        challenge, device = talk.begin(world.code)
        identity, keys = new_device(world)
        talk.say(device.open(challenge).prove(keys, identity)[0], commit=False)
        talks.append(talk)
    world.writer.commit()
    assert sorted(type(talk.wire.said[-1]).__name__ for talk in talks) == ["Activated", "Bye"]
    assert len(world.enterprise.user(ALICE).devices) == 1


def test_a_lost_answer_is_repeated_to_the_same_device_and_stores_nothing_twice(world):
    mine = new_device(world)
    talk = world.connect()
    challenge, device = talk.begin(world.code)
    talk.say(device.open(challenge).prove(mine[1], mine[0])[0], told=False)
    world.restart()
    answers = [activate(world, world.code, mine) for _ in range(7)]
    assert all(isinstance(answer, Enrolment) for answer in answers)
    assert {answer.pin for answer in answers} == {world.enterprise.user(ALICE).pin}
    (record,) = world.enterprise.user(ALICE).devices
    assert world.engine.read(KeyPackageStock(record.number)) == 2


def test_a_crash_before_the_commit_enrols_nobody_and_the_code_works_again(world):
    mine = new_device(world)
    talk = world.connect()
    challenge, device = talk.begin(world.code)
    talk.say(device.open(challenge).prove(mine[1], mine[0])[0], commit=False)
    world.writer.crash()
    world.restart()
    assert world.enterprise.user(ALICE).devices == ()
    assert isinstance(activate(world, world.code, mine), Enrolment)


def test_a_full_disk_is_told_and_acknowledges_nothing(world):
    talk = world.connect()
    challenge, device = talk.begin(world.code)
    identity, keys = new_device(world)
    world.writer.fail(StorageError("the disk is full"))
    told = talk.say(device.open(challenge).prove(keys, identity)[0])
    assert isinstance(told, Bye) and told.code == "storage"
    assert (world.counters.storage_failures, world.counters.links_cut) == (1, 1)
    world.writer.fail(None)
    assert world.enterprise.user(ALICE).devices == ()


def test_an_unknown_code_costs_the_database_nothing(world):
    talk = world.connect()
    said, device = talk.begin(Code("1", Secret(bytes(8))), commit=False)
    assert isinstance(said, ActivateChallenge) and world.writer.waiting == 0
    with pytest.raises(exchange.ServerUnprovenError, match="a newer one replaced it"):
        device.open(said)


def test_a_bad_certificate_is_refused_and_the_code_stays_good(world):
    identity, keys = new_device(world)
    for certificate, rule in ((b"bad", "I39"), (certified("bob@acme.example")[0], "I39")):
        wrong_one = msgspec.structs.replace(keys, certificate=certificate)
        refused = activate(world, world.code, (identity, wrong_one))
        assert isinstance(refused, Bye) and f"[{rule}]" in refused.text
    assert isinstance(activate(world, world.code, (identity, keys)), Enrolment)


def test_a_certificate_that_is_not_stated_and_a_statement_without_it_are_refused(world):
    identity, keys = new_device(world)
    for wrong_one in (
        msgspec.structs.replace(keys, certificate=b""),
        msgspec.structs.replace(keys, statements=keys.statements[:1]),
    ):
        refused = activate(world, world.code, (identity, wrong_one))
        assert isinstance(refused, Bye) and "the statement that names it" in refused.text


def test_a_thief_of_the_whole_database_cannot_activate_with_any_stored_row(world):
    """The thief has every column of every row; the code itself is in none of them."""
    dump = world.database.reading.serialize("main")
    assert world.code.secret.expose() not in dump
    stolen = world.find_code()
    talk = world.connect()
    begin, thief = begin_as_thief(stolen.verifier, stolen.nameplate, talk.channel, world.random)
    challenge = talk.say(begin)
    identity, keys = new_device(world)
    prove, _ = thief.open(challenge).prove(keys, identity)
    refused = talk.say(prove)
    assert isinstance(refused, Bye) and "did not sign with the code" in refused.text
    assert world.enterprise.user(ALICE).devices == ()


def test_a_relay_with_another_certificate_activates_nothing(world):
    """The middle ends both TLS connections and passes every frame on unchanged."""
    to_server = world.connect()
    to_device = Channel(Fingerprint(b"\x66" * 32), world.random(64))
    begin, device = exchange.begin(world.code, to_device, world.random)
    challenge = to_server.say(begin)
    identity, keys = new_device(world)
    with pytest.raises(exchange.ServerUnprovenError, match="nothing was sent"):
        device.open(challenge).prove(keys, identity)
    assert world.enterprise.user(ALICE).devices == ()


def test_a_new_code_replaces_the_unused_one(world):
    code = world.fresh_code()
    world.engine.write(RenewCode(ALICE, world.stored(code)))
    with pytest.raises(exchange.ServerUnprovenError, match="a newer one replaced it"):
        activate(world, world.code)
    assert isinstance(activate(world, code), Enrolment)


def test_the_first_statements_are_countersigned_stored_and_told(world):
    identity, keys = new_device(world)
    enrolment = activate(world, world.code, (identity, keys))
    chain = world.chain()
    assert enrolment.statements == list(chain.statements) and chain.seq == 2
    assert decode_statement(chain.statements[1]) == decode_statement(keys.statements[1])
    signers = [signer for signer, _ in decode_statement(chain.statements[0]).signatures]
    assert sorted(signers) == sorted([device_id(keys.identity_key), ENROLMENT])
    assert decode_config(enrolment.config) == world.base.config
    assert parse_policy(enrolment.policy) == world.base.policy


def test_the_owner_is_told_as_he_stood_before_the_code_was_used(world):
    owners = []
    mine = new_device(world)
    activate_as(world, world.code, lambda owner: owners.append(owner) or mine)
    activate_as(world, world.code, lambda owner: owners.append(owner) or mine)
    activate_as(world, world.renewed(), lambda owner: owners.append(owner) or mine)
    chain = world.chain()
    assert owners == [
        Owner(ALICE, 0, bytes(32)),
        Owner(ALICE, 0, bytes(32)),
        Owner(ALICE, 2, chain.head),
    ]


@pytest.mark.parametrize("where", ["name", "identity_key"])
def test_a_genesis_of_another_device_is_refused(world, where):
    identity, keys = new_device(world)
    other = new_device(world)[1]
    changed = {"name": "phone"} if where == "name" else {"statements": other.statements}
    refused = activate(world, world.code, (identity, msgspec.structs.replace(keys, **changed)))
    assert isinstance(refused, Bye) and "another device" in refused.text


def test_a_genesis_for_another_user_is_refused_and_not_signed(world):
    bob = first_of(world, world.base.model("laptop"), "bob@acme.example")
    refused = activate(world, world.code, bob)
    assert isinstance(refused, Bye) and "[I13]" in refused.text
    assert world.enterprise.user(ALICE).devices == ()


def test_a_second_code_can_only_ask_for_a_reset(world):
    activate(world, world.code)
    world.settle()
    refused = activate(world, world.renewed(), new_device(world))
    assert isinstance(refused, Bye) and "has a chain already" in refused.text
    assert len(world.enterprise.user(ALICE).devices) == 1


def test_a_reset_waits_and_then_its_device_is_the_only_one(world):
    first = activate(world, world.code)
    world.settle()
    new = world.base.model("new")
    code = world.renewed()
    enrolment = activate_as(world, code, resetting(world, new))
    assert isinstance(enrolment, Enrolment) and len(enrolment.statements) == 1
    again = activate_as(world, code, resetting(world, new))
    assert isinstance(again, Enrolment) and again.device == enrolment.device
    stands = {each.id: each.standing for each in world.enterprise.user(ALICE).devices}
    assert stands == {first.device: Standing.LIVE, new.id: Standing.PENDING}
    world.settle()
    assert world.enterprise.user(ALICE).certificate is not None
    world.settle(world.base.config.reset_delay_ms)
    (left,) = world.enterprise.user(ALICE).devices
    assert (left.id, left.standing) == (new.id, Standing.LIVE)
    assert world.enterprise.user(ALICE).certificate is None, "its key is lost"


def test_a_code_brings_no_device_that_needs_none(world):
    activate(world, world.code)
    (first,) = world.enterprise.user(ALICE).devices
    model, new = world.base.devices[first.id], world.base.model("new")

    def added(owner: Owner) -> tuple[Secret, DeviceKeys]:
        body = AddDevice(new.info)
        draft = Statement(ALICE, owner.seq + 1, owner.head, body, world.clock.now_ms)
        signed = make(draft, [(new.id, new.keys), (model.id, model.keys)])
        return new.keys.ed25519, new.brings(signed.encode())

    refused = activate_as(world, world.renewed(), added)
    assert isinstance(refused, Bye) and "sends a genesis or a reset" in refused.text


def test_a_removed_device_does_not_come_back_by_its_old_statements(world):
    """Stored statements answer the code that stored them, and no other."""
    mine = new_device(world)
    model = world.base.devices[device_id(mine[1].identity_key)]
    activate(world, world.code, mine)
    laptop = world.base.model("other")
    world.base.submit(ALICE, world.base.draft(ALICE, AddDevice(laptop.info)), model, laptop)
    world.writer.commit()
    world.base.submit(ALICE, world.base.draft(ALICE, RevokeDevice(model.id, "lost", 2)), laptop)
    world.writer.commit()
    assert [each.id for each in world.enterprise.user(ALICE).devices] == [laptop.id]
    refused = activate(world, world.renewed(), mine)
    assert isinstance(refused, Bye) and "activated before" in refused.text
    refused = activate(world, world.code, mine)
    assert isinstance(refused, Bye) and "removed" in refused.text
    assert [each.id for each in world.enterprise.user(ALICE).devices] == [laptop.id]


def test_a_chain_that_grew_between_challenge_and_proof_refuses_the_reset(world):
    activate(world, world.code)
    (first,) = world.enterprise.user(ALICE).devices
    model = world.base.devices[first.id]
    laptop, new = world.base.model("laptop"), world.base.model("new")

    def late(owner: Owner):
        world.base.submit(ALICE, world.base.draft(ALICE, AddDevice(laptop.info)), model, laptop)
        world.writer.commit()
        return resetting(world, new)(owner)

    code = world.renewed()
    refused = activate_as(world, code, late)
    assert isinstance(refused, Bye) and "[I14]" in refused.text
    assert isinstance(activate_as(world, code, resetting(world, new)), Enrolment)


def test_a_stopped_ledger_admits_nobody(world):
    world.settle()
    world.base.ledger.behind(world.base.ledger.log.size + 1)
    refused = activate(world, world.code)
    assert isinstance(refused, Bye) and "the ledger has stopped" in refused.text


def test_a_defect_is_told_as_one_and_not_as_a_refusal_of_the_code(world, monkeypatch):
    monkeypatch.setattr(enrolment_store.devices, "insert_device", None)
    assert activate(world, world.code).code == "internal"
    assert world.warnings == [] and world.counters.activations_refused == 0
    monkeypatch.undo()
    assert isinstance(activate(world, world.code), Enrolment)
