"""A server whose clock was days ahead: officers let the ledger's time fall, and people go on."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.device.transparency import disputes, ledger_state
from blackthorn.simulation.device import Person
from tests.support.device_world import World
from tests.support.ledger_officers import LedgerOfficers
from tests.support.stranding import live

DAY = 24 * 3600
NAMES = ("alice", "bob", "carol")


def set_server_clock(world: World, ahead_ms: int, *, alone: bool = False) -> None:
    """Its wall clock jumps, and unless `alone` that of a witness on its machine.

    The monotonic one goes on. `alone` is a build that did not keep heads to the witnesses' time.
    """
    world.wall_ms = lambda: world.now_ms + ahead_ms  # type: ignore[method-assign]
    world.ledger.jumped_ms = ahead_ms
    world.ledger.now_ms = world.wall_ms()
    if alone:
        world.ledger.ahead_ms = ahead_ms
        quorum = world.ledger.ledger._epochs.time.quorum
        if ahead_ms:
            quorum.head_ms = lambda now_ms, tip_ms: max(now_ms, (tip_ms or 0) + 1)
        else:
            del quorum.head_ms


def minutes(world: World, number: int) -> None:
    """All are on line meanwhile."""
    live(world, 60 * number, step=30)


def faulty(
    witnesses: int, seed: int, *, alone: bool = False, days: int = 2
) -> tuple[World, LedgerOfficers]:
    """The clock was days ahead for some minutes, in which people looked up; it is right now."""
    world = World(seed, *NAMES, witnesses=witnesses, epoch_ms=10_000)
    officers = LedgerOfficers(world.ledger)
    for person in world.people:
        person.connect()
    world.people[0].write(world.people[1], "hello")
    minutes(world, 25)
    assert world.people[1].received() == ["hello"]
    set_server_clock(world, days * DAY * 1000, alone=alone)
    for _ in range(3):
        officers.ledger.ledger.wake()
        minutes(world, 11)
        for person in world.people:
            person.look_up(*world.people)
        world.settle()
    set_server_clock(world, 0, alone=alone)
    minutes(world, 1)
    return world, officers


def right(world: World) -> int:
    """The last epoch before the clock was wrong, as `blackthorn ledger status` names it."""
    steps = world.ledger.ledger._epochs._tip.steps
    return int(steps[-1].epoch)


def ledger_ms(person: Person) -> int:
    with person.unit() as unit:
        return ledger_state.clock_ms(unit)


@pytest.mark.parametrize(
    ("witnesses", "alone", "days"),
    [(0, False, 2), (1, False, 2), (1, True, 2), (1, False, 20)],
)
def test_after_the_heal_people_who_never_wrote_each_other_can_at_once(
    witnesses: int, alone: bool, days: int
) -> None:
    """After 20 days all key packages are dated ahead: they are made anew."""
    world, officers = faulty(witnesses, 300 + witnesses, alone=alone, days=days)
    alice, bob, carol = world.people
    alice.write(carol, "first contact")
    bob.write(alice, "known")
    for person in world.people:
        person.connect()
    minutes(world, 130)
    assert carol.received() == [], "the ledger's newest state cannot be used"
    assert bool(alice.alarms()) is bool(witnesses)
    officers.heal(right(world))
    minutes(world, 5)
    for person in world.people:
        person.connect()
    live(world, 300)
    carol.write(bob, "and another")
    live(world, 300)
    assert carol.received() == ["first contact"]
    assert bob.received() == ["hello", "and another"]
    assert "known" in alice.received()
    for person in world.people:
        assert not person.alarms(), person.alarms()
        assert world.now_ms - 3_600_000 < ledger_ms(person) <= world.now_ms
    assert len(world.ledger.audit().falls) == 1


def test_a_device_that_accepted_heads_ahead_of_time_follows_the_fall_by_a_replay() -> None:
    world, officers = faulty(1, 310)
    alice = world.people[0]
    assert ledger_ms(alice) > world.now_ms + DAY * 1000
    officers.heal(right(world))
    minutes(world, 2)
    alice.connect()
    live(world, 120)
    with alice.unit() as unit:
        (fall,) = disputes.falls(unit.records.settings)
        newest = unit.records.directory.newest()
    assert fall.epoch <= newest.epoch and newest.unix_ms <= world.now_ms
    assert not alice.alarms()


def test_the_time_falls_without_an_entry_and_devices_tell_it() -> None:
    world, _ = faulty(1, 311)
    fall_anyhow(world)
    alice = world.people[0]
    alice.connect()
    live(world, 120)
    assert alice.alarms() == ["bad-epoch"]


def test_the_time_falls_below_what_a_device_knew_of_witnesses_and_it_tells_it() -> None:
    """Officers who knew less than this device did: its witnesses had cosigned later than that."""
    world, officers = faulty(1, 312)
    alice, epoch = world.people[0], right(world)
    with alice.unit() as unit:
        known = unit.records.directory.checkpoint_until(epoch)
        assert known is not None and known.quorum_s
        later_s = world.now_ms // 1000 + DAY
        unit.records.directory.put_checkpoint(replace(known, quorum_s=later_s), 512)
    officers.heal(epoch)
    minutes(world, 2)
    alice.connect()
    live(world, 120)
    assert alice.alarms() == ["bad-epoch"]


def fall_anyhow(world: World) -> None:
    """A server that signs an earlier head although nobody permits it."""
    epochs = world.ledger.ledger._epochs
    epochs.time = Bold(epochs.time.quorum.head_ms)
    minutes(world, 11)


class Bold:
    def __init__(self, head_ms: Callable[[int, int | None], int]) -> None:
        self._head_ms = head_ms

    def next_ms(self, now_ms: int, waiting: object) -> int:
        return self._head_ms(now_ms, None)
