"""TreeKEM (RFC 9420, 7.4 to 7.6): create path secrets, seal them to the copath, apply them.

Every function changes only the tree that it is given, which the caller has copied.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from blackthorn.crypto.hpke import HpkeError
from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import SOURCE_COMMIT
from blackthorn.mls.errors import InvalidCommit
from blackthorn.mls.rules import Rule
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.ratchet_tree import ParentNode, RatchetTree
from blackthorn.mls.tree.tree_hash import parent_hash
from blackthorn.mls.tree.treemath import is_in_subtree
from blackthorn.mls.tree.update_path import UpdatePath, UpdatePathNode

LABEL = b"UpdatePathNode"

PathStep = tuple[int, int, list[int]]
"""A node of a filtered direct path, its copath child, and that child's resolution."""


@dataclass(frozen=True)
class NewPath:
    """A path that this member has made; `secrets` are the path secrets by node."""

    leaf: LeafNode
    steps: list[PathStep]
    secrets: dict[int, Secret]
    private_keys: dict[int, Secret]
    commit_secret: Secret


@dataclass(frozen=True)
class DecryptedPath:
    """The secrets that a receiver decrypted from a path."""

    private_keys: dict[int, Secret]
    commit_secret: Secret


def derive_node(suite: CipherSuite, path_secret: bytes) -> tuple[Secret, bytes]:
    """The key pair of a node from its path secret (7.4)."""
    return suite.hpke.derive_key_pair(Secret(suite.derive_secret(path_secret, b"node")))


def derive_upwards(
    suite: CipherSuite, nodes: list[int], path_secret: bytes
) -> tuple[dict[int, tuple[Secret, Secret, bytes]], Secret]:
    """Path secret, private and public key of each of `nodes` (lowest first), and commit secret."""
    derived = {}
    for node in nodes:
        private, public = derive_node(suite, path_secret)
        derived[node] = (Secret(path_secret), private, public)
        path_secret = suite.derive_secret(path_secret, b"path")
    return derived, Secret(path_secret)


def _replace_path(
    suite: CipherSuite,
    tree: RatchetTree,
    leaf_index: int,
    steps: list[PathStep],
    publics: list[bytes],
) -> bytes:
    """Put new parents on the path, with their parent hashes; the parent hash for the leaf."""
    for node in tree.direct_path(leaf_index):
        tree.set_node(node, None)
    above = b""
    for (node, child, _), public in zip(reversed(steps), reversed(publics), strict=True):
        tree.set_node(node, ParentNode(public, above))
        above = parent_hash(suite, tree, node, child)
    return above


def create_path(
    suite: CipherSuite,
    tree: RatchetTree,
    leaf_index: int,
    group_id: bytes,
    signature_private: Secret,
    random: Callable[[int], bytes],
) -> NewPath:
    """Give the leaf at `leaf_index` new keys up to the root; `tree` is changed."""
    old = tree.leaf(leaf_index)
    if old is None:
        raise ValueError("a blank leaf has no path")
    steps = tree.filtered_direct_path(leaf_index)
    nodes = [node for node, _, _ in steps]
    derived, commit_secret = derive_upwards(suite, nodes, random(suite.hash_size))
    if not nodes:  # alone in the group: the commit secret is fresh all the same
        commit_secret = Secret(suite.derive_secret(random(suite.hash_size), b"path"))
    publics = [public for _, _, public in derived.values()]
    above = _replace_path(suite, tree, leaf_index, steps, publics)
    private, public = suite.hpke.generate_key_pair(random)
    leaf = replace(
        old, encryption_key=public, source=SOURCE_COMMIT, lifetime=None, parent_hash=above
    )
    leaf = leaf.sign(suite, signature_private, group_id, leaf_index)
    tree.set_node(2 * leaf_index, leaf)
    private_keys = {node: private for node, (_, private, _) in derived.items()}
    private_keys[2 * leaf_index] = private
    secrets = {node: secret for node, (secret, _, _) in derived.items()}
    return NewPath(leaf, steps, secrets, private_keys, commit_secret)


def seal_path(
    suite: CipherSuite,
    tree: RatchetTree,
    path: NewPath,
    group_context: bytes,
    added: Collection[int],
) -> UpdatePath:
    """Seal each path secret to its copath, except to leaves that the same Commit adds.

    `group_context` is the new epoch's, with the old confirmed transcript hash (7.6).
    """
    new_leaves = {2 * index for index in added}
    nodes = []
    seal = suite.sealer_with_label(LABEL, group_context)
    for node, _, resolution in path.steps:
        secret = path.secrets[node].expose()
        sealed = tuple(
            seal(_public(tree, node), secret) for node in resolution if node not in new_leaves
        )
        nodes.append(UpdatePathNode(_public(tree, node), sealed))
    return UpdatePath(path.leaf, tuple(nodes))


def _public(tree: RatchetTree, node: int) -> bytes:
    found = tree.nodes[node]
    if found is None:
        raise ValueError("a blank node has no key")
    return found.encryption_key


def apply_path(
    suite: CipherSuite, tree: RatchetTree, sender: int, path: UpdatePath
) -> list[PathStep]:
    """Put a received path's public keys into `tree` (7.5, 7.9.1). Raises `InvalidCommit`."""
    steps = tree.filtered_direct_path(sender)
    if len(steps) != len(path.nodes):
        raise InvalidCommit("the path has the wrong number of nodes", Rule.PATH_LENGTH)
    publics = [node.encryption_key for node in path.nodes]
    known = {node.encryption_key for node in tree.nodes if node is not None}
    fresh = {*publics, path.leaf.encryption_key}
    if len(fresh) != len(publics) + 1 or not known.isdisjoint(fresh):
        raise InvalidCommit("the path brings a public key that is not new", Rule.PATH_KEYS_NEW)
    for public in publics:
        try:
            suite.hpke.check_public_key(public)
        except HpkeError as error:
            raise InvalidCommit(f"path: {error}", Rule.PATH_KEYS_VALID) from error
    above = _replace_path(suite, tree, sender, steps, publics)
    if path.leaf.parent_hash != above:
        raise InvalidCommit("the parent hash of the path's leaf is wrong", Rule.PATH_PARENT_HASH)
    tree.set_node(2 * sender, path.leaf)
    return steps


def check_ciphertext_counts(
    steps: list[PathStep], path: UpdatePath, added: Collection[int]
) -> None:
    """12.4.2: each node seals its secret once to each old node of the resolution."""
    new_leaves = {2 * index for index in added}
    for (_, _, resolution), node in zip(steps, path.nodes, strict=True):
        expected = sum(node not in new_leaves for node in resolution)
        if len(node.sealed) != expected:
            raise InvalidCommit("wrong number of ciphertexts in a path", Rule.PATH_CIPHERTEXTS)


def open_path(
    suite: CipherSuite,
    steps: list[PathStep],
    path: UpdatePath,
    own_index: int,
    private_keys: Mapping[int, Secret],
    group_context: bytes,
    added: Collection[int],
) -> DecryptedPath:
    """This member's keys of a received path. Raises `DecryptionFailed`, `InvalidCommit`."""
    check_ciphertext_counts(steps, path, added)
    new_leaves = {2 * index for index in added}
    for position, (node, child, resolution) in enumerate(steps):
        if not is_in_subtree(own_index, child):
            continue
        old = [node for node in resolution if node not in new_leaves]
        for holder, sealed in zip(old, path.nodes[position].sealed, strict=True):
            private = private_keys.get(holder)
            if private is not None:
                secret = suite.decrypt_with_label(
                    private, LABEL, group_context, sealed, Rule.PATH_OPENS
                )
                return take_secret(suite, steps[position:], path.nodes[position:], secret)
        raise InvalidCommit(f"no key of this member opens the path at node {node}", Rule.PATH_OPENS)
    raise InvalidCommit("the path does not reach this member")


def take_secret(
    suite: CipherSuite, steps: list[PathStep], nodes: tuple[UpdatePathNode, ...], secret: bytes
) -> DecryptedPath:
    """Private keys from a path secret upwards. Raises `InvalidCommit` when a public differs."""
    derived, commit_secret = derive_upwards(suite, [node for node, _, _ in steps], secret)
    for (_, _, public), sent in zip(derived.values(), nodes, strict=True):
        if public != sent.encryption_key:
            raise InvalidCommit("a path secret has another public key", Rule.PATH_SECRET_FITS)
    return DecryptedPath(
        {node: private for node, (_, private, _) in derived.items()}, commit_secret
    )
