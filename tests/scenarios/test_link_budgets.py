"""Budgets of devices (docs/specs/link.md, 4): paused, told to wait, ended; others are not."""

import pytest

from blackthorn.ids import DeviceId
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.server.budgets import limits
from blackthorn.server.budgets.budgets import Budget, Budgets, Rate, Rates
from blackthorn.server.handlers.throttle import Throttle
from tests.support.link_world import Device, Wire, World, byes, of, posting

RATES = Rates(rows=Rate(10, 1))


class Budgeted(World):
    """A world in which a device may have ten rows at once, and one more a second."""

    def make_dispatcher(self):
        self.named: list[tuple[DeviceId, Budget]] = []
        self.budgets = Budgets(RATES)
        throttle = Throttle(self.budgets, self.counters, lambda *named: self.named.append(named))
        return super().make_dispatcher(throttle=throttle)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.dispatcher.tick(self.now)
        self.settle()


@pytest.fixture
def world() -> Budgeted:
    return Budgeted(seed=7, devices=4)


def connect(world: World, device: Device, number: int = 1) -> Wire:
    """A connection of the newest link version."""
    wire = Wire(world, device)
    world.wires.append(wire)
    device.wire = wire
    wire.say(sign_hello(device.identity, wire.binding, number))
    world.settle()
    return wire


def post(world: World, sender: Device, receiver: Device, count: int) -> list[f.Posting]:
    """So many postings in one Send."""
    sent = [posting(world, sender, receiver, world.chance.randbytes(8)) for _ in range(count)]
    sender.wire.say(fanout_frame([receiver.id]), f.Send(sent))
    world.settle()
    return sent


def test_a_short_debt_pauses_reading_and_nothing_is_refused(world: Budgeted) -> None:
    sender, receiver = world.devices[:2]
    wire = connect(world, sender)
    post(world, sender, receiver, 12)
    assert len(world.stored(receiver)) == 12 and not wire.reading
    post(world, sender, receiver, 1)
    assert len(world.stored(receiver)) == 12
    world.pass_time(1.0)
    assert not wire.reading
    world.pass_time(1.5)
    assert len(world.stored(receiver)) == 13
    assert not of(sender, f.SlowDown) and world.counters.throttled_rows == 0


def test_a_long_debt_is_told_and_what_is_sent_after_the_wait_is_taken(world: Budgeted) -> None:
    sender, receiver, other = world.devices[:3]
    connect(world, sender)
    post(world, sender, receiver, 30)
    again = post(world, sender, receiver, 2)
    (told,) = of(sender, f.SlowDown)
    assert (told.budget, told.postings) == ("rows", [each.id for each in again])
    assert 20_000 <= told.retry_ms <= 20_001
    assert len(world.stored(receiver)) == 30
    assert world.named == [(sender.id, Budget.ROWS)] and world.counters.throttled_rows == 1
    connect(world, other)
    post(world, other, receiver, 5)
    assert len(world.stored(receiver)) == 35, "another device does not wait"
    world.pass_time(told.retry_ms / 1000)
    sender.wire.say(f.Send(again))
    world.settle()
    assert len(world.stored(receiver)) == 37
    assert len(of(sender, f.SlowDown)) == 1
    world.check_counts()


def test_one_who_does_not_wait_is_cut_and_refused_for_a_minute(world: Budgeted) -> None:
    sender, receiver = world.devices[:2]
    connect(world, sender)
    post(world, sender, receiver, 200)
    for _ in range(limits.MAX_IGNORED):
        post(world, sender, receiver, 1)
    assert len(of(sender, f.SlowDown)) == limits.MAX_IGNORED and not byes(sender)
    post(world, sender, receiver, 1)
    assert byes(sender) == ["slow-down"]
    connect(world, sender, 2)
    assert byes(sender) == ["slow-down"] * 2
    world.pass_time(limits.MAX_SHUT_SECONDS + 1)
    sender.heard.clear()
    connect(world, sender, 3)
    assert of(sender, f.Ready)
    assert len(world.stored(receiver)) == 200


def test_a_device_of_an_older_version_is_refused_by_a_code_that_it_knows(world: Budgeted) -> None:
    sender, receiver = world.devices[:2]
    sender.connect()
    post(world, sender, receiver, 30)
    again = post(world, sender, receiver, 1)
    assert [(each.id, each.code) for each in sender.refusals] == [(again[0].id, "storage")]
    for _ in range(2 * limits.MAX_IGNORED):
        world.pass_time(30.0)
        sender.wire.say(f.Send(again))
        world.settle()
    assert not byes(sender), "one who tries every 30 seconds is not cut"
    assert again[0].parcels[0].sealed in world.stored(receiver)


def test_a_debtor_still_acknowledges_and_receives(world: Budgeted) -> None:
    sender, other = world.devices[:2]
    wire = connect(world, sender)
    wire.say(f.Resume())
    post(world, sender, other, 100)
    connect(world, other)
    post(world, other, sender, 5)
    assert len(sender.shown) == 5
    world.settle()
    assert world.stored(sender) == []


def test_the_administrator_stops_a_device_and_nobody_else(world: Budgeted) -> None:
    sender, receiver, other = world.devices[:3]
    connect(world, sender)
    connect(world, other)
    world.budgets.shut = frozenset({sender.id})
    post(world, sender, receiver, 1)
    post(world, other, receiver, 1)
    assert [told.budget for told in of(sender, f.SlowDown)] == ["shut"]
    assert world.counters.throttled_shut == 1
    assert len(world.stored(receiver)) == 1
