"""A device that the server makes wait: it waits, says until when, and sends all of it once."""

import pytest

from blackthorn.device.operations import sender
from blackthorn.device.operations.sender import SLOW
from blackthorn.server.budgets.budgets import Budgets, Charge, Rate, Rates
from blackthorn.wire.dates import rfc3339
from tests.support.device_world import Person, World


def slow(world: World, person: Person, seconds: int) -> None:
    """The person's device has sent so much that it must wait for so long."""
    budgets = Budgets(Rates(rows=Rate(10, 1)))
    world.dispatcher._throttle.budgets = budgets
    device, address = person.keys.device, str(person.keys.address)
    budgets.spend(device, address, Charge(rows=10 + seconds), world.now)


def test_texts_wait_until_the_server_takes_more_and_arrive_once_in_order() -> None:
    world = World(400, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    slow(world, alice, 60)
    texts = [f"text {number}" for number in range(5)]
    numbers = [alice.write(bob, text) for text in texts]
    world.settle()
    until = [alice.outcomes[number].error for number in numbers]
    assert all(text.startswith(SLOW) for text in until)
    assert until[0].split(" until ")[1] > rfc3339(world.wall_ms() + 55_000)
    told = world.dispatcher.counters.throttled_rows
    for _ in range(5):
        world.later(10.0)
        world.settle()
    world.check_received(bob, ["hello"])
    assert world.dispatcher.counters.throttled_rows == told, "it waits, and does not ask"
    for _ in range(5):
        world.later(10.0)
        world.settle()
    assert alice.waiting() == 0
    world.check_received(bob, ["hello", *texts])
    assert not any(alice.outcomes[number].error for number in numbers)


def test_a_server_cannot_make_a_device_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "MAX_SLOW_MS", 100_000)
    world = World(401, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    slow(world, alice, 10**9)
    alice.write(bob, "late")
    world.settle()
    world.dispatcher._throttle.budgets = Budgets()
    world.later(120.0)
    world.settle()
    world.check_received(bob, ["hello", "late"])
