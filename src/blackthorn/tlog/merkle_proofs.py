"""Verifies inclusion and consistency proofs (RFC 9162, 2.1.3.2 and 2.1.4.2).

Functions raise `VerificationError` with a T rule. Proofs have exact lengths.
"""

from collections.abc import Sequence

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.merkle import EMPTY_ROOT, HASH_SIZE, node_hash


def check_hashes(*hashes: bytes) -> None:
    """Raises T1 unless all have 32 bytes."""
    if any(len(digest) != HASH_SIZE for digest in hashes):
        raise VerificationError("T1", "a hash does not have 32 bytes")


def check_proof(proof: Sequence[bytes]) -> None:
    """Raises T44 above 63 hashes, T1."""
    if len(proof) > limits.MAX_PROOF_HASHES:
        raise VerificationError("T44", "a proof has more than 63 hashes")
    check_hashes(*proof)


def check_size(size: int) -> None:
    """Raises T2 for an impossible tree size."""
    if not 0 <= size <= limits.MAX_TREE_SIZE:
        raise VerificationError("T2", "the size of a tree is impossible")


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """The leaf hash is entry `index` of the tree of `size` and `root`."""
    check_size(size)
    if not 0 <= index < size:
        raise VerificationError("T3", "the tree has no entry of this index")
    check_hashes(leaf_hash, root)
    check_proof(proof)
    # Up to where the paths of this leaf and the last one part, siblings lie on both sides;
    # above, only full subtrees on the left.
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise VerificationError("T4", "the inclusion proof has the wrong length")
    digest = leaf_hash
    for height, sibling in enumerate(proof):
        on_left = height >= inner or index >> height & 1
        digest = node_hash(sibling, digest) if on_left else node_hash(digest, sibling)
    if digest != root:
        raise VerificationError("T5", "the inclusion proof does not lead to the root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """The old tree is a prefix of the new one."""
    check_size(old_size)
    check_size(new_size)
    check_hashes(old_root, new_root)
    check_proof(proof)
    if old_size > new_size:
        raise VerificationError("T6", "the later tree is smaller")
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise VerificationError("T7", "the root of an empty tree is wrong")
    if old_size == new_size and old_root != new_root:
        raise VerificationError("T8", "two trees of one size have two roots")
    if old_size in (0, new_size):
        if proof:
            raise VerificationError("T9", "a consistency proof must be empty here")
        return
    _verify_growth(old_size, old_root, new_size, new_root, proof)


def _verify_growth(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """RFC 9162, 2.1.4.2, for different sizes and a non-empty old tree."""
    # The proof starts at the largest full subtree that ends where the old tree ends.
    skipped = (old_size & -old_size).bit_length() - 1
    node, last = (old_size - 1) >> skipped, (new_size - 1) >> skipped
    rest = proof
    digest = old_root
    if old_size & (old_size - 1):
        if not proof:
            raise VerificationError("T9", "the consistency proof is too short")
        digest, rest = proof[0], proof[1:]
    old = new = digest
    inner = (node ^ last).bit_length()
    if len(rest) != inner + (node >> inner).bit_count():
        raise VerificationError("T9", "the consistency proof has the wrong length")
    for height, sibling in enumerate(rest):
        if height >= inner or node >> height & 1:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if old != old_root:
        raise VerificationError("T10", "the consistency proof does not lead to the old root")
    if new != new_root:
        raise VerificationError("T10", "the consistency proof does not lead to the new root")
