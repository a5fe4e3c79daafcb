"""Officers let the time of heads fall, after the server's clock was wrong (`server.ledger`)."""

import pytest

from blackthorn.errors import InputError
from blackthorn.governance.cases import Checked
from blackthorn.governance.ledger_case import TRANSITIONS
from blackthorn.governance.transitions import Case
from tests.support.ledger_officers import LedgerOfficers
from tests.support.ledger_world import LedgerWorld

DAY_MS = 86_400_000
MINUTE_MS = 60_000


def jump(world: LedgerWorld, ms: int) -> None:
    """The machine's clock jumps, and that of a witness on the same machine."""
    world.now_ms += ms
    world.jumped_ms += ms


def ahead_and_right_again(world: LedgerWorld) -> int:
    """Heads two days ahead, then the clock is set right; the last epoch before."""
    for _ in range(3):
        world.settle(10 * MINUTE_MS)
    before = world.ledger.published.epoch
    jump(world, 2 * DAY_MS)
    for _ in range(3):
        world.settle(10 * MINUTE_MS)
    jump(world, -2 * DAY_MS)
    return before


def right(world: LedgerWorld) -> int:
    """The last head before the time goes on by over an hour."""
    return world.ledger._epochs._tip.steps[-1].epoch


@pytest.mark.parametrize("witnesses", [0, 1])
def test_the_next_head_is_of_now_and_then_heads_rise(witnesses: int) -> None:
    world = LedgerWorld(60, witnesses=witnesses)
    officers = LedgerOfficers(world)
    ahead_and_right_again(world)
    for _ in range(3):
        world.settle(10 * MINUTE_MS)
    assert world.ledger.published.unix_ms > world.now_ms + DAY_MS
    (problem,) = [one for one in world.ledger.problems() if "heal" in one]
    assert problem.endswith(f"--epoch {right(world)}")
    officers.heal(right(world))
    world.settle(10 * MINUTE_MS)
    fallen = world.ledger.published
    assert world.now_ms - 11 * MINUTE_MS < fallen.unix_ms <= world.now_ms
    world.settle(10 * MINUTE_MS)
    assert fallen.unix_ms < world.ledger.published.unix_ms <= world.now_ms
    assert not world.ledger.problems()
    assert [fall.epoch for fall in world.audit().falls] == [fallen.epoch]


def test_a_crash_before_the_fall_is_stored_loses_nothing() -> None:
    world = LedgerWorld(61)
    officers = LedgerOfficers(world)
    ahead_and_right_again(world)
    officers.heal(right(world))
    world.crash()
    world.settle(10 * MINUTE_MS)
    assert world.ledger.published.unix_ms <= world.now_ms
    world.crash()
    world.settle(10 * MINUTE_MS)
    assert len(world.audit().falls) == 1


def test_a_clock_that_is_still_wrong_uses_no_entry_up_in_a_wrong_fall() -> None:
    """The entry permits its own epoch alone: with the clock ahead that one rises."""
    world = LedgerWorld(62)
    officers = LedgerOfficers(world)
    ahead_and_right_again(world)
    epoch = right(world)
    jump(world, 2 * DAY_MS)
    officers.heal(epoch)
    world.settle(10 * MINUTE_MS)
    jump(world, -2 * DAY_MS)
    world.settle(10 * MINUTE_MS)
    assert world.ledger.published.unix_ms > world.now_ms + DAY_MS
    assert not world.audit().falls
    officers.heal(epoch)
    world.settle(10 * MINUTE_MS)
    assert len(world.audit().falls) == 1 and world.ledger.published.unix_ms <= world.now_ms


@pytest.mark.parametrize("how", ["least", "epoch", "ledger"])
def test_an_entry_that_auditors_would_refuse_lets_nothing_fall(how: str) -> None:
    world = LedgerWorld(63)
    officers = LedgerOfficers(world)
    ahead_and_right_again(world)
    epoch = right(world)
    match how:
        case "least":
            officers.heal(epoch, least_ms=world.now_ms + DAY_MS)
        case "epoch":
            officers.heal(epoch - 1)
        case _:
            officers.heal(epoch, ledger="other.example/ledger")
    world.settle(10 * MINUTE_MS)
    assert world.ledger.published.unix_ms > world.now_ms + DAY_MS
    assert not world.audit().falls


def test_the_decision_is_refused_where_by_it_nothing_would_fall() -> None:
    world = LedgerWorld(64)
    officers = LedgerOfficers(world)
    told: list[object] = []

    def ask(epoch: int, **how: object) -> str:
        office = officers.office
        public = {"ledger": world.keys.origin, "epoch": epoch, "least_ms": 0, **how}
        checked = Checked(
            office.decide("ledger", "heal", public), Case("ledger"), TRANSITIONS[0], ()
        )
        world.ledger.check_heal(checked, {}, told.append)
        answer = told.pop()
        assert answer is None or isinstance(answer, InputError)
        return "" if answer is None else str(answer)

    world.settle(0)
    assert "not an hour ahead" in ask(1)
    ahead_and_right_again(world)
    world.tick()
    epoch = right(world)
    assert ask(epoch) == ""
    assert "no head over an hour later" in ask(epoch + 1)
    assert "another ledger" in ask(epoch, ledger="other.example/ledger")
    assert "falls below" in ask(epoch, least_ms=world.now_ms + DAY_MS)
