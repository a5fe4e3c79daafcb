"""Opening, silence, ending: who may hold a link, and for how long."""

import pytest

from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.link.hello import sign_hello
from blackthorn.server import limits as server_limits
from blackthorn.server.handlers import limits
from blackthorn.server.messaging import limits as messaging_limits
from tests.support.link_world import Device, Wire, World, byes, of


@pytest.fixture
def world() -> World:
    return World(seed=7, devices=4)


def opening(world: World, device: Device, hello: f.AnyFrame) -> Wire:
    wire = Wire(world, device)
    world.wires.append(wire)
    wire.say(hello)
    world.run_wire(wire)
    return wire


def test_a_hello_over_another_connection_is_refused_like_an_unknown_device(world: World) -> None:
    device = world.devices[0]
    replayed = sign_hello(device.identity, b"the binding of another connection")
    unknown = f.Hello(1, bytes(16), bytes(64))
    for hello in (replayed, unknown):
        opening(world, device, hello)
    assert of(device, f.Bye) == [f.Bye("hello-refused", Code.HELLO_REFUSED.meaning)] * 2
    assert world.counters.hellos_refused == 2


def test_another_version_is_told_so(world: World) -> None:
    device = world.devices[0]
    opening(world, device, f.Hello(9, device.id, bytes(64)))
    assert byes(device) == ["version"]


def test_who_does_not_open_in_time_is_cut(world: World) -> None:
    wire = Wire(world, world.devices[0])
    world.dispatcher.tick(world.now + link_limits.LINK_HELLO_SECONDS)
    assert wire.open
    world.dispatcher.tick(world.now + link_limits.LINK_HELLO_SECONDS + 0.1)
    assert not wire.open
    assert f.decode(wire.to_device.popleft()).code == "too-slow"


def test_before_hello_frames_are_small(world: World) -> None:
    device = world.devices[0]
    wire = Wire(world, device)
    world.dispatcher.receive(wire.session, bytes(limits.MAX_OPENING_FRAME_BYTES + 1), world.now)
    assert f.decode(wire.to_device.popleft()).code == "too-large"
    assert not wire.open


def test_a_device_that_finds_no_place_at_the_gate_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wire, "recognise", lambda wire, device: False)
    device = world.devices[0]
    wire = Wire(world, device)
    world.wires.append(wire)
    wire.say(sign_hello(device.identity, wire.binding))
    world.run_wire(wire)
    assert byes(device) == ["busy"] and not wire.open
    assert world.counters.hellos_refused == 1


def test_the_oldest_link_of_a_device_gives_way_to_one_too_many(world: World) -> None:
    device = world.devices[0]
    wires = [device.connect() for _ in range(limits.MAX_LINKS_PER_DEVICE + 1)]
    assert [wire.open for wire in wires] == [False] + [True] * limits.MAX_LINKS_PER_DEVICE
    assert world.counters.connections == limits.MAX_LINKS_PER_DEVICE


def test_a_silent_device_is_cut_and_a_pinging_one_is_not(world: World) -> None:
    silent, pinging = world.devices[0].connect(), world.devices[1].connect()
    world.settle()
    world.now += link_limits.LINK_IDLE_SECONDS - 1
    pinging.say(f.Ping(5))
    world.settle()
    world.now += 20
    world.settle()
    world.settle()
    assert (silent.open, pinging.open) == (False, True)
    assert byes(world.devices[0]) == ["idle"]
    assert f.Pong(5) in world.devices[1].heard


def test_too_many_connections_are_turned_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_limits, "MAX_CONNECTIONS", 2)
    world.devices[0].connect()
    world.devices[1].connect()
    refused = Wire(world, world.devices[2])
    assert not refused.open
    assert f.decode(refused.to_device.popleft()).code == "busy"
    assert world.counters.connections == 2


def test_a_users_devices_that_receive_are_told_of_mail(world: World) -> None:
    device, other = world.devices[:2]
    device.connect()
    other.connect(resume=False)
    world.settle()
    for each in (device, other):
        world.dispatcher.notify_user(Address(each.address), f.MailArrived(9))
    world.dispatcher.notify_user(Address("nobody@acme.example"), f.MailArrived(9))
    world.settle()
    assert of(device, f.MailArrived) == [f.MailArrived(9)]
    assert not of(other, f.MailArrived)


def test_a_removed_device_is_cut_and_its_lists_are_forgotten(world: World) -> None:
    sender, receiver = world.devices[:2]
    sender.connect()
    receiver.connect()
    sender.post([receiver], b"before")
    world.settle()
    world.database.writing.execute("DELETE FROM devices WHERE number = ?", (receiver.number,))
    world.enterprise.forget(Address(receiver.address))
    world.dispatcher.device_removed(receiver.id)
    world.settle()
    assert byes(receiver) == ["removed"]
    sender.post([receiver], b"after")
    world.settle()
    assert [refused.code for refused in sender.refusals] == ["recipient-unknown"]


def test_stopping_tells_all_and_takes_nobody(world: World) -> None:
    wire = world.devices[0].connect()
    world.settle()
    world.dispatcher.stop()
    assert f.decode(wire.to_device.pop()).code == "stopping"
    late = Wire(world, world.devices[1])
    assert f.decode(late.to_device.pop()).code == "stopping"


def test_a_fault_of_a_handler_ends_that_session_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = world.devices[0].connect(), world.devices[1].connect()
    world.settle()

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(world.dispatcher._handlers, f.Ping, broken)
    bad.say(f.Ping(1))
    with pytest.raises(ZeroDivisionError):
        world.run_wire(bad)
    world.run_wire(bad)
    assert byes(world.devices[0]) == ["internal"]
    assert good.open


def test_fanout_lists_are_bounded_and_asked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "MAX_FANOUTS", 2)
    sender = world.devices[0]
    sender.connect()
    for device in (*world.devices, *world.devices):
        sender.post([device], b"to %d" % device.number)
        world.settle()
    assert len(world.dispatcher._submission._fanouts) == 2
    assert len(of(sender, f.FanoutUnknown)) == 8
    world.check_nothing_lost()
