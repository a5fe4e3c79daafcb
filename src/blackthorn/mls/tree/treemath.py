"""Arithmetic of the left-balanced tree's array form (RFC 9420, appendix C).

Nodes are numbered from 0; leaf i is node 2i. All functions are total for indices inside a
full tree of `leaves` leaves, where `leaves` is a power of two.
"""


def node_width(leaves: int) -> int:
    """Nodes of a tree with `leaves` leaves."""
    return 2 * leaves - 1 if leaves else 0


def level(node: int) -> int:
    """Height of a node: 0 for a leaf."""
    return (~node & (node + 1)).bit_length() - 1


def root(leaves: int) -> int:
    """The root of a full tree of `leaves` leaves."""
    return leaves - 1


def left(node: int) -> int:
    """The left child of a parent node."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """The right child of a parent node."""
    return node ^ (3 << (level(node) - 1))


def parent(node: int) -> int:
    """The parent of a node that is not the root."""
    height = level(node)
    bit = (node >> (height + 1)) & 1
    return (node | (1 << height)) ^ (bit << (height + 1))


def sibling(node: int) -> int:
    """The other child of the node's parent."""
    return node ^ (2 << level(node))


def direct_path(node: int, leaves: int) -> list[int]:
    """The node's ancestors, the parent first, the root last."""
    top = root(leaves)
    path = []
    while node != top:
        node = parent(node)
        path.append(node)
    return path


def leaf_span(node: int) -> tuple[int, int]:
    """First leaf under a node, and the one after the last, as leaf indices."""
    half = (1 << level(node)) - 1
    return (node - half) // 2, (node + half) // 2 + 1


def is_in_subtree(leaf: int, node: int) -> bool:
    """Whether leaf index `leaf` lies under `node`."""
    first, end = leaf_span(node)
    return first <= leaf < end


def common_ancestor(a: int, b: int) -> int:
    """The lowest node that has both nodes under it (or is one of them)."""
    above_a, above_b = level(a) + 1, level(b) + 1
    if above_a <= above_b and a >> above_b == b >> above_b:
        return b
    if above_b <= above_a and a >> above_a == b >> above_a:
        return a
    shift = 0
    while a != b:
        a, b, shift = a >> 1, b >> 1, shift + 1
    return (a << shift) + (1 << (shift - 1)) - 1
