"""A slice of the fuzzing of MLS: every door, mutated inputs, bounded time and memory."""

import random
import tracemalloc

import pytest

from blackthorn.mls.errors import MLSError
from tests.support import runs
from tools.fuzz_group import FuzzFindingError, FuzzGroup
from tools.fuzz_mls import Tally, doors, fuzz, mutate

RUNS = runs.many(12_000)


def test_a_slice_of_mutated_inputs_at_every_door() -> None:
    seed = runs.seed()
    tally = Tally()
    fuzz(RUNS, seed, tally)
    group = FuzzGroup(seed)
    assert set(tally.knocks) == {door.name for door in doors(group)}
    assert sum(tally.knocks.values()) > RUNS * 0.9
    assert tally.slowest < 2.0, f"{tally.slowest_door} took {tally.slowest:.2f} s"


def test_sound_inputs_are_taken_at_every_door() -> None:
    """Else the fuzzing would knock at closed doors."""
    for door in doors(FuzzGroup(1)):
        if door.name in ("message", "extensions", "reader"):
            continue
        for data in door.sound:
            door.knock(data)


def test_each_sound_message_is_taken_by_itself() -> None:
    group = FuzzGroup(2)
    for message in next(door for door in doors(group) if door.name == "message").sound:
        group.hear(message)


def test_a_plaintext_that_should_not_be_taken_is_a_finding() -> None:
    group = FuzzGroup(3)
    plaintext = group.plaintexts(group.messages())[0]
    group.known = set()
    with pytest.raises(FuzzFindingError, match="nobody signed"):
        group.insider(plaintext)


def test_memory_stays_small_whatever_the_lengths_say() -> None:
    """Lengths that promise gigabytes, at each door, cost no more than the input."""
    group = FuzzGroup(4)
    seeded = random.Random(5)
    open_doors = doors(group)
    tracemalloc.start()
    try:
        for door in open_doors:
            for data in door.sound:
                for _ in range(40):
                    place = seeded.randrange(len(data))
                    forged = data[:place] + b"\xbf\xff\xff\xff" + data[place + 4 :]
                    forged = mutate(seeded, forged, data)
                    if forged in door.sound:
                        continue
                    try:
                        door.knock(forged)
                    except MLSError:
                        continue
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
