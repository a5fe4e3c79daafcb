"""Rules 10xx: groups that claim to follow a group, made by a member who knows its PSK."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from blackthorn.mls.codepoints import USAGE_BRANCH, USAGE_REINIT
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, Extensions
from blackthorn.mls.framing.key_package import KeyPackagePrivate
from blackthorn.mls.framing.proposals import ReInit
from blackthorn.mls.group import committing
from blackthorn.mls.group.committing import CommitRequest
from blackthorn.mls.group.group import Group
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import KnownPsks, ResumptionPskId
from tests.support.mls_people import NOW, Person, believe, group_of, verified
from tests.support.mls_welcomes import sound_welcome

PROMISED = ReInit(b"new", 1, 1, ())


@dataclass
class Successor:
    """A group that claims to follow another; every part of the claim may be false."""

    usage: int
    group_id: bytes = b"new"
    extensions: Extensions = ()
    psk_epoch: int | None = None
    late: bool = False
    """Whether the link stands in the group's second Commit."""

    def welcome(
        self, old: Group, founder: Person, joiners: Sequence[Person]
    ) -> tuple[bytes, list[KeyPackagePrivate]]:
        packages = [joiner.key_package() for joiner in joiners]
        founder.found(self.group_id, extensions=self.extensions, extension_types=(0xFB10,))
        if self.late:
            founder.at.commit(random=founder.random, now=NOW, validate=believe)
            founder.at.merge_pending()
        epoch = old.epoch if self.psk_epoch is None else self.psk_epoch
        nonce = founder.random(founder.suite.hash_size)
        made = committing.make_commit(
            founder.at._state,
            CommitRequest(
                add=[verified(message) for message, _ in packages],
                follows=ResumptionPskId(self.usage, old.group_id, epoch, nonce),
            ),
            random=founder.random,
            now=NOW,
            validate=believe,
            known_psks=KnownPsks({}, {(old.group_id, epoch): old.resumption_psk(epoch)}),
        )
        assert made.welcome is not None
        return made.welcome, [private for _, private in packages]


def refused(
    welcome: bytes, private: KeyPackagePrivate, joiner: Person, old: Group, rule: Rule
) -> None:
    before = old.serialise(), private.serialise()
    with pytest.raises(MLSError) as caught:
        Group.join(welcome, private, joiner.private, validate=believe, predecessor=old)
    assert caught.value.rule is rule
    assert (old.serialise(), private.serialise()) == before


def closed(promise: ReInit = PROMISED) -> tuple[Group, Group, Person, Person]:
    """The old group of Mallory and Bob, re-initialised, and both anew."""
    mallory, bob = group_of(["mallory", "bob"], 1)
    made = mallory.at.commit(reinit=promise, random=mallory.random, now=NOW, validate=believe)
    policy = Policy(reinitialise=lambda reinit: None)
    staged = bob.at.process(made.commit, validate=believe, policy=policy)
    assert isinstance(staged, StagedCommit)
    bob.at.merge(staged)
    mallory.at.merge_pending()
    return mallory.at, bob.at, mallory, bob


def test_the_unspoiled_successors_are_sound() -> None:
    old, bobs, mallory, bob = closed()
    welcome, (private,) = Successor(USAGE_REINIT).welcome(old, mallory, [bob])
    Group.join(welcome, private, bob.private, validate=believe, predecessor=bobs)
    mallory, bob = group_of(["mallory", "bob"], 2)
    bobs = bob.at
    welcome, (private,) = Successor(USAGE_BRANCH, b"x").welcome(mallory.at, mallory, [bob])
    Group.join(welcome, private, bob.private, validate=believe, predecessor=bobs)


@pytest.mark.parametrize(
    "lie",
    [
        Successor(USAGE_REINIT, group_id=b"another"),
        Successor(USAGE_REINIT, extensions=(Extension(0xFB10, b"x"),)),
    ],
)
def test_not_what_was_promised(lie: Successor) -> None:
    old, bobs, mallory, bob = closed()
    welcome, (private,) = lie.welcome(old, mallory, [bob])
    refused(welcome, private, bob, bobs, Rule.REINIT_PROMISED)


def test_another_suite_than_was_promised() -> None:
    old, bobs, mallory, bob = closed(replace(PROMISED, cipher_suite=3))
    welcome, (private,) = Successor(USAGE_REINIT).welcome(old, mallory, [bob])
    refused(welcome, private, bob, bobs, Rule.REINIT_PROMISED)


def test_no_reinit_happened() -> None:
    mallory, bob = group_of(["mallory", "bob"], 3)
    bobs = bob.at
    welcome, (private,) = Successor(USAGE_REINIT).welcome(mallory.at, mallory, [bob])
    refused(welcome, private, bob, bobs, Rule.REINIT_HAPPENED)


def test_a_reinit_of_another_epoch() -> None:
    old, bobs, mallory, bob = closed()
    welcome, (private,) = Successor(USAGE_REINIT, psk_epoch=1).welcome(old, mallory, [bob])
    refused(welcome, private, bob, bobs, Rule.REINIT_HAPPENED)


@pytest.mark.parametrize("usage", [USAGE_REINIT, USAGE_BRANCH])
def test_a_successor_that_begins_late(usage: int) -> None:
    old, bobs, mallory, bob = closed()
    welcome, (private,) = Successor(usage, late=True).welcome(old, mallory, [bob])
    refused(welcome, private, bob, bobs, Rule.SUCCESSOR_EPOCH)


def test_a_branch_in_another_suite() -> None:
    mallory, bob = group_of(["mallory", "bob"], 4)
    seeded = random.Random(5)
    other_mallory, other_bob = (Person(name, seeded, 3) for name in ("mallory", "bob"))
    branch = Successor(USAGE_BRANCH)
    welcome, (private,) = branch.welcome(mallory.at, other_mallory, [other_bob])
    refused(welcome, private, other_bob, bob.at, Rule.BRANCH_SUITE)


def test_a_stranger_in_a_branch() -> None:
    mallory, bob = group_of(["mallory", "bob"], 6)
    bobs, ghost = bob.at, Person("ghost", random.Random(7))
    branch = Successor(USAGE_BRANCH)
    welcome, (private, _) = branch.welcome(mallory.at, mallory, [bob, ghost])
    refused(welcome, private, bob, bobs, Rule.SUCCESSOR_MEMBERS)


def test_a_member_left_out_of_a_reinit() -> None:
    mallory, bob, carol = group_of(["mallory", "bob", "carol"], 8)
    made = mallory.at.commit(reinit=PROMISED, random=mallory.random, now=NOW, validate=believe)
    policy = Policy(reinitialise=lambda reinit: None)
    for person in (bob, carol):
        staged = person.at.process(made.commit, validate=believe, policy=policy)
        person.at.merge(staged)  # type: ignore[arg-type]
    mallory.at.merge_pending()
    welcome, (private,) = Successor(USAGE_REINIT).welcome(mallory.at, mallory, [bob])
    refused(welcome, private, bob, bob.at, Rule.SUCCESSOR_MEMBERS)


def test_two_predecessors() -> None:
    old, bobs, _, bob = closed()
    forge = sound_welcome()
    forge.psks = (
        ResumptionPskId(USAGE_REINIT, old.group_id, old.epoch, bytes(32)),
        ResumptionPskId(USAGE_BRANCH, old.group_id, old.epoch, bytes(32)),
    )
    refused(forge.welcome(), forge.private, forge.joiner, bobs, Rule.ONE_PREDECESSOR)
    assert bob.at is bobs
