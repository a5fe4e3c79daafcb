"""A slice of what `make fuzz-link` throws at the link before a device is known."""

from tests.support import runs
from tools.fuzz_link import Fuzz

INPUTS = 6_000


def test_mutated_bytes_of_a_stranger_end_the_link_and_nothing_else() -> None:
    fuzz = Fuzz(runs.seed())
    for _ in range(INPUTS):
        fuzz.run()
    assert fuzz.counts.total() == INPUTS
    assert set(fuzz.counts) == {"header", "state", "dispatcher"}
