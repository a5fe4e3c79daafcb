"""Proposals from outside the group, and handshakes of members in the clear."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from blackthorn.mls.codepoints import EXTERNAL_SENDERS, PUBLIC_MESSAGE
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.epoch.policy import Outsider, Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import (
    FutureEpoch,
    InvalidLeaf,
    InvalidProposal,
    InvalidSignature,
    MalformedMessage,
    MLSError,
    OwnMessage,
    Unsupported,
    WrongEpoch,
)
from blackthorn.mls.extension import Extension, ExternalSender, external_senders
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.external_proposing import (
    propose_as_external_sender,
    propose_to_be_added,
)
from blackthorn.mls.framing.framing import AuthenticatedContent, Body, Sender, encode_message
from blackthorn.mls.framing.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    Remove,
    Update,
)
from blackthorn.mls.group.committing import CommitRequest, make_commit, sign_content
from blackthorn.mls.group.group import Group, ProposalReceived
from blackthorn.mls.schedule.psk import ExternalPskId, KnownPsks
from blackthorn.wire.tls import vector
from tests.support.mls_people import NOW, Person, add, agree, believe, enter, people, verified


class Listener:
    """A policy that lets every proposal wait, and remembers who made it."""

    def __init__(self) -> None:
        self.seen: list[tuple[Outsider, Proposal]] = []
        self.policy = Policy(propose=lambda *seen: self.seen.append(seen))


def senders_extension(*senders: Person) -> Extension:
    named = [ExternalSender(each.public, each.credential) for each in senders]
    return Extension(EXTERNAL_SENDERS, vector(each.encode() for each in named))


@pytest.fixture
def group() -> list[Person]:
    """Alice, Bob and Carol, in a group that knows two external senders: Clerk and Porter."""
    everybody = people(["alice", "bob", "carol", "clerk", "porter"], 1)
    alice, bob, carol, clerk, porter = everybody
    alice.found(extensions=[senders_extension(clerk, porter)])
    add(alice, [bob, carol])
    assert len(external_senders(bob.at.group_context_extensions)) == 2
    return everybody


def from_clerk(group: Sequence[Person], proposal: Proposal, index: int = 0) -> bytes:
    alice, clerk = group[0], group[3]
    return propose_as_external_sender(
        alice.suite, b"group", alice.at.epoch, index, proposal, clerk.private
    )


def hear_all(people: Sequence[Person], message: bytes, policy: Policy) -> None:
    for person in people:
        received = person.at.process(message, validate=believe, policy=policy)
        assert isinstance(received, ProposalReceived)


def refused(person: Person, message: bytes, error: type[MLSError], policy: Policy) -> None:
    before = person.at.serialise()
    with pytest.raises(error):
        person.at.process(message, validate=believe, policy=policy)
    assert person.at.serialise() == before


def test_an_external_sender_removes_and_adds(group: list[Person]) -> None:
    alice, bob, carol, clerk, _ = group
    dave = Person("dave", random.Random(2))
    package, private = dave.key_package()
    listener = Listener()
    for proposal in (Remove(2), Add(verified(package).package)):
        hear_all([alice, bob], from_clerk(group, proposal), listener.policy)
    assert {outsider.index for outsider, _ in listener.seen} == {0}
    assert listener.seen[0][0].credential == clerk.credential
    bob.group = Group.deserialise(bob.at.serialise())
    assert bob.at.waiting_proposals == 2
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    staged = alice.follow(made.commit)
    assert [member.credential for member in staged.added] == [dave.credential]
    assert [member.credential for member in staged.removed] == [carol.credential]
    bob.at.merge_pending()
    assert made.welcome is not None
    dave.join(made.welcome, private)
    agree(alice, bob, dave)


def test_an_external_sender_proposes_psks_and_extensions(group: list[Person]) -> None:
    alice, bob, _, clerk, _ = group
    listener = Listener()
    extensions = GroupContextExtensions((senders_extension(clerk),))
    hear_all([alice, bob], from_clerk(group, extensions), listener.policy)
    psk = PreSharedKey(ExternalPskId(b"nobody has it", bytes(32)))
    hear_all([alice, bob], from_clerk(group, psk), listener.policy)
    made = alice.at.commit(random=alice.random, now=NOW, validate=believe)
    bob.follow(made.commit)
    alice.at.merge_pending()
    assert bob.at.group_context_extensions == [senders_extension(clerk)]


def test_somebody_proposes_to_be_added(group: list[Person]) -> None:
    alice, bob, carol, _, _ = group
    dave = Person("dave", random.Random(3))
    _, private = dave.key_package()
    message = propose_to_be_added(b"group", 1, private, dave.private)
    listener = Listener()
    hear_all([alice, bob, carol], message, listener.policy)
    assert listener.seen[0][0] == Outsider(None, dave.credential, dave.public)
    made = carol.at.commit(random=carol.random, now=NOW, validate=believe)
    for person in (alice, bob):
        assert len(person.follow(made.commit).added) == 1
    carol.at.merge_pending()
    assert made.welcome is not None
    dave.join(made.welcome, private)
    agree(alice, bob, carol, dave)


def test_nothing_from_outside_waits_unless_the_policy_says_so(group: list[Person]) -> None:
    alice, bob = group[:2]
    dave = Person("dave", random.Random(4))
    _, private = dave.key_package()
    for message in (
        from_clerk(group, Remove(2)),
        propose_to_be_added(b"group", 1, private, dave.private),
    ):
        refused(alice, message, Unsupported, Policy())

    def no_removals(outsider: Outsider, proposal: Proposal) -> None:
        if isinstance(proposal, Remove):
            raise InvalidProposal("the clerk removes nobody")

    refused(bob, from_clerk(group, Remove(2)), InvalidProposal, Policy(propose=no_removals))

    def unknown(credential: object, signature_key: bytes, replaced: object) -> None:
        raise InvalidLeaf("nobody knows the clerk")

    with pytest.raises(InvalidLeaf):
        bob.at.process(from_clerk(group, Remove(2)), validate=unknown, policy=Listener().policy)


def test_who_may_propose_what_from_outside(group: list[Person]) -> None:
    alice, bob, carol, clerk, _ = group
    policy = Listener().policy
    refused(alice, from_clerk(group, Remove(2), index=1), InvalidSignature, policy)  # the porter's
    refused(alice, from_clerk(group, Remove(2), index=2), InvalidProposal, policy)  # nobody's
    for epoch, error in ((0, WrongEpoch), (2, FutureEpoch)):
        message = propose_as_external_sender(
            alice.suite, b"group", epoch, 0, Remove(2), clerk.private
        )
        refused(alice, message, error, policy)
    message = from_clerk(group, Remove(2))
    seeded = random.Random(5)
    for place in range(len(message)):
        forged = bytearray(message)
        forged[place] ^= 1 << seeded.randrange(8)
        refused(bob, bytes(forged), MLSError, policy)
    refused(bob, message + b"\x00", MalformedMessage, policy)
    state = alice.at._state
    for proposal in (Update(state.epoch.own_leaf()), ExternalInit(b"x")):
        refused(bob, from_clerk(group, proposal), MalformedMessage, policy)
    made = alice.at.commit(random=alice.random, now=NOW, validate=believe)
    for person in (bob, carol):
        person.follow(made.commit)
    alice.at.merge_pending()
    agree(alice, bob, carol)


def test_a_new_member_may_only_propose_itself(group: list[Person]) -> None:
    alice = group[0]
    dave, mallory = people(["dave", "mallory"], 6)
    _, private = dave.key_package()
    forged = propose_to_be_added(b"group", 1, private, mallory.private)
    refused(alice, forged, InvalidSignature, Listener().policy)
    true = propose_to_be_added(b"group", 1, private, dave.private)
    refused(alice, true.replace(b"dave", b"dove"), InvalidSignature, Listener().policy)


# --- Members in the clear -----------------------------------------------------------------


def in_the_clear(person: Person, body: Body, sender: int | None = None) -> bytes:
    """A handshake of a member as a PublicMessage, which this library makes for tests only."""
    state = person.at._state
    encoded, suite = state.epoch.context.encoded, state.epoch.suite
    if isinstance(body, Commit):
        made = make_commit(
            state,
            CommitRequest(),
            random=person.random,
            now=NOW,
            validate=believe,
            known_psks=KnownPsks(),
        )
        signed = made.commit
    else:
        signed = sign_content(state.epoch, body, b"", state.signature_private)
    content = signed.content
    if sender is not None:
        content = replace(content, sender=Sender(1, sender))
    signature = protection.sign(suite, PUBLIC_MESSAGE, content, encoded, state.signature_private)
    public = AuthenticatedContent(PUBLIC_MESSAGE, content, signature, signed.confirmation_tag)
    key = state.epoch.secrets.membership_key
    return encode_message(protection.protect_public(suite, public, encoded, key))


IN_THE_CLEAR = Policy(public_handshakes=True)


def test_members_may_speak_in_the_clear_where_the_policy_says_so(group: list[Person]) -> None:
    alice, bob, carol = group[:3]
    proposal = in_the_clear(alice, Remove(2))
    refused(bob, proposal, Unsupported, Policy())
    hear_all([bob, carol], proposal, IN_THE_CLEAR)
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    assert carol.follow(made.commit).removes_me


def test_what_is_wrong_in_the_clear(group: list[Person]) -> None:
    alice, bob = group[:2]
    refused(alice, in_the_clear(alice, Remove(2)), OwnMessage, IN_THE_CLEAR)
    refused(bob, in_the_clear(alice, Remove(2), sender=2), InvalidSignature, IN_THE_CLEAR)
    refused(bob, in_the_clear(alice, Remove(2), sender=9), InvalidSignature, IN_THE_CLEAR)
    refused(bob, in_the_clear(alice, b"application data"), MalformedMessage, IN_THE_CLEAR)
    message = in_the_clear(alice, Remove(2))
    seeded = random.Random(7)
    for place in range(len(message)):
        forged = bytearray(message)
        forged[place] ^= 1 << seeded.randrange(8)
        refused(bob, bytes(forged), MLSError, IN_THE_CLEAR)
    stranger = Person("stranger", random.Random(8))
    stranger.found()
    refused(bob, in_the_clear(stranger, Remove(2)), WrongEpoch, IN_THE_CLEAR)
    # A Commit in the clear whose confirmation tag is for a private one.
    refused(bob, in_the_clear(alice, Commit((), None)), InvalidSignature, IN_THE_CLEAR)
    assert BasicCredential(b"alice") == alice.credential
    assert not isinstance(bob.read(alice.say(b"x")), StagedCommit)


def test_a_joiner_validates_the_external_senders_too(group: list[Person]) -> None:
    alice, bob, carol, clerk, _ = group
    dave = Person("dave", random.Random(9))
    message, private = dave.key_package()
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)

    def refuse(credential: object, *_: object) -> None:
        if credential == clerk.credential:
            raise InvalidLeaf("nobody knows the clerk")

    assert made.welcome is not None
    with pytest.raises(InvalidLeaf, match="clerk"):
        Group.join(made.welcome, private, dave.private, validate=refuse)
    with pytest.raises(InvalidLeaf, match="clerk"):
        enter(dave, carol.at.group_info(), validate=refuse)
    # And members, when a Commit names new ones.
    named = bob.at.commit(
        extensions=[senders_extension(clerk)], random=bob.random, now=NOW, validate=believe
    )
    with pytest.raises(InvalidLeaf, match="clerk"):
        carol.at.process(named.commit, validate=refuse)
    with pytest.raises(MalformedMessage):  # the extension is a vector, and nothing else
        carol.at.commit(
            extensions=[Extension(EXTERNAL_SENDERS, b"\x00\x00")],
            random=carol.random,
            now=NOW,
            validate=believe,
        )
