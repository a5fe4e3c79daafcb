"""A malicious member's Commits and proposals: rightly sealed and signed, and still wrong.

The attacker's Commits are made by changing an honest one and signing it again, so that only
the rule under test stands between it and the group (RFC 9420, 7.3, 12.2, 12.4.2)."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.mls import committing, protection
from blackthorn.mls.codepoints import SOURCE_KEY_PACKAGE, SOURCE_UPDATE
from blackthorn.mls.committing import Request, sign_content
from blackthorn.mls.errors import (
    DecryptionFailed,
    InvalidCommit,
    InvalidLeaf,
    InvalidProposal,
    InvalidSignature,
    MLSError,
    Unsupported,
)
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing import encode_message
from blackthorn.mls.leaf_node import Lifetime
from blackthorn.mls.padding import size_class
from blackthorn.mls.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from blackthorn.mls.psk import ExternalPskId, KnownPsks, ResumptionPskId
from blackthorn.mls.update_path import UpdatePath
from tests.mls_people import NOW, Person, agree, believe, group_of, verified


def changed_commit(
    mallory: Person,
    change: Callable[[Commit], Commit],
    request: Request | None = None,
    tag: Callable[[bytes], bytes] = lambda tag: tag,
) -> bytes:
    """A Commit of mallory's that has been changed and signed again."""
    state = mallory.at._state
    made = committing.make_commit(
        state,
        request or Request(),
        random=mallory.random,
        now=NOW,
        validate=believe,
        known_psks=KnownPsks(),
    )
    body = made.commit.content.body
    assert isinstance(body, Commit)
    signed = sign_content(state.epoch, change(body), b"", state.signature_private)
    signed = replace(signed, confirmation_tag=tag(made.commit.confirmation_tag or b""))
    epoch = state.epoch
    message, use = protection.protect_private(
        epoch.suite, signed, epoch.secret_tree, epoch.sender_data, mallory.random, size_class
    )
    use.consume()
    return encode_message(message)


@pytest.fixture
def group() -> list[Person]:
    everybody = group_of(["mallory", "bob", "carol", "dave"], 1)
    # One update each fills the tree, so that paths have several nodes.
    for person in everybody:
        made = person.at.commit(random=person.random, now=NOW, validate=believe)
        for other in everybody:
            if other is not person:
                other.follow(made.commit)
        person.at.merge_pending()
    return everybody


def refused(group: list[Person], message: bytes, error: type[MLSError]) -> None:
    """Everybody refuses, nothing has changed, and an honest Commit still goes through."""
    for person in group[1:]:
        before = person.at.serialise()
        with pytest.raises(error):
            person.read(message)
        assert person.at.serialise() == before
    made = group[1].at.commit(random=group[1].random, now=NOW, validate=believe)
    for person in group:
        if person is not group[1]:
            person.follow(made.commit)
    group[1].at.merge_pending()
    agree(*group)


PathChange = Callable[[Person, UpdatePath], UpdatePath]


def leaf_change(**changes: object) -> PathChange:
    def change(mallory: Person, path: UpdatePath) -> UpdatePath:
        leaf = replace(path.leaf, **changes)  # type: ignore[arg-type]
        signed = leaf.sign(mallory.suite, mallory.private, mallory.at.group_id, 0)
        return replace(path, leaf=signed)

    return change


def leaf_of(index: int, field: str) -> PathChange:
    def change(mallory: Person, path: UpdatePath) -> UpdatePath:
        leaf = mallory.at._state.epoch.tree.leaf(index)
        return leaf_change(**{field: getattr(leaf, field)})(mallory, path)

    return change


def nodes(edit: Callable[[list], list]) -> PathChange:  # type: ignore[type-arg]
    return lambda mallory, path: replace(path, nodes=tuple(edit(list(path.nodes))))


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def fewer(path_nodes: list) -> list:  # type: ignore[type-arg]
    return [replace(path_nodes[0], sealed=()), *path_nodes[1:]]


def more(path_nodes: list) -> list:  # type: ignore[type-arg]
    first = path_nodes[0]
    return [replace(first, sealed=(*first.sealed, *first.sealed)), *path_nodes[1:]]


def garbled(path_nodes: list) -> list:  # type: ignore[type-arg]
    return [
        replace(each, sealed=tuple((enc, flipped(sealed)) for enc, sealed in each.sealed))
        for each in path_nodes
    ]


def repeated_key(path_nodes: list) -> list:  # type: ignore[type-arg]
    first = path_nodes[0]
    return [first, *(replace(e, encryption_key=first.encryption_key) for e in path_nodes[1:])]


def weak_key(path_nodes: list) -> list:  # type: ignore[type-arg]
    return [replace(path_nodes[0], encryption_key=bytes(32)), *path_nodes[1:]]


PATHS: dict[str, tuple[PathChange, type[MLSError]]] = {
    "leaf with another source": (
        leaf_change(source=SOURCE_UPDATE, parent_hash=b""),
        InvalidCommit,
    ),
    "leaf of a key package": (
        leaf_change(source=SOURCE_KEY_PACKAGE, lifetime=Lifetime(0, 1), parent_hash=b""),
        InvalidCommit,
    ),
    "leaf with a wrong parent hash": (leaf_change(parent_hash=bytes(32)), InvalidCommit),
    "leaf with no parent hash": (leaf_change(parent_hash=b""), InvalidCommit),
    "leaf that keeps its old key": (leaf_of(0, "encryption_key"), InvalidCommit),
    "leaf with another's encryption key": (leaf_of(1, "encryption_key"), InvalidCommit),
    "leaf with another's signature key": (leaf_of(1, "signature_key"), InvalidSignature),
    "leaf with a weak key": (leaf_change(encryption_key=bytes(32)), InvalidLeaf),
    "leaf with an unlisted extension": (
        leaf_change(extensions=(Extension(0x4243, b""),)),
        InvalidLeaf,
    ),
    "leaf signed for another place": (
        lambda m, path: replace(path, leaf=path.leaf.sign(m.suite, m.private, m.at.group_id, 1)),
        InvalidSignature,
    ),
    "a node too few": (nodes(lambda each: each[:-1]), InvalidCommit),
    "a node too many": (nodes(lambda each: [*each, each[-1]]), InvalidCommit),
    "no nodes": (nodes(lambda each: []), InvalidCommit),
    "a ciphertext too few": (nodes(fewer), InvalidCommit),
    "ciphertexts too many": (nodes(more), InvalidCommit),
    "ciphertexts that do not open": (nodes(garbled), DecryptionFailed),
    "a key that appears twice": (nodes(repeated_key), InvalidCommit),
    "a weak node key": (nodes(weak_key), InvalidCommit),
}


@pytest.mark.parametrize("name", PATHS)
def test_path(group: list[Person], name: str) -> None:
    mallory = group[0]
    change, error = PATHS[name]

    def edit(commit: Commit) -> Commit:
        assert commit.path is not None
        return replace(commit, path=change(mallory, commit.path))

    refused(group, changed_commit(mallory, edit), error)


def test_a_commit_without_the_path_it_needs(group: list[Person]) -> None:
    for request in (Request(), Request(remove=[3])):
        message = changed_commit(group[0], lambda commit: replace(commit, path=None), request)
        for person in group[1:3]:
            before = person.at.serialise()
            with pytest.raises(InvalidCommit):
                person.read(message)
            assert person.at.serialise() == before


def test_a_wrong_confirmation_tag(group: list[Person]) -> None:
    for tag in (flipped, lambda tag: b"", lambda tag: tag + b"\x00"):
        message = changed_commit(group[0], lambda commit: commit, tag=tag)
        for person in group[1:]:
            before = person.at.serialise()
            with pytest.raises(InvalidSignature):
                person.read(message)
            assert person.at.serialise() == before


def key_package_of(person: Person) -> Add:
    return Add(verified(person.key_package()[0]).package)


def update_of(mallory: Person, **changes: object) -> Update:
    leaf = replace(
        mallory.at._state.epoch.own_leaf(),
        source=SOURCE_UPDATE,
        parent_hash=b"",
        encryption_key=mallory.suite.hpke.generate_key_pair(mallory.random)[1],
    )
    leaf = replace(leaf, **changes)  # type: ignore[arg-type]
    return Update(leaf.sign(mallory.suite, mallory.private, mallory.at.group_id, 0))


def newcomer(seed: int = 2) -> Person:
    return Person("erin", random.Random(seed))


def bad_add(person: Person) -> Add:
    package = key_package_of(person).package
    return Add(replace(package, signature=flipped(package.signature)))


def added_twice() -> list[Proposal]:
    erin = newcomer()
    return [key_package_of(erin), key_package_of(erin)]


NONCE = bytes(32)
LISTS: dict[str, tuple[Callable[[list[Person]], list[Proposal]], type[MLSError]]] = {
    "12.2 an update of the committer": (lambda g: [update_of(g[0])], InvalidProposal),
    "12.2 a removal of the committer": (lambda g: [Remove(0)], InvalidProposal),
    "12.2 two removals of one": (lambda g: [Remove(3), Remove(3)], InvalidProposal),
    "12.1.3 a removal of nobody": (lambda g: [Remove(17)], InvalidProposal),
    "12.1.3 a removal far outside": (lambda g: [Remove(2**32 - 1)], InvalidProposal),
    "12.2 one client twice": (lambda g: added_twice(), InvalidProposal),
    "12.2 a member again": (lambda g: [key_package_of(g[1])], InvalidProposal),
    "10.1 a key package with a bad signature": (
        lambda g: [bad_add(newcomer())],
        InvalidSignature,
    ),
    "12.1.1 a key package of another suite": (
        lambda g: [key_package_of(Person("erin", random.Random(3), 2))],
        InvalidProposal,
    ),
    "12.2 extensions twice": (
        lambda g: [GroupContextExtensions(()), GroupContextExtensions(())],
        InvalidProposal,
    ),
    "12.1.7 an extension nobody has": (
        lambda g: [GroupContextExtensions((Extension(0x4242, b""),))],
        InvalidLeaf,
    ),
    "12.1.7 malformed requirements": (
        lambda g: [GroupContextExtensions((Extension(3, b"\x01"),))],
        MLSError,
    ),
    "12.2 one PSK twice": (
        lambda g: [PreSharedKey(ExternalPskId(b"a", NONCE))] * 2,
        InvalidProposal,
    ),
    "12.1.4 a short nonce": (
        lambda g: [PreSharedKey(ExternalPskId(b"a", b"short"))],
        InvalidProposal,
    ),
    "8.4 an unknown PSK": (
        lambda g: [PreSharedKey(ExternalPskId(b"a", NONCE))],
        InvalidProposal,
    ),
    "8.4 an unknown epoch's PSK": (
        lambda g: [PreSharedKey(ResumptionPskId(1, g[0].at.group_id, 999, NONCE))],
        InvalidProposal,
    ),
    "12.1.5 a re-initialisation": (lambda g: [ReInit(b"new", 1, 1, ())], Unsupported),
    "12.1.6 an external init": (lambda g: [ExternalInit(b"kem output")], InvalidProposal),
}


@pytest.mark.parametrize("name", LISTS)
def test_proposal_list(group: list[Person], name: str) -> None:
    make, error = LISTS[name]
    proposals = tuple(make(group))
    message = changed_commit(group[0], lambda commit: replace(commit, proposals=proposals))
    refused(group, message, error)


UPDATES: dict[str, tuple[dict[str, object], type[MLSError]]] = {
    "12.1.2 another source": ({"source": 3}, InvalidProposal),
    "7.3 a weak key": ({"encryption_key": bytes(32)}, InvalidLeaf),
    "7.3 an unlisted extension": ({"extensions": (Extension(0x4242, b""),)}, InvalidLeaf),
}


@pytest.mark.parametrize("name", UPDATES)
def test_bad_update_by_reference(group: list[Person], name: str) -> None:
    """A bad proposal may wait; a Commit that names it is refused, and an honest one leaves
    it out."""
    mallory, bob, carol, dave = group
    changes, error = UPDATES[name]
    state = mallory.at._state
    signed = sign_content(state.epoch, update_of(mallory, **changes), b"", state.signature_private)
    message, use = protection.protect_private(
        state.epoch.suite,
        signed,
        state.epoch.secret_tree,
        state.epoch.sender_data,
        mallory.random,
        size_class,
    )
    use.consume()
    for person in group[1:]:
        person.read(encode_message(message))
    reference = signed.proposal_reference(mallory.suite)
    forged = changed_commit(dave, lambda commit: replace(commit, proposals=(reference,)))
    for person in (bob, carol):
        before = person.at.serialise()
        with pytest.raises(error):
            person.read(forged)
        assert person.at.serialise() == before
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    for person in (carol, dave):
        assert person.follow(made.commit).updated == []


def test_the_same_update_twice_by_reference(group: list[Person]) -> None:
    mallory, bob, carol, dave = group
    for _ in range(2):
        proposal = mallory.at.propose_update(random=mallory.random)
        for person in group[1:]:
            person.read(proposal)
    references = tuple(dave.at._state.proposals)
    assert len(references) == 2
    forged = changed_commit(dave, lambda commit: replace(commit, proposals=references))
    before = carol.at.serialise()
    with pytest.raises(InvalidProposal):
        carol.read(forged)
    assert carol.at.serialise() == before
    made = bob.at.commit(random=bob.random, now=NOW, validate=believe)
    assert len(carol.follow(made.commit).updated) == 1
    mallory.follow(made.commit)
    dave.follow(made.commit)
    bob.at.merge_pending()
    agree(mallory, bob, carol, dave)
