"""Rules 6xx and 7xx: Commits of a malicious member, rightly sealed and signed, each with one
fault in its proposals or its path."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import SOURCE_KEY_PACKAGE, SOURCE_UPDATE, USAGE_BRANCH, USAGE_REINIT
from blackthorn.mls.extension import Extension, ExternalSender
from blackthorn.mls.framing.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
    encode_proposal,
)
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import ExternalPskId, ResumptionPskId
from blackthorn.mls.tree.leaf_node import LeafNode, Lifetime
from blackthorn.mls.tree.update_path import UpdatePath
from blackthorn.wire.tls import vector
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
from tests.support.mls_people import NOW, Person, agree, believe, group_of, people

NONCE = bytes(32)


@pytest.fixture
def group() -> list[Person]:
    return group_of(["mallory", "bob", "carol", "dave"], 1)


def fresh_key(person: Person) -> bytes:
    return person.suite.hpke.generate_key_pair(person.random)[1]


def update_of(person: Person, **changes: object) -> Update:
    fields = {"source": SOURCE_UPDATE, "lifetime": None, "parent_hash": b""}
    return Update(leaf_of(person, **{**fields, "encryption_key": fresh_key(person), **changes}))


def newcomer(seed: int = 2) -> Person:
    return people(["erin"], seed)[0]


def twice(proposal: Proposal) -> list[Proposal]:
    return [proposal, proposal]


def added_twice(group: list[Person]) -> list[Proposal]:
    erin = newcomer()
    return [Add(key_package_of(erin)), Add(key_package_of(erin))]


def psk(nonce: bytes = NONCE) -> PreSharedKey:
    return PreSharedKey(ExternalPskId(b"a", nonce))


def resumption(group: list[Person], usage: int, epoch: int = 1) -> PreSharedKey:
    return PreSharedKey(ResumptionPskId(usage, group[0].at.group_id, epoch, NONCE))


REINIT = ReInit(b"another", 1, 1, ())

LISTS: dict[str, tuple[Rule, Callable[[list[Person]], list[Proposal]]]] = {
    "a removal of nobody": (Rule.REMOVES_MEMBER, lambda g: [Remove(17)]),
    "a removal beyond all trees": (Rule.REMOVES_MEMBER, lambda g: [Remove(2**32 - 1)]),
    "the committer's own update": (Rule.NO_OWN_UPDATE, lambda g: [update_of(g[0])]),
    "the committer's own removal": (Rule.NO_OWN_REMOVE, lambda g: [Remove(0)]),
    "two removals of one": (Rule.ONE_CHANGE, lambda g: twice(Remove(3))),
    "one client twice": (Rule.ADDED_ONCE, added_twice),
    "a member again": (Rule.ADDED_IS_NEW, lambda g: [Add(key_package_of(g[1]))]),
    "a member again while another goes": (
        Rule.ADDED_IS_NEW,
        lambda g: [Remove(3), Add(key_package_of(g[1]))],
    ),
    "a short nonce": (Rule.PSK_NONCE, lambda g: [psk(b"short")]),
    "a long nonce": (Rule.PSK_NONCE, lambda g: [psk(bytes(33))]),
    "one PSK twice": (Rule.PSK_ONCE, lambda g: twice(psk())),
    "a PSK for a re-initialisation": (
        Rule.PSK_USAGE_HERE,
        lambda g: [resumption(g, USAGE_REINIT)],
    ),
    "a PSK for a branch": (Rule.PSK_USAGE_HERE, lambda g: [resumption(g, USAGE_BRANCH)]),
    "an unknown PSK": (Rule.PSK_KNOWN, lambda g: [psk()]),
    "an unknown epoch's PSK": (Rule.PSK_KNOWN, lambda g: [resumption(g, 1, 999)]),
    "extensions replaced twice": (
        Rule.EXTENSIONS_REPLACED_ONCE,
        lambda g: twice(GroupContextExtensions(())),
    ),
    "a re-initialisation and more": (Rule.REINIT_ALONE, lambda g: [Remove(3), REINIT]),
    "two re-initialisations": (Rule.REINIT_ALONE, lambda g: [REINIT, REINIT]),
    "a re-initialisation downwards": (
        Rule.REINIT_VERSION,
        lambda g: [replace(REINIT, version=0)],
    ),
    "an external init": (Rule.NO_EXTERNAL_INIT, lambda g: [ExternalInit(b"kem output")]),
    "an empty list": (Rule.PATH_REQUIRED, lambda g: []),
    "a removal": (Rule.PATH_REQUIRED, lambda g: [Remove(3)]),
    "new extensions": (Rule.PATH_REQUIRED, lambda g: [GroupContextExtensions(())]),
    "an add, sound but for its tag": (
        Rule.CONFIRMATION_TAG,
        lambda g: [Add(key_package_of(newcomer()))],
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_proposal_list(group: list[Person], name: str) -> None:
    """Without a path: where one is needed, that is found last."""
    rule, make = LISTS[name]
    refused(group[1], send_commit(group[0], Commit(tuple(make(group)), None)), rule)


def test_an_external_sender_that_the_application_refuses(group: list[Person]) -> None:
    clerk = newcomer(5)
    sender = ExternalSender(clerk.public, clerk.credential)
    proposal = GroupContextExtensions((Extension(5, vector([sender.encode()])),))
    commit = send_commit(group[0], Commit((proposal,), None))
    refused(group[1], commit, Rule.CREDENTIAL_VALID, validate=doubt)
    refused(group[1], commit, Rule.PATH_REQUIRED)


# --- By reference -------------------------------------------------------------------------


def proposed(group: list[Person], *proposals: Proposal) -> tuple[bytes, ...]:
    """References to proposals of mallory's, which bob has received."""
    mallory, bob = group[:2]
    for proposal in proposals:
        bob.read(handshake(mallory, 2, encode_proposal(proposal)))
    return tuple(bob.at._state.proposals)


def test_a_proposal_that_nobody_sent(group: list[Person]) -> None:
    commit = send_commit(group[0], Commit((bytes(32),), None))
    refused(group[1], commit, Rule.REFERENCE_KNOWN)


UPDATES: dict[str, tuple[Rule, Callable[[Person], Update]]] = {
    "with source commit": (Rule.UPDATE_SOURCE, lambda m: update_of(m, source=3)),
    "that keeps its key": (
        Rule.UPDATE_NEW_KEY,
        lambda m: update_of(m, encryption_key=m.at._state.epoch.own_leaf().encryption_key),
    ),
    "without a path": (Rule.PATH_REQUIRED, update_of),
}


@pytest.mark.parametrize("name", UPDATES)
def test_update(group: list[Person], name: str) -> None:
    """A bad Update may wait; who commits it is refused."""
    rule, make = UPDATES[name]
    references = proposed(group, make(group[0]))
    refused(group[1], send_commit(group[3], Commit(references, None)), rule)


@pytest.mark.parametrize("changes", [{"source": 3}, {"encryption_key": bytes(32)}])
def test_a_bad_update_is_left_out_by_who_commits_honestly(
    group: list[Person], changes: dict[str, object]
) -> None:
    mallory, bob, carol, dave = group
    message = handshake(mallory, 2, encode_proposal(update_of(mallory, **changes)))
    for person in group[1:]:
        person.read(message)
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    bob.at.merge_pending()
    for person in (mallory, carol, dave):
        assert person.follow(made.commit).updated == []
    agree(*group)


def test_one_member_updated_or_removed_twice(group: list[Person]) -> None:
    mallory = group[0]
    first, second = proposed(group, update_of(mallory), update_of(mallory))
    for proposals in ((first, second), (first, Remove(0)), (first, first)):
        refused(group[1], send_commit(group[3], Commit(proposals, None)), Rule.ONE_CHANGE)


def test_of_two_updates_an_honest_committer_takes_one(group: list[Person]) -> None:
    mallory, bob, carol, dave = group
    for _ in range(2):
        proposal = mallory.at.propose_update(random=mallory.random)
        for person in group[1:]:
            person.read(proposal)
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    bob.at.merge_pending()
    for person in (mallory, carol, dave):
        assert len(person.follow(made.commit).updated) == 1
    agree(*group)


# --- Paths --------------------------------------------------------------------------------


def with_leaf(**changes: object) -> Callable[[Person], UpdatePath]:
    def change(leaf: LeafNode) -> LeafNode:
        return replace(leaf, **changes)  # type: ignore[arg-type]

    return lambda mallory: path_of(mallory, leaf=change)


def with_nodes(edit: Callable[[list], list]) -> Callable[[Person], UpdatePath]:  # type: ignore[type-arg]
    def make(mallory: Person) -> UpdatePath:
        path = path_of(mallory)
        return replace(path, nodes=tuple(edit(list(path.nodes))))

    return make


def first_node(**changes: object) -> Callable[[list], list]:  # type: ignore[type-arg]
    return lambda nodes: [replace(nodes[0], **changes), *nodes[1:]]


def sealed_twice(nodes: list) -> list:  # type: ignore[type-arg]
    return first_node(sealed=(*nodes[0].sealed, *nodes[0].sealed))(nodes)


def garbled(nodes: list) -> list:  # type: ignore[type-arg]
    return [replace(n, sealed=tuple((kem, flipped(ct)) for kem, ct in n.sealed)) for n in nodes]


def own_old_key(mallory: Person) -> UpdatePath:
    return with_leaf(encryption_key=mallory.at._state.epoch.own_leaf().encryption_key)(mallory)


def bobs_key(mallory: Person) -> UpdatePath:
    bob = mallory.at._state.epoch.tree.leaf(1)
    assert bob is not None
    return path_of(mallory, publics=lambda publics: [bob.encryption_key, *publics[1:]])


PATHS: dict[str, tuple[Rule, Callable[[Person], UpdatePath]]] = {
    "a leaf with source update": (
        Rule.PATH_SOURCE,
        with_leaf(source=SOURCE_UPDATE, parent_hash=b""),
    ),
    "a leaf with source key_package": (
        Rule.PATH_SOURCE,
        with_leaf(source=SOURCE_KEY_PACKAGE, lifetime=Lifetime(0, 1), parent_hash=b""),
    ),
    "a node too few": (Rule.PATH_LENGTH, with_nodes(lambda nodes: nodes[:-1])),
    "a node too many": (Rule.PATH_LENGTH, with_nodes(lambda nodes: [*nodes, nodes[-1]])),
    "no node": (Rule.PATH_LENGTH, with_nodes(lambda nodes: [])),
    "the leaf's old key": (Rule.PATH_KEYS_NEW, own_old_key),
    "a member's key": (Rule.PATH_KEYS_NEW, bobs_key),
    "one key at two nodes": (
        Rule.PATH_KEYS_NEW,
        lambda m: path_of(m, publics=lambda publics: [publics[0]] * len(publics)),
    ),
    "a node's key of small order": (
        Rule.PATH_KEYS_VALID,
        lambda m: path_of(m, publics=lambda publics: [bytes(32), *publics[1:]]),
    ),
    "another parent hash": (Rule.PATH_PARENT_HASH, with_leaf(parent_hash=bytes(32))),
    "no parent hash": (Rule.PATH_PARENT_HASH, with_leaf(parent_hash=b"")),
    "nothing sealed": (Rule.PATH_CIPHERTEXTS, with_nodes(first_node(sealed=()))),
    "a secret sealed twice": (Rule.PATH_CIPHERTEXTS, with_nodes(sealed_twice)),
    "secrets that do not open": (Rule.PATH_OPENS, with_nodes(garbled)),
    "keys of other secrets": (
        Rule.PATH_SECRET_FITS,
        lambda m: path_of(m, publics=lambda publics: [fresh_key(m) for _ in publics]),
    ),
    "nothing wrong but the tag": (Rule.CONFIRMATION_TAG, path_of),
}


@pytest.mark.parametrize("name", PATHS)
def test_path(group: list[Person], name: str) -> None:
    rule, make = PATHS[name]
    mallory, others = group[0], group[1:]
    commit = send_commit(mallory, Commit((), make(mallory)))
    refused(others[0], commit, rule)
    honest = others[0].at.commit(random=others[0].random, now=NOW, validate=believe)
    for person in (mallory, *others[1:]):
        person.follow(honest.commit)
    others[0].at.merge_pending()
    agree(*group)


def test_a_psk_that_is_known_goes_on_to_the_tag(group: list[Person]) -> None:
    mallory, bob = group[:2]
    commit = send_commit(mallory, Commit((psk(),), None))
    before = bob.at.serialise()
    known = {b"a": Secret(random.Random(3).randbytes(32))}
    with pytest.raises(Exception, match="confirmation tag"):
        bob.at.process(commit, validate=believe, external_psks=known)
    assert bob.at.serialise() == before
