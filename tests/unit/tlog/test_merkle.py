"""The Merkle log: the ways to build it agree, and it is fast."""

import time

import pytest

from blackthorn.tlog.merkle import EMPTY_ROOT, MerkleLog, leaf_hash, node_hash
from tests.support.tlog_world import entries


def test_an_empty_log() -> None:
    log = MerkleLog()
    assert log.size == 0
    assert log.root() == EMPTY_ROOT
    assert log.consistency_proof(0) == []


def test_entries_get_their_index() -> None:
    log = MerkleLog()
    assert [log.append(entry) for entry in (b"a", b"b", b"c")] == [0, 1, 2]
    assert log.root() == node_hash(node_hash(leaf_hash(b"a"), leaf_hash(b"b")), leaf_hash(b"c"))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 64, 255, 256, 257, 1000])
def test_all_ways_to_build_a_log_agree(count: int) -> None:
    one_by_one = MerkleLog()
    for entry in entries(count):
        one_by_one.append(entry)
    at_once = MerkleLog(entries(count))
    in_parts = MerkleLog(entries(count)[: count // 3])
    in_parts.extend(entries(count)[count // 3 : count // 2])
    for entry in entries(count)[count // 2 :]:
        in_parts.append(entry)
    restored = MerkleLog.from_leaf_hashes(at_once.hashes(0, 0, count))
    for log in (at_once, in_parts, restored):
        assert log._rows == one_by_one._rows
        assert log.size == count


def test_older_roots_stay() -> None:
    log = MerkleLog()
    roots = []
    for entry in entries(200):
        roots.append(log.root())
        log.append(entry)
    assert [log.root(size) for size in range(200)] == roots


def test_the_hashes_of_a_row_are_the_roots_of_its_subtrees() -> None:
    log = MerkleLog(entries(100))
    row = log.hashes(3, 0, 12)
    for place in range(12):
        assert row[32 * place : 32 * place + 32] == log.subtree(8 * place, 8 * place + 8)
    leaves = [log.hashes(0, place, place + 1) for place in range(8, 16)]
    assert MerkleLog.from_leaf_hashes(b"".join(leaves)).root() == log.subtree(8, 16)
    assert log.hashes(9, 0, 0) == b""


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: log.root(11),
        lambda log: log.root(-1),
        lambda log: log.subtree(1, 3),
        lambda log: log.subtree(0, 0),
        lambda log: log.subtree(8, 11),
        lambda log: log.hashes(0, 9, 11),
        lambda log: log.hashes(0, 2, 1),
        lambda log: log.hashes(4, 0, 1),
        lambda log: log.inclusion_proof(10),
        lambda log: log.inclusion_proof(5, 5),
        lambda log: log.inclusion_proof(-1),
        lambda log: log.inclusion_proof(0, 11),
        lambda log: log.consistency_proof(5, 4),
        lambda log: log.consistency_proof(5, 11),
        lambda log: log.consistency_proof(-1),
        lambda log: log.consistency_proof(11, 11),
        lambda log: log.consistency_proof(0, 11),
        lambda log: log.append_hash(b"short"),
        lambda log: MerkleLog.from_leaf_hashes(bytes(33)),
    ],
)
def test_what_the_log_does_not_have(ask: object) -> None:
    assert callable(ask)
    log = MerkleLog(entries(10))
    with pytest.raises(ValueError):
        ask(log)
    assert log.root() == MerkleLog(entries(10)).root()


def test_a_hundred_thousand_appends_take_less_than_a_second() -> None:
    """0.2 s where this was written; a quadratic append would take hours."""
    log = MerkleLog()
    batch = [number.to_bytes(77, "big") for number in range(100_000)]
    start = time.process_time()
    for entry in batch:
        log.append(entry)
    assert time.process_time() - start < 1.0
    start = time.process_time()
    for index in range(0, 100_000, 100):
        log.inclusion_proof(index)
        log.consistency_proof(index)
    assert time.process_time() - start < 1.0
