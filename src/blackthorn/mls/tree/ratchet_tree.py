"""The ratchet tree (RFC 9420, 4 and 7): nodes in an array, blanks as None, cached hashes.

Nodes are immutable, so that copies are cheap; `tree_validation` has the rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from blackthorn.mls.errors import InvalidTree, MalformedMessage, TooLarge
from blackthorn.mls.rules import Rule
from blackthorn.mls.tree import treemath
from blackthorn.mls.tree.leaf_node import LeafNode, read_leaf_node
from blackthorn.wire import limits
from blackthorn.wire.tls import Reader, opaque, u8, u32, vector

_LEAF = 1
_PARENT = 2
_BLANK = b"\x00"


@dataclass(frozen=True)
class ParentNode:
    """A parent node (7.1). `unmerged_leaves` are leaf indices, ascending."""

    encryption_key: bytes
    parent_hash: bytes = b""
    unmerged_leaves: tuple[int, ...] = ()

    @cached_property
    def encoded(self) -> bytes:
        return (
            opaque(self.encryption_key)
            + opaque(self.parent_hash)
            + vector(map(u32, self.unmerged_leaves))
        )


Node = LeafNode | ParentNode


def encode_node(node: Node) -> bytes:
    return _kind(node) + node.encoded


def read_node(reader: Reader) -> Node:
    node_type = reader.u8()
    if node_type == _LEAF:
        return read_leaf_node(reader)
    if node_type != _PARENT:
        raise MalformedMessage(f"node type {node_type} does not exist", Rule.NODE_TYPE)
    start = reader.position
    parent = ParentNode(reader.opaque(), reader.opaque(), tuple(reader.vector(Reader.u32)))
    parent.__dict__["encoded"] = reader.data[start : reader.position]
    return parent


class RatchetTree:
    """A full binary tree of a power of two leaves. Change it only through its methods."""

    __slots__ = ("hashes", "nodes")

    def __init__(self, nodes: list[Node | None], hashes: list[bytes | None] | None = None) -> None:
        self.nodes = nodes
        self.hashes: list[bytes | None] = [None] * len(nodes) if hashes is None else hashes
        """Tree hashes by node, None where a change has made them stale (`tree_hash`)."""

    @classmethod
    def of_one(cls, leaf: LeafNode) -> "RatchetTree":
        return cls([leaf])

    def copy(self) -> "RatchetTree":
        """An independent tree of the same nodes."""
        return RatchetTree(self.nodes.copy(), self.hashes.copy())

    @property
    def leaf_count(self) -> int:
        """Leaves, blank ones included: a power of two."""
        return (len(self.nodes) + 1) // 2

    @property
    def root(self) -> int:
        return treemath.root(self.leaf_count)

    def leaf(self, index: int) -> LeafNode | None:
        """The leaf at a leaf index; None when blank or beyond the tree."""
        node = self.nodes[2 * index] if 0 <= index < self.leaf_count else None
        return node if isinstance(node, LeafNode) else None

    def parent(self, node: int) -> ParentNode | None:
        """The parent node at a node index, None when blank."""
        found = self.nodes[node]
        return found if isinstance(found, ParentNode) else None

    def members(self) -> Iterator[tuple[int, LeafNode]]:
        """Leaf index and leaf of all leaves that are not blank, in order."""
        for index, node in enumerate(self.nodes[::2]):
            if isinstance(node, LeafNode):
                yield index, node

    def direct_path(self, leaf_index: int) -> list[int]:
        """The node indices above a leaf, the root last."""
        return treemath.direct_path(2 * leaf_index, self.leaf_count)

    def resolution(self, node: int) -> list[int]:
        """The nodes that together cover a subtree (4.1.1), as node indices."""
        found = self.nodes[node]
        if isinstance(found, ParentNode):
            return [node, *(2 * leaf for leaf in found.unmerged_leaves)]
        if found is not None:
            return [node]
        if not node & 1:
            return []
        return self.resolution(treemath.left(node)) + self.resolution(treemath.right(node))

    def filtered_direct_path(self, leaf_index: int) -> list[tuple[int, int, list[int]]]:
        """Node, copath child and its resolution along the direct path, no empty ones (4.1.2)."""
        path = []
        below = 2 * leaf_index
        for node in self.direct_path(leaf_index):
            child = treemath.sibling(below)
            resolution = self.resolution(child)
            if resolution:
                path.append((node, child, resolution))
            below = node
        return path

    def set_node(self, node: int, value: Node | None) -> None:
        """Put a node in its place; the hashes above it become stale."""
        self.nodes[node] = value
        self.hashes[node] = None
        top = self.root
        while node != top:
            node = treemath.parent(node)
            self.hashes[node] = None

    def _blank_path(self, leaf_index: int) -> None:
        for node in self.direct_path(leaf_index):
            self.nodes[node] = None
            self.hashes[node] = None

    def add_leaf(self, leaf: LeafNode, free_from: int = 0) -> int:
        """Put a leaf at the leftmost blank from `free_from` on (7.7; 12.1.1); its index."""
        index = free_from
        while index < self.leaf_count and self.nodes[2 * index] is not None:
            index += 1
        if index == self.leaf_count:
            self._extend()
        self.set_node(2 * index, leaf)
        for node in self.direct_path(index):
            parent = self.parent(node)
            if parent is not None:
                leaves = tuple(sorted((*parent.unmerged_leaves, index)))
                self.nodes[node] = replace(parent, unmerged_leaves=leaves)
        return index

    def update_leaf(self, index: int, leaf: LeafNode) -> None:
        """Replace a leaf and blank its direct path (12.1.2)."""
        self._blank_path(index)
        self.set_node(2 * index, leaf)

    def remove_leaf(self, index: int) -> None:
        """Blank a leaf and its direct path, and shrink the tree (12.1.3; 7.7)."""
        self._blank_path(index)
        self.set_node(2 * index, None)
        while self.leaf_count > 1 and not any(self.nodes[self.root + 1 :: 2]):
            del self.nodes[self.root :]
            del self.hashes[len(self.nodes) :]

    def _extend(self) -> None:
        if self.leaf_count >= limits.MLS_MAX_LEAVES:
            raise TooLarge("the group is full")
        grown = len(self.nodes) + 1
        self.nodes.extend([None] * grown)
        self.hashes.extend([None] * grown)

    def encode(self) -> bytes:
        """The ratchet_tree extension's data (12.4.3.3): nodes up to the last that is not blank."""
        end = len(self.nodes)
        while end and self.nodes[end - 1] is None:
            end -= 1
        parts: list[bytes] = []
        for node in self.nodes[:end]:
            parts += (_BLANK,) if node is None else (b"\x01", _kind(node), node.encoded)
        return vector(parts)


def _kind(node: Node) -> bytes:
    return u8(_LEAF if isinstance(node, LeafNode) else _PARENT)


def read_ratchet_tree(reader: Reader) -> RatchetTree:
    """A ratchet tree of sound shape (7.9: leaves at even places, no blank at the end)."""
    nodes = reader.vector(lambda r: r.optional(read_node))
    if not nodes or nodes[-1] is None:
        raise InvalidTree("the ratchet tree is empty or ends in a blank", Rule.TREE_END)
    if len(nodes) > treemath.node_width(limits.MLS_MAX_LEAVES):
        raise TooLarge("the ratchet tree has too many nodes")
    for index, node in enumerate(nodes):
        if node is not None and isinstance(node, LeafNode) == bool(index & 1):
            raise InvalidTree("a leaf stands in a parent's place or vice versa", Rule.TREE_PLACES)
    return tree_of(nodes)


def tree_of(nodes: list[Node | None]) -> RatchetTree:
    """The tree of these nodes, the last of which is not blank."""
    width = 1
    while width < len(nodes):
        width = 2 * width + 1
    nodes.extend([None] * (width - len(nodes)))
    return RatchetTree(nodes)
