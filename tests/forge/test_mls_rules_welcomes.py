"""Rules 4xx and 8xx: Welcomes of a malicious inviter, and the ratchet trees in them."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import BASIC, RATCHET_TREE, X509
from blackthorn.mls.credential import X509Credential
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, RequiredCapabilities
from blackthorn.mls.group.group import Group
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import ExternalPskId
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.ratchet_tree import ParentNode
from blackthorn.wire.tls import u16, vector
from tests.support.mls_forge import doubt, flipped, key_package_of
from tests.support.mls_people import Person, believe
from tests.support.mls_welcomes import Forge, sound_welcome

Spoil = Callable[[Forge], None]


def put(**values: object) -> Spoil:
    """Set parts of the Welcome."""

    def spoil(forge: Forge) -> None:
        for name, value in values.items():
            setattr(forge, name, value)

    return spoil


def context(**values: object) -> Spoil:
    def spoil(forge: Forge) -> None:
        forge.context = replace(forge.context, **values)  # type: ignore[arg-type]

    return spoil


def parent(node: int, **changes: object) -> Spoil:
    """Change a parent node."""

    def spoil(forge: Forge) -> None:
        old = forge.tree.parent(node)
        assert old is not None
        forge.tree.nodes[node] = replace(old, **changes)  # type: ignore[arg-type]

    return spoil


def lone_leaf(index: int, change: Callable[[LeafNode], dict[str, object]]) -> Spoil:
    """Change a leaf, signed again by its owner, in a tree without parents, whose hashes would
    find it too."""

    def spoil(forge: Forge) -> None:
        forge.tree.nodes[1::2] = [None] * len(forge.tree.nodes[1::2])
        old = forge.tree.leaf(index)
        assert old is not None
        new = replace(old, **change(old))  # type: ignore[arg-type]
        signer = forge.members[index].private
        forge.tree.nodes[2 * index] = new.sign(forge.inviter.suite, signer, b"group", index)

    return spoil


def tree_bytes(make: Callable[[bytes, bytes], list[bytes]]) -> Spoil:
    """A tree of raw nodes, made from a leaf and a parent in their wire form."""

    def spoil(forge: Forge) -> None:
        leaf = forge.tree.leaf(0)
        assert leaf is not None
        nodes = make(b"\x01\x01" + leaf.encoded, b"\x01\x02" + ParentNode(bytes(32)).encoded)
        forge.extensions = (Extension(RATCHET_TREE, vector(nodes)),)

    return spoil


def other_tree_hash(forge: Forge) -> None:
    forge.rehash = False
    forge.context = replace(forge.context, tree_hash=bytes(32))


def parents_key_elsewhere(forge: Forge) -> None:
    """A leaf that nobody has merged yet has the key of a parent: the tree's hashes allow it."""
    shared = forge.tree.parent(1)
    assert shared is not None
    frank = Person("frank", random.Random(7))
    package = key_package_of(frank, {"encryption_key": shared.encryption_key})
    forge.tree.add_leaf(package.leaf)


def shared_signature_key(forge: Forge) -> None:
    """Two leaves of one signer, in league with the inviter."""
    bob = forge.members[1]
    old = forge.tree.leaf(2)
    assert old is not None
    forge.tree.nodes[1::2] = [None] * len(forge.tree.nodes[1::2])
    new = replace(old, signature_key=bob.public)
    forge.tree.nodes[4] = new.sign(bob.suite, bob.private, b"group", 2)


def shared_encryption_key(forge: Forge) -> None:
    bob = forge.tree.leaf(1)
    assert bob is not None
    lone_leaf(2, lambda leaf: {"encryption_key": bob.encryption_key})(forge)


def certified(leaf: LeafNode) -> dict[str, object]:
    able = replace(leaf.capabilities, credentials=(BASIC, X509))
    return {"credential": X509Credential((b"a certificate",)), "capabilities": able}


SPOILS: dict[str, tuple[Rule, Spoil]] = {
    # Trees
    "a tree that ends in a blank": (Rule.TREE_END, tree_bytes(lambda leaf, parent: [leaf, b"\0"])),
    "no node": (Rule.TREE_END, tree_bytes(lambda leaf, parent: [])),
    "a leaf in a parent's place": (
        Rule.TREE_PLACES,
        tree_bytes(lambda leaf, parent: [leaf, leaf, leaf]),
    ),
    "a parent in a leaf's place": (
        Rule.TREE_PLACES,
        tree_bytes(lambda leaf, parent: [leaf, parent, parent]),
    ),
    "a node that is neither": (
        Rule.NODE_TYPE,
        tree_bytes(lambda leaf, parent: [b"\x01\x03" + leaf[2:]]),
    ),
    "a node that is there and not": (
        Rule.PRESENCE,
        tree_bytes(lambda leaf, parent: [b"\x02" + leaf[1:]]),
    ),
    "another tree hash": (
        Rule.TREE_HASH,
        other_tree_hash,
    ),
    "unmerged leaves in disorder": (
        Rule.UNMERGED_SORTED,
        parent(3, unmerged_leaves=(3, 2)),
    ),
    "an unmerged leaf twice": (Rule.UNMERGED_SORTED, parent(3, unmerged_leaves=(3, 3))),
    "an unmerged leaf elsewhere": (Rule.UNMERGED_BELOW, parent(1, unmerged_leaves=(2,))),
    "an unmerged leaf beyond the tree": (
        Rule.UNMERGED_BELOW,
        parent(3, unmerged_leaves=(2**32 - 1,)),
    ),
    "an unmerged leaf not listed between": (
        Rule.UNMERGED_BETWEEN,
        parent(3, unmerged_leaves=(1,)),
    ),
    "a parent that nobody vouches for": (Rule.PARENT_HASH, parent(1, parent_hash=bytes(32))),
    "a parent where none was": (
        Rule.PARENT_HASH,
        lambda f: f.tree.nodes.__setitem__(5, ParentNode(b"another key")),
    ),
    "a parent's key at a leaf": (Rule.PARENT_KEYS_UNIQUE, parents_key_elsewhere),
    "a signature key twice": (Rule.SIGNATURE_KEYS_UNIQUE, shared_signature_key),
    "an encryption key twice": (Rule.LEAF_KEYS_UNIQUE, shared_encryption_key),
    # Leaves of the tree
    "a leaf that another signed": (
        Rule.LEAF_SIGNATURE,
        lone_leaf(2, lambda leaf: {"signature_key": bytes(32)}),
    ),
    "a leaf without MLS 1.0": (
        Rule.LEAF_VERSION,
        lone_leaf(1, lambda leaf: {"capabilities": replace(leaf.capabilities, versions=(2,))}),
    ),
    "a leaf without its credential type": (
        Rule.LEAF_OWN_CREDENTIAL,
        lone_leaf(1, lambda leaf: {"capabilities": replace(leaf.capabilities, credentials=())}),
    ),
    "a leaf without its extension": (
        Rule.LEAF_OWN_EXTENSIONS,
        lone_leaf(1, lambda leaf: {"extensions": (Extension(0x4242, b""),)}),
    ),
    "a leaf with a bad key": (
        Rule.LEAF_KEY_VALID,
        lone_leaf(1, lambda leaf: {"encryption_key": bytes(32)}),
    ),
    "a credential that others lack": (Rule.CREDENTIALS_TOGETHER, lone_leaf(1, certified)),
    "a required extension": (
        Rule.REQUIRED_EXTENSIONS,
        context(extensions=(RequiredCapabilities(extensions=(0x4242,)).extension(),)),
    ),
    "a required proposal": (
        Rule.REQUIRED_PROPOSALS,
        context(extensions=(RequiredCapabilities(proposals=(0x4242,)).extension(),)),
    ),
    "a required credential": (
        Rule.REQUIRED_CREDENTIALS,
        context(extensions=(RequiredCapabilities(credentials=(0x4242,)).extension(),)),
    ),
    "an extension that members lack": (
        Rule.GROUP_EXTENSIONS,
        context(extensions=(Extension(0x4242, b""),)),
    ),
    "an extension twice": (
        Rule.EXTENSION_ONCE,
        context(extensions=(Extension(0xFB10, b""), Extension(0xFB10, b""))),
    ),
    "malformed requirements": (Rule.SYNTAX, context(extensions=(Extension(3, b"\x01"),))),
    # The Welcome itself
    "another key package": (Rule.WELCOME_FOR_US, put(reference=bytes(32))),
    "another suite outside": (Rule.WELCOME_SUITE, put(suite_number=2)),
    "group secrets that do not open": (Rule.WELCOME_OPENS, put(spoil_sealed=flipped)),
    "an unknown PSK": (Rule.WELCOME_PSK_KNOWN, put(psks=(ExternalPskId(b"x", bytes(32)),))),
    "another suite inside": (Rule.GROUP_INFO_SUITE, context(cipher_suite=2)),
    "another version inside": (
        Rule.GROUP_VERSION,
        put(spoil=lambda data: u16(2) + data[2:]),
    ),
    "a signer who is nobody": (Rule.GROUP_INFO_SIGNER, put(signer=9)),
    "a signer beyond all trees": (Rule.GROUP_INFO_SIGNER, put(signer=2**32 - 1)),
    "another signer": (Rule.GROUP_INFO_SIGNATURE, put(signer=1)),
    "another's signature": (Rule.GROUP_INFO_SIGNATURE, put(sign_as=Secret(bytes(32)))),
    "a signature that does not hold": (Rule.GROUP_INFO_SIGNATURE, put(spoil=flipped)),
    "no tree": (Rule.TREE_GIVEN, put(extensions=())),
    "a path secret of other keys": (Rule.WELCOME_PATH_SECRET, put(path_secret=Secret(bytes(32)))),
    "another confirmation tag": (Rule.WELCOME_TAG, put(tag=flipped)),
    "an empty confirmation tag": (Rule.WELCOME_TAG, put(tag=lambda tag: b"")),
    "a byte after the group info": (Rule.NOTHING_FOLLOWS, put(spoil=lambda data: data + b"\0")),
    "a byte after the secrets": (
        Rule.NOTHING_FOLLOWS,
        put(spoil_secrets=lambda data: data + b"\0"),
    ),
}


@pytest.mark.parametrize("name", SPOILS)
def test_welcome(name: str) -> None:
    forge = sound_welcome()
    rule, spoil = SPOILS[name]
    spoil(forge)
    forge.refused(rule)


def test_the_inviters_parent_hash() -> None:
    forge = sound_welcome()
    leaf = forge.tree.leaf(0)
    assert leaf is not None
    changed = replace(leaf, parent_hash=bytes(32))
    inviter = forge.inviter
    forge.tree.nodes[0] = changed.sign(inviter.suite, inviter.private, b"group", 0)
    forge.refused(Rule.PARENT_HASH)


def test_a_group_without_the_joiner() -> None:
    forge = sound_welcome()
    forge.joiner = Person("other", random.Random(3))
    _, forge.private = forge.joiner.key_package()
    forge.refused(Rule.OWN_LEAF_FOUND)


def test_group_info_that_does_not_open() -> None:
    """The secrets are another Welcome's: they lead to another key."""
    forge = sound_welcome()
    other = forge.joiner_secret
    message = forge.welcome()
    forge.spoil_secrets = lambda data: data.replace(other.expose(), bytes(32))
    assert forge.welcome() != message
    forge.refused(Rule.GROUP_INFO_OPENS)


def test_a_psk_twice() -> None:
    forge = sound_welcome()
    forge.psks = (ExternalPskId(b"x", bytes(32)),) * 2
    with pytest.raises(MLSError) as caught:
        Group.join(
            forge.welcome(),
            forge.private,
            forge.joiner.private,
            validate=believe,
            external_psks={b"x": Secret(bytes(32))},
        )
    assert caught.value.rule is Rule.WELCOME_PSK_ONCE


def test_a_member_that_the_application_refuses() -> None:
    forge = sound_welcome()
    with pytest.raises(MLSError) as caught:
        Group.join(forge.welcome(), forge.private, forge.joiner.private, validate=doubt)
    assert caught.value.rule is Rule.CREDENTIAL_VALID
