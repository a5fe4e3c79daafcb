"""The two sides of an activation, honest and attacked, over the pure machines."""

import random as seeded
from collections.abc import Callable

import msgspec
import pytest

from blackthorn.crypto.pake import PakeError
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.errors import DecodeError, InputError, ProtocolError
from blackthorn.ids import Address, Fingerprint, device_id
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import Code
from blackthorn.link.activation.exchange import Channel, DeviceKeys, Enrolment, Owner, Verifier
from blackthorn.link.frames import ActivateBegin, ActivateChallenge, ActivateProve
from blackthorn.wire import limits
from tests.support import runs
from tests.support.activation_forge import begin_as_thief, prove_unasked

SERVER = Fingerprint(b"\x11" * 32)
MIDDLE = Fingerprint(b"\x66" * 32)
CHANNEL = Channel(SERVER, b"the one connection")


@pytest.fixture
def random() -> Callable[[int], bytes]:
    seed = runs.seed()
    return seeded.Random(seed).randbytes


@pytest.fixture(scope="module")
def code() -> Code:
    return Code("4821", Secret(bytes(range(8))))


@pytest.fixture(scope="module")
def known(code: Code) -> Verifier:
    return exchange.verifier(code, SERVER)


IDENTITY = Secret(b"\x07" * 32)
ALICE = Address("alice@acme.example")
OWNER = Owner(ALICE, 3, b"\x05" * 32)


def keys_of(identity: Secret = IDENTITY) -> DeviceKeys:
    return DeviceKeys(
        identity_key=ED25519.public_key(identity),
        name="laptop",
        certificate=b"certificate",
        key_packages=[b"package 1", b"package 2"],
        last_resort=b"last resort",
        statements=[b"a reset"],
    )


def enrolment_for(keys: DeviceKeys) -> Enrolment:
    return Enrolment(
        address=ALICE,
        domain="acme.example",
        pin="2100CAFE",
        device=device_id(keys.identity_key),
        server_time=1_700_000_000_000,
        statements=keys.statements,
        config=b"the record",
        policy="quorum none\n",
    )


def test_both_sides_prove_the_code_and_the_device_is_enrolled(code, known, random):
    first, device = exchange.begin(code, CHANNEL, random)
    second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
    challenged = device.open(second)
    assert (challenged.address, challenged.owner) == (ALICE, OWNER)
    third, waiting = challenged.prove(keys_of(), IDENTITY)
    proven = server.verify(third)
    assert proven.keys == keys_of()
    enrolment = enrolment_for(proven.keys)
    assert waiting.open(proven.answer(enrolment)) == enrolment
    assert b"certificate" not in third.payload


def test_a_wrong_word_is_seen_by_the_device_before_it_sends_anything(code, known, random):
    wrong = Code(code.nameplate, Secret(b"\xff" + code.secret.expose()[1:]))
    first, device = exchange.begin(wrong, CHANNEL, random)
    second, _ = exchange.challenge(first, known, OWNER, CHANNEL, random)
    with pytest.raises(exchange.ServerUnprovenError, match="its number or a word is wrong"):
        device.open(second).prove(keys_of(), IDENTITY)


def test_who_guesses_a_code_cannot_make_the_proof(code, known, random):
    wrong = Code(code.nameplate, Secret(b"\xff" + code.secret.expose()[1:]))
    first, device = exchange.begin(wrong, CHANNEL, random)
    second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
    with pytest.raises(exchange.DeviceUnprovenError, match="the code is wrong"):
        server.verify(prove_unasked(device, second, keys_of(), IDENTITY))


def test_a_relay_with_another_certificate_learns_and_activates_nothing(code, known, random):
    """The middle speaks its own TLS to each side and relays every frame unchanged."""
    to_device = Channel(MIDDLE, b"connection with the middle")
    first, device = exchange.begin(code, to_device, random)
    second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
    with pytest.raises(exchange.ServerUnprovenError, match="intercepting; nothing was sent"):
        device.open(second).prove(keys_of(), IDENTITY)
    forged = ActivateProve(second.proof, bytes(64), b"\x00" * 200)
    with pytest.raises(exchange.DeviceUnprovenError):
        server.verify(forged)


def test_another_connection_with_the_same_certificate_does_not_fit(code, known, random):
    first, device = exchange.begin(code, Channel(SERVER, b"another connection"), random)
    second, _ = exchange.challenge(first, known, OWNER, CHANNEL, random)
    with pytest.raises(exchange.ServerUnprovenError):
        device.open(second).prove(keys_of(), IDENTITY)


def test_a_reflected_message_is_refused(code, known, random):
    first, device = exchange.begin(code, CHANNEL, random)
    with pytest.raises(exchange.ServerUnprovenError):
        device.open(ActivateChallenge(first.message, bytes(32), bytes(40))).prove(
            keys_of(), IDENTITY
        )


def test_a_thief_of_the_database_passes_spake2_and_still_activates_nothing(known, random):
    first, thief = begin_as_thief(known, "4821", CHANNEL, random)
    second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
    third, _ = thief.open(second).prove(keys_of(), IDENTITY)
    with pytest.raises(exchange.DeviceUnprovenError, match="did not sign with the code"):
        server.verify(third)


def test_a_thief_of_the_database_cannot_play_the_server_under_another_key(code, known, random):
    """The stored password is salted with the true server's key, which the thief has not."""
    thief = Channel(MIDDLE, b"connection with the thief")
    first, device = exchange.begin(code, thief, random)
    second, _ = exchange.challenge(first, known, OWNER, thief, random)
    with pytest.raises(exchange.ServerUnprovenError):
        device.open(second).prove(keys_of(), IDENTITY)


def test_an_identity_key_that_the_device_does_not_hold_is_refused(code, known, random):
    victim = keys_of(Secret(b"\x09" * 32))
    first, device = exchange.begin(code, CHANNEL, random)
    second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
    third, _ = device.open(second).prove(victim, IDENTITY)
    with pytest.raises(exchange.DeviceUnprovenError):
        server.verify(third)


def test_an_answer_for_another_device_is_refused(code, known, random):
    first, device = exchange.begin(code, CHANNEL, random)
    second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
    third, waiting = device.open(second).prove(keys_of(), IDENTITY)
    other = enrolment_for(keys_of(Secret(b"\x09" * 32)))
    with pytest.raises(exchange.ServerUnprovenError):
        waiting.open(server.verify(third).answer(other))


def test_any_changed_byte_ends_in_one_kind_of_refusal(code, known, random):
    """A flipped bit anywhere in any frame: refused, and by the project's own errors."""
    for field in ("message", "proof", "payload"):
        first, device = exchange.begin(code, CHANNEL, random)
        second, _ = exchange.challenge(first, known, OWNER, CHANNEL, random)
        changed = _flip(second, field, random)
        with pytest.raises(exchange.ServerUnprovenError):
            device.open(changed).prove(keys_of(), IDENTITY)
    first, device = exchange.begin(code, CHANNEL, random)
    second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
    third, waiting = device.open(second).prove(keys_of(), IDENTITY)
    for field in ("proof", "signature", "payload"):
        with pytest.raises(InputError):
            server.verify(_flip(third, field, random))
    answer = server.verify(third).answer(enrolment_for(keys_of()))
    with pytest.raises(exchange.ServerUnprovenError):
        waiting.open(_flip(answer, "payload", random))


def test_random_spake2_messages_raise_one_kind_of_error(known, random):
    refused = 0
    for _ in range(60):
        message = random(1)[0] % 2 * b"A" + random(random(1)[0] % 40)
        try:
            begin = ActivateBegin(exchange.ACTIVATION_VERSION, "4821", message)
            exchange.challenge(begin, known, OWNER, CHANNEL, random)
        except PakeError:
            refused += 1
    assert refused > 50
    with pytest.raises(PakeError):
        exchange.challenge(
            ActivateBegin(exchange.ACTIVATION_VERSION, "4821", b"A" + bytes(32)),
            known,
            OWNER,
            CHANNEL,
            random,
        )


def test_a_later_version_is_refused(known, random):
    with pytest.raises(ProtocolError, match="version 2"):
        exchange.challenge(
            ActivateBegin(2, "4821", b"A" + bytes(32)), known, OWNER, CHANNEL, random
        )


def test_a_device_brings_one_or_two_statements_and_no_other_number(code, known, random):
    for statements in (
        [],
        [b"one", b"two", b"three"],
        [b""],
        [bytes(limits.MAX_STATEMENT_BYTES + 1)],
    ):
        first, device = exchange.begin(code, CHANNEL, random)
        second, server = exchange.challenge(first, known, OWNER, CHANNEL, random)
        keys = msgspec.structs.replace(keys_of(), statements=statements)
        with pytest.raises(DecodeError, match="not a device's keys"):
            server.verify(device.open(second).prove(keys, IDENTITY)[0])


def _flip(frame, field, random):
    value = bytearray(getattr(frame, field))
    place = int.from_bytes(random(4), "big") % len(value)
    value[place] ^= 1 << (random(1)[0] % 8)
    return type(frame)(
        **{
            name: bytes(value) if name == field else getattr(frame, name)
            for name in frame.__struct_fields__
        }
    )
