"""Groups: what each operation does."""

import random

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.credential import Credential
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import (
    GroupState,
    InvalidCommit,
    InvalidLeaf,
    InvalidProposal,
    InvalidWelcome,
    MLSError,
)
from blackthorn.mls.extension import (
    Extension,
    RequiredCapabilities,
)
from blackthorn.mls.framing.padding import padded_size, size_class
from blackthorn.mls.group.group import Application, Group, ProposalReceived
from blackthorn.mls.group.joining import welcome_references
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES128, SUITE_XWING_AES256
from tests.support.mls_people import NOW, Person, add, agree, believe, group_of, people, verified

SUITES = pytest.mark.parametrize("suite", [SUITE_1, SUITE_XWING_AES256, SUITE_XWING_AES128, 2, 4])


@SUITES
def test_create_add_talk_update_remove(suite: int) -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 1, suite)
    agree(alice, bob, carol)
    assert [member.credential.identity for member in bob.at.members] == [
        b"alice",
        b"bob",
        b"carol",
    ]
    heard = bob.read(alice.at.encrypt(b"hi", random=alice.random, authenticated_data=b"ad"))
    assert isinstance(heard, Application)
    assert (heard.content, heard.authenticated_data, heard.epoch) == (b"hi", b"ad", 1)
    assert heard.sender.credential == alice.credential
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    assert made.welcome is None
    for person in (alice, carol):
        staged = person.follow(made.commit)
        assert (staged.epoch, staged.committer.index) == (2, bob.at.own_index)
    bob.at.merge_pending()
    agree(alice, bob, carol)
    made = carol.at.commit(remove=[1], random=carol.random, now=NOW, validate=believe)
    staged = alice.follow(made.commit)
    assert [member.credential for member in staged.removed] == [bob.credential]
    assert bob.follow(made.commit).removes_me
    assert not bob.at.active
    carol.at.merge_pending()
    agree(alice, carol)


@SUITES
def test_additions_alone_need_no_path(suite: int) -> None:
    """RFC 9420, 12.4: a Commit of Adds may have no path; its Welcome has no path secret then."""
    alice, bob, *joiners = people(["alice", "bob", "carol", "dave", "erin"], 4, suite)
    alice.found()
    add(alice, [bob])
    here = [alice, bob]
    for committer in (alice, bob):
        joining, joiners = joiners[:1], joiners[1:]
        packages = [joiner.key_package() for joiner in joining]
        leaf = committer.at._state.epoch.own_leaf()
        made = committer.at.commit(
            add=[verified(message) for message, _ in packages],
            path=False,
            random=committer.random,
            now=NOW,
            validate=believe,
        )
        for person in here:
            if person is not committer:
                staged = person.read(made.commit)
                assert isinstance(staged, StagedCommit) and not person.at.renews(staged)
                person.at.merge(staged)
        assert committer.at.pending is not None
        assert not committer.at.renews(committer.at.pending)
        committer.group = Group.deserialise(committer.at.serialise())
        committer.at.merge_pending()
        assert committer.at._state.epoch.own_leaf() == leaf
        for joiner, (_, private) in zip(joining, packages, strict=True):
            joiner.join(made.welcome or b"", private)
        here += joining
        agree(*here)
    made = here[3].at.commit(random=here[3].random, now=NOW, validate=believe)
    for person in here[:3]:
        staged = person.read(made.commit)
        assert isinstance(staged, StagedCommit) and person.at.renews(staged)
        person.at.merge(staged)
    here[3].at.merge_pending()
    agree(*here)
    assert bob.hear(here[3].say(b"all the same")) == b"all the same"


def test_a_removal_has_a_path_whatever_is_asked() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 5)
    made = alice.at.commit(remove=[1], path=False, random=alice.random, now=NOW, validate=believe)
    staged = carol.read(made.commit)
    assert isinstance(staged, StagedCommit) and carol.at.renews(staged)
    carol.at.merge(staged)
    assert bob.follow(made.commit).removes_me
    alice.at.merge_pending()
    agree(alice, carol)


def test_a_person_may_come_back() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 2)
    made = alice.at.commit(remove=[1], random=alice.random, now=NOW, validate=believe)
    carol.follow(made.commit)
    alice.at.merge_pending()
    add(carol, [bob], [alice])
    agree(alice, bob, carol)
    assert bob.at.own_index == 1


def test_remove_and_add_the_same_client_in_one_commit() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 3)
    message, private = bob.key_package()
    made = alice.at.commit(
        add=[verified(message)], remove=[1], random=alice.random, now=NOW, validate=believe
    )
    carol.follow(made.commit)
    alice.at.merge_pending()
    assert made.welcome is not None
    bob.join(made.welcome, private)
    agree(alice, bob, carol)


def test_proposals_by_reference() -> None:
    alice, bob, carol, dave = group_of(["alice", "bob", "carol", "dave"], 4)
    erin = Person("erin", random.Random(5))
    message, private = erin.key_package()
    proposals = [
        (alice, alice.at.propose_update(random=alice.random)),
        (bob, bob.at.propose_add(verified(message), random=bob.random)),
        (bob, bob.at.propose_remove(3, random=bob.random)),
    ]
    for proposer, proposal in proposals:
        for person in (alice, bob, carol, dave):
            if person is not proposer:
                received = person.read(proposal)
                assert isinstance(received, ProposalReceived)
                assert received.sender.credential == proposer.credential
    alice.group = Group.deserialise(alice.at.serialise())
    made = carol.at.commit(random=carol.random, now=NOW, validate=believe)
    for person in (alice, bob):
        staged = person.follow(made.commit)
        assert [member.credential for member in staged.added] == [erin.credential]
        assert [member.credential for member in staged.removed] == [dave.credential]
        assert [member.credential for member in staged.updated] == [alice.credential]
    carol.at.merge_pending()
    assert made.welcome is not None
    erin.join(made.welcome, private)
    agree(alice, bob, carol, erin)
    assert erin.hear(alice.say(b"welcome")) == b"welcome"


def test_a_commit_leaves_out_what_cannot_stand() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 6)
    for proposal in (
        bob.at.propose_remove(0, random=bob.random),  # the committer itself
        bob.at.propose_remove(2, random=bob.random),
        bob.at.propose_update(random=bob.random),
    ):
        for person in (alice, carol):
            person.read(proposal)
    own = alice.at.propose_update(random=alice.random)
    bob.read(own)
    carol.read(own)
    made = alice.at.commit(remove=[2], random=alice.random, now=NOW, validate=believe)
    staged = bob.follow(made.commit)
    assert [member.index for member in staged.removed] == [2]
    assert [member.index for member in staged.updated] == [1]
    alice.at.merge_pending()
    agree(alice, bob)


def test_a_commit_that_names_an_unknown_proposal() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 7)
    bob.read(alice.at.propose_update(random=alice.random))
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    before = carol.at.serialise()
    with pytest.raises(InvalidCommit):
        carol.read(made.commit)
    assert carol.at.serialise() == before


def test_requests_that_are_refused_change_nothing() -> None:
    alice, bob = group_of(["alice", "bob"], 8)
    package = verified(bob.key_package()[0])
    other = verified(Person("mallory", random.Random(9), SUITE_XWING_AES128).key_package()[0])
    before = alice.at.serialise()
    for options, error in (
        ({"remove": [0]}, InvalidProposal),
        ({"remove": [7]}, InvalidProposal),
        ({"remove": [1, 1]}, InvalidProposal),
        ({"add": [package]}, InvalidProposal),
        ({"add": [other]}, InvalidProposal),
        ({"psk_ids": [b"unknown"]}, InvalidProposal),
        ({"extensions": [Extension(0x4242, b"")]}, InvalidLeaf),
    ):
        with pytest.raises(error):
            alice.at.commit(random=alice.random, now=NOW, validate=believe, **options)  # type: ignore[arg-type]
        assert alice.at.serialise() == before
    for call in (
        alice.at.merge_pending,
        lambda: alice.at.propose_remove(9, random=alice.random),
        lambda: alice.at.export("label", b"", 255 * 32 + 1),
    ):
        with pytest.raises(GroupState):
            call()
        assert alice.at.serialise() == before


def test_pending_commit_may_be_stored_discarded_and_made_again() -> None:
    alice, bob = group_of(["alice", "bob"], 10)
    alice.at.commit(random=alice.random, now=NOW, validate=believe)
    with pytest.raises(GroupState):
        alice.at.commit(random=alice.random, now=NOW, validate=believe)
    alice.group = Group.deserialise(alice.at.serialise())
    assert alice.at.pending is not None
    alice.at.discard_pending()
    assert bob.hear(alice.say(b"still in the old epoch")) == b"still in the old epoch"
    made = alice.at.commit(random=alice.random, now=NOW, validate=believe)
    bob.follow(made.commit)
    alice.group = Group.deserialise(alice.at.serialise())
    alice.at.merge_pending()
    agree(alice, bob)


def test_ratchet_tree_outside_the_welcome() -> None:
    (alice,) = group_of(["alice"], 11)
    (bob,) = people(["bob"], 12)
    message, private = bob.key_package()
    made = alice.at.commit(
        add=[verified(message)],
        random=alice.random,
        now=NOW,
        validate=believe,
        tree_in_welcome=False,
    )
    other_tree = alice.at.ratchet_tree()
    alice.at.merge_pending()
    assert made.welcome is not None
    assert welcome_references(made.welcome) == [private.reference]

    def join(tree: bytes | None) -> Group:
        return Group.join(
            made.welcome or b"",
            private,
            bob.private,
            validate=believe,
            ratchet_tree=tree,
        )

    for wrong in (None, other_tree, alice.at.ratchet_tree() + b"\x00", b""):
        with pytest.raises(MLSError):
            join(wrong)
    bob.group = join(alice.at.ratchet_tree())
    agree(alice, bob)


def test_joining_needs_the_right_keys() -> None:
    (alice,) = group_of(["alice"], 13)
    bob, mallory = people(["bob", "mallory"], 14)
    message, private = bob.key_package()
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    assert made.welcome is not None
    with pytest.raises(InvalidWelcome):
        bob.join(made.welcome, bob.key_package()[1])
    with pytest.raises(GroupState):
        Group.join(made.welcome, private, mallory.private, validate=believe)

    def refuse(credential: Credential, *_: object) -> None:
        if credential == alice.credential:
            raise InvalidLeaf("nobody knows alice")

    with pytest.raises(InvalidLeaf, match="alice"):
        Group.join(made.welcome, private, bob.private, validate=refuse)
    bob.join(made.welcome, private)


def test_psk() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 15)
    psks = {b"name": Secret(b"a shared secret")}
    made = alice.at.commit(
        psk_ids=[b"name"], external_psks=psks, random=alice.random, now=NOW, validate=believe
    )
    before = carol.at.serialise()
    with pytest.raises(InvalidProposal):
        carol.read(made.commit)
    wrong = {b"name": Secret(b"another secret")}
    with pytest.raises(MLSError):
        carol.at.process(made.commit, validate=believe, external_psks=wrong)
    assert carol.at.serialise() == before
    for person in (bob, carol):
        staged = person.at.process(made.commit, validate=believe, external_psks=psks)
        person.at.merge(staged)  # type: ignore[arg-type]
    alice.at.merge_pending()
    agree(alice, bob, carol)


def test_content_does_not_print() -> None:
    alice, bob = group_of(["alice", "bob"], 24)
    heard = bob.read(alice.say(b"do not print this"))
    assert isinstance(heard, Application)
    assert heard.content == b"do not print this"
    for shown in (heard, bob.at._state, alice.at._sign(b"do not print this", b"")):
        assert "do not print" not in repr(shown)


# --- GroupContext extensions --------------------------------------------------------------


def test_extensions_are_carried_and_replaced() -> None:
    alice, bob = people(["alice", "bob"], 16)
    first = Extension(APPLICATION_EXTENSION, b"name: first")
    alice.found(extensions=[first])
    add(alice, [bob])
    assert bob.at.group_context_extensions == [first]
    second = Extension(APPLICATION_EXTENSION, b"name: second")
    made = bob.at.commit(extensions=[second], random=bob.random, now=NOW, validate=believe)
    alice.follow(made.commit)
    bob.at.merge_pending()
    agree(alice, bob)
    assert alice.at.group_context_extensions == [second]


def test_required_capabilities_are_checked() -> None:
    alice, bob = people(["alice", "bob"], 17)
    required = RequiredCapabilities(extensions=(0xF123,)).extension()
    with pytest.raises(InvalidLeaf):
        alice.found(extensions=[required])
    alice.found(extensions=[required], extension_types=(0xF123,))
    with pytest.raises(InvalidLeaf):
        add(alice, [bob])
    message, private = bob.key_package(extension_types=(0xF123,))
    made = alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    alice.at.merge_pending()
    assert made.welcome is not None
    bob.join(made.welcome, private)
    for lacking in (
        RequiredCapabilities(credentials=(2,)),
        RequiredCapabilities(proposals=(0xF001,)),
    ):
        with pytest.raises(InvalidLeaf):
            bob.at.commit(
                extensions=[lacking.extension()], random=bob.random, now=NOW, validate=believe
            )


def test_an_extension_that_a_member_lacks_is_refused() -> None:
    alice, bob = people(["alice", "bob"], 18)
    alice.found(extensions=[Extension(0xF777, b"")], extension_types=(0xF777,))
    with pytest.raises(InvalidLeaf):
        add(alice, [bob])


# --- Padding ------------------------------------------------------------------------------


def test_size_classes() -> None:
    previous = 0
    for size in range(1, 70_000, 7):
        padded = size_class(size)
        assert padded >= max(size, previous, 256)
        assert size <= 4096 or padded - size <= size // 8
        assert size_class(padded) == padded
        previous = padded
    assert {size_class(size) for size in range(1, 4097)} == {256, 512, 1024, 2048, 4096}


def test_messages_of_one_class_are_of_one_length() -> None:
    alice, bob = group_of(["alice", "bob"], 23)
    lengths = {len(alice.say(bytes(size))) for size in range(1, 150)}
    assert len(lengths) == 1
    for padding in (0, 1, 100, lambda size: size + 3):
        message = alice.at.encrypt(b"content", random=alice.random, padding=padding)
        assert bob.hear(message) == b"content"
    assert padded_size(100)(101) == 200
