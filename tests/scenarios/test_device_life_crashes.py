"""Adding and revoking a device, cut off after each step in turn: done again, done once.

`make test` tries every few steps, `make test-long` all of them.
"""

import random

import pytest

from blackthorn.device.account.pairing import Stage
from blackthorn.simulation.linking import (
    Host,
    Newcomer,
    add_device,
    bring_up,
    compare,
    on_line,
    revoke,
)
from tests.scenarios.test_device_life import chain_of, members
from tests.support import runs
from tests.support.device_world import World
from tests.support.life_world import steps

pytestmark = pytest.mark.thorough

STEPS = 120
"""More than a whole pairing, or a whole revocation, takes."""


def places(stride: int) -> range:
    """After how many steps it is cut off."""
    return range(STEPS) if runs.Run.long else range(runs.seed() % stride, STEPS, stride)


def strike(world: World, who: str, host: Host, newcomer: Newcomer, committed: bool) -> None:
    if who == "newcomer":
        newcomer.crash()
    elif who == "host":
        host.person.restart()
    else:
        world.crash(committed=committed)
    newcomer.crash()
    host.leave()
    on_line(world)
    world.settle()


@pytest.mark.parametrize("who", ["newcomer", "host", "server"])
def test_a_pairing_is_cut_off_at_every_step(who: str) -> None:
    chance = random.Random(17)
    finished = False
    for count in places(4):
        if finished:
            break
        world = World(100 + count, "alice", "bob")
        alice, bob = world.people
        alice.write(bob, "before")
        world.settle()
        host, newcomer = Host(alice), Newcomer(world, "tablet")
        world.settle()
        joined = newcomer.join(host.code)
        left = count
        while not host.pairing.digits and left > 0:
            left -= 1
            steps(world, 1)
        if host.pairing.digits and joined.digits:
            host.type_digits(host.pairing.digits)
            newcomer.say(joined.confirm())
            finished = not steps(world, left)
        done = joined.stage is Stage.DONE
        strike(world, who, host, newcomer, chance.random() < 0.5)
        if not done:
            again = Host(alice)
            world.settle()
            compare(again, newcomer)
            world.settle()
            assert again.pairing.stage is Stage.DONE, (count, again.pairing.failure)
            again.leave()
        world.publish()
        tablet = newcomer.person()
        bring_up(world)
        chain = chain_of(alice)
        assert [each.name for each in chain.devices] == ["alice", "tablet"], count
        assert chain.seq == 2, f"it was added twice after {count} steps"
        bob.write(alice, "after")
        world.settle()
        for device in (alice, tablet):
            assert device.received() == ["after"], (count, device.name, device.set_aside())
            assert device.history()[0].text == "before", count
    assert finished, "no run was long enough"


@pytest.mark.parametrize("who", ["device", "server", "both"])
def test_a_revocation_is_cut_off_at_every_step(who: str) -> None:
    chance = random.Random(23)
    for count in places(12):
        world = World(200 + count, "alice", "bob")
        alice, bob = world.people
        alice.write(bob, "before")
        world.settle()
        tablet, phone = add_device(alice), add_device(alice, "phone")
        revoke(alice, tablet)
        finished = not steps(world, count)
        if who in ("device", "both"):
            alice.restart()
        if who in ("server", "both"):
            world.crash(committed=chance.random() < 0.5)
        on_line(world)
        world.settle()
        bring_up(world)
        chain = chain_of(alice)
        assert {each.name for each in chain.devices} == {"alice", "phone"}, count
        gone = tablet.keys.device
        for person in (alice, phone, bob):
            for kind in ("self", "direct"):
                assert all(gone not in each for each in members(person, kind)), count
        bob.write(alice, "after")
        world.settle()
        assert alice.received() == phone.received() == ["after"], count
        assert tablet.received() == [], count
        if finished:
            return
    raise AssertionError("no run was long enough")
