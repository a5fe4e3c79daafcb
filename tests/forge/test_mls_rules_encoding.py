"""Rules 1xx: bytes that are no MLS, each with one fault, in whatever carries them."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.mls.codepoints import COMMIT, PROPOSAL
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.proposals import Add, encode_proposal
from blackthorn.mls.group.group import Group
from blackthorn.mls.rules import Rule
from blackthorn.wire.tls import opaque, u8, u16, u32, u64, vector
from tests.support.mls_forge import handshake, key_package_of, refused
from tests.support.mls_people import Person, believe, group_of, verified


class UnknownCredential:
    """A credential of a type that does not exist."""

    credential_type = 0x0A0A

    def encode(self) -> bytes:
        return u16(self.credential_type) + opaque(b"who?")


def public(sender: bytes, rest: bytes) -> bytes:
    """The start of a PublicMessage."""
    return u16(1) + u16(1) + opaque(b"group") + u64(1) + sender + opaque(b"") + rest


def added(mallory: Person, **changes: object) -> bytes:
    """A Commit that adds somebody by a changed key package."""
    erin = Person("erin", random.Random(2))
    leaf = changes.pop("leaf", None)
    package = key_package_of(erin, leaf, **changes)  # type: ignore[arg-type]
    return commit_of(encode_proposal(Add(package)), mallory)


def commit_of(proposal: bytes, mallory: Person) -> bytes:
    """A Commit of one proposal by value, without a path."""
    return handshake(mallory, COMMIT, vector([u8(1) + proposal]) + u8(0), bytes(32))


MESSAGES: dict[str, tuple[Rule, Callable[[Person], bytes]]] = {
    "nothing": (Rule.SYNTAX, lambda m: b""),
    "cut short": (Rule.SYNTAX, lambda m: m.say(b"x")[:-1]),
    "a length in its long form": (
        Rule.SHORTEST_LENGTH,
        lambda m: m.say(b"x").replace(b"\x05group", b"\x40\x05group"),
    ),
    "a length with the reserved prefix": (
        Rule.SHORTEST_LENGTH,
        lambda m: m.say(b"x").replace(b"\x05group", b"\xc5group"),
    ),
    "an optional that is 2": (
        Rule.PRESENCE,
        lambda m: handshake(m, COMMIT, vector([]) + u8(2), bytes(32)),
    ),
    "a byte too many": (Rule.NOTHING_FOLLOWS, lambda m: m.say(b"x") + b"\x00"),
    "another version": (Rule.MESSAGE_VERSION, lambda m: u16(2) + m.say(b"x")[2:]),
    "an unknown wire format": (Rule.WIRE_FORMAT, lambda m: u16(1) + u16(9) + m.say(b"x")[4:]),
    "an unknown content type": (
        Rule.CONTENT_TYPE,
        lambda m: public(u8(1) + u32(0), u8(9) + opaque(b"x")),
    ),
    "an unknown content type, sealed": (
        Rule.CONTENT_TYPE,
        lambda m: handshake(m, 9, opaque(b"x")),
    ),
    "an unknown sender type": (Rule.SENDER_TYPE, lambda m: public(u8(7), u8(1) + opaque(b"x"))),
    "an unknown source of a leaf": (Rule.LEAF_SOURCE, lambda m: added(m, leaf={"source": 9})),
    "an unknown proposal": (
        Rule.PROPOSAL_TYPE,
        lambda m: handshake(m, PROPOSAL, u16(0x0A0A) + opaque(b"x")),
    ),
    "an unknown proposal by value": (
        Rule.PROPOSAL_TYPE,
        lambda m: commit_of(u16(0x0A0A) + opaque(b"x"), m),
    ),
    "a proposal named in a third way": (
        Rule.PROPOSAL_OR_REF,
        lambda m: handshake(m, COMMIT, vector([u8(3) + opaque(b"x")]) + u8(0), bytes(32)),
    ),
    "an unknown PSK type": (
        Rule.PSK_TYPE,
        lambda m: commit_of(u16(4) + u8(3) + opaque(b"x") + opaque(bytes(32)), m),
    ),
    "an unknown PSK usage": (
        Rule.PSK_USAGE,
        lambda m: commit_of(
            u16(4) + u8(2) + u8(4) + opaque(b"group") + u64(1) + opaque(bytes(32)), m
        ),
    ),
    "an unknown credential": (
        Rule.CREDENTIAL_TYPE,
        lambda m: added(m, leaf={"credential": UnknownCredential()}),
    ),
    "an extension twice": (
        Rule.EXTENSION_ONCE,
        lambda m: added(m, extensions=(Extension(0x4242, b""), Extension(0x4242, b""))),
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(name: str) -> None:
    mallory, bob = group_of(["mallory", "bob"], 1)
    rule, forge = MESSAGES[name]
    refused(bob, forge(mallory), rule)


def test_an_unknown_cipher_suite() -> None:
    erin = Person("erin", random.Random(3))
    with pytest.raises(MLSError) as caught:
        verified(key_package_of(erin, cipher_suite=0x4444).message)
    assert caught.value.rule is Rule.CIPHER_SUITE


def test_a_message_of_another_kind() -> None:
    alice, bob = group_of(["alice", "bob"], 4)
    package, private = bob.key_package()
    refused(bob, package, Rule.MESSAGE_KIND)
    for message, take in (
        (alice.say(b"x"), verified),
        (package, lambda data: Group.join(data, private, bob.private, validate=believe)),
    ):
        with pytest.raises(MLSError) as caught:
            take(message)
        assert caught.value.rule is Rule.MESSAGE_KIND


def test_a_key_package_of_another_version() -> None:
    erin = Person("erin", random.Random(5))
    message = erin.key_package()[0]
    for place, rule in ((0, Rule.MESSAGE_VERSION), (4, Rule.KEY_PACKAGE_VERSION)):
        forged = message[:place] + u16(2) + message[place + 2 :]
        with pytest.raises(MLSError) as caught:
            verified(forged)
        assert caught.value.rule is rule


def test_a_leaf_without_its_lifetime() -> None:
    """A source that its fields do not follow is caught by its bytes."""
    erin = Person("erin", random.Random(6))
    package = key_package_of(erin)
    leaf = replace(package.leaf, lifetime=None)
    with pytest.raises(MLSError) as caught:
        verified(replace(package, leaf=leaf).message)
    assert caught.value.rule in (Rule.SYNTAX, Rule.SHORTEST_LENGTH)
