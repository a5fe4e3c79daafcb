"""What is stored: older versions are read, and what was used up is gone (RFC 9420, 9.2)."""

import json
from pathlib import Path

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import GenerationConsumed, MalformedMessage, WrongEpoch
from blackthorn.mls.group.group import Application, Group
from blackthorn.mls.schedule.secret_tree import APPLICATION, HANDSHAKE, KeyNonce, SecretTree
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES256
from blackthorn.mls.tree import treemath
from tests.support.mls_people import NOW, Person, add, agree, believe, group_of, people
from tests.support.mls_rows import again, stored

SUITES = pytest.mark.parametrize("suite", [SUITE_1, SUITE_XWING_AES256])


def test_version_1_is_read() -> None:
    """Three members, stored by the first build, with messages, proposals and a Commit under way."""
    stored = json.loads((Path(__file__).parent / "stored_version_1.json").read_text())
    alice, bob, carol = (
        Group.deserialise(bytes.fromhex(stored[name])) for name in ("alice", "bob", "carol")
    )
    late = bob.process(bytes.fromhex(stored["late"]), validate=believe)
    assert isinstance(late, Application)
    assert late.content == b"late"
    for group in (bob, carol):
        staged = group.process(bytes.fromhex(stored["commit"]), validate=believe)
        assert isinstance(staged, StagedCommit)
        assert len(staged.updated) == 2
        group.merge(staged)
    alice.merge_pending()
    for group in (alice, bob, carol):
        assert group.epoch_authenticator.hex() == stored["authenticator"]
        again = group.serialise()
        assert again[:2] == b"\x00\x02"
        assert Group.deserialise(again).serialise() == again


def test_a_version_of_the_future_is_refused() -> None:
    (alice,) = group_of(["alice"], 1)
    for version in (b"\x00\x00", b"\x00\x03", b"\xff\xff"):
        with pytest.raises(MalformedMessage):
            Group.deserialise(version + alice.at.serialise()[2:])


# --- Deletion -----------------------------------------------------------------------------


def path_secrets(tree: SecretTree, leaf: int) -> list[bytes]:
    """All secrets from the root of an untouched secret tree down to the leaf."""
    expand, size = tree.suite.expand_with_label, tree.suite.hash_size
    node = treemath.root(tree.leaf_count)
    secret = tree.secrets[node]
    secrets = [secret]
    while node != 2 * leaf:
        to_left = 2 * leaf < node
        secret = expand(secret, b"tree", b"left" if to_left else b"right", size)
        node = treemath.left(node) if to_left else treemath.right(node)
        secrets.append(secret)
    return secrets


def ratchet_of(
    tree: SecretTree, leaf: int, kind: int, count: int
) -> tuple[list[bytes], list[KeyNonce]]:
    """The first `count` secrets of a leaf's ratchet, and their keys."""
    suite = tree.suite
    label = (b"handshake", b"application")[kind]
    secret = suite.expand_with_label(path_secrets(tree, leaf)[-1], label, b"", suite.hash_size)
    secrets, keys = [], []
    for generation in range(count):
        secrets.append(secret)
        keys.append(
            (
                suite.derive_tree_secret(secret, b"key", generation, suite.aead.key_size),
                suite.derive_tree_secret(secret, b"nonce", generation, suite.aead.nonce_size),
            )
        )
        secret = suite.derive_tree_secret(secret, b"secret", generation, suite.hash_size)
    return secrets, keys


def held(person: Person, secrets: list[bytes]) -> list[bool]:
    """What the stored group holds, in one piece as in rows."""
    whole, rows = person.at.serialise(), stored(person).everything()
    found = [secret in whole for secret in secrets]
    assert [secret in rows for secret in secrets] == found
    return found


@SUITES
def test_a_message_uses_up_its_key_and_all_that_leads_to_it(suite: int) -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 2, suite)
    tree = bob.at._state.epoch.secret_tree
    path = path_secrets(tree, 0)
    siblings = path_secrets(tree, 1)[-1:] + path_secrets(tree, 2)[1:2]
    secrets, keys = ratchet_of(tree, 0, APPLICATION, 3)
    handshake, _ = ratchet_of(tree, 0, HANDSHAKE, 1)
    assert held(bob, path) == [True, False, False]  # the root alone, and once
    assert bob.at.serialise().count(path[0]) == 1
    messages = [alice.say(b"%d" % n) for n in range(2)]
    assert held(alice, [*path, *secrets[:2], *keys[0], *keys[1]]) == [False] * 9
    assert bob.hear(messages[1]) == b"1"
    # Used up: the tree's path, both ratchet secrets, the key of generation 1.
    assert held(bob, [*path, *secrets[:2], *keys[1]]) == [False] * 7
    # Kept: generation 0 may still come, and others may still speak.
    assert held(bob, [*keys[0], secrets[2], *handshake, *siblings]) == [True] * 6
    assert bob.hear(messages[0]) == b"0"
    assert held(bob, [*keys[0]]) == [False] * 2
    assert carol.hear(messages[0]) == b"0"


@SUITES
def test_a_merged_commit_uses_up_its_epoch(suite: int) -> None:
    alice, bob, _ = group_of(["alice", "bob", "carol"], 3, suite)
    before = bob.at._state.epoch
    tree = before.secret_tree
    path = path_secrets(tree, 0)
    path_secrets_of_others = path_secrets(tree, 2)[1:]
    handshake, keys = ratchet_of(tree, 0, HANDSHAKE, 1)
    late = alice.say(b"late")
    gone = [
        before.secrets.init,
        before.secrets.exporter,
        before.secrets.external,
        before.secrets.confirmation_key,
        before.secrets.membership_key,
        before.secrets.epoch_authenticator,
    ]
    leaf_key = before.private_keys[2]
    assert held(bob, [leaf_key.expose(), *(each.expose() for each in gone)]) == [True] * 7
    made = alice.at.commit(random=alice.random, now=NOW, validate=believe)
    staged = bob.read(made.commit)
    assert isinstance(staged, StagedCommit)
    assert held(bob, path)[0]  # nothing is used up before it is merged
    bob.at.merge(staged)
    for person in (bob,):
        assert held(person, [*path, *handshake, *keys[0]]) == [False] * 6
        assert held(person, [each.expose() for each in gone]) == [False] * 6
    assert not any(held(bob, path_secrets_of_others))  # handshakes of leaves that said nothing
    assert bob.hear(late) == b"late"  # all the same
    with pytest.raises(GenerationConsumed):
        bob.read(late)
    with pytest.raises(WrongEpoch):
        bob.read(made.commit)
    alice.at.merge_pending()
    assert held(alice, [*path, *handshake, *keys[0]]) == [False] * 6
    assert held(alice, [each.expose() for each in gone]) == [False] * 6
    agree(alice, bob)


@SUITES
def test_old_private_keys_of_the_tree_are_gone(suite: int) -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 4, suite)
    old = alice.at._state.epoch.private_keys
    made = alice.at.commit(random=alice.random, now=NOW, validate=believe)
    alice.at.merge_pending()
    for person in (bob, carol):
        person.follow(made.commit)
    assert held(alice, [each.expose() for each in old.values()]) == [False] * len(old)
    # An Update's private key goes into the leaf, or away with its epoch.
    for _ in range(2):
        bob.at.propose_update(random=bob.random)
    waiting = [each.expose() for each in bob.at._state.update_keys.values()]
    assert held(bob, waiting) == [True, True]
    made = carol.at.commit(random=carol.random, now=NOW, validate=believe)
    bob.follow(made.commit)
    assert held(bob, waiting) == [False, False]


def test_who_was_removed_keeps_nothing_but_late_messages() -> None:
    alice, bob, carol = group_of(["alice", "bob", "carol"], 5)
    epoch = bob.at._state.epoch
    secrets: list[Secret] = [
        epoch.secrets.init,
        epoch.secrets.exporter,
        epoch.secrets.external,
        epoch.secrets.confirmation_key,
        epoch.secrets.membership_key,
        *epoch.private_keys.values(),
    ]
    late = alice.say(b"late")
    made = carol.at.commit(remove=[1], random=carol.random, now=NOW, validate=believe)
    assert bob.follow(made.commit).removes_me
    assert not any(held(bob, [each.expose() for each in secrets]))
    bob.group = Group.deserialise(bob.at.serialise())
    assert bob.hear(late) == b"late"


def test_a_discarded_commit_leaves_nothing() -> None:
    alice, _ = group_of(["alice", "bob"], 6)
    alice.at.commit(random=alice.random, now=NOW, validate=believe)
    pending = alice.at.pending
    assert pending is not None
    assert pending.next is not None
    new = [each.expose() for each in pending.next.private_keys.values()]
    new += [pending.next.secrets.init.expose(), pending.next.secrets.exporter.expose()]
    assert all(held(alice, new))
    alice.at.discard_pending()
    assert not any(held(alice, new))


def test_past_epochs_go_in_their_turn() -> None:
    """From memory; how long rows of them stay is their store's to say."""
    alice, bob = group_of(["alice", "bob"], 7)
    first = bob.at.resumption_psk().expose()
    for _ in range(5):
        bob.follow(alice.at.commit(random=alice.random, now=NOW, validate=believe).commit)
        alice.at.merge_pending()
    assert first in bob.at.serialise()
    bob.follow(alice.at.commit(random=alice.random, now=NOW, validate=believe).commit)
    assert first not in bob.at.serialise()


# --- Rows ---------------------------------------------------------------------------------


def test_a_past_epoch_is_recalled_with_those_who_were_in_it() -> None:
    """The text of somebody who was removed since, read by a process that began since."""
    alice, _, carol = group_of(["alice", "bob", "carol"], 8)
    late, later = carol.say(b"late"), carol.say(b"later")
    alice.at.commit(remove=[2], random=alice.random, now=NOW, validate=believe)
    (dave,) = people(["dave"], 9)
    stored(alice)
    alice.at.merge_pending()
    add(alice, [dave])  # who takes carol's leaf
    assert alice.hear(later) == b"later"
    store = stored(alice)
    group = store.load()
    with pytest.raises(WrongEpoch):
        group.process(late, validate=believe)
    group.recall(1, store.read)
    group.recall(7, store.read)
    read = group.process(late, validate=believe)
    assert isinstance(read, Application)
    assert (read.content, read.sender.credential) == (b"late", carol.credential)
    assert group.members == alice.at.members


def test_a_pending_commit_is_stored_by_what_it_alters() -> None:
    (alice,) = group_of(["alice"], 10)
    add(alice, people([f"person {number}" for number in range(40)], 11))
    alice.at.commit(random=alice.random, now=NOW, validate=believe)
    alice.at.merge_pending()
    store = stored(alice)
    alice.at.commit(random=alice.random, now=NOW, validate=believe)
    changes = alice.at.take_changes()
    assert changes is not None
    (pending,) = changes.rows["epoch"].values()
    assert pending is not None
    assert len(pending) < len(alice.at.ratchet_tree()) / 5
    store.write(changes)
    alice.at.encrypt(b"meanwhile", random=alice.random)  # which alters other rows
    group = again(alice)
    group.merge_pending()
    alice.at.merge_pending()
    assert group.epoch_authenticator == alice.at.epoch_authenticator


@pytest.mark.parametrize("damage", ["epoch", "node"])
def test_rows_that_are_missing_are_damage(damage: str) -> None:
    (alice,) = group_of(["alice"], 12)
    store = stored(alice)
    store.tables[damage].clear()
    with pytest.raises(MalformedMessage):
        store.load()
