"""Messages in the clear, external proposals and external Commits: what outsiders and malicious
members may try there (rules 2xx, 6xx, 9xx)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import (
    EXTERNAL,
    EXTERNAL_PUB,
    EXTERNAL_SENDERS,
    MEMBER,
    NEW_MEMBER_COMMIT,
    NEW_MEMBER_PROPOSAL,
    SOURCE_UPDATE,
    USAGE_APPLICATION,
    USAGE_BRANCH,
)
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, ExternalSender
from blackthorn.mls.framing.framing import PublicMessage, Sender, encode_message, read_message
from blackthorn.mls.framing.proposals import (
    Add,
    Commit,
    ExternalInit,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from blackthorn.mls.framing.welcome_types import GroupInfo
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import ExternalPskId, ResumptionPskId
from blackthorn.wire.tls import vector
from tests.support.mls_forge import doubt, flipped, key_package_of, leaf_of, public, refused
from tests.support.mls_people import Person, add, believe, enter, from_outside, people
from tests.support.mls_welcomes import Forge, sound_welcome

OPEN = Policy(
    join=lambda join: None,
    propose=lambda outsider, proposal: None,
    reinitialise=lambda reinit: None,
    public_handshakes=True,
)
"""Allows all that a policy can allow: the rules hold all the same."""


@pytest.fixture
def group() -> list[Person]:
    """Alice, bob and carol; dave is their clerk, an external sender; erin is nobody."""
    everybody = people(["alice", "bob", "carol", "dave", "erin"], 1)
    alice, bob, carol, dave, _ = everybody
    senders = vector([ExternalSender(dave.public, dave.credential).encode()])
    alice.found(extensions=[Extension(EXTERNAL_SENDERS, senders)])
    add(alice, [bob, carol])
    return everybody


# --- Members in the clear -----------------------------------------------------------------


def test_members_in_the_clear(group: list[Person]) -> None:
    alice, bob = group[:2]
    me = Sender(MEMBER, 0)
    honest = public(alice, me, Remove(2), alice.private)
    refused(bob, honest, Rule.PRIVATE_HANDSHAKES)
    spoilt = public(alice, me, Remove(2), alice.private, tag=flipped)
    refused(bob, spoilt, Rule.MEMBERSHIP_TAG, policy=OPEN)
    empty = public(alice, me, Remove(2), alice.private, tag=lambda tag: b"")
    refused(bob, empty, Rule.MEMBERSHIP_TAG, policy=OPEN)
    words = public(alice, me, b"words", alice.private)
    refused(bob, words, Rule.APPLICATION_PRIVATE, policy=OPEN)
    as_carol = public(alice, Sender(MEMBER, 2), Remove(1), alice.private)
    refused(bob, as_carol, Rule.CONTENT_SIGNATURE, policy=OPEN)
    as_nobody = public(alice, Sender(MEMBER, 3), Remove(1), alice.private)
    refused(bob, as_nobody, Rule.SENDER_IS_MEMBER, policy=OPEN)


# --- Proposals from outside ---------------------------------------------------------------


def test_proposals_of_an_external_sender(group: list[Person]) -> None:
    alice, bob, _, dave, erin = group
    clerk = Sender(EXTERNAL, 0)
    for body in (Commit((), None), b"words"):
        forged = public(alice, clerk, body, dave.private)
        refused(bob, forged, Rule.OUTSIDER_CONTENT, policy=OPEN)
    for index in (1, 2**32 - 1):
        forged = public(alice, Sender(EXTERNAL, index), Remove(2), dave.private)
        refused(bob, forged, Rule.EXTERNAL_SENDER_KNOWN, policy=OPEN)
    update = Update(leaf_of(alice, source=SOURCE_UPDATE, lifetime=None, parent_hash=b""))
    for proposal in (update, ExternalInit(b"kem output")):
        forged = public(alice, clerk, proposal, dave.private)
        refused(bob, forged, Rule.OUTSIDER_TYPE, policy=OPEN)
    forged = public(alice, clerk, Remove(2), erin.private)
    refused(bob, forged, Rule.CONTENT_SIGNATURE, policy=OPEN)
    sound = public(alice, clerk, Remove(2), dave.private)
    refused(bob, sound, Rule.CREDENTIAL_VALID, policy=OPEN, validate=doubt)
    bob.at.process(sound, validate=believe, policy=OPEN)


def test_proposals_of_a_new_member(group: list[Person]) -> None:
    alice, bob, _, _, erin = group
    new = Sender(NEW_MEMBER_PROPOSAL)
    forged = public(alice, new, Remove(2), erin.private)
    refused(bob, forged, Rule.NEW_MEMBER_ADDS, policy=OPEN)
    forged = public(alice, new, Commit((), None), erin.private)
    refused(bob, forged, Rule.OUTSIDER_CONTENT, policy=OPEN)
    forged = public(alice, new, Add(key_package_of(erin)), alice.private)
    refused(bob, forged, Rule.CONTENT_SIGNATURE, policy=OPEN)
    bob.at.process(
        public(alice, new, Add(key_package_of(erin)), erin.private),
        validate=believe,
        policy=OPEN,
    )


# --- External Commits ---------------------------------------------------------------------


def external_commit(joiner: Person, inside: Person, **options: object) -> Commit:
    """What the joiner would send to join."""
    _, message = from_outside(joiner, inside.at.group_info(), **options)
    parsed = decode(read_message, message, "message")
    assert isinstance(parsed, PublicMessage)
    body = parsed.authenticated.content.body
    assert isinstance(body, Commit)
    return body


def with_proposals(change: Callable[[tuple], list]) -> Callable[[Commit], Commit]:  # type: ignore[type-arg]
    return lambda commit: replace(commit, proposals=tuple(change(commit.proposals)))


def psk(nonce: bytes = bytes(32)) -> Proposal:
    return PreSharedKey(ExternalPskId(b"a", nonce))


EXTERNAL_COMMITS: dict[str, tuple[Rule, Callable[[Commit], Commit]]] = {
    "no path": (Rule.EXTERNAL_COMMIT_PATH, lambda commit: replace(commit, path=None)),
    "a proposal by reference": (
        Rule.EXTERNAL_BY_VALUE,
        with_proposals(lambda honest: [*honest, bytes(32)]),
    ),
    "no external init": (Rule.EXTERNAL_ONE_INIT, with_proposals(lambda honest: [])),
    "two external inits": (
        Rule.EXTERNAL_ONE_INIT,
        with_proposals(lambda honest: [*honest, *honest]),
    ),
    "two removals": (
        Rule.EXTERNAL_ONE_REMOVE,
        with_proposals(lambda honest: [*honest, Remove(1), Remove(2)]),
    ),
    "a re-initialisation": (
        Rule.EXTERNAL_NO_OTHER,
        with_proposals(lambda honest: [*honest, ReInit(b"another", 1, 1, ())]),
    ),
    "a removal of nobody": (
        Rule.REMOVES_MEMBER,
        with_proposals(lambda honest: [*honest, Remove(9)]),
    ),
    "a PSK twice": (Rule.PSK_ONCE, with_proposals(lambda honest: [*honest, psk(), psk()])),
    "a PSK with a short nonce": (
        Rule.PSK_NONCE,
        with_proposals(lambda honest: [*honest, psk(b"short")]),
    ),
    "a PSK for a branch": (
        Rule.PSK_USAGE_HERE,
        with_proposals(
            lambda honest: [
                *honest,
                PreSharedKey(ResumptionPskId(USAGE_BRANCH, b"group", 1, bytes(32))),
            ]
        ),
    ),
    "an unknown PSK": (Rule.PSK_KNOWN, with_proposals(lambda honest: [*honest, psk()])),
    "no KEM output": (
        Rule.EXTERNAL_INIT_VALID,
        with_proposals(lambda honest: [ExternalInit(b"short")]),
    ),
    "nothing wrong but the tag": (Rule.CONFIRMATION_TAG, lambda commit: commit),
}


@pytest.mark.parametrize("name", EXTERNAL_COMMITS)
def test_external_commit(group: list[Person], name: str) -> None:
    alice, bob, _, _, erin = group
    rule, change = EXTERNAL_COMMITS[name]
    commit = change(external_commit(erin, alice))
    forged = public(alice, Sender(NEW_MEMBER_COMMIT), commit, erin.private)
    refused(bob, forged, rule, policy=OPEN)


def test_external_commits_of_somebody_else(group: list[Person]) -> None:
    alice, bob, _, dave, erin = group
    new = Sender(NEW_MEMBER_COMMIT)
    refused(bob, public(alice, new, Remove(2), erin.private), Rule.OUTSIDER_CONTENT, policy=OPEN)
    commit = external_commit(erin, alice)
    forged = public(alice, new, commit, dave.private)
    refused(bob, forged, Rule.CONTENT_SIGNATURE, policy=OPEN)
    sound = public(alice, new, commit, erin.private)
    refused(bob, sound, Rule.CREDENTIAL_VALID, policy=OPEN, validate=doubt)


def test_a_joiner_that_keeps_its_old_key(group: list[Person]) -> None:
    alice, bob, carol = group[:3]
    commit = external_commit(carol, alice, resync=True)
    assert commit.path is not None
    old = carol.at._state.epoch.own_leaf().encryption_key
    leaf = replace(commit.path.leaf, encryption_key=old)
    leaf = leaf.sign(carol.suite, carol.private, carol.at.group_id, 2)
    forged = replace(commit, path=replace(commit.path, leaf=leaf))
    message = public(alice, Sender(NEW_MEMBER_COMMIT), forged, carol.private)
    refused(bob, message, Rule.EXTERNAL_NEW_KEY, policy=OPEN)


GROUP_INFOS: dict[str, tuple[Rule, Callable[[GroupInfo], GroupInfo]]] = {
    "no key for external joins": (
        Rule.EXTERNAL_PUB_GIVEN,
        lambda info: replace(
            info, extensions=tuple(e for e in info.extensions if e.type != EXTERNAL_PUB)
        ),
    ),
    "a signer who is nobody": (Rule.GROUP_INFO_SIGNER, lambda info: replace(info, signer=3)),
    "another signer": (Rule.GROUP_INFO_SIGNATURE, lambda info: replace(info, signer=1)),
    "another tree": (
        Rule.TREE_HASH,
        lambda info: replace(info, context=replace(info.context, tree_hash=bytes(32))),
    ),
}


@pytest.mark.parametrize("name", GROUP_INFOS)
def test_group_info(group: list[Person], name: str) -> None:
    alice, *_, erin = group
    rule, change = GROUP_INFOS[name]
    info = decode(read_message, alice.at.group_info(), "group info")
    assert isinstance(info, GroupInfo)
    forged = encode_message(change(info).sign(alice.suite, alice.private))
    with pytest.raises(MLSError) as caught:
        enter(erin, forged)
    assert caught.value.rule is rule


# --- Resumption PSKs of Welcomes -----------------------------------------------------------


def following(usage: int) -> Forge:
    """A Welcome into a group that follows one in which the joiner is alone."""
    forge = sound_welcome()
    (erin,) = people(["erin"], 9)
    old = erin.found(b"old")
    link = ResumptionPskId(usage, b"old", 0, bytes(32))
    value = old._state.resumption_psk(0)
    assert value is not None
    forge.psks, forge.psk_values = (link,), ((link, value),)
    forge.predecessor = old
    return forge


def test_a_psk_of_an_application_is_no_link() -> None:
    assert following(USAGE_APPLICATION).join().epoch > 1


def test_the_secret_of_the_old_group_is_needed() -> None:
    forge = following(USAGE_BRANCH)
    forge.predecessor = None
    forge.refused(Rule.WELCOME_PSK_KNOWN)
    forge = following(USAGE_BRANCH)
    forge.psk_values = ((forge.psks[0], Secret(bytes(32))),)
    forge.refused(Rule.GROUP_INFO_OPENS)
