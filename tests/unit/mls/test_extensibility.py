"""Credentials of both types, and what is unknown: extensions, capabilities and GREASE are
carried or ignored as RFC 9420 (7.2, 13) asks, and nothing stricter."""

import datetime
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import (
    APPLICATION_ID,
    BASIC,
    GREASE,
    LAST_RESORT,
    RATCHET_TREE,
    REQUIRED_CAPABILITIES,
    X509,
)
from blackthorn.mls.credential import Credential, X509Credential
from blackthorn.mls.epoch.group_info import read_group_info_message
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.errors import InvalidLeaf, MalformedMessage
from blackthorn.mls.extension import Extension, RequiredCapabilities
from blackthorn.mls.framing.framing import encode_message
from blackthorn.mls.framing.key_package import LABEL, KeyPackage, KeyPackagePrivate
from blackthorn.mls.group.group import Group
from blackthorn.mls.tree.leaf_node import Capabilities
from tests.support.mls_people import (
    NOW,
    Person,
    add,
    agree,
    believe,
    enter,
    group_of,
    people,
    verified,
)

# --- X.509 --------------------------------------------------------------------------------


def certificate(name: str, private: Secret, suite: int) -> bytes:
    """A self-signed certificate of a member's signature key, DER."""
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    if suite == 1:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(private.expose())
    else:
        key = ec.derive_private_key(int.from_bytes(private.expose(), "big"), ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=900))
        .sign(key, None if suite == 1 else hashes.SHA256())
    )
    return built.public_bytes(Encoding.DER)


def check_certificates(
    credential: Credential, signature_key: bytes, replaced: Credential | None = None
) -> None:
    """What an application does: here, the end entity's key must be the leaf's."""
    if not isinstance(credential, X509Credential):
        return
    key = x509.load_der_x509_certificate(credential.certificates[0]).public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        raw = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        assert isinstance(key, ed25519.Ed25519PublicKey)
        raw = key.public_bytes_raw()
    if raw != signature_key:
        raise InvalidLeaf("the certificate is for another key")


def certified(name: str, seed: int, suite: int) -> Person:
    (person,) = people([name], seed, suite)
    chain = (certificate(name, person.private, suite), b"an issuer's certificate")
    person.credential = X509Credential(chain)  # type: ignore[assignment]
    return person


@pytest.mark.parametrize("suite", [1, 2])
def test_x509_and_basic_members_in_one_group(suite: int) -> None:
    alice, bob = certified("alice", 1, suite), certified("bob", 2, suite)
    (carol,) = people(["carol"], 3, suite)
    alice.found(credential_types=[BASIC])
    packages = [
        bob.key_package(credential_types=[BASIC]),
        carol.key_package(credential_types=[X509]),
    ]
    made = alice.at.commit(
        add=[verified(message) for message, _ in packages],
        random=alice.random,
        now=NOW,
        validate=check_certificates,
    )
    alice.at.merge_pending()
    assert made.welcome is not None
    for person, (_, private) in zip((bob, carol), packages, strict=True):
        person.group = Group.join(
            made.welcome, private, person.private, validate=check_certificates
        )
        person.group = Group.deserialise(person.group.serialise())
    agree(alice, bob, carol)
    assert carol.at.members[0].credential == alice.credential
    assert carol.hear(bob.say(b"hello")) == b"hello"
    made = bob.at.commit(random=bob.random, now=NOW, validate=check_certificates)
    for person in (alice, carol):
        person.follow(made.commit)
    bob.at.merge_pending()
    agree(alice, bob, carol)


def test_who_does_not_support_x509_is_not_added() -> None:
    alice = certified("alice", 4, 1)
    alice.found(credential_types=[BASIC])
    (bob,) = people(["bob"], 5)
    with pytest.raises(InvalidLeaf):
        add(alice, [bob])
    alice.found()
    message, _ = bob.key_package(credential_types=[X509])
    with pytest.raises(InvalidLeaf):  # nor may the group lack the newcomer's type
        alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)


def test_a_certificate_for_another_key_is_the_validators_to_refuse() -> None:
    alice, mallory = certified("alice", 6, 1), certified("mallory", 7, 1)
    alice.found()
    mallory.credential = alice.credential
    message, private = mallory.key_package()
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    assert made.welcome is not None
    with pytest.raises(InvalidLeaf, match="another key"):
        Group.join(made.welcome, private, mallory.private, validate=check_certificates)
    info = alice.at.group_info()
    with pytest.raises(InvalidLeaf, match="another key"):
        commit = enter(mallory, info)
        policy = Policy(join=lambda join: None)
        alice.at.process(commit, validate=check_certificates, policy=policy)


# --- Key packages with more or less in them -----------------------------------------------


def remade(
    person: Person,
    leaf_changes: dict[str, object],
    extensions: tuple[Extension, ...] = (),
) -> tuple[bytes, KeyPackagePrivate]:
    """A key package changed and signed again."""
    _, private = person.key_package()
    leaf = replace(private.package.leaf, **leaf_changes)  # type: ignore[arg-type]
    package = KeyPackage(
        private.package.cipher_suite,
        private.package.init_key,
        leaf.sign(person.suite, person.private),
        extensions,
    )
    signature = person.suite.sign_with_label(person.private, LABEL, package.unsigned)
    package = replace(package, signature=signature)
    return package.message, replace(private, package=package)


def capabilities(
    suites: tuple[int, ...] = (1,),
    extensions: tuple[int, ...] = (),
    proposals: tuple[int, ...] = (),
    credentials: tuple[int, ...] = (BASIC,),
) -> Capabilities:
    return Capabilities((1,), suites, extensions, proposals, credentials)


def joins(message: bytes, private: KeyPackagePrivate, bob: Person) -> None:
    """Bob joins Alice's group by this key package, talks, and commits."""
    (alice,) = group_of(["alice"], 8)
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    alice.at.merge_pending()
    assert made.welcome is not None
    bob.join(made.welcome, private)
    agree(alice, bob)
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    alice.follow(made.commit)
    bob.at.merge_pending()
    agree(alice, bob)


LEAVES: dict[str, Callable[[], dict[str, object]]] = {
    "the group's own suite is not listed": lambda: {"capabilities": capabilities(suites=())},
    "other suites only": lambda: {"capabilities": capabilities(suites=(2, 3, 0x7777))},
    "no proposals or extensions listed": lambda: {"capabilities": capabilities()},
    "default types listed all the same": lambda: {
        "capabilities": capabilities((1,), (1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 6, 7))
    },
    "GREASE and unknown numbers everywhere": lambda: {
        "capabilities": Capabilities(
            (1, GREASE[0], 0x7777), (1, *GREASE), (*GREASE, 0x7777), GREASE, (BASIC, *GREASE)
        )
    },
    "extensions that only the leaf knows": lambda: {
        "capabilities": capabilities(extensions=(0x7777, GREASE[3])),
        "extensions": (Extension(0x7777, b"x"), Extension(GREASE[3], b"")),
    },
    "an application id, which needs no listing": lambda: {
        "capabilities": capabilities(),
        "extensions": (Extension(APPLICATION_ID, b"\x02id"),),
    },
}


@pytest.mark.parametrize("name", LEAVES)
def test_leaves_that_are_valid(name: str) -> None:
    bob = Person("bob", random.Random(9))
    message, private = remade(bob, LEAVES[name]())
    joins(message, private, bob)
    assert private.package.leaf.extensions == bob.at._state.epoch.own_leaf().extensions


def test_unknown_key_package_extensions_are_ignored() -> None:
    bob = Person("bob", random.Random(10))
    extensions = (Extension(0x7777, b"x"), Extension(GREASE[5], b"anything"))
    message, private = remade(bob, {}, extensions)
    assert verified(message).package.extensions == extensions
    joins(message, private, bob)


def test_a_last_resort_key_package_lists_its_extension() -> None:
    bob = Person("bob", random.Random(11))
    message, private = bob.key_package(last_resort=True)
    assert LAST_RESORT in private.package.leaf.capabilities.extensions
    joins(message, private, bob)


def test_unknown_group_info_extensions_are_ignored() -> None:
    (alice,) = group_of(["alice"], 12)
    (bob,) = people(["bob"], 13)
    info = read_group_info_message(alice.at.group_info())
    more = (Extension(GREASE[1], b"grease"), *info.extensions, Extension(0x7777, b"unknown"))
    signed = replace(info, extensions=more).sign(alice.suite, alice.private)
    commit = enter(bob, encode_message(signed))
    staged = alice.at.process(commit, validate=believe, policy=Policy(join=lambda join: None))
    alice.at.merge(staged)  # type: ignore[arg-type]
    agree(alice, bob)
    assert bob.at.group_context_extensions == []
    twice = replace(info, extensions=(*info.extensions, Extension(RATCHET_TREE, b"")))
    with pytest.raises(MalformedMessage):
        enter(bob, encode_message(twice.sign(alice.suite, alice.private)))


def test_required_capabilities_may_name_default_types() -> None:
    (alice,) = people(["alice"], 14)
    required = RequiredCapabilities((RATCHET_TREE, 5), (1, 2, 3, 7), (BASIC,)).extension()
    assert required.type == REQUIRED_CAPABILITIES
    alice.found(extensions=[required])
    bob = Person("bob", random.Random(15))
    message, private = remade(bob, {"capabilities": capabilities()})
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    alice.at.merge_pending()
    assert made.welcome is not None
    bob.join(made.welcome, private)
    agree(alice, bob)


def test_unknown_group_extensions_that_all_support_are_carried() -> None:
    alice, bob = people(["alice", "bob"], 16)
    mine = [Extension(0xF777, b"anything"), Extension(0x7777, b"")]
    alice.found(extensions=mine, extension_types=(0xF777, 0x7777))
    message, private = bob.key_package(extension_types=(0xF777, 0x7777))
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    alice.at.merge_pending()
    assert made.welcome is not None
    bob.join(made.welcome, private)
    assert bob.at.group_context_extensions == mine
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    alice.follow(made.commit)
    bob.at.merge_pending()
    assert alice.at.group_context_extensions == mine
