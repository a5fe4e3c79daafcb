"""Sending (docs/specs/link.md, 4): answers, order, bounds."""

import pytest

from blackthorn import limits
from blackthorn.errors import StorageError
from blackthorn.ids import DeviceId
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from tests.scenarios.link_world import World, of, posting


@pytest.fixture
def world() -> World:
    return World(seed=7, devices=4)


def test_accepted_is_said_only_after_the_commit(world: World) -> None:
    sender, receiver = world.devices[:2]
    for device in (sender, receiver):
        device.connect()
    sender.post([receiver], b"hello")
    world.run_wire(sender.wire)
    assert not of(sender, f.Accepted)
    assert not receiver.shown
    world.settle()
    assert of(sender, f.Accepted)
    assert receiver.shown == [b"hello"]
    world.check_all_shown_once()


def test_one_posting_costs_one_frame_each_way_when_all_are_on_line(world: World) -> None:
    sender, receiver = world.devices[:2]
    for device in (sender, receiver):
        device.connect()
    sender.post([receiver], b"0")
    world.settle()
    wire = sender.wire
    wire.say(f.Send([posting(world, sender, receiver, b"%d" % n) for n in range(1, 100)]))
    sender.heard.clear()
    receiver.heard.clear()
    world.settle()
    assert [len(frame.ids) for frame in of(sender, f.Accepted)] == [99]
    assert [len(frame.parcels) for frame in of(receiver, f.Deliver)] == [99]
    assert receiver.shown == [b"%d" % number for number in range(100)]


def test_an_unknown_list_sends_back_what_follows_so_that_the_order_stays(world: World) -> None:
    sender, one, two = world.devices[:3]
    one.connect()
    two.connect()
    wire = sender.connect()
    wire.say(fanout_frame([one.id]))
    sends = [
        posting(world, sender, one, b"first"),
        posting(world, sender, two, b"second"),
        posting(world, sender, one, b"third"),
    ]
    wire.say(f.Send(sends))
    world.run_wire(wire)
    (asked,) = of(sender, f.FanoutUnknown)
    assert asked.fanouts == [fanout_frame([two.id]).id]
    assert asked.postings == [sends[1].id, sends[2].id]
    world.settle()
    assert one.shown == [b"first", b"third"]
    assert two.shown == [b"second"]


def test_a_recipient_that_does_not_exist_is_named(world: World) -> None:
    sender, receiver = world.devices[:2]
    sender.connect()
    ghost = DeviceId(b"\xab" * 16)
    fanout = fanout_frame([receiver.id, ghost]).id
    sender.audience[fanout] = (receiver.id, ghost)
    made = f.Posting(bytes(16), [f.Parcel(fanout, b"x")])
    sender.outbox[made.id] = made
    sender.wire.say(f.Send([made]))
    world.settle()
    (refused,) = sender.refusals
    assert refused.code == "recipient-unknown"
    assert "ab" * 16 in refused.text
    assert world.stored(receiver) == []


def test_a_full_mailbox_refuses_and_takes_again_when_it_has_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_MAILBOX_PARCELS", 3)
    sender, receiver = world.devices[:2]
    sender.connect()
    for number in range(5):
        sender.post([receiver], b"%d" % number)
        world.settle()
    assert [refused.code for refused in sender.refusals] == ["mailbox-full"] * 2
    world.check_nothing_lost()
    receiver.connect()
    world.settle()
    sender.post([receiver], b"last")
    world.settle()
    assert receiver.shown == [b"0", b"1", b"2", b"last"]


def test_a_full_disk_refuses_and_heals(world: World) -> None:
    sender, receiver = world.devices[:2]
    receiver.connect()
    sender.connect()
    world.writer.fail(StorageError("the disk is full: nothing was stored; free some space"))
    sender.post([receiver], b"hello")
    world.run_wire(sender.wire)
    world.writer.commit()
    world.run_wire(sender.wire)
    assert [refused.code for refused in sender.refusals] == ["storage"]
    world.writer.fail(None)
    sender.connect()
    world.settle()
    assert receiver.shown == [b"hello"]
    world.check_counts()


def test_a_sender_with_too_much_unanswered_is_made_to_wait(world: World) -> None:
    sender, receiver = world.devices[:2]
    sender.connect()
    for _ in range(3):
        sender.post([receiver], bytes(limits.MAX_PARCEL_BYTES - 64))
    sender.wire.say(fanout_frame([receiver.id]))
    world.run_wire(sender.wire)
    assert not sender.wire.reading
    world.settle()
    assert sender.wire.reading
    assert len(world.stored(receiver)) == 3
