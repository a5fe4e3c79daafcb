"""Key packages: made right, and refused when they are not (RFC 9420, 10.1)."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.mls.codepoints import GREASE, SOURCE_UPDATE
from blackthorn.mls.credential import X509Credential
from blackthorn.mls.errors import (
    InvalidKeyPackage,
    InvalidLeaf,
    MalformedMessage,
    MLSError,
    UnsupportedSuite,
)
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.key_package import (
    LABEL,
    KeyPackage,
    KeyPackagePrivate,
    create_key_package,
    parse_key_package,
)
from blackthorn.mls.suites import DEFAULT_SUITE, SUITE_1, SUITE_XWING_AES128, suite
from blackthorn.mls.tree.leaf_node import Lifetime
from tests.support.mls_people import NOW, Person, verified


@pytest.fixture
def alice() -> Person:
    return Person("alice", random.Random(7))


@pytest.mark.parametrize("number", [SUITE_1, DEFAULT_SUITE, SUITE_XWING_AES128])
def test_made_and_verified(number: int) -> None:
    alice = Person("alice", random.Random(8), number)
    message, private = alice.key_package()
    package = verified(message)
    assert package.credential == alice.credential
    assert package.signature_key == alice.public
    assert package.suite is suite(number)
    assert package.reference == private.reference
    assert KeyPackagePrivate.deserialise(private.serialise()) == private
    assert not private.last_resort
    assert alice.key_package(last_resort=True)[1].last_resort


def test_default_suite_is_x_wing_with_aes_256() -> None:
    assert suite(DEFAULT_SUITE).parameters == (
        "0xf04e kem=MLKEM768-X25519 kdf=HKDF-sha384 aead=AES-256-GCM hash=sha384 signature=Ed25519"
    )
    assert suite(SUITE_XWING_AES128).parameters == (
        "0xf04f kem=MLKEM768-X25519 kdf=HKDF-sha256 aead=AES-128-GCM hash=sha256 signature=Ed25519"
    )


def test_unknown_suite_is_refused_by_number() -> None:
    with pytest.raises(UnsupportedSuite, match="0x004e"):
        suite(0x004E)


def test_grease_is_sent_and_suite_is_claimed(alice: Person) -> None:
    capabilities = alice.key_package()[1].package.leaf.capabilities
    assert alice.suite.number in capabilities.cipher_suites
    lists = (
        capabilities.cipher_suites,
        capabilities.extensions,
        capabilities.proposals,
        capabilities.credentials,
    )
    assert all(any(value in GREASE for value in each) for each in lists)


Change = Callable[[KeyPackage], KeyPackage]


def remade(alice: Person, change: Change, resign_leaf: bool = True) -> bytes:
    """A key package with something wrong and yet rightly signed."""
    _, private = alice.key_package()
    package = change(private.package)
    if resign_leaf:
        package = replace(package, leaf=package.leaf.sign(alice.suite, alice.private))
    signature = alice.suite.sign_with_label(alice.private, LABEL, package.unsigned)
    return replace(package, signature=signature).message


def with_leaf(**changes: object) -> Change:
    return lambda p: replace(p, leaf=replace(p.leaf, **changes))  # type: ignore[arg-type]


WRONG: list[tuple[Change, type[MLSError]]] = [
    (lambda p: replace(p, init_key=p.leaf.encryption_key), InvalidKeyPackage),
    (lambda p: replace(p, init_key=bytes(32)), InvalidKeyPackage),
    (lambda p: replace(p, init_key=b"short"), InvalidKeyPackage),
    (lambda p: replace(p, cipher_suite=0x4444), UnsupportedSuite),
    (lambda p: replace(p, cipher_suite=SUITE_XWING_AES128), MLSError),
    (with_leaf(source=SOURCE_UPDATE, lifetime=None), InvalidKeyPackage),
    (with_leaf(encryption_key=bytes(32)), InvalidLeaf),
    (with_leaf(lifetime=Lifetime(0, 2**64 - 1)), InvalidLeaf),
    (with_leaf(lifetime=Lifetime(NOW + 1, NOW + 2)), InvalidLeaf),
    (with_leaf(lifetime=Lifetime(NOW - 2, NOW - 1)), InvalidLeaf),
    (with_leaf(extensions=(Extension(0x4242, b""),)), InvalidLeaf),
    (with_leaf(credential=X509Credential((b"certificate",))), InvalidLeaf),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_wrong_but_rightly_signed(alice: Person, number: int) -> None:
    change, error = WRONG[number]
    with pytest.raises(error):
        verified(remade(alice, change))
    verified(remade(alice, lambda p: p))


def test_version_must_be_supported(alice: Person) -> None:
    capabilities = alice.key_package()[1].package.leaf.capabilities
    with pytest.raises(InvalidLeaf):
        verified(remade(alice, with_leaf(capabilities=replace(capabilities, versions=(9,)))))


def test_unknown_extensions_are_carried(alice: Person) -> None:
    extension = Extension(0x4A4A, b"anything")
    package = verified(remade(alice, lambda p: replace(p, extensions=(extension,)))).package
    assert package.extensions == (extension,)
    twice = remade(alice, lambda p: replace(p, extensions=(extension, extension)))
    with pytest.raises(MalformedMessage):
        verified(twice)


def test_the_validator_decides(alice: Person) -> None:
    seen = []

    def refuse(*seen_now: object) -> None:
        seen.append(seen_now)
        raise InvalidKeyPackage("not on the list")

    with pytest.raises(InvalidKeyPackage, match="list"):
        parse_key_package(alice.key_package()[0], now=NOW, validate=refuse)
    assert seen == [(alice.credential, alice.public, None)]


def test_secrets_do_not_print(alice: Person) -> None:
    _, private = alice.key_package()
    shown = repr(private)
    assert private.init_private.expose().hex() not in shown
    assert repr(private.init_private.expose()) not in shown
    assert repr(private.leaf_private.expose()) not in shown


def test_extension_types_of_the_application(alice: Person) -> None:
    message, _ = create_key_package(
        alice.suite,
        alice.credential,
        alice.private,
        alice.public,
        random=alice.random,
        now=NOW,
        extension_types=(0xF123,),
    )
    assert 0xF123 in verified(message).package.leaf.capabilities.extensions
