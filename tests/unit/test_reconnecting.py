"""Pauses before a device reconnects: doubled, bounded, and drawn from all of the bound."""

from collections.abc import Callable

import pytest

from blackthorn.programs.device.program import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_SECONDS,
    Backoff,
)

BOUNDS = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def always(value: int) -> Callable[[int], bytes]:
    return lambda size: bytes([value]) * size


@pytest.mark.parametrize(("drawn", "share"), [(0x00, 0.0), (0x80, 0.5), (0xFF, 1.0)])
def test_a_pause_is_a_drawn_share_of_a_bound_that_doubles(drawn: int, share: float) -> None:
    backoff = Backoff(always(drawn))
    pauses = [backoff.pause() for _ in BOUNDS]
    assert pauses == pytest.approx([bound * share for bound in BOUNDS], abs=0.2)
    assert all(0 <= pause < bound for pause, bound in zip(pauses, BOUNDS, strict=True))


def test_a_connection_that_was_made_begins_with_short_pauses_again() -> None:
    backoff = Backoff(always(0xFF))
    for _ in BOUNDS:
        backoff.pause()
    assert backoff.pause() > LAST_RETRY_SECONDS / 2
    backoff.reset()
    assert backoff.pause() < FIRST_RETRY_SECONDS
