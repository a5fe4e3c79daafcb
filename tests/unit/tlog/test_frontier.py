"""The right edge of a log: the same roots as the whole log, from a few hashes."""

import pytest

from blackthorn.tlog.frontier import Frontier
from blackthorn.tlog.merkle import MerkleLog, leaf_hash
from tests.support.tlog_world import entries, refuses


def test_the_edge_has_the_root_of_the_log_at_every_size() -> None:
    log, edge = MerkleLog(entries(300)), Frontier()
    for size, entry in enumerate(entries(300)):
        assert (edge.size, edge.root) == (size, log.root(size))
        assert len(edge.peaks) == size.bit_count()
        edge.append(leaf_hash(entry))
    assert edge.root == log.root()


def test_an_edge_that_was_kept_goes_on() -> None:
    log, edge = MerkleLog(entries(300)), Frontier()
    for entry in entries(300)[:171]:
        edge.append(leaf_hash(entry))
    again = Frontier(edge.size, edge.peaks)
    for entry in entries(300)[171:]:
        again.append(leaf_hash(entry))
    assert again.root == log.root()
    assert edge.root == log.root(171)


def test_T1_a_peak_of_another_size() -> None:
    with refuses("T1"):
        Frontier(1, [bytes(31)])


@pytest.mark.parametrize(("size", "peaks"), [(-1, 1), (0, 1), (3, 1), (4, 0)])
def test_T2_peaks_that_no_log_has(size: int, peaks: int) -> None:
    with refuses("T2"):
        Frontier(size, [bytes(32)] * peaks)
