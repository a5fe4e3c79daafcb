"""The clock of a witness (programs/witness/clock.py)."""

import pytest

from blackthorn.programs.witness.clock import BELIEVED_SECONDS, SteadyClock

DAY = 86_400.0


class Machine(SteadyClock):
    """A clock over a machine whose clocks the test moves."""

    def __init__(self) -> None:
        self.wall, self.passed = 1_700_000_000.0, 5.0
        super().__init__()

    def _read(self) -> tuple[float, float]:
        return self.wall, self.passed

    def later(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds


def test_a_step_of_two_days_for_forty_seconds_is_not_followed() -> None:
    clock = Machine()
    clock.later(1000)
    clock.wall += 2 * DAY
    seen = []
    for _ in range(40):
        clock.later(1)
        seen.append(clock.now() - (clock.wall - 2 * DAY))
    assert all(0 <= ahead <= 61 for ahead in seen)
    clock.wall -= 2 * DAY
    assert clock.now() == int(clock.wall)


def test_a_step_that_lasts_is_believed() -> None:
    clock = Machine()
    clock.wall += 365 * DAY  # it was switched on with the time of last year
    assert clock.now() < clock.wall - 364 * DAY
    clock.later(BELIEVED_SECONDS)
    assert clock.now() == int(clock.wall)
    clock.later(30)
    assert clock.now() == int(clock.wall)


@pytest.mark.parametrize("step", [-7200.0, -1.0, 0.0, 30.0])
def test_small_steps_and_steps_back_are_followed_at_once(step: float) -> None:
    clock = Machine()
    clock.wall += step
    assert clock.now() == int(clock.wall)
    clock.later(3 * DAY)
    assert clock.now() == int(clock.wall)


def test_steps_do_not_add_up() -> None:
    clock = Machine()
    for _ in range(10):
        clock.wall += 50
        clock.now()
    assert clock.now() <= 1_700_000_000 + 60
