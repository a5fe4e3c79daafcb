"""A clock that is off is told once, and again only after it was right."""

from functools import partial
from types import SimpleNamespace

import pytest

from blackthorn.cli.times import duration
from blackthorn.device.core.unit_of_work import unit
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.ids import Address
from blackthorn.programs.device import clock
from tests.support.chain_ledger import ChainLedger, Teller, look

ME = Address("me@acme.example")
MINUTE = 60_000


def _unit(me: Teller, now_ms: int):
    return unit(me.vault, me.keys, now_ms, me.ledger.chance.randbytes, me.cache)


@pytest.fixture
def at(monkeypatch):
    """`at(ms)`: what is told to a device whose clock is so far ahead of the ledger's time."""
    ledger = ChainLedger()
    me = Teller(ledger, ME, ledger.begin(ME))
    ledger.publish()
    client = DirectoryClient()

    def told(ahead_ms: int, *, looks: bool = True) -> int:
        if looks:
            look(me, client, ME)
        with me.unit() as unit:
            now_ms = clock.clock_ms(unit) + ahead_ms
        monkeypatch.setattr(clock, "wall_ms", lambda: now_ms)
        device = SimpleNamespace(directory=client, unit=partial(_unit, me))
        return clock.apart_ms(SimpleNamespace(device=device))

    told.heartbeat_ms = ledger.config.heartbeat_ms
    return told


def test_a_clock_that_is_off_is_told_once_until_it_was_right(at) -> None:
    beat = at.heartbeat_ms
    assert at(beat + 30 * MINUTE) == 30 * MINUTE
    assert at(beat + 31 * MINUTE) == 0
    assert at(beat + 4 * MINUTE) == 0
    assert at(-6 * MINUTE) == -6 * MINUTE
    assert at(-6 * MINUTE) == 0


def test_without_a_lookup_nothing_is_known(at) -> None:
    assert at(90 * 1440 * MINUTE, looks=False) == 0


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [
        (6, "6 minutes"),
        (119, "119 minutes"),
        (120, "2 hours"),
        (2879, "47 hours"),
        (2880, "2 days"),
    ],
)
def test_durations_are_told_in_the_largest_unit_that_fits(minutes: int, shown: str) -> None:
    assert duration(minutes * MINUTE) == shown
