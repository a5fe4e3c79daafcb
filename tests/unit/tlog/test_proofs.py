"""Inclusion and consistency proofs: each way in which one can be wrong has its rule."""

import itertools

import pytest

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.merkle import EMPTY_ROOT, MerkleLog, leaf_hash
from blackthorn.tlog.verify import verify_consistency, verify_inclusion
from tests.support.tlog_world import entries, refuses

COUNT = 40
LOG = MerkleLog(entries(COUNT))
PAIRS = list(itertools.combinations_with_replacement(range(COUNT + 1), 2))


def flip(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place % len(data)] ^= 1 << place % 8
    return bytes(changed)


def include(index: int, size: int, /, **changes: object) -> None:
    """Verifies what the log proves, with something changed."""
    claim: dict[str, object] = {
        "leaf_hash": leaf_hash(entries(COUNT)[index]),
        "index": index,
        "size": size,
        "proof": LOG.inclusion_proof(index, size),
        "root": LOG.root(size),
    }
    verify_inclusion(**{**claim, **changes})  # type: ignore[arg-type]


def grow(old: int, new: int, /, **changes: object) -> None:
    """Verifies what the log proves of its growth, with something changed."""
    claim: dict[str, object] = {
        "old_size": old,
        "old_root": LOG.root(old),
        "new_size": new,
        "new_root": LOG.root(new),
        "proof": LOG.consistency_proof(old, new),
    }
    verify_consistency(**{**claim, **changes})  # type: ignore[arg-type]


def test_every_entry_is_proved_at_every_size() -> None:
    for index, size in PAIRS:
        if index < size:
            include(index, size)


def test_every_growth_is_proved() -> None:
    for old, new in PAIRS:
        grow(old, new)


def test_no_entry_is_proved_at_another_place() -> None:
    for index in range(30):
        for place in range(30):
            if place != index:
                with pytest.raises(VerificationError, match=r" \[T[45]\]$"):
                    include(index, 30, index=place)


def test_T1_hashes_of_another_size() -> None:
    proof = LOG.inclusion_proof(5, 20)
    for wrong in (b"", bytes(31), bytes(33)):
        with refuses("T1"):
            include(5, 20, leaf_hash=wrong)
        with refuses("T1"):
            include(5, 20, root=wrong)
        with refuses("T1"):
            include(5, 20, proof=[wrong, *proof[1:]])
        with refuses("T1"):
            grow(5, 20, old_root=wrong)
        with refuses("T1"):
            grow(5, 20, new_root=wrong)
        with refuses("T1"):
            grow(5, 20, proof=[wrong])


@pytest.mark.parametrize("size", [-1, limits.MAX_TREE_SIZE + 1])
def test_T2_a_size_that_cannot_be(size: int) -> None:
    with refuses("T2"):
        include(0, 1, size=size)
    with refuses("T2"):
        grow(0, 1, old_size=size)
    with refuses("T2"):
        grow(0, 1, new_size=size)


@pytest.mark.parametrize("index", [-1, 20, 2**70])
def test_T3_an_index_outside_the_tree(index: int) -> None:
    with refuses("T3"):
        include(5, 20, index=index)
    with refuses("T3"):
        include(0, 1, size=0, index=0)


def test_T4_a_proof_of_another_length() -> None:
    for index, size in PAIRS:
        if index >= size:
            continue
        proof = LOG.inclusion_proof(index, size)
        for wrong in ([*proof, bytes(32)], [bytes(32), *proof], proof[:-1], proof[1:]):
            if len(wrong) != len(proof):
                with refuses("T4"):
                    include(index, size, proof=wrong)


def test_T5_a_flipped_bit_anywhere() -> None:
    for place in range(32):
        with refuses("T5"):
            include(11, 37, leaf_hash=flip(leaf_hash(entries(COUNT)[11]), place))
        with refuses("T5"):
            include(11, 37, root=flip(LOG.root(37), place))
    proof = LOG.inclusion_proof(11, 37)
    for number, place in itertools.product(range(len(proof)), range(32)):
        wrong = [*proof[:number], flip(proof[number], place), *proof[number + 1 :]]
        with refuses("T5"):
            include(11, 37, proof=wrong)


def test_T6_a_tree_that_shrinks() -> None:
    with refuses("T6"):
        grow(5, 20, old_size=21)


def test_T7_an_empty_tree_with_another_root() -> None:
    with refuses("T7"):
        grow(0, 20, old_root=LOG.root(1))
    with refuses("T7"):
        grow(0, 0, new_root=LOG.root(1))


def test_T8_two_roots_of_one_size() -> None:
    with refuses("T8"):
        grow(20, 20, new_root=LOG.root(19))


def test_T9_a_proof_of_another_length() -> None:
    for old, new in PAIRS:
        proof = LOG.consistency_proof(old, new)
        for wrong in ([*proof, bytes(32)], [bytes(32), *proof], proof[:-1], proof[1:]):
            if len(wrong) != len(proof):
                with refuses("T9"):
                    grow(old, new, proof=wrong)


def test_T10_a_flipped_bit_anywhere() -> None:
    for old, new in ((11, 37), (16, 37), (36, 37), (32, 40)):
        proof = LOG.consistency_proof(old, new)
        for place in range(32):
            with refuses("T10"):
                grow(old, new, old_root=flip(LOG.root(old), place))
            with refuses("T10"):
                grow(old, new, new_root=flip(LOG.root(new), place))
        for number, place in itertools.product(range(len(proof)), range(32)):
            wrong = [*proof[:number], flip(proof[number], place), *proof[number + 1 :]]
            with refuses("T10"):
                grow(old, new, proof=wrong)


def test_T10_the_sizes_of_another_growth() -> None:
    for old, new in PAIRS:
        if not 0 < old < new:
            continue
        for other in range(1, new):
            if other != old and len(LOG.consistency_proof(other, new)) == len(
                LOG.consistency_proof(old, new)
            ):
                with refuses("T10"):
                    grow(old, new, old_size=other)


def test_T44_more_hashes_than_any_tree_asks_for() -> None:
    with refuses("T44"):
        include(5, 20, proof=[bytes(32)] * 64)
    with refuses("T44"):
        grow(5, 20, proof=[bytes(32)] * 64)


def test_a_leaf_is_no_node() -> None:
    """The hash of two children is not that of an entry made of them."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    log = MerkleLog([b"a", b"b"])
    with refuses("T5"):
        verify_inclusion(leaf_hash(left + right), 0, 1, [], log.root())


def test_the_largest_tree_needs_as_many_hashes_as_allowed() -> None:
    with refuses("T5"):
        verify_inclusion(bytes(32), 0, limits.MAX_TREE_SIZE, [bytes(32)] * 63, EMPTY_ROOT)
