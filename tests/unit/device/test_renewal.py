"""The moments of renewal (H21, H22), for a thousand devices that all follow the same rule."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from blackthorn.device.conversations import renewal
from blackthorn.ports.device_groups import LeafRecord

SECOND, DAY = 1_000, 24 * 3600 * 1_000
START = 1_800_000_000_000
LOOK = 30
"""Seconds between two looks of a device that is on line."""


class Phone:
    """One device's leaf of the common conversation."""

    def __init__(self, number: int) -> None:
        self.offset = number % LOOK
        self.leaf = LeafRecord(b"team", b"%d" % number)
        self.renewed_ms = 0

    def look(self, now_ms: int, began_ms: int, due: int, members: int, chance) -> bool:
        """Whether it commits now."""
        what = renewal.step(self.leaf, now_ms, now_ms, began_ms)
        if what == "spread":
            drawn = now_ms + chance.randrange(renewal.SPREAD_MS)
            self.leaf = replace(self.leaf, drawn_ms=drawn, spread=True)
        elif what != "wait":
            wait_ms = renewal.drawn_ms(due, members, chance.randbytes)
            wait_ms = wait_ms if self.renewed_ms else wait_ms % DAY
            self.leaf = replace(self.leaf, drawn_ms=now_ms + wait_ms, spread=False)
        return what == "commit"


@pytest.mark.parametrize("overdue", [False, True], ids=["joined together", "back from a holiday"])
def test_a_thousand_leaves_are_renewed_one_by_one(overdue: bool) -> None:
    """All are on line, and all their leaves are of old key packages or overdue."""
    chance, phones = random.Random(15), [Phone(number) for number in range(1000)]
    by_offset = [[p for p in phones if p.offset == offset] for offset in range(LOOK)]
    if overdue:
        for phone in phones:
            phone.leaf = replace(phone.leaf, drawn_ms=START - 2 * DAY)
    commits: list[int] = []
    second = 0
    while any(not phone.renewed_ms for phone in phones):
        now_ms = START + second * SECOND
        for phone in by_offset[second % LOOK]:
            due = 1000 - len(commits)
            if phone.renewed_ms or not phone.look(now_ms, START, due, 1000, chance):
                continue
            phone.renewed_ms = now_ms
            commits.append(now_ms)
            for other in phones:  # everybody merges it before the next look
                other.leaf = replace(other.leaf, moved_ms=now_ms)
        second += 1
    pauses = [later - first for first, later in pairwise(commits)]
    assert min(pauses) >= 10 * SECOND
    assert commits[-1] - START < 2 * DAY


@pytest.mark.parametrize("seed", range(50))
def test_a_phone_that_is_on_line_for_thirty_minutes_a_day_renews_in_eight_days(seed: int) -> None:
    """Others of its thousand renew meanwhile, one each ten minutes."""
    chance, phone = random.Random(seed), Phone(1)
    phone.renewed_ms = START
    for day in range(7, 9):
        began_ms = START + day * DAY + chance.randrange(3600) * SECOND
        for look in range(60):
            now_ms = began_ms + look * LOOK * SECOND
            if chance.random() < LOOK / 600:
                moved_ms = now_ms - chance.randrange(LOOK) * SECOND
                phone.leaf = replace(phone.leaf, moved_ms=moved_ms)
            if phone.look(now_ms, began_ms, 3, 1000, chance):
                assert now_ms - START <= 8 * DAY + 2 * 3600 * SECOND
                return
    raise AssertionError("not renewed")


def test_the_wait_is_drawn_over_the_slots_of_leaves_that_look_due() -> None:
    chance = random.Random(1)
    small = [renewal.drawn_ms(10, 32, chance.randbytes) for _ in range(1000)]
    large = [renewal.drawn_ms(10, 33, chance.randbytes) for _ in range(1000)]
    assert 45 * SECOND < max(small) < 50 * SECOND
    assert 590 * SECOND < max(large) < 600 * SECOND and min(large) < 10 * SECOND
    assert renewal.drawn_ms(0, 2, chance.randbytes) == 0


def test_a_time_that_a_wrong_clock_has_drawn_is_drawn_anew() -> None:
    leaf = LeafRecord(b"team", b"phone", drawn_ms=START + 6 * DAY)
    assert renewal.step(leaf, START, START, START) == "draw"
    assert renewal.step(leaf, START + 2 * DAY, START, START) == "wait"
    assert renewal.step(leaf, START + 6 * DAY, START, START) == "commit"
