"""Rules 3xx and 5xx: leaves and key packages that must not be in a group, each refused for its
one fault wherever it comes from: a key package, an Add, an Update, a path, a Welcome's tree."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.mls.codepoints import BASIC, MEMBER, SOURCE_UPDATE, X509
from blackthorn.mls.credential import X509Credential
from blackthorn.mls.epoch.proposal_list import ProposalList, QueuedProposal
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, RequiredCapabilities
from blackthorn.mls.framing.framing import Sender
from blackthorn.mls.framing.key_package import KeyPackage, VerifiedKeyPackage, parse_key_package
from blackthorn.mls.framing.proposals import (
    Add,
    Commit,
    GroupContextExtensions,
    Proposal,
    Remove,
    Update,
    encode_proposal,
)
from blackthorn.mls.rules import Rule
from blackthorn.mls.tree.leaf_node import LeafNode, Lifetime
from tests.support.mls_forge import (
    doubt,
    flipped,
    handshake,
    key_package_of,
    leaf_of,
    path_of,
    refused,
    send_commit,
)
from tests.support.mls_people import NOW, Person, believe, group_of, people

CERTIFIED = X509Credential((b"a certificate",))


def capabilities(leaf: LeafNode, **changes: object) -> dict[str, object]:
    return {"capabilities": replace(leaf.capabilities, **changes)}  # type: ignore[arg-type]


Change = Callable[[LeafNode], dict[str, object]]

LEAVES: dict[str, tuple[Rule, Change]] = {
    "no MLS 1.0": (Rule.LEAF_VERSION, lambda leaf: capabilities(leaf, versions=(2,))),
    "not its own credential": (
        Rule.LEAF_OWN_CREDENTIAL,
        lambda leaf: capabilities(leaf, credentials=(X509,)),
    ),
    "not its own extension": (
        Rule.LEAF_OWN_EXTENSIONS,
        lambda leaf: {"extensions": (Extension(0x4242, b""),)},
    ),
    "a key of small order": (Rule.LEAF_KEY_VALID, lambda leaf: {"encryption_key": bytes(32)}),
    "a key of another length": (Rule.LEAF_KEY_VALID, lambda leaf: {"encryption_key": b"short"}),
    "a credential that others lack": (
        Rule.CREDENTIALS_TOGETHER,
        lambda leaf: {"credential": CERTIFIED, **capabilities(leaf, credentials=(BASIC, X509))},
    ),
    "no support for others' credential": (
        Rule.CREDENTIALS_TOGETHER,
        lambda leaf: {"credential": CERTIFIED, **capabilities(leaf, credentials=(X509,))},
    ),
}


@pytest.fixture
def group() -> list[Person]:
    return group_of(["mallory", "bob", "carol"], 1)


def newcomer(seed: int = 2) -> Person:
    return people(["erin"], seed)[0]


def adding(mallory: Person, package: KeyPackage) -> bytes:
    return send_commit(mallory, Commit((Add(package),), None))


def update_by_reference(group: list[Person], leaf: LeafNode) -> bytes:
    """Mallory proposes a leaf; carol, who helps, commits it."""
    mallory, bob, carol = group
    proposal = handshake(mallory, 2, encode_proposal(Update(leaf)))
    bob.read(proposal)
    (reference,) = bob.at._state.proposals
    return send_commit(carol, Commit((reference,), None))


def update_leaf(mallory: Person, **changes: object) -> LeafNode:
    _, public = mallory.suite.hpke.generate_key_pair(mallory.random)
    fields = {"source": SOURCE_UPDATE, "lifetime": None, "parent_hash": b""}
    return leaf_of(mallory, **{**fields, "encryption_key": public, **changes})


def with_changes(change: Change) -> Callable[[LeafNode], LeafNode]:
    return lambda leaf: replace(leaf, **change(leaf))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LEAVES)
def test_leaf_of_an_add(group: list[Person], name: str) -> None:
    rule, change = LEAVES[name]
    erin = newcomer()
    honest = key_package_of(erin).leaf
    refused(group[1], adding(group[0], key_package_of(erin, change(honest))), rule)


@pytest.mark.parametrize("name", LEAVES)
def test_leaf_of_an_update(group: list[Person], name: str) -> None:
    rule, change = LEAVES[name]
    mallory, bob, _ = group
    leaf = update_leaf(mallory, **change(mallory.at._state.epoch.own_leaf()))
    refused(bob, update_by_reference(group, leaf), rule)


@pytest.mark.parametrize("name", LEAVES)
def test_leaf_of_a_path(group: list[Person], name: str) -> None:
    rule, change = LEAVES[name]
    path = path_of(group[0], leaf=with_changes(change))
    refused(group[1], send_commit(group[0], Commit((), path)), rule)


# --- Signatures and credentials -----------------------------------------------------------


def test_a_leaf_that_did_not_sign_itself(group: list[Person]) -> None:
    mallory, bob, carol = group
    erin = newcomer()
    package = key_package_of(erin)
    leaf = replace(package.leaf, signature=flipped(package.leaf.signature))
    unsigned = replace(package, leaf=leaf)
    signature = erin.suite.sign_with_label(erin.private, b"KeyPackageTBS", unsigned.unsigned)
    refused(bob, adding(mallory, replace(unsigned, signature=signature)), Rule.LEAF_SIGNATURE)

    path = path_of(mallory, sign_as=carol.private)
    refused(bob, send_commit(mallory, Commit((), path)), Rule.LEAF_SIGNATURE)

    elsewhere = update_leaf(mallory).sign(mallory.suite, mallory.private, b"another group", 0)
    refused(bob, update_by_reference(group, elsewhere), Rule.LEAF_SIGNATURE)


def test_a_leaf_signed_for_another_place(group: list[Person]) -> None:
    mallory, bob, _ = group
    leaf = update_leaf(mallory).sign(mallory.suite, mallory.private, mallory.at.group_id, 1)
    refused(bob, update_by_reference(group, leaf), Rule.LEAF_SIGNATURE)


def test_a_credential_that_the_application_refuses(group: list[Person]) -> None:
    mallory, bob, _ = group
    add = adding(mallory, key_package_of(newcomer()))
    refused(bob, add, Rule.CREDENTIAL_VALID, validate=doubt)
    path = send_commit(mallory, Commit((), path_of(mallory)))
    refused(bob, path, Rule.CREDENTIAL_VALID, validate=doubt)
    update = update_by_reference(group, update_leaf(mallory))
    refused(bob, update, Rule.CREDENTIAL_VALID, validate=doubt)


def test_the_application_sees_which_credential_a_leaf_had_before(group: list[Person]) -> None:
    """5.3.1: it refuses a leaf that becomes another client's, by a path or by an Update."""
    mallory, bob, carol = group

    def same_client(credential: object, _: bytes, replaced: object) -> None:
        if replaced is not None and replaced != credential:
            raise MLSError("the leaf is another client's now")

    def carols(leaf: LeafNode) -> LeafNode:
        return replace(leaf, credential=carol.credential)

    stolen = send_commit(mallory, Commit((), path_of(mallory, carols)))
    refused(bob, stolen, Rule.CREDENTIAL_VALID, validate=same_client)
    update = update_by_reference(group, update_leaf(mallory, credential=carol.credential))
    refused(bob, update, Rule.CREDENTIAL_VALID, validate=same_client)


def test_a_staged_commit_shows_how_its_path_changes_the_committer(group: list[Person]) -> None:
    mallory, bob, carol = group
    old = mallory.at.members[0]
    made = mallory.at.commit(random=mallory.random, now=NOW, validate=believe)
    staged = bob.read(made.commit)
    assert isinstance(staged, StagedCommit)
    assert staged.renewed == staged.committer == old
    assert mallory.at.pending is not None and mallory.at.pending.renewed == old
    mallory.at.discard_pending()
    stolen = path_of(mallory, lambda leaf: replace(leaf, credential=carol.credential))
    removal = send_commit(mallory, Commit((Remove(bob.at.own_index),), stolen))
    staged = bob.read(removal)  # who is removed opens no path, and sees the change all the same
    assert isinstance(staged, StagedCommit) and staged.removes_me
    assert staged.committer == old
    assert staged.renewed == replace(old, credential=carol.credential)


def test_a_refusal_of_the_application_keeps_its_own_rule() -> None:
    def refuse(credential: object, *_: object) -> None:
        raise MLSError("no certificate", Rule.CREDENTIAL_TYPE)

    message = newcomer().key_package()[0]
    with pytest.raises(MLSError) as caught:
        parse_key_package(message, now=NOW, validate=refuse)
    assert caught.value.rule is Rule.CREDENTIAL_TYPE


# --- What the group asks ------------------------------------------------------------------


REQUIREMENTS: dict[str, tuple[Rule, Extension]] = {
    "an extension": (
        Rule.REQUIRED_EXTENSIONS,
        RequiredCapabilities(extensions=(0x4242,)).extension(),
    ),
    "a proposal": (
        Rule.REQUIRED_PROPOSALS,
        RequiredCapabilities(proposals=(0x4242,)).extension(),
    ),
    "a credential": (
        Rule.REQUIRED_CREDENTIALS,
        RequiredCapabilities(credentials=(0x4242,)).extension(),
    ),
    "support of its extensions": (Rule.GROUP_EXTENSIONS, Extension(0x4242, b"")),
}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_that_members_do_not_meet(group: list[Person], name: str) -> None:
    rule, extension = REQUIREMENTS[name]
    proposal: Proposal = GroupContextExtensions((extension,))
    refused(group[1], send_commit(group[0], Commit((proposal,), None)), rule)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_that_a_newcomer_does_not_meet(name: str) -> None:
    """The members support all that the group asks; the newcomer supports nothing."""
    rule, extension = REQUIREMENTS[name]
    able = {"extensions": (0x4242,), "proposals": (0x4242,), "credentials": (BASIC, 0x4242)}
    mallory, bob, erin = people(["mallory", "bob", "erin"], 3)
    mallory.found(extension_types=[0x4242])
    epoch = mallory.at._state.epoch
    everything = replace(epoch.own_leaf().capabilities, **able)  # type: ignore[arg-type]
    lead = replace(epoch.own_leaf(), capabilities=everything)
    epoch.tree.set_node(0, lead.sign(mallory.suite, mallory.private))
    package = key_package_of(bob, {"capabilities": everything})
    proposals: list[Proposal] = [GroupContextExtensions((extension,)), Add(package)]
    unable = key_package_of(erin, {"capabilities": replace(everything, **UNABLE)})
    refused_by_committer(mallory, [*proposals, Add(unable)], rule)


UNABLE: dict[str, object] = {"extensions": (), "proposals": (), "credentials": (BASIC,)}


def refused_by_committer(mallory: Person, proposals: list[Proposal], rule: Rule) -> None:
    listed = ProposalList(mallory.at._state.epoch, 0, NOW, believe)
    for proposal in proposals[:-1]:
        listed.append(QueuedProposal(proposal, Sender(MEMBER, 0)))
    with pytest.raises(MLSError) as caught:
        listed.append(QueuedProposal(proposals[-1], Sender(MEMBER, 0)))
    assert caught.value.rule is rule
    listed.apply()


# --- Keys that are there already ----------------------------------------------------------


def test_a_signature_key_twice(group: list[Person]) -> None:
    """Mallory and carol are in league: one signs with the other's key."""
    mallory, bob, carol = group
    leaf = replace(update_leaf(mallory), signature_key=carol.public)
    leaf = leaf.sign(mallory.suite, carol.private, mallory.at.group_id, 0)
    refused(bob, update_by_reference(group, leaf), Rule.SIGNATURE_KEYS_UNIQUE)

    path = path_of(
        mallory, leaf=lambda own: replace(own, signature_key=carol.public), sign_as=carol.private
    )
    refused(bob, send_commit(mallory, Commit((), path)), Rule.SIGNATURE_KEYS_UNIQUE)


def test_an_encryption_key_twice(group: list[Person]) -> None:
    mallory, bob, carol = group
    key = carol.at._state.epoch.own_leaf().encryption_key
    package = key_package_of(newcomer(), {"encryption_key": key})
    refused(bob, adding(mallory, package), Rule.LEAF_KEYS_UNIQUE)
    leaf = update_leaf(mallory, encryption_key=key)
    refused(bob, update_by_reference(group, leaf), Rule.LEAF_KEYS_UNIQUE)


def test_a_parents_key_at_a_leaf(group: list[Person]) -> None:
    """Who joins later would refuse the tree: it must not come about."""
    mallory, bob, _ = group
    shared = mallory.at._state.epoch.tree.parent(3)
    assert shared is not None
    package = key_package_of(newcomer(), {"encryption_key": shared.encryption_key})
    refused(bob, adding(mallory, package), Rule.PARENT_KEYS_UNIQUE)


# --- Key packages (5xx) -------------------------------------------------------------------


def offered(package: KeyPackage, now: int = NOW) -> VerifiedKeyPackage:
    return parse_key_package(package.message, now=now, validate=believe)


PACKAGES: dict[str, tuple[Rule, Callable[[Person], KeyPackage]]] = {
    "a leaf with source update": (
        Rule.KEY_PACKAGE_SOURCE,
        lambda erin: key_package_of(erin, {"source": SOURCE_UPDATE, "lifetime": None}),
    ),
    "a signature that does not hold": (
        Rule.KEY_PACKAGE_SIGNATURE,
        lambda erin: replace(key_package_of(erin), signature=bytes(64)),
    ),
    "an init key of small order": (
        Rule.INIT_KEY_VALID,
        lambda erin: key_package_of(erin, init_key=bytes(32)),
    ),
    "an init key of another length": (
        Rule.INIT_KEY_VALID,
        lambda erin: key_package_of(erin, init_key=b"short"),
    ),
    "the leaf's key as init key": (Rule.INIT_KEY_OWN, lambda erin: one_key(erin)),
    "a lifetime that has ended": (
        Rule.LIFETIME_NOW,
        lambda erin: key_package_of(erin, {"lifetime": Lifetime(NOW - 10, NOW - 1)}),
    ),
    "a lifetime to come": (
        Rule.LIFETIME_NOW,
        lambda erin: key_package_of(erin, {"lifetime": Lifetime(NOW + 1, NOW + 10)}),
    ),
    "a lifetime without end": (
        Rule.LIFETIME_LENGTH,
        lambda erin: key_package_of(erin, {"lifetime": Lifetime(0, 2**64 - 1)}),
    ),
}


def one_key(erin: Person) -> KeyPackage:
    _, public = erin.suite.hpke.generate_key_pair(random.Random(4).randbytes)
    return key_package_of(erin, {"encryption_key": public}, init_key=public)


@pytest.mark.parametrize("name", PACKAGES)
def test_key_package(group: list[Person], name: str) -> None:
    """Refused by who fetches it, and by the group when a member adds it all the same.

    A lifetime is judged by who adds the leaf only, since others may read that Commit months later:
    there the forged Commit fails by its confirmation tag.
    """
    rule, forge = PACKAGES[name]
    package = forge(newcomer())
    with pytest.raises(MLSError) as caught:
        offered(package)
    assert caught.value.rule is rule
    later = Rule.CONFIRMATION_TAG if rule is Rule.LIFETIME_NOW else rule
    refused(group[1], adding(group[0], package), later)


def test_a_key_package_of_another_suite(group: list[Person]) -> None:
    erin = Person("erin", random.Random(5), 3)
    package = key_package_of(erin)
    offered(package)
    refused(group[1], adding(group[0], package), Rule.KEY_PACKAGE_SUITE)
