"""Re-initialisation and branching, and resumption PSKs: groups that follow groups."""

from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import (
    GroupState,
    InvalidProposal,
    InvalidWelcome,
    MLSError,
    Unsupported,
)
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.key_package import KeyPackagePrivate
from blackthorn.mls.framing.proposals import ReInit
from blackthorn.mls.group.group import Commit, Group
from blackthorn.mls.group.succession import branched
from blackthorn.mls.successors import Identity, branch, reinitialise
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES256
from tests.support.mls_people import NOW, Person, agree, believe, group_of, people, verified

NAME = Extension(APPLICATION_EXTENSION, b"the new group")
UPWARDS = ReInit(b"new", 1, SUITE_XWING_AES256, (NAME,))


def only_upwards(reinit: ReInit) -> None:
    if reinit.cipher_suite != SUITE_XWING_AES256:
        raise InvalidProposal("only upwards")


POLICY = Policy(reinitialise=only_upwards)


def read(person: Person, message: bytes) -> object:
    outcome = person.at.process(message, validate=believe, policy=POLICY)
    if isinstance(outcome, StagedCommit):
        person.at.merge(outcome)
    return outcome


def closed_group(by_reference: bool = False) -> list[Person]:
    """Three people whose group has been re-initialised."""
    alice, bob, carol = group_of(["alice", "bob", "carol"], 1)
    reinit: ReInit | None = UPWARDS
    if by_reference:
        proposal = bob.at.propose_reinit(UPWARDS, random=bob.random)
        for person in (alice, carol):
            read(person, proposal)
        reinit = None
    made = alice.at.commit(reinit=reinit, random=alice.random, now=NOW, validate=believe)
    for person in (bob, carol):
        outcome = read(person, made.commit)
        assert isinstance(outcome, StagedCommit)
        assert outcome.reinit == UPWARDS
    alice.group = Group.deserialise(alice.at.serialise())
    alice.at.merge_pending()
    agree(alice, bob, carol)
    return [alice, bob, carol]


def upgraded(person: Person) -> Person:
    """The same client with keys for the new suite."""
    (new,) = people([person.name], 100 + person.name.encode()[0], SUITE_XWING_AES256)
    return new


def start(
    old: Person, new: Person, joiners: list[Person]
) -> tuple[Commit, list[KeyPackagePrivate]]:
    packages = [joiner.key_package() for joiner in joiners]
    new.group, made = reinitialise(
        old.at,
        Identity(new.credential, new.private, new.public),
        [verified(message) for message, _ in packages],
        random=new.random,
        now=NOW,
        validate=believe,
    )
    return made, [private for _, private in packages]


def enter(
    new: Person, welcome: bytes | None, private: KeyPackagePrivate, old: Group | None
) -> None:
    assert welcome is not None
    new.group = Group.join(welcome, private, new.private, validate=believe, predecessor=old)


@pytest.mark.parametrize("by_reference", [False, True])
def test_reinitialise_into_a_stronger_suite(by_reference: bool) -> None:
    alice, bob, carol = closed_group(by_reference)
    assert bob.at.reinit == UPWARDS
    new_alice, new_bob, new_carol = (upgraded(each) for each in (alice, bob, carol))
    # Another member than the committer of the ReInit makes the new group.
    made, (for_alice, for_carol) = start(bob, new_bob, [new_alice, new_carol])
    enter(new_alice, made.welcome, for_alice, alice.at)
    enter(new_carol, made.welcome, for_carol, Group.deserialise(carol.at.serialise()))
    new_bob.at.merge_pending()
    agree(new_alice, new_bob, new_carol)
    assert new_alice.at.group_id == b"new"
    assert new_alice.at.epoch == 1
    assert new_alice.at.suite.number == SUITE_XWING_AES256
    assert new_alice.at.group_context_extensions == [NAME]
    assert new_bob.hear(new_alice.say(b"hello")) == b"hello"


def test_nothing_is_sent_in_a_closed_group() -> None:
    alice, bob, _ = closed_group()
    alice.group = Group.deserialise(alice.at.serialise())
    before = alice.at.serialise()
    for call in (
        lambda: alice.say(b"x"),
        lambda: alice.at.propose_update(random=alice.random),
        lambda: alice.at.propose_remove(1, random=alice.random),
        lambda: alice.at.commit(random=alice.random, now=NOW, validate=believe),
        lambda: alice.at.group_info(),
    ):
        with pytest.raises(GroupState):
            call()
    bob.at._state.reinit = None  # a member that goes on all the same
    for message in (
        bob.at.propose_update(random=bob.random),
        bob.at.commit(random=bob.random, now=NOW, validate=believe).commit,
    ):
        with pytest.raises(GroupState):
            read(alice, message)
    assert alice.at.serialise() == before


def test_a_downgrade_is_refused_and_by_default_every_reinit() -> None:
    alice, bob = group_of(["alice", "bob"], 2, SUITE_XWING_AES256)
    weak = ReInit(b"new", 1, SUITE_1, ())
    proposal = alice.at.propose_reinit(weak, random=alice.random)
    made = alice.at.commit(reinit=weak, random=alice.random, now=NOW, validate=believe)
    before = bob.at.serialise()
    for message in (proposal, made.commit):
        with pytest.raises(InvalidProposal, match="only upwards"):
            read(bob, message)
        with pytest.raises(Unsupported):
            bob.read(message)
    assert bob.at.serialise() == before


def test_a_reinit_stands_alone() -> None:
    alice, bob = group_of(["alice", "bob"], 3)
    for options in ({"remove": [1]}, {"extensions": []}):
        with pytest.raises(InvalidProposal):
            alice.at.commit(
                reinit=UPWARDS,
                random=alice.random,
                now=NOW,
                validate=believe,
                **options,  # type: ignore[arg-type]
            )
    with pytest.raises(InvalidProposal):
        alice.at.commit(
            reinit=replace(UPWARDS, version=0), random=alice.random, now=NOW, validate=believe
        )
    # Another proposal that waits is preferred to a ReInit that waits.
    read(alice, bob.at.propose_reinit(UPWARDS, random=bob.random))
    read(alice, bob.at.propose_update(random=bob.random))
    made = alice.at.commit(random=alice.random, now=NOW, validate=believe)
    assert bob.follow(made.commit).reinit is None
    assert alice.at.pending is not None
    assert alice.at.pending.reinit is None


def test_a_new_group_must_be_the_one_that_was_promised() -> None:
    alice, bob, carol = closed_group()
    new_alice, new_bob, new_carol = (upgraded(each) for each in (alice, bob, carol))
    made, (for_bob, for_carol) = start(alice, new_alice, [new_bob, new_carol])
    for predecessor in (None, group_of(["bob"], 5)[0].at):
        with pytest.raises(InvalidWelcome, match="not known"):
            enter(new_bob, made.welcome, for_bob, predecessor)
    true = bob.at._state.reinit
    assert true is not None
    for lie in (
        None,
        replace(true, group_id=b"another"),
        replace(true, cipher_suite=SUITE_1),
        replace(true, extensions=()),
    ):
        bob.at._state.reinit = lie
        with pytest.raises(InvalidWelcome):
            enter(new_bob, made.welcome, for_bob, bob.at)
    bob.at._state.reinit = true
    enter(new_bob, made.welcome, for_bob, bob.at)
    with pytest.raises(InvalidProposal, match="lacks"):
        start(alice, new_alice, [new_bob])
    with pytest.raises(GroupState):
        start(group_of(["alice"], 6)[0], new_alice, [])
    enter(new_carol, made.welcome, for_carol, carol.at)


# --- Branching ----------------------------------------------------------------------------


def branch_with(alice: Person, joiners: list[Person], **options: object) -> list[KeyPackagePrivate]:
    packages = [joiner.key_package() for joiner in joiners]
    group, made = branch(
        alice.at,
        b"branch",
        [verified(message) for message, _ in packages],
        random=alice.random,
        now=NOW,
        validate=believe,
        **options,  # type: ignore[arg-type]
    )
    for joiner, (_, private) in zip(joiners, packages, strict=True):
        with pytest.raises(InvalidWelcome):
            enter(joiner, made.welcome, private, None)
        enter(joiner, made.welcome, private, joiner.group)
    group.merge_pending()
    alice.group = group
    return [private for _, private in packages]


def test_branch_for_some_members() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 7)
    old_alice, old_bob = alice.at, bob.at
    branch_with(alice, [bob], extensions=[NAME])
    agree(alice, bob)
    assert alice.at.group_id == b"branch"
    assert bob.at.group_context_extensions == [NAME]
    alice.group, bob.group = old_alice, old_bob
    agree(alice, bob, carol)  # the old group goes on


def test_nobody_new_enters_by_a_branch() -> None:
    alice, bob = group_of(["alice", "bob"], 8)
    (mallory,) = people(["mallory"], 9)
    with pytest.raises(InvalidProposal, match="no member"):
        branch_with(alice, [mallory])
    # An inviter with a policy of its own, which the others do not share.
    open_door = Policy(same_client=lambda one, other: True)
    bob_message, for_bob = bob.key_package()
    message, _ = mallory.key_package()
    _, made = branch(
        alice.at,
        b"branch",
        [verified(bob_message), verified(message)],
        random=alice.random,
        now=NOW,
        validate=believe,
        policy=open_door,
    )
    with pytest.raises(InvalidWelcome, match="no member"):
        enter(bob, made.welcome, for_bob, bob.at)


def test_only_the_first_commit_links_a_group_to_another() -> None:
    alice, bob = group_of(["alice", "bob"], 15)
    successor = branched(alice.at._state, b"branch", (), alice.random)
    with pytest.raises(GroupState):
        alice.at.commit(follows=successor, random=alice.random, now=NOW, validate=believe)
    branch_with(alice, [bob])
    with pytest.raises(GroupState):
        alice.at.commit(follows=successor, random=alice.random, now=NOW, validate=believe)


def test_a_branch_of_an_epoch_that_is_past() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 10)
    message, private = bob.key_package()
    _, made = branch(
        alice.at, b"branch", [verified(message)], random=alice.random, now=NOW, validate=believe
    )
    update = carol.at.commit(random=carol.random, now=NOW, validate=believe)
    bob.follow(update.commit)
    enter(bob, made.welcome, private, bob.at)
    assert bob.at.epoch == 1


# --- Resumption PSKs ----------------------------------------------------------------------


def test_resumption_psk_of_the_same_group() -> None:
    alice, bob = group_of(["alice", "bob"], 11)
    made = alice.at.commit(random=alice.random, now=NOW, validate=believe)
    bob.follow(made.commit)
    alice.at.merge_pending()
    made = alice.at.commit(
        psk_ids=[(b"group", 1), (b"group", 2)], random=alice.random, now=NOW, validate=believe
    )
    bob.follow(made.commit)
    alice.at.merge_pending()
    agree(alice, bob)
    with pytest.raises(InvalidProposal):
        alice.at.commit(psk_ids=[(b"group", 9)], random=alice.random, now=NOW, validate=believe)
    assert bob.at.resumption_psk(1) == alice.at.resumption_psk(1)
    with pytest.raises(GroupState):
        bob.at.resumption_psk(0)


def test_resumption_psk_of_another_group_by_proposal_and_welcome() -> None:
    alice, bob = group_of(["alice", "bob"], 12)
    other = {(b"other", 7): Secret(b"r" * 32)}
    proposal = alice.at.propose_psk((b"other", 7), random=alice.random)
    bob.read(proposal)
    carol = people(["carol"], 13)[0]
    message, private = carol.key_package()
    made = bob.at.commit(
        add=[verified(message)],
        resumption_psks=other,
        random=bob.random,
        now=NOW,
        validate=believe,
    )
    with pytest.raises(InvalidProposal):
        alice.read(made.commit)
    staged = alice.at.process(made.commit, validate=believe, resumption_psks=other)
    alice.at.merge(staged)  # type: ignore[arg-type]
    bob.at.merge_pending()
    assert made.welcome is not None
    with pytest.raises(InvalidWelcome):
        carol.join(made.welcome, private)
    carol.group = Group.join(
        made.welcome, private, carol.private, validate=believe, resumption_psks=other
    )
    agree(alice, bob, carol)


def test_external_psk_by_proposal() -> None:
    alice, bob = group_of(["alice", "bob"], 14)
    psks = {b"name": Secret(b"secret")}
    bob.read(alice.at.propose_psk(b"name", random=alice.random))
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe, external_psks=psks)
    with pytest.raises(MLSError):
        alice.read(made.commit)
    staged = alice.at.process(made.commit, validate=believe, external_psks=psks)
    alice.at.merge(staged)  # type: ignore[arg-type]
    bob.at.merge_pending()
    agree(alice, bob)
