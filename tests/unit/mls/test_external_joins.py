"""External Commits: join by a GroupInfo, resync, PSKs; and whom the policy lets in."""

import random

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.epoch.policy import ExternalJoin, Policy
from blackthorn.mls.errors import (
    GroupState,
    InvalidCommit,
    InvalidLeaf,
    InvalidProposal,
    InvalidSignature,
    InvalidWelcome,
    MLSError,
    OwnMessage,
    Unsupported,
    WrongEpoch,
)
from blackthorn.mls.extension import Extension
from blackthorn.mls.group.group import Group
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES128, SUITE_XWING_AES256
from tests.support.mls_people import NOW, Person, add, agree, believe, enter, group_of, people

SUITES = pytest.mark.parametrize("suite", [SUITE_1, SUITE_XWING_AES256, SUITE_XWING_AES128, 2, 4])


class Door:
    """A policy that lets everybody in and remembers whom."""

    def __init__(self) -> None:
        self.seen: list[ExternalJoin] = []
        self.policy = Policy(join=self.seen.append)


def let_in(person: Person, commit: bytes, policy: Policy, **options: object) -> None:
    staged = person.at.process(
        commit,
        validate=believe,
        policy=policy,
        **options,  # type: ignore[arg-type]
    )
    person.at.merge(staged)  # type: ignore[arg-type]


@SUITES
def test_join_by_group_info(suite: int) -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 1, suite)
    (dave,) = people(["dave"], 2, suite)
    commit = enter(dave, bob.at.group_info())
    door = Door()
    for person in (alice, bob, carol):
        let_in(person, commit, door.policy)
    agree(alice, bob, carol, dave)
    assert dave.at.own_index == 3
    assert [seen.joiner.credential for seen in door.seen] == [dave.credential] * 3
    assert all(seen.replaced is None for seen in door.seen)
    assert alice.hear(dave.say(b"hello")) == b"hello"
    made = dave.at.commit(random=dave.random, now=NOW, validate=believe)
    for person in (alice, bob, carol):
        person.follow(made.commit)
    dave.at.merge_pending()
    agree(alice, bob, carol, dave)


@SUITES
def test_resync_replaces_ones_own_leaf(suite: int) -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 3, suite)
    lost = bob.group
    with pytest.raises(InvalidLeaf):  # twice with one signature key
        enter(bob, alice.at.group_info())
    commit = enter(bob, alice.at.group_info(), resync=True)
    door = Door()
    for person in (alice, carol):
        let_in(person, commit, door.policy)
    assert [seen.replaced.index for seen in door.seen if seen.replaced] == [1, 1]
    agree(alice, bob, carol)
    assert len(alice.at.members) == 3
    bob.group, back = lost, bob.group
    staged = bob.at.process(commit, validate=believe, policy=door.policy)
    assert staged.removes_me  # type: ignore[union-attr]
    bob.group = back
    assert carol.hear(bob.say(b"back")) == b"back"


def test_resync_with_a_new_key_or_without_an_old_leaf() -> None:
    alice, bob = group_of(["alice", "bob"], 4)
    anew, stranger = people(["bob", "stranger"], 5)
    door = Door()
    let_in(alice, enter(anew, alice.at.group_info(), resync=True), door.policy)
    agree(alice, anew)
    assert [member.index for member in alice.at.members] == [0, 1]
    with pytest.raises(GroupState):
        enter(stranger, alice.at.group_info(), resync=True)
    assert bob.at.epoch == 1


def test_the_tree_grows_and_blank_leaves_are_filled_first() -> None:
    alice, bob, carol, dave = group_of(["alice", "bob", "carol", "dave"], 6)
    erin, frank = people(["erin", "frank"], 7)
    door = Door()
    commit = enter(erin, carol.at.group_info())
    for person in (alice, bob, carol, dave):
        let_in(person, commit, door.policy)
    assert erin.at.own_index == 4
    made = erin.at.commit(remove=[1], random=erin.random, now=NOW, validate=believe)
    for person in (alice, carol, dave):
        person.follow(made.commit)
    erin.at.merge_pending()
    commit = enter(frank, dave.at.group_info())
    for person in (alice, carol, dave, erin):
        let_in(person, commit, door.policy)
    assert frank.at.own_index == 1
    agree(alice, frank, carol, dave, erin)


def test_alone_with_the_founder() -> None:
    (alice,) = group_of(["alice"], 8)
    (bob,) = people(["bob"], 9)
    let_in(alice, enter(bob, alice.at.group_info()), Door().policy)
    agree(alice, bob)


def test_group_info_with_the_tree_outside() -> None:
    alice, _ = group_of(["alice", "bob"], 10)
    (carol,) = people(["carol"], 11)
    info = alice.at.group_info(with_tree=False)
    with pytest.raises(InvalidWelcome):
        enter(carol, info)
    let_in(alice, enter(carol, info, ratchet_tree=alice.at.ratchet_tree()), Door().policy)
    agree(alice, carol)


def test_psks_go_into_an_external_commit() -> None:
    alice, bob = group_of(["alice", "bob"], 12)
    (carol,) = people(["carol"], 13)
    psks = {b"name": Secret(b"a shared secret")}
    with pytest.raises(InvalidProposal):
        enter(carol, alice.at.group_info(), psk_ids=[b"name"])
    old = {(b"group", 1): bob.at.resumption_psk()}
    commit = enter(
        carol,
        alice.at.group_info(),
        psk_ids=[b"name", (b"group", 1)],
        external_psks=psks,
        resumption_psks=old,
    )
    door = Door()
    before = alice.at.serialise()
    with pytest.raises(InvalidProposal):
        let_in(alice, commit, door.policy)
    assert alice.at.serialise() == before
    for person in (alice, bob):
        let_in(person, commit, door.policy, external_psks=psks)
    agree(alice, bob, carol)
    assert len(door.seen[-1].psks) == 2


# --- Who is refused -----------------------------------------------------------------------


def test_nobody_joins_unless_the_policy_says_so() -> None:
    alice, _ = group_of(["alice", "bob"], 14)
    (mallory,) = people(["mallory"], 15)
    commit = enter(mallory, alice.at.group_info())
    before = alice.at.serialise()
    with pytest.raises(Unsupported):
        alice.read(commit)
    assert alice.at.serialise() == before

    def only_replacing_oneself(join: ExternalJoin) -> None:
        if join.replaced is None or join.replaced.credential != join.joiner.credential:
            raise InvalidCommit("only a member may come back")

    with pytest.raises(InvalidCommit):
        let_in(alice, commit, Policy(join=only_replacing_oneself))
    assert alice.at.serialise() == before


def test_the_validator_sees_the_joiner() -> None:
    alice, _ = group_of(["alice", "bob"], 16)
    (mallory,) = people(["mallory"], 17)
    commit = enter(mallory, alice.at.group_info())

    def refuse(credential: object, *_: object) -> None:
        if credential == mallory.credential:
            raise InvalidLeaf("nobody knows mallory")

    with pytest.raises(InvalidLeaf, match="mallory"):
        alice.at.process(commit, validate=refuse, policy=Door().policy)


def test_every_bit_of_an_external_commit_counts() -> None:
    alice, bob = group_of(["alice", "bob"], 18)
    (carol,) = people(["carol"], 19)
    commit = enter(carol, alice.at.group_info())
    seeded = random.Random(20)
    policy = Door().policy
    before = alice.at.serialise()
    for place in {*range(40), *(seeded.randrange(len(commit)) for _ in range(200))}:
        forged = bytearray(commit)
        forged[place] ^= 1 << seeded.randrange(8)
        with pytest.raises(MLSError):
            let_in(alice, bytes(forged), policy)
    for forged_end in (commit[:-1], commit + b"\x00", commit[:50]):
        with pytest.raises(MLSError):
            let_in(alice, forged_end, policy)
    assert alice.at.serialise() == before
    for person in (alice, bob):
        let_in(person, commit, policy)
    agree(alice, bob, carol)
    with pytest.raises(WrongEpoch):
        let_in(alice, commit, policy)


def test_the_joiner_checks_the_group_info() -> None:
    alice, bob = group_of(["alice", "bob"], 21)
    (carol,) = people(["carol"], 22)
    info = alice.at.group_info()
    seeded = random.Random(23)
    for place in {*range(12), *(seeded.randrange(len(info)) for _ in range(150))}:
        forged = bytearray(info)
        forged[place] ^= 1 << seeded.randrange(8)
        with pytest.raises(MLSError):
            enter(carol, bytes(forged))
    for wrong in (b"", info[:-1], info + b"\x00", alice.say(b"x"), bob.key_package()[0]):
        with pytest.raises(MLSError):
            enter(carol, wrong)
    with pytest.raises(InvalidWelcome, match="external joins"):
        enter(carol, alice.at.group_info(with_external_pub=False))
    stale = alice.at.group_info()
    add(alice, people(["dave"], 24), [bob])
    commit = enter(carol, stale)
    with pytest.raises(WrongEpoch):
        let_in(alice, commit, Door().policy)


def test_the_joiner_refuses_members_it_does_not_believe() -> None:
    alice, bob = group_of(["alice", "bob"], 25)
    (carol,) = people(["carol"], 26)

    def refuse(credential: object, *_: object) -> None:
        if credential == bob.credential:
            raise InvalidLeaf("nobody knows bob")

    with pytest.raises(InvalidLeaf, match="bob"):
        enter(carol, alice.at.group_info(), validate=refuse)


def test_the_joiner_must_support_the_groups_extensions() -> None:
    (alice,) = people(["alice"], 27)
    alice.found(extensions=[Extension(0xF777, b"x")], extension_types=(0xF777,))
    (bob,) = people(["bob"], 28)
    with pytest.raises(InvalidLeaf):
        enter(bob, alice.at.group_info())
    let_in(alice, enter(bob, alice.at.group_info(), extension_types=(0xF777,)), Door().policy)
    agree(alice, bob)
    with pytest.raises(GroupState):
        Group.join_externally(
            alice.at.group_info(),
            bob.credential,
            alice.private,
            bob.public,
            random=bob.random,
            now=NOW,
            validate=believe,
        )


def test_state_after_an_external_join_is_stored() -> None:
    alice, bob = group_of(["alice", "bob"], 31)
    (carol,) = people(["carol"], 32)
    commit = enter(carol, alice.at.group_info())
    carol.group = Group.deserialise(carol.at.serialise())
    for person in (alice, bob):
        let_in(person, commit, Door().policy)
        person.group = Group.deserialise(person.at.serialise())
    agree(alice, bob, carol)
    with pytest.raises(OwnMessage):
        carol.read(carol.say(b"x"))


def test_a_member_of_another_suite_is_no_joiner() -> None:
    (alice,) = group_of(["alice"], 33)
    (bob,) = people(["bob"], 34, 2)
    with pytest.raises(GroupState):
        enter(bob, alice.at.group_info())


def test_a_forged_external_commit_does_not_kill_the_true_one() -> None:
    """Attack: deliver a copy with another signature first, many times."""
    alice, bob = group_of(["alice", "bob"], 35)
    (carol,) = people(["carol"], 36)
    commit = enter(carol, alice.at.group_info())
    for _ in range(50):
        with pytest.raises(InvalidSignature):
            let_in(alice, commit[:-60] + bytes([commit[-60] ^ 1]) + commit[-59:], Door().policy)
    for person in (alice, bob):
        let_in(person, commit, Door().policy)
    agree(alice, bob, carol)
