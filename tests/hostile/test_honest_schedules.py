"""Among honest people no alarm is ever raised, or people would learn to pass over alarms.

10,000 random schedules of some eight steps each are lived by ledgers and devices: all that a
device has to do with a ledger is real, messages and links are left out. They take about a minute
of one core; whole worlds with groups and messages take a tenth of a second a schedule, so that
no more than 240 schedules of them fit into `make test`; `make test-long` lives 2,400.
"""

from collections import Counter

import pytest

from tests.support import runs
from tests.support.honest_directory import ACTIONS as LEDGER_ACTIONS
from tests.support.honest_directory import DirectoryLife
from tests.support.honest_life import ACTIONS, Life
from tests.support.remembered import remembering

SEED = runs.seed()
LEDGERS, OF_A_LEDGER = 50, 200
WORLDS, OF_A_WORLD = runs.many(6), 40


@pytest.mark.parametrize("tenth", range(10))
def test_ten_thousand_honest_schedules_of_a_ledger_raise_no_alarm(tenth: int) -> None:
    steps: Counter[str] = Counter()
    for number in range(LEDGERS // 10):
        with remembering():
            life = DirectoryLife(SEED + LEDGERS * tenth + number)
            for _ in range(OF_A_LEDGER):
                life.schedule()
            life.end()
        steps += life.steps
    assert set(steps) == {each.__name__ for each in LEDGER_ACTIONS}


@pytest.mark.parametrize("number", range(WORLDS))
def test_honest_schedules_of_whole_worlds_raise_no_alarm_and_lose_nothing(number: int) -> None:
    with remembering():
        life = Life(SEED + number)
        for _ in range(OF_A_WORLD):
            life.schedule()
    assert set(life.steps) == {each.__name__ for each in ACTIONS}
    assert all(person.received() for person in life.world.people)
