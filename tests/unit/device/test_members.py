"""The rules for a leaf: who it says it is, and that a device keeps its key."""

import pytest

from blackthorn.device.members import Identity, LeafValidator, identify, trust_first_use
from blackthorn.ids import Address, DeviceId
from blackthorn.mls.credential import BasicCredential, X509Credential
from blackthorn.mls.errors import InvalidLeaf
from blackthorn.storage.device.vault import Vault

ALICE = Identity(Address("alice@acme.example"), DeviceId(b"\x01" * 16))
BOB = Identity(Address("bob@acme.example"), DeviceId(b"\x02" * 16))
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


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


def test_rule_2_a_device_keeps_its_address_and_its_key():
    vault = Vault.in_memory()
    with vault.transaction() as records:
        check = LeafValidator(records.peers, 5, trust_first_use)
        check(ALICE.credential(), KEY)
        check(ALICE.credential(), KEY)
        with pytest.raises(InvalidLeaf, match="another key"):
            check(ALICE.credential(), OTHER_KEY)
        with pytest.raises(InvalidLeaf, match="another key"):
            check(Identity(BOB.address, ALICE.device).credential(), KEY)
        check(BOB.credential(), OTHER_KEY)


def test_rule_2_a_refused_message_leaves_nobody_remembered():
    vault = Vault.in_memory()
    with vault.transaction() as records:
        with pytest.raises(InvalidLeaf), records.attempt():
            LeafValidator(records.peers, 5, trust_first_use)(BOB.credential(), KEY)
            raise InvalidLeaf("the message failed later")
        assert records.peers.pinned(BOB.device) is None


def test_rule_3_the_policy_decides_last():
    def refuse(identity: Identity, key: bytes) -> None:
        raise InvalidLeaf(f"{identity.address} is not in the ledger")

    with Vault.in_memory().transaction() as records, pytest.raises(InvalidLeaf, match="ledger"):
        LeafValidator(records.peers, 5, refuse)(ALICE.credential(), KEY)
