"""The rules for a leaf: who it says it is, and that the chain of that user says so too."""

import random

import pytest

from blackthorn.device.core.members import (
    GatheringValidator,
    Identity,
    LeafValidator,
    UnknownDeviceError,
    identify,
)
from blackthorn.identity.bodies import DeviceInfo, Genesis
from blackthorn.identity.chain import Terms, UnverifiedChain, VerifiedChain, first_statement, replay
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import ENROLMENT, make
from blackthorn.ids import Address
from blackthorn.mls.credential import BasicCredential, X509Credential
from blackthorn.mls.errors import InvalidLeaf
from blackthorn.simulation.memory import memory_vault

SEED = 7
print(f"seed {SEED}")
CHANCE = random.Random(SEED)
ENROLLING = SigningKeys.generate(CHANCE.randbytes)


def person(name: str) -> tuple[Identity, bytes, VerifiedChain]:
    """A user with one device: who it is, its MLS key, and its user's chain."""
    keys = SigningKeys.generate(CHANCE.randbytes)
    info = DeviceInfo.of("phone", keys.public, CHANCE.randbytes(32))
    address = Address(f"{name}@acme.example")
    draft = first_statement(address, Genesis(info), 5)
    signed = make(draft, [(info.id, keys), (ENROLMENT, ENROLLING)])
    terms = Terms(ENROLLING.public, 1, 5)
    chain = replay(UnverifiedChain(address, (signed.encode(),)), terms)
    return Identity(address, info.id), info.mls_key, chain


ALICE, KEY, ALICES = person("alice")
BOB, OTHER_KEY, BOBS = person("bob")
ME, MY_KEY, _ = person("me")


def known(*chains: VerifiedChain):
    return {each.label: each for each in chains}.get


def validator(*chains: VerifiedChain) -> LeafValidator:
    return LeafValidator(ME, MY_KEY, known(*chains))


def test_an_identity_goes_round():
    assert identify(ALICE.credential()) == ALICE


@pytest.mark.parametrize(
    "identity",
    [
        b"",
        b"\x01" * 16,
        b"alice" + b"\x01" * 16,
        b"Alice@acme.example" + b"\x01" * 16,
        b"alice@acme.example " + b"\x01" * 16,
        b"al\xc3\xafce@acme.example" + b"\x01" * 16,
        b"\xff\xff@acme.example" + b"\x01" * 16,
    ],
)
def test_rule_1_a_leaf_names_an_address_and_a_device(identity):
    with pytest.raises(InvalidLeaf):
        identify(BasicCredential(identity))


def test_rule_1_certificates_are_not_taken():
    with pytest.raises(InvalidLeaf):
        identify(X509Credential((b"certificate",)))


def test_rule_2_a_leaf_has_the_key_that_the_chain_has_of_its_device():
    check = validator(ALICES, BOBS)
    check(ALICE.credential(), KEY)
    check(BOB.credential(), OTHER_KEY)
    with pytest.raises(InvalidLeaf, match="has another key in the chain"):
        check(ALICE.credential(), OTHER_KEY)


def test_rule_2_a_device_is_of_the_user_whose_chain_has_it():
    check = validator(ALICES, BOBS)
    with pytest.raises(UnknownDeviceError, match="the ledger has no such device of bob@"):
        check(Identity(BOB.address, ALICE.device).credential(), KEY)


def test_rule_2_whose_chain_is_not_known_is_a_stranger():
    with pytest.raises(UnknownDeviceError) as refused:
        validator(ALICES)(BOB.credential(), OTHER_KEY)
    assert refused.value.unknown_devices == [BOB]


def test_rule_2_all_strangers_are_gathered():
    check = GatheringValidator(ME, MY_KEY, known(ALICES))
    other = Identity(ALICE.address, BOB.device)
    check(ALICE.credential(), KEY)
    check.require_known()
    check(other.credential(), KEY)
    check(BOB.credential(), OTHER_KEY)
    check(ME.credential(), MY_KEY)
    with pytest.raises(UnknownDeviceError) as refused:
        check.require_known()
    assert refused.value.unknown_devices == [other, BOB]
    with pytest.raises(InvalidLeaf, match="has another key in the chain"):
        check(ALICE.credential(), OTHER_KEY)


def test_rule_3_the_own_leaf_has_the_own_key_whatever_any_chain_says():
    check = validator()
    check(ME.credential(), MY_KEY)
    with pytest.raises(InvalidLeaf, match="a key that it does not have"):
        check(ME.credential(), KEY)


def test_strangers_are_asked_for_once_and_bounded():
    with memory_vault().transaction() as records:
        peers = records.peers
        peers.ask_for([(ALICE.device, ALICE.address)], 1, 2)
        assert peers.to_ask() == [ALICE.address]
        peers.set_asked([ALICE.address])
        peers.ask_for([(ALICE.device, ALICE.address)], 2, 2)
        assert peers.to_ask() == []
        peers.ask_for([(bytes([n]) * 16, BOB.address) for n in range(2)], 3, 2)
        assert peers.to_ask() == [BOB.address], "those answered for go first"
        assert peers.ask_again() and peers.to_ask() == [BOB.address]
        assert not peers.found(ALICE.address, [ALICE.device])
        assert peers.found(BOB.address, [bytes(16)])
