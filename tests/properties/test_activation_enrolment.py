"""Activation against the server's desk and its database: tries, expiry, crashes, repeats."""

import os
import random as seeded

import pytest

from blackthorn import limits
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.errors import DecodeError, StorageError
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import activation
from blackthorn.link.activation import Channel, DeviceKeys, Enrolment
from blackthorn.link.code import Code, new_code
from blackthorn.link.device_id import device_id
from blackthorn.link.frames import ActivateChallenge, Activated, Bye, decode, encode
from blackthorn.ports.enrolment import Enrolled
from blackthorn.ports.users import NewCode
from blackthorn.server.counters import Counters
from blackthorn.server.enrolment import EnrolmentDesk
from blackthorn.server.session import Session
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.enterprise import SqliteEnterprise
from blackthorn.storage.sqlite.key_packages import SqliteKeyPackages
from blackthorn.storage.sqlite.stepped import SteppedWriter
from blackthorn.storage.sqlite.users import UserTable
from tests.forge.activation import begin_as_thief, prove_unasked

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


class Wire:
    """The server's words, decoded."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def write(self, data: bytes) -> None:
        self.said.append(decode(data))

    def close(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def check_certificate(certificate: bytes) -> None:
    if certificate == b"bad":
        raise DecodeError("not an OpenPGP certificate")


class World:
    """A server in memory with one user, Alice, who has a code."""

    def __init__(self, random) -> None:
        self.random = random
        self.warnings: list[str] = []
        self.clock = Clock()
        self.database = Database.in_memory()
        self.users = UserTable(self.database.writing)
        self.code = self.fresh_code()
        assert self.users.add(ALICE, random, self.clock.now_ms, self.stored(self.code))
        self.restart()

    def fresh_code(self) -> Code:
        return new_code(self.random)

    def stored(self, code: Code, life_ms: int = HOUR_MS) -> NewCode:
        verifier = activation.verifier(code, SERVER)
        return NewCode(code.nameplate, verifier, self.clock.now_ms + life_ms)

    def restart(self) -> None:
        """A new process over the same database; what was not durable is gone."""
        self.writer = SteppedWriter(self.database.writing)
        self.enterprise = SqliteEnterprise(self.database.reading)
        self.key_packages = SqliteKeyPackages(self.database.reading)
        self.counters = Counters()
        self.desk = EnrolmentDesk(
            fingerprint=SERVER,
            store=self.enterprise,
            key_packages=self.key_packages,
            writer=self.writer,
            counters=self.counters,
            clock=self.clock,
            random=self.random,
            check_certificate=check_certificate,
            warn=self.warnings.append,
        )

    def connect(self) -> "Talk":
        return Talk(self)


class Talk:
    """One connection to the desk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wire = Wire()
        self.channel = Channel(SERVER, world.random(64))
        self.session = Session(self.wire, self.channel.binding, world.clock.monotonic())

    def say(self, frame, *, commit: bool = True, told: bool = True) -> object | None:
        """Send a frame and let the writer commit; the server's last word, if any."""
        now = self.world.clock.monotonic()
        self.world.desk.handle(self.session, self.session.link.receive(encode(frame), now), now)
        if commit:
            self.world.writer.commit(told=told)
        return self.wire.said[-1] if self.wire.said else None

    def begin(self, code: Code, **how):
        frame, device = activation.begin(code, self.channel, self.world.random)
        return self.say(frame, **how), device


def wrong(code: Code) -> Code:
    secret = code.secret.expose()
    return Code(code.nameplate, Secret(bytes([secret[0] ^ 1]) + secret[1:]))


def new_device(random, certificate: bytes = b"certificate") -> tuple[Secret, DeviceKeys]:
    identity = Secret(random(32))
    keys = DeviceKeys(
        identity_key=ED25519.public_key(identity),
        name="laptop",
        certificate=certificate,
        key_packages=[b"one", b"two"],
        last_resort=b"last",
    )
    return identity, keys


def activate(world: World, code: Code, device_keys=None) -> Enrolment | Bye:
    """An honest activation from the first frame to the last."""
    identity, keys = device_keys or new_device(world.random)
    talk = world.connect()
    challenge, device = talk.begin(code)
    if isinstance(challenge, Bye):
        return challenge
    prove, waiting = device.open(challenge).prove(keys, identity)
    answer = talk.say(prove)
    return waiting.open(answer) if isinstance(answer, Activated) else answer


@pytest.fixture
def world() -> World:
    seed = int(os.environ.get("BLACKTHORN_SEED", seeded.randrange(2**32)))
    print(f"seed {seed}")
    return World(seeded.Random(seed).randbytes)


def test_an_activated_device_is_found_with_its_certificate_and_key_packages(world):
    identity, keys = new_device(world.random)
    enrolment = activate(world, world.code, (identity, keys))
    user = world.enterprise.user(ALICE)
    assert enrolment.address == ALICE and enrolment.pin == user.pin and len(user.pin) == 8
    assert enrolment.domain == "acme.example"
    record = world.enterprise.device(device_id(keys.identity_key))
    assert record.identity_key == keys.identity_key and record.address == ALICE
    assert user.certificate == b"certificate" and user.devices == (record,)
    assert world.key_packages.stock(record.number) == 2


def test_a_user_read_before_his_activation_is_read_afresh_after_it(world):
    assert world.enterprise.user(ALICE).certificate is None
    activate(world, world.code)
    assert world.enterprise.user(ALICE).certificate == b"certificate"


def test_no_challenge_leaves_before_its_try_is_durable(world):
    talk = world.connect()
    said, _ = talk.begin(world.code, commit=False)
    assert said is None
    world.writer.commit()
    assert isinstance(talk.wire.said[-1], ActivateChallenge)
    assert world.enterprise.code(world.code.nameplate).tries == 1


def test_five_wrong_tries_burn_the_code_across_restarts(world):
    for attempt in range(limits.ACTIVATION_TRIES):
        talk = world.connect()
        challenge, device = talk.begin(wrong(world.code))
        identity, keys = new_device(world.random)
        refused = talk.say(prove_unasked(device, challenge, keys, identity))
        assert refused == Bye("activation-refused", "the code is wrong")
        if attempt % 2:
            world.restart()
    burnt = activate(world, world.code)
    assert isinstance(burnt, Bye) and "burnt" in burnt.text
    assert world.enterprise.user(ALICE).devices == ()
    few = ["activation tried before without proof", "activation refused"] * 3
    burning = ["activation code on its last try", "activation code burnt"]
    assert world.warnings == ["activation refused", *few, *burning, "activation code burnt"]
    (listed,) = world.users.list(world.clock.now_ms)
    assert (listed.code, listed.code_expires_ms) == ("burnt", None)


def test_a_list_of_users_says_how_their_codes_stand(world):
    def listed() -> tuple[str, int | None]:
        (user,) = world.users.list(world.clock.now_ms)
        return user.code, user.code_expires_ms

    assert listed() == ("open", world.clock.now_ms + HOUR_MS)
    world.clock.now_ms += HOUR_MS
    assert listed() == ("expired", None)
    world.writer.submit(world.enterprise.purge(world.clock.now_ms), lambda count: None)
    world.writer.commit()
    assert listed() == ("expired", None)
    world.users.renew(ALICE, world.stored(code := world.fresh_code()))
    assert listed()[0] == "open"
    activate(world, code)
    assert listed() == ("", None) and world.warnings == []


def test_a_guesser_who_hangs_up_has_used_a_try(world):
    for _ in range(limits.ACTIVATION_TRIES):
        world.connect().begin(wrong(world.code))
    assert world.warnings[-2:] == [
        "activation tried before without proof",
        "activation code on its last try",
    ]
    assert "burnt" in activate(world, world.code).text


def test_tries_begun_at_once_are_counted_each(world):
    """Twelve connections begin before anything is committed: five are challenged."""
    talks = [world.connect() for _ in range(12)]
    for talk in talks:
        talk.begin(world.code, commit=False)
    world.writer.commit()
    said = [type(talk.wire.said[-1]) for talk in talks]
    assert said.count(ActivateChallenge) == limits.ACTIVATION_TRIES
    assert said.count(Bye) == 12 - limits.ACTIVATION_TRIES


def test_a_try_whose_answer_was_lost_in_a_crash_stays_counted(world):
    world.connect().begin(world.code, told=False)
    world.restart()
    assert world.enterprise.code(world.code.nameplate).tries == 1


def test_a_code_ends_with_its_time(world):
    talk = world.connect()
    challenge, device = talk.begin(world.code)
    world.clock.now_ms += HOUR_MS
    identity, keys = new_device(world.random)
    late = talk.say(device.open(challenge).prove(keys, identity)[0])
    assert late == Bye("activation-refused", "the code has expired")
    before = world.database.reading.serialize("main")
    assert "expired" in activate(world, world.code).text
    assert world.database.reading.serialize("main") == before
    world.writer.submit(world.enterprise.purge(world.clock.now_ms), lambda count: None)
    world.writer.commit()
    assert world.enterprise.code(world.code.nameplate) is None


def test_another_device_cannot_use_a_used_code(world):
    assert isinstance(activate(world, world.code), Enrolment)
    second = activate(world, world.code)
    assert second == Bye("activation-refused", "another device has used this code")
    assert len(world.enterprise.user(ALICE).devices) == 1


def test_two_devices_prove_at_once_and_one_is_enrolled(world):
    talks = []
    for _ in range(2):
        talk = world.connect()
        challenge, device = talk.begin(world.code)
        identity, keys = new_device(world.random)
        talk.say(device.open(challenge).prove(keys, identity)[0], commit=False)
        talks.append(talk)
    world.writer.commit()
    assert sorted(type(talk.wire.said[-1]).__name__ for talk in talks) == ["Activated", "Bye"]
    assert len(world.enterprise.user(ALICE).devices) == 1


def test_a_lost_answer_is_repeated_to_the_same_device_and_stores_nothing_twice(world):
    mine = new_device(world.random)
    talk = world.connect()
    challenge, device = talk.begin(world.code)
    talk.say(device.open(challenge).prove(mine[1], mine[0])[0], told=False)
    world.restart()
    answers = [activate(world, world.code, mine) for _ in range(limits.ACTIVATION_TRIES + 2)]
    assert all(isinstance(answer, Enrolment) for answer in answers)
    assert {answer.pin for answer in answers} == {world.enterprise.user(ALICE).pin}
    (record,) = world.enterprise.user(ALICE).devices
    assert world.key_packages.stock(record.number) == 2


def test_a_crash_before_the_commit_enrols_nobody_and_the_code_works_again(world):
    mine = new_device(world.random)
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
    identity, keys = new_device(world.random)
    world.writer.fail(StorageError("the disk is full"))
    told = talk.say(device.open(challenge).prove(keys, identity)[0])
    assert isinstance(told, Bye) and told.code == "storage"
    world.writer.fail(None)
    assert world.enterprise.user(ALICE).devices == ()


def test_an_unknown_code_costs_the_database_nothing(world):
    taken = {world.code.nameplate}
    other = next(str(number) for number in range(1000, 1010) if str(number) not in taken)
    talk = world.connect()
    said, _ = talk.begin(Code(other, Secret(bytes(8))), commit=False)
    assert isinstance(said, Bye) and "no such activation code" in said.text
    assert world.writer.waiting == 0


def test_a_bad_certificate_is_refused_and_the_code_stays_good(world):
    refused = activate(world, world.code, new_device(world.random, b"bad"))
    assert refused == Bye("activation-refused", "not an OpenPGP certificate")
    assert isinstance(activate(world, world.code), Enrolment)


def test_a_thief_of_the_whole_database_cannot_activate_with_any_stored_row(world):
    """The thief has every column of every row; the code itself is in none of them."""
    dump = world.database.reading.serialize("main")
    assert world.code.secret.expose() not in dump
    stolen = world.enterprise.code(world.code.nameplate)
    talk = world.connect()
    begin, thief = begin_as_thief(stolen.verifier, stolen.nameplate, talk.channel, world.random)
    challenge = talk.say(begin)
    identity, keys = new_device(world.random)
    prove, _ = thief.open(challenge).prove(keys, identity)
    refused = talk.say(prove)
    assert isinstance(refused, Bye) and "did not sign with the code" in refused.text
    assert world.enterprise.user(ALICE).devices == ()


def test_a_relay_with_another_certificate_activates_nothing(world):
    """The middle ends both TLS connections and passes every frame on unchanged."""
    to_server = world.connect()
    to_device = Channel(Fingerprint(b"\x66" * 32), world.random(64))
    begin, device = activation.begin(world.code, to_device, world.random)
    challenge = to_server.say(begin)
    identity, keys = new_device(world.random)
    with pytest.raises(activation.ServerUnprovenError, match="nothing was sent"):
        device.open(challenge).prove(keys, identity)
    assert world.enterprise.user(ALICE).devices == ()


def test_a_new_code_replaces_the_unused_one(world):
    code = world.fresh_code()
    assert world.users.renew(ALICE, world.stored(code))
    assert "no such" in activate(world, world.code).text
    assert isinstance(activate(world, code), Enrolment)


def test_a_second_device_of_a_user_is_enrolled_by_a_second_code(world):
    activate(world, world.code)
    code = world.fresh_code()
    world.users.renew(ALICE, world.stored(code))
    activate(world, code, new_device(world.random, b"second certificate"))
    user = world.enterprise.user(ALICE)
    assert len(user.devices) == 2 and user.certificate == b"second certificate"


def test_a_user_has_a_bounded_number_of_devices(world):
    empty = activation.Verifier(Secret(bytes(32)), bytes(32))
    for number in range(1, limits.MAX_DEVICES_PER_USER):
        nameplate = f"{number:04}"
        expires_ms = world.clock.now_ms + HOUR_MS
        world.users.renew(ALICE, NewCode(nameplate, empty, expires_ms))
        _, keys = new_device(world.random)
        told: list[object] = []
        enrol = world.enterprise.enrol(nameplate, keys, world.clock.now_ms)
        world.writer.submit(enrol, told.append)
        world.writer.commit()
        assert isinstance(told[0], Enrolled)
    last, beyond = world.fresh_code(), world.fresh_code()
    world.users.renew(ALICE, world.stored(last))
    assert isinstance(activate(world, last), Enrolment)
    world.users.renew(ALICE, world.stored(beyond))
    refused = activate(world, beyond)
    assert isinstance(refused, Bye) and "16 devices" in refused.text
