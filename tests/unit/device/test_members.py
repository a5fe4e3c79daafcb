"""The rules for a leaf: who it says it is, and that a device keeps its key."""

import pytest

from blackthorn.device.members import (
    GatheringValidator,
    Identity,
    LeafValidator,
    UnnamedDeviceError,
    identify,
    trust_first_use,
)
from blackthorn.ids import Address
from blackthorn.link.device_id import device_id
from blackthorn.mls.credential import BasicCredential, X509Credential
from blackthorn.mls.errors import InvalidLeaf
from blackthorn.storage.device.vault import Vault

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ALICE = Identity(Address("alice@acme.example"), device_id(KEY))
ME = Identity(Address("me@acme.example"), device_id(b"m" * 32))
BOB = Identity(Address("bob@acme.example"), device_id(OTHER_KEY))


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


def test_rule_2_the_device_id_is_made_of_the_signature_key():
    with Vault.in_memory().transaction() as records:
        check = LeafValidator(ME, records.peers, 5, trust_first_use)
        with pytest.raises(InvalidLeaf, match="not of the device that it names"):
            check(ALICE.credential(), OTHER_KEY)
        assert records.peers.pinned(ALICE.device) is None


def named(records):
    records.peers.name([(each.device, each.address) for each in (ALICE, BOB)])


def test_rule_3_a_device_that_was_never_met_is_one_that_the_server_names():
    with Vault.in_memory().transaction() as records:
        check = LeafValidator(ME, records.peers, 5, trust_first_use)
        with pytest.raises(UnnamedDeviceError):
            check(ALICE.credential(), KEY)
        records.peers.name([(ALICE.device, BOB.address)])
        with pytest.raises(UnnamedDeviceError, match="no such device of alice@"):
            check(ALICE.credential(), KEY)
        assert records.peers.pinned(ALICE.device) is None
        check(Identity(BOB.address, ALICE.device).credential(), KEY)


def test_rule_3_all_that_the_server_must_name_are_gathered():
    with Vault.in_memory().transaction() as records:
        check = GatheringValidator(ME, records.peers, 5, trust_first_use)
        check(ALICE.credential(), KEY)
        check(BOB.credential(), OTHER_KEY)
        check(ME.credential(), b"m" * 32)
        with pytest.raises(UnnamedDeviceError) as refused:
            check.require_named()
        assert refused.value.strangers == [ALICE, BOB]
        with pytest.raises(InvalidLeaf, match="not of the device that it names"):
            check(ALICE.credential(), OTHER_KEY)


def test_strangers_are_asked_for_once_and_bounded():
    with Vault.in_memory().transaction() as records:
        peers = records.peers
        peers.ask_for([(ALICE.device, ALICE.address)], 1, 2)
        assert peers.to_ask() == [ALICE.address]
        peers.set_asked([ALICE.address])
        peers.ask_for([(ALICE.device, ALICE.address)], 2, 2)
        assert peers.to_ask() == []
        peers.ask_for([(bytes([n]) * 16, BOB.address) for n in range(2)], 3, 2)
        assert peers.to_ask() == [BOB.address], "those answered for go first"
        assert peers.ask_again() and peers.to_ask() == [BOB.address]
        assert not peers.name([(ALICE.device, ALICE.address)])
        assert peers.name([(bytes(16), BOB.address)])


def test_rule_4_a_device_keeps_its_address():
    vault = Vault.in_memory()
    with vault.transaction() as records:
        named(records)
        check = LeafValidator(ME, records.peers, 5, trust_first_use)
        check(ALICE.credential(), KEY)
        check(ALICE.credential(), KEY)
        with pytest.raises(InvalidLeaf, match="another address or key"):
            check(Identity(BOB.address, ALICE.device).credential(), KEY)
        check(BOB.credential(), OTHER_KEY)


def test_rule_4_a_refused_message_leaves_nobody_remembered():
    vault = Vault.in_memory()
    with vault.transaction() as records:
        named(records)
        with pytest.raises(InvalidLeaf, match="failed later"), records.attempt():
            LeafValidator(ME, records.peers, 5, trust_first_use)(BOB.credential(), OTHER_KEY)
            raise InvalidLeaf("the message failed later")
        assert records.peers.pinned(BOB.device) is None


def test_rule_5_the_policy_decides_last():
    def refuse(identity: Identity, key: bytes) -> None:
        raise InvalidLeaf(f"{identity.address} is not in the ledger")

    with Vault.in_memory().transaction() as records, pytest.raises(InvalidLeaf, match="ledger"):
        named(records)
        LeafValidator(ME, records.peers, 5, refuse)(ALICE.credential(), KEY)
