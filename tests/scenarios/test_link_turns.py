"""Fair queues (server/budgets/turns.py): users take turns, and what is urgent goes first."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.server.budgets import limits
from tests.support.link_world import Device, Wire, World, fill, of

FRAME = 0.001
"""Seconds that each frame takes."""

SLICE = round(limits.MAX_SLICE_SECONDS / FRAME)


class Stopwatch:
    """A loop on which each frame takes the same time, and whose turns the test begins."""

    def __init__(self) -> None:
        self.now = 0.0
        self.planned: list[Callable[[], None]] = []

    def seconds(self) -> float:
        self.now += FRAME + 1e-9
        return self.now

    def soon(self, call: Callable[[], None]) -> None:
        self.planned.append(call)

    def turn(self) -> None:
        planned, self.planned = self.planned, []
        for call in planned:
            call()


@pytest.fixture
def world() -> World:
    return World(seed=7, devices=4)


def on_line(world: World, *devices: Device) -> Stopwatch:
    """The devices connect; from then on the server takes turns."""
    for device in devices:
        device.connect()
        world.settle()
        device.heard.clear()
    pace = Stopwatch()
    world.dispatcher.take_turns(pace)
    return pace


def arrive(world: World, wire: Wire, *frames: f.AnyFrame) -> None:
    """The frames come in one read of the socket, and what the server says is heard."""
    for frame in frames:
        world.dispatcher.receive(wire.session, wire.link.send(frame), world.now)
    hear(world, wire)


def hear(world: World, wire: Wire) -> None:
    while world.step_wire(wire, to_server=False):
        pass


def pings(number: int, first: int = 0) -> list[f.Ping]:
    return [f.Ping(nonce) for nonce in range(first, first + number)]


def nonces(device: Device) -> list[int]:
    return [pong.nonce for pong in of(device, f.Pong)]


def test_a_flood_waits_for_its_turn_and_others_do_not(world: World) -> None:
    flood, honest = world.devices[:2]
    pace = on_line(world, flood, honest)
    arrive(world, flood.wire, *pings(100))
    assert len(nonces(flood)) == SLICE and not flood.wire.reading
    arrive(world, honest.wire, *pings(1))
    assert nonces(honest) == [0] and honest.wire.reading
    for turn in range(2, 5):
        pace.turn()
        hear(world, flood.wire)
        assert len(nonces(flood)) == turn * SLICE
        arrive(world, honest.wire, *pings(1, turn))
        assert nonces(honest)[-1] == turn
    for _ in range(100):
        pace.turn()
        hear(world, flood.wire)
    assert nonces(flood) == list(range(100)), "all of it is served, in order"
    assert flood.wire.reading


def test_all_who_flood_get_the_same_and_shorter_slices(world: World) -> None:
    pace = on_line(world, *world.devices)
    for device in world.devices:
        arrive(world, device.wire, *pings(200))
    for _ in range(20):
        pace.turn()
    for device in world.devices:
        hear(world, device.wire)
    served = [len(nonces(device)) for device in world.devices]
    assert max(served) - min(served) <= SLICE
    assert sum(served) <= SLICE * 4 + 20 * (limits.MAX_TURN_SECONDS / FRAME + 4)


def test_another_device_brings_its_user_no_more_time(world: World) -> None:
    first, second, other = world.devices[:3]
    pace = on_line(world, first, second, other)
    for device in (first, second):
        session = device.wire.session
        session.device = replace(session.device, address=Address("eve@acme.example"))
    for device in (first, second, other):
        arrive(world, device.wire, *pings(200))
    for _ in range(20):
        pace.turn()
    for device in (first, second, other):
        hear(world, device.wire)
    mine, others = len(nonces(first)) + len(nonces(second)), len(nonces(other))
    assert abs(mine - others) <= 2 * SLICE
    assert min(len(nonces(first)), len(nonces(second))) > 0.3 * mine, "its devices take turns"


def test_acknowledgements_go_before_what_is_queued(world: World) -> None:
    sender, receiver = world.devices[:2]
    receiver.connect(resume=False)
    fill(world, sender, receiver, 3)
    wire = receiver.wire
    world.dispatcher.take_turns(Stopwatch())
    arrive(world, wire, f.Resume())
    world.dispatcher.take_turns(Stopwatch())
    wire.to_server.clear()
    arrive(world, wire, *pings(50), f.Acknowledge([1, 2, 3]))
    assert len(nonces(receiver)) == SLICE, "the pings wait"
    world.dispatcher.tick(world.now)
    world.writer.commit()
    assert world.stored(receiver) == []


def test_what_a_closed_connection_has_queued_is_not_served(world: World) -> None:
    flood = world.devices[0]
    pace = on_line(world, flood)
    arrive(world, flood.wire, *pings(50))
    session = flood.wire.session
    assert session.backlog
    world.cut(flood.wire)
    before = pace.now
    for _ in range(20):
        pace.turn()
    assert pace.now == before, "no frame was served"
    assert not session.backlog
