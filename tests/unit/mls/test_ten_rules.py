"""Ten rules, each of which a released library of MLS breaks."""

import random

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls import limits as mls_limits
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import EXTERNAL_PUB, EXTERNAL_SENDERS, MEMBER
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import (
    DecryptionFailed,
    InvalidLeaf,
    InvalidProposal,
    MalformedMessage,
    MLSError,
    TooLarge,
    Unsupported,
)
from blackthorn.mls.extension import Extension, ExternalSender, external_senders, find
from blackthorn.mls.framing.framing import Sender, read_message
from blackthorn.mls.framing.key_package import KeyPackagePrivate, parse_key_package
from blackthorn.mls.framing.proposals import Remove
from blackthorn.mls.framing.welcome_types import GroupInfo
from blackthorn.mls.group.group import Group
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule import key_schedule
from blackthorn.mls.schedule.key_schedule import external_public_key
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES256
from blackthorn.mls.tree.leaf_node import Lifetime
from blackthorn.wire import limits as wire_limits
from blackthorn.wire.tls import opaque, vector
from tests.support.mls_forge import public
from tests.support.mls_people import (
    NOW,
    add,
    agree,
    believe,
    enter,
    group_of,
    people,
    verified,
)

SUITES = pytest.mark.parametrize("suite", [SUITE_1, SUITE_XWING_AES256])


def test_rule_1_exporter_hashes_its_context() -> None:
    alice, bob = group_of(["alice", "bob"], 19)
    exported = alice.at.export("label", b"context", 32)
    assert exported == bob.at.export("label", b"context", 32)
    others = {alice.at.export("l", b"context", 32), alice.at.export("label", b"", 32)}
    assert len({exported, *others}) == 3
    suite, secrets = alice.suite, alice.at._state.epoch.secrets
    derived = suite.derive_secret(secrets.exporter.expose(), b"label")
    hashed = suite.expand_with_label(derived, b"exported", suite.hash(b"context"), 32)
    assert exported == hashed
    assert exported != suite.expand_with_label(derived, b"exported", b"context", 32)
    assert key_schedule.export(suite, secrets, b"label", b"context", 32) == exported


def test_rule_2_external_pub_holds_an_opaque_with_its_own_length() -> None:
    (alice,) = group_of(["alice"], 29)
    info = decode(read_message, alice.at.group_info(), "group info")
    assert isinstance(info, GroupInfo)
    state = alice.at._state
    public = external_public_key(alice.suite, state.epoch.secrets)
    assert len(public) == 32
    assert find(info.extensions, EXTERNAL_PUB) == opaque(public) == b"\x20" + public
    bare = GroupInfo(
        info.context,
        tuple(
            Extension(EXTERNAL_PUB, public) if each.type == EXTERNAL_PUB else each
            for each in info.extensions
        ),
        info.confirmation_tag,
        info.signer,
    ).sign(alice.suite, alice.private)
    (bob,) = people(["bob"], 30)
    with pytest.raises(MLSError):
        enter(bob, b"\x00\x01\x00\x04" + bare.encode())
    enter(bob, alice.at.group_info())


def test_rule_3_unmerged_leaves_between_only() -> None:
    """Trees with unmerged leaves at several heights are joined without complaint."""
    everybody = group_of([f"person {n}" for n in range(6)], 20)
    for person in everybody[1:]:
        made = person.at.commit(random=person.random, now=NOW, validate=believe)
        for other in everybody:
            if other is not person:
                other.follow(made.commit)
        person.at.merge_pending()
    for number in range(4):
        (late,) = people([f"late {number}"], 21 + number)
        add(everybody[number], [late], [p for p in everybody if p is not everybody[number]])
        everybody.append(late)
        made = everybody[5].at.commit(random=everybody[5].random, now=NOW, validate=believe)
        for other in everybody:
            if other is not everybody[5]:
                other.follow(made.commit)
        everybody[5].at.merge_pending()
        agree(*everybody)


@SUITES
def test_rule_4_a_message_that_does_not_decrypt_keeps_its_key(suite: int) -> None:
    """Whoever delivers forged copies first cannot destroy the true message."""
    alice, bob = group_of(["alice", "bob"], 31, suite)
    for message in (
        alice.say(b"the true message"),
        alice.at.propose_update(random=alice.random),
        alice.at.commit(random=alice.random, now=NOW, validate=believe).commit,
    ):
        before = bob.at.serialise()
        for place in range(1, 40):
            forged = bytearray(message)
            forged[-place] ^= 1
            with pytest.raises(DecryptionFailed):
                bob.read(bytes(forged))
        assert bob.at.serialise() == before
        bob.read(message)


def test_rule_5_bytes_after_the_end() -> None:
    alice, bob = group_of(["alice", "bob"], 5)
    message, private = alice.key_package()
    with pytest.raises(MalformedMessage):
        verified(message + b"\x00")
    with pytest.raises(MalformedMessage):
        KeyPackagePrivate.deserialise(private.serialise() + b"\x00")
    for inside in (alice.say(b"x"), alice.at.propose_update(random=alice.random)):
        with pytest.raises(MalformedMessage) as caught:
            bob.read(inside + b"\x00")
        assert caught.value.rule is Rule.NOTHING_FOLLOWS
    with pytest.raises(TooLarge):
        verified(message + bytes(wire_limits.MAX_KEY_PACKAGE_BYTES))


@SUITES
def test_rule_6_psks_enter_private_commits_and_welcomes(suite: int) -> None:
    alice, bob = group_of(["alice", "bob"], 32, suite)
    (carol,) = people(["carol"], 33, suite)
    package, private = carol.key_package()
    known = {b"psk": Secret(b"k" * 32)}
    made = alice.at.commit(
        add=[verified(package)],
        psk_ids=[b"psk"],
        external_psks=known,
        random=alice.random,
        now=NOW,
        validate=believe,
    )
    assert made.commit[:4] == b"\x00\x01\x00\x02"
    assert made.welcome is not None
    alice.at.merge_pending()
    before = bob.at.serialise()
    for wrong in ({}, {b"psk": Secret(bytes(32))}):
        with pytest.raises(MLSError):
            bob.at.process(made.commit, validate=believe, external_psks=wrong)
        with pytest.raises(MLSError):
            Group.join(
                made.welcome,
                private,
                carol.private,
                validate=believe,
                external_psks=wrong,
            )
    assert bob.at.serialise() == before
    staged = bob.at.process(made.commit, validate=believe, external_psks=known)
    assert isinstance(staged, StagedCommit)
    bob.at.merge(staged)
    carol.group = Group.join(
        made.welcome, private, carol.private, validate=believe, external_psks=known
    )
    agree(alice, bob, carol)


def test_rule_7_external_senders_is_a_vector() -> None:
    senders = [
        ExternalSender(b"key", BasicCredential(b"one")),
        ExternalSender(b"", BasicCredential(b"")),
    ]
    data = vector(sender.encode() for sender in senders)
    assert external_senders([Extension(EXTERNAL_SENDERS, data)]) == senders
    assert external_senders([]) == []


def test_rule_8_not_before_lies_a_day_back() -> None:
    (alice,) = people(["alice"], 8)
    _, private = alice.key_package()
    assert private.package.leaf.lifetime == Lifetime(
        NOW - 24 * 3600, NOW + mls_limits.MLS_LIFETIME_SECONDS
    )
    message, _ = alice.key_package()
    parse_key_package(message, now=NOW - 24 * 3600, validate=believe)
    for now in (NOW - 24 * 3600 - 1, NOW + mls_limits.MLS_LIFETIME_SECONDS + 1):
        with pytest.raises(InvalidLeaf):
            parse_key_package(message, now=now, validate=believe)


def test_rule_9_handshakes_travel_as_private_messages() -> None:
    alice, _ = group_of(["alice", "bob"], 22)
    messages = [
        alice.at.propose_update(random=alice.random),
        alice.at.propose_remove(1, random=alice.random),
        alice.at.commit(random=alice.random, now=NOW, validate=believe).commit,
    ]
    assert all(message[:4] == b"\x00\x01\x00\x02" for message in messages)


def test_rule_9_public_messages_are_taken_of_outsiders_only() -> None:
    alice, bob = group_of(["alice", "bob"], 23)
    (carol,) = people(["carol"], 24)
    in_the_clear = public(alice, Sender(MEMBER, 0), Remove(1), alice.private)
    with pytest.raises(Unsupported) as caught:
        bob.read(in_the_clear)
    assert caught.value.rule is Rule.PRIVATE_HANDSHAKES
    staged = bob.at.process(
        enter(carol, alice.at.group_info()),
        validate=believe,
        policy=Policy(join=lambda join: None),
    )
    assert isinstance(staged, StagedCommit)
    bob.at.merge(staged)
    agree(bob, carol)


@SUITES
def test_rule_10_what_is_refused_leaves_the_state_byte_identical(suite: int) -> None:
    """Every kind of message, each damaged in many places, and calls that cannot be."""
    alice, bob, _ = group_of(["alice", "bob", "carol"], 34, suite)
    messages = [
        alice.say(b"x"),
        alice.at.propose_update(random=alice.random),
        alice.at.commit(remove=[2], random=alice.random, now=NOW, validate=believe).commit,
        public(alice, Sender(MEMBER, 0), Remove(2), alice.private),
        alice.at.group_info(),
        alice.key_package()[0],
    ]
    before, seeded = bob.at.serialise(), random.Random(35)
    for message in messages:
        for _ in range(40):
            forged = bytearray(message)
            forged[seeded.randrange(len(forged))] ^= 1 << seeded.randrange(8)
            with pytest.raises(MLSError):
                bob.read(bytes(forged)[: seeded.choice((len(forged), len(forged) - 1))])
    with pytest.raises(InvalidProposal):
        bob.at.commit(remove=[bob.at.own_index], random=bob.random, now=NOW, validate=believe)
    with pytest.raises(MLSError):
        bob.at.propose_remove(77, random=bob.random)
    with pytest.raises(MLSError):
        bob.at.merge_pending()
    assert bob.at.serialise() == before
    for message in messages[:3]:
        bob.read(message)
