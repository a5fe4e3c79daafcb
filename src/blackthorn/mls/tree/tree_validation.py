"""Validation of a received ratchet tree (RFC 9420, 7.9.2 and 12.4.3.1)."""

from itertools import pairwise

from blackthorn.mls.codepoints import SOURCE_COMMIT
from blackthorn.mls.credential import CredentialValidator, check_credential
from blackthorn.mls.errors import InvalidTree
from blackthorn.mls.extension import Extensions
from blackthorn.mls.rules import Rule
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree import leaf_validation, treemath
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.ratchet_tree import ParentNode, RatchetTree
from blackthorn.mls.tree.tree_hash import parent_hash


def check_tree(suite: CipherSuite, tree: RatchetTree, group_id: bytes) -> None:
    """Unmerged leaves, parent hashes, signatures. Raises `InvalidTree`, `InvalidSignature`."""
    for node, parent in enumerate(tree.nodes):
        if isinstance(parent, ParentNode):
            check_unmerged_leaves(tree, node, parent)
    check_parent_keys_unique(tree)
    for node, parent in enumerate(tree.nodes):
        if isinstance(parent, ParentNode):
            check_parent_hash(suite, tree, node, parent)
    for index, leaf in tree.members():
        leaf.verify(suite, group_id, index)


def check_tree_members(
    suite: CipherSuite, tree: RatchetTree, extensions: Extensions, validate: CredentialValidator
) -> None:
    """7.3 for each leaf of a joined tree; lifetimes were checked when leaves were added."""
    leaves = [leaf for _, leaf in tree.members()]
    for leaf in leaves:
        leaf_validation.check_leaf_alone(suite, leaf)
        leaf_validation.check_leaf_for_group(leaf, extensions)
        check_credential(validate, leaf.credential, leaf.signature_key)
    leaf_validation.check_leaves_together(leaves)


def check_unmerged_leaves(tree: RatchetTree, node: int, parent: ParentNode) -> None:
    """12.4.3.1: unmerged leaves are sorted members below, listed by every parent between."""
    leaves = parent.unmerged_leaves
    if any(a >= b for a, b in pairwise(leaves)):
        raise InvalidTree("unmerged leaves are not in ascending order", Rule.UNMERGED_SORTED)
    for leaf in leaves:
        if not treemath.is_in_subtree(leaf, node) or tree.leaf(leaf) is None:
            raise InvalidTree("an unmerged leaf is not below its node", Rule.UNMERGED_BELOW)
        between = treemath.parent(2 * leaf)
        while between != node:
            lower = tree.parent(between)
            if lower is not None and leaf not in lower.unmerged_leaves:
                raise InvalidTree(
                    "a node between does not list an unmerged leaf", Rule.UNMERGED_BETWEEN
                )
            between = treemath.parent(between)


def check_parent_keys_unique(tree: RatchetTree) -> None:
    """12.4.3.1: the encryption key of a parent stands nowhere else in the tree."""
    parents = [node.encryption_key for node in tree.nodes if isinstance(node, ParentNode)]
    keys = set(parents)
    shared = any(leaf.encryption_key in keys for _, leaf in tree.members())
    if shared or len(keys) != len(parents):
        raise InvalidTree("a parent's encryption key stands twice", Rule.PARENT_KEYS_UNIQUE)


def check_parent_hash(suite: CipherSuite, tree: RatchetTree, node: int, parent: ParentNode) -> None:
    """7.9.2: exactly one descendant vouches for the parent by its parent hash."""
    unmerged = {2 * leaf for leaf in parent.unmerged_leaves}
    children = (treemath.left(node), treemath.right(node))
    for child, sibling in (children, children[::-1]):
        # What the child's resolution holds beside new leaves must be one node: the voucher.
        remaining = [node for node in tree.resolution(child) if node not in unmerged]
        if len(remaining) != 1:
            continue
        claimed = _claimed_parent_hash(tree, remaining[0])
        if claimed and claimed == parent_hash(suite, tree, node, sibling):
            return
    raise InvalidTree("no descendant vouches for a parent node's hash", Rule.PARENT_HASH)


def _claimed_parent_hash(tree: RatchetTree, node: int) -> bytes:
    found = tree.nodes[node]
    if isinstance(found, LeafNode):
        return found.parent_hash if found.source == SOURCE_COMMIT else b""
    return found.parent_hash if found is not None else b""
