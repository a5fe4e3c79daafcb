"""Tree hashes and parent hashes (RFC 9420, 7.8 and 7.9), each computed once per change."""

from collections.abc import Collection
from dataclasses import replace

from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree import treemath
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.ratchet_tree import Node, ParentNode, RatchetTree
from blackthorn.wire.tls import opaque, optional, u32

_LEAF = b"\x01"
_PARENT = b"\x02"


def _leaf_hash(suite: CipherSuite, node: int, leaf: Node | None) -> bytes:
    encoded = leaf.encoded if isinstance(leaf, LeafNode) else None
    return suite.hash(_LEAF + u32(node // 2) + optional(encoded))


def _parent_hash(suite: CipherSuite, parent: Node | None, left: bytes, right: bytes) -> bytes:
    encoded = parent.encoded if isinstance(parent, ParentNode) else None
    return suite.hash(_PARENT + optional(encoded) + opaque(left) + opaque(right))


def tree_hash(suite: CipherSuite, tree: RatchetTree, node: int) -> bytes:
    """The cached tree hash of the subtree under a node (7.8)."""
    cached = tree.hashes[node]
    if cached is not None:
        return cached
    if node & 1:
        left = tree_hash(suite, tree, treemath.left(node))
        right = tree_hash(suite, tree, treemath.right(node))
        value = _parent_hash(suite, tree.nodes[node], left, right)
    else:
        value = _leaf_hash(suite, node, tree.nodes[node])
    tree.hashes[node] = value
    return value


def root_hash(suite: CipherSuite, tree: RatchetTree) -> bytes:
    return tree_hash(suite, tree, tree.root)


def _hash_without(
    suite: CipherSuite, tree: RatchetTree, node: int, leaves: Collection[int]
) -> bytes:
    """The tree hash as if these leaves (all under `node`) had never been added."""
    if not leaves:
        return tree_hash(suite, tree, node)
    if not node & 1:
        return _leaf_hash(suite, node, None)
    parent = tree.parent(node)
    if parent is not None:
        unmerged = tuple(leaf for leaf in parent.unmerged_leaves if leaf not in leaves)
        parent = replace(parent, unmerged_leaves=unmerged)
    low = {leaf for leaf in leaves if 2 * leaf < node}
    left = _hash_without(suite, tree, treemath.left(node), low)
    right = _hash_without(suite, tree, treemath.right(node), set(leaves) - low)
    return _parent_hash(suite, parent, left, right)


def parent_hash(suite: CipherSuite, tree: RatchetTree, node: int, sibling: int) -> bytes:
    """The parent hash of the parent at `node` with copath child `sibling` (7.9).

    It hashes the sibling's tree without the parent's unmerged leaves.
    """
    parent = tree.parent(node)
    if parent is None:
        raise ValueError("a blank node has no parent hash")
    unmerged = {leaf for leaf in parent.unmerged_leaves if treemath.is_in_subtree(leaf, sibling)}
    original = _hash_without(suite, tree, sibling, unmerged)
    return suite.hash(opaque(parent.encryption_key) + opaque(parent.parent_hash) + opaque(original))
