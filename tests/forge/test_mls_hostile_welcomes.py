"""Welcomes of a malicious inviter, who knows every secret and signs what it likes: a joiner
must find out what is wrong with the group by itself (RFC 9420, 7.9.2, 12.4.3.1)."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import RATCHET_TREE
from blackthorn.mls.errors import (
    InvalidLeaf,
    InvalidSignature,
    InvalidTree,
    InvalidWelcome,
    MalformedMessage,
    MLSError,
)
from blackthorn.mls.extension import Extension, RequiredCapabilities
from blackthorn.mls.psk import ExternalPskId, ResumptionPskId
from blackthorn.mls.ratchet_tree import ParentNode
from tests.forge.mls_welcomes import Forge, sound_welcome
from tests.mls_people import Person


@pytest.fixture
def forge() -> Forge:
    """A sound Welcome into a group of five, with parents and unmerged leaves."""
    return sound_welcome()


def test_the_unspoiled_welcome_is_sound(forge: Forge) -> None:
    group = forge.join()
    assert group.own_index == 3
    assert len(group.members) == 4


def leaf(forge: Forge, index: int, resign: bool = False, **changes: object) -> None:
    old = forge.tree.leaf(index)
    assert old is not None
    new = replace(old, **changes)  # type: ignore[arg-type]
    if resign:
        new = new.sign(forge.inviter.suite, forge.inviter.private, b"group", index)
    forge.tree.nodes[2 * index] = new


def lone_leaf(forge: Forge, **changes: object) -> None:
    """Change a leaf of a tree without parents, whose hashes would find it first."""
    forge.tree.nodes[1::2] = [None] * len(forge.tree.nodes[1::2])
    leaf(forge, 1, **changes)


def parent(forge: Forge, node: int, **changes: object) -> None:
    old = forge.tree.parent(node)
    assert old is not None
    forge.tree.nodes[node] = replace(old, **changes)  # type: ignore[arg-type]


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def spoil_tree_hash(f: Forge) -> None:
    f.rehash = False
    f.context = replace(f.context, tree_hash=bytes(32))


def lift_leaf_key(f: Forge) -> None:
    bob = f.tree.leaf(1)
    assert bob is not None
    leaf(f, 0, resign=True, encryption_key=bob.encryption_key)


def swap_tree(nodes: list[object]) -> Callable[[Forge], None]:
    def change(f: Forge) -> None:
        f.tree.nodes[:] = nodes  # type: ignore[assignment]

    return change


def set_fields(**values: object) -> Callable[[Forge], None]:
    def change(f: Forge) -> None:
        for name, value in values.items():
            setattr(f, name, value)

    return change


def context(**values: object) -> Callable[[Forge], None]:
    def change(f: Forge) -> None:
        f.context = replace(f.context, **values)  # type: ignore[arg-type]

    return change


SPOILS: dict[str, tuple[Callable[[Forge], None], type[MLSError]]] = {
    "the tree hash": (spoil_tree_hash, InvalidWelcome),
    "a leaf's signature": (lambda f: lone_leaf(f, signature=bytes(64)), InvalidSignature),
    "a leaf's credential": (
        lambda f: lone_leaf(f, credential=f.joiner.credential),
        InvalidSignature,
    ),
    "a leaf's key, twice": (lift_leaf_key, MLSError),
    "the inviter's parent hash": (
        lambda f: leaf(f, 0, resign=True, parent_hash=bytes(32)),
        InvalidTree,
    ),
    "a parent's key": (lambda f: parent(f, 1, encryption_key=bytes(32)), InvalidTree),
    "a parent's parent hash": (lambda f: parent(f, 1, parent_hash=bytes(32)), InvalidTree),
    "unmerged: not below": (lambda f: parent(f, 1, unmerged_leaves=(2,)), InvalidTree),
    "unmerged: far outside": (
        lambda f: parent(f, 3, unmerged_leaves=(2**32 - 1,)),
        InvalidTree,
    ),
    "unmerged: blank": (lambda f: parent(f, 3, unmerged_leaves=(0,)), InvalidTree),
    "unmerged: not ascending": (lambda f: parent(f, 3, unmerged_leaves=(3, 2)), InvalidTree),
    "unmerged: twice": (lambda f: parent(f, 3, unmerged_leaves=(3, 3)), InvalidTree),
    "unmerged: not between": (lambda f: parent(f, 3, unmerged_leaves=(1,)), InvalidTree),
    "a parent put where none was": (
        lambda f: f.tree.nodes.__setitem__(5, ParentNode(bytes(32))),
        InvalidTree,
    ),
    "an empty tree": (
        lambda f: set_fields(extensions=(Extension(RATCHET_TREE, b"\x00"),))(f),
        InvalidTree,
    ),
    "a tree that ends in a blank": (
        set_fields(extensions=(Extension(RATCHET_TREE, b"\x01\x00"),)),
        InvalidTree,
    ),
    "no tree": (set_fields(extensions=()), InvalidWelcome),
    "a signer who is nobody": (set_fields(signer=9), InvalidWelcome),
    "a signer far outside": (set_fields(signer=2**32 - 1), InvalidWelcome),
    "another signer": (set_fields(signer=1), InvalidSignature),
    "another's signature": (set_fields(sign_as=Secret(bytes(32))), InvalidSignature),
    "the confirmation tag": (set_fields(tag=flip), InvalidWelcome),
    "no confirmation tag": (set_fields(tag=lambda tag: b""), InvalidWelcome),
    "the group info's bytes": (set_fields(spoil=flip), InvalidSignature),
    "the group info's end": (set_fields(spoil=lambda data: data + b"\x00"), MalformedMessage),
    "the secrets' end": (set_fields(spoil_secrets=lambda data: data + b"\x00"), MalformedMessage),
    "a path secret that fits nothing": (set_fields(path_secret=Secret(bytes(32))), InvalidWelcome),
    "an unknown PSK": (set_fields(psks=(ExternalPskId(b"x", bytes(32)),)), InvalidWelcome),
    "a resumption PSK": (
        set_fields(psks=(ResumptionPskId(3, b"group", 1, bytes(32)),)),
        InvalidWelcome,
    ),
    "another suite inside": (context(cipher_suite=2), InvalidWelcome),
    "another suite outside": (set_fields(suite_number=2), InvalidWelcome),
    "an unknown suite outside": (set_fields(suite_number=0x4444), InvalidWelcome),
    "another group id": (context(group_id=b"another"), InvalidSignature),
    "an extension that members lack": (
        context(extensions=(Extension(0x4242, b""),)),
        InvalidLeaf,
    ),
    "requirements that members lack": (
        context(extensions=(RequiredCapabilities(credentials=(2,)).extension(),)),
        InvalidLeaf,
    ),
    "malformed requirements": (context(extensions=(Extension(3, b"\x01"),)), MalformedMessage),
    "an extension twice": (
        context(extensions=(Extension(0xFB10, b""), Extension(0xFB10, b""))),
        MalformedMessage,
    ),
}


@pytest.mark.parametrize("name", SPOILS)
def test_spoiled(forge: Forge, name: str) -> None:
    change, error = SPOILS[name]
    change(forge)
    stored = forge.private.serialise()
    with pytest.raises(error):
        forge.join()
    assert forge.private.serialise() == stored


def test_a_group_without_the_joiner(forge: Forge) -> None:
    other = Person("other", random.Random(3))
    _, forge.private = other.key_package()
    forge.joiner = other
    with pytest.raises(InvalidWelcome, match="leaf"):
        forge.join()


def test_garbled_insides_raise_only_mls_errors(forge: Forge) -> None:
    """Flips inside the sealed and signed parts: parsed by the joiner before anything else."""
    seeded = random.Random(4)

    def garble(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(seeded.choice((1, 1, 2, 8))):
            changed[seeded.randrange(len(changed))] = seeded.randrange(256)
        return bytes(changed) if seeded.random() < 0.8 else bytes(changed[: seeded.randrange(400)])

    sound_tree = forge.tree.encode()
    for _ in range(300):
        which = seeded.randrange(3)
        forge.spoil = garble if which == 0 else lambda data: data
        forge.spoil_secrets = garble if which == 1 else lambda data: data
        tree = garble(sound_tree) if which == 2 else sound_tree
        forge.extensions = (Extension(RATCHET_TREE, tree),)
        if tree == sound_tree and which == 2:
            continue
        try:
            group = forge.join()
        except MLSError:
            continue
        # Only a byte that was written over by itself may go unnoticed.
        assert group.members
        assert which != 2
