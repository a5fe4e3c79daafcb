"""The map as a tree (KEYTRANS, "Prefix Tree"): each user's leaf at the end of its own path.

    leaf    SHA256(02 ‖ index ‖ commitment)        parent    SHA256(03 ‖ left ‖ right)

A leaf is as high as its path is unique; an absent child is 32 zero bytes. The tree is persistent:
`updated` shares nodes with the earlier tree, so that the published map and the next one coexist.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from blackthorn.directory.proof import ABSENT, MapProof, OtherLeaf, RequestedLeaf, Vacant, leaf_hash

_sha256 = hashlib.sha256

Node = tuple[Any, ...]
"""(hash, left, right) of a parent; (hash, index, commitment) of a leaf, whose index is bytes."""

Entry = tuple[bytes, bytes]
"""Index and commitment."""


class PrefixTree:
    """An immutable map of 32-byte indices to 32-byte commitments."""

    __slots__ = ("_top", "users")

    def __init__(self, top: Node | None = None, users: int = 0) -> None:
        self._top: Final = top
        self.users: Final = users

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "PrefixTree":
        """The map of these entries."""
        return cls().updated(dict(entries))

    @property
    def root(self) -> bytes:
        """32 bytes; zeros for the empty map."""
        return ABSENT if self._top is None else bytes(self._top[0])

    def get(self, index: bytes) -> bytes | None:
        node, depth = self._top, 0
        while node is not None and type(node[1]) is not bytes:
            node = node[2] if index[depth >> 3] >> (7 - (depth & 7)) & 1 else node[1]
            depth += 1
        return node[2] if node is not None and node[1] == index else None

    def updated(self, entries: Mapping[bytes, bytes]) -> "PrefixTree":
        """The map with these entries added or replaced; a shared parent is hashed once."""
        found = sorted(entries.items())
        new, added = _updated(self._top, found, 0, len(found), 0)
        return PrefixTree(new, self.users + added)

    def prove(self, index: bytes) -> MapProof:
        """The proof of the entry at `index`, or of its absence."""
        siblings: list[bytes] = []
        node, depth = self._top, 0
        while node is not None and type(node[1]) is not bytes:
            bit = index[depth >> 3] >> (7 - (depth & 7)) & 1
            sibling = node[2 - bit]
            siblings.append(ABSENT if sibling is None else sibling[0])
            node = node[1 + bit]
            depth += 1
        if node is None:
            return MapProof(tuple(siblings), Vacant())
        if node[1] == index:
            return MapProof(tuple(siblings), RequestedLeaf())
        return MapProof(tuple(siblings), OtherLeaf(node[1], node[2]))


def _inserted(node: Node | None, entry: Entry, depth: int) -> tuple[Node, int]:
    """The node at `depth` with this entry, and how many entries it has more."""
    index, commitment = entry
    path: list[tuple[Node, int]] = []
    while node is not None and type(node[1]) is not bytes:
        bit = index[depth >> 3] >> (7 - (depth & 7)) & 1
        path.append((node, bit))
        node = node[1 + bit]
        depth += 1
    new: Node = (leaf_hash(index, commitment), index, commitment)
    added = node is None or node[1] != index
    if node is not None and added:
        new = _fork(node, new, depth)
    for above, bit in reversed(path):  # `_parent`, without a call for each level
        other = above[2 - bit]
        beside = ABSENT if other is None else other[0]
        if bit:
            new = (_sha256(b"\x03" + beside + new[0]).digest(), other, new)
        else:
            new = (_sha256(b"\x03" + new[0] + beside).digest(), new, other)
    return new, int(added)


def _updated(
    node: Node | None, entries: Sequence[Entry], start: int, end: int, depth: int
) -> tuple[Node | None, int]:
    """The node at `depth` with sorted entries that share its path, and how many it has more."""
    if start == end:
        return node, 0
    if end - start == 1:
        return _inserted(node, entries[start], depth)
    if node is None:
        return _build(entries, start, end, depth), end - start
    if type(node[1]) is bytes:
        below = dict(entries[start:end])
        more = len(below) - (node[1] in below)
        found = sorted({node[1]: node[2], **below}.items())
        return _build(found, 0, len(found), depth), more
    middle = _middle(entries, start, end, depth)
    left, more_left = _updated(node[1], entries, start, middle, depth + 1)
    right, more_right = _updated(node[2], entries, middle, end, depth + 1)
    return _parent(left, right), more_left + more_right


def _middle(entries: Sequence[Entry], start: int, end: int, depth: int) -> int:
    """Where the right half of these entries begins."""
    mask = 0x80 >> (depth & 7)
    return bisect_left(entries, mask, start, end, key=lambda each: each[0][depth >> 3] & mask)


def _build(entries: Sequence[Entry], start: int, end: int, depth: int) -> Node | None:
    """The node at `depth` over sorted entries that share its path."""
    if end - start <= 1:
        if start == end:
            return None
        index, commitment = entries[start]
        return (leaf_hash(index, commitment), index, commitment)
    middle = _middle(entries, start, end, depth)
    left = _build(entries, start, middle, depth + 1)
    return _parent(left, _build(entries, middle, end, depth + 1))


def _parent(left: Node | None, right: Node | None) -> Node:
    a = ABSENT if left is None else left[0]
    b = ABSENT if right is None else right[0]
    return (_sha256(b"\x03" + a + b).digest(), left, right)


def _fork(old: Node, new: Node, depth: int) -> Node:
    """Parents at `depth` of two leaves, down to where their paths part."""
    differ = int.from_bytes(old[1], "big") ^ int.from_bytes(new[1], "big")
    parting = 256 - differ.bit_length()
    index = new[1]
    bit = index[parting >> 3] >> (7 - (parting & 7)) & 1
    node = _parent(old, new) if bit else _parent(new, old)
    for above in range(parting - 1, depth - 1, -1):
        bit = index[above >> 3] >> (7 - (above & 7)) & 1
        node = _parent(None, node) if bit else _parent(node, None)
    return node
