"""Receiving (docs/specs/link.md, 5): the window, superseding, setting aside, stalling."""

from typing import Any

import pytest

from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.session import State
from blackthorn.ports.parcels import RemoveParcels, RemoveUndecryptable
from blackthorn.server.handlers import limits
from blackthorn.server.messaging import delivery
from blackthorn.server.messaging import limits as messaging_limits
from tests.support.link_world import Device, World, fill, of, posting
from tests.support.mailbox_limits import limit_mailboxes


@pytest.fixture
def world() -> World:
    return World(seed=7, devices=4)


def test_no_more_is_delivered_than_the_window_holds(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, link_limits.MAX_UNACKNOWLEDGED_PARCELS + 100)
    wire = receiver.connect()
    world.step_wire(wire, to_server=True)
    delivered = [f.decode(data) for data in wire.to_device]
    assert sum(len(frame.parcels) for frame in delivered) == link_limits.MAX_UNACKNOWLEDGED_PARCELS
    sender.post([receiver], b"a new one")
    world.run_wire(sender.wire)
    world.writer.commit()
    assert len(wire.to_device) == len(delivered), "the new one must wait for its turn"
    world.settle()
    assert len(receiver.shown) == link_limits.MAX_UNACKNOWLEDGED_PARCELS + 101
    assert receiver.shown[-1] == b"a new one"
    world.check_all_shown_once()


def test_large_parcels_come_in_frames_that_fit(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 20, size=300_000)
    wire = receiver.connect()
    world.step_wire(wire, to_server=True)
    for data in wire.to_device:
        assert len(data) <= link_limits.MAX_FRAME_BYTES
    world.settle()
    assert len(receiver.shown) == 20


def test_drained_comes_after_all_that_waited(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2_000)
    receiver.connect()
    world.settle()
    kinds = [type(frame) for frame in receiver.heard]
    assert kinds.count(f.Drained) == 1
    last = max(index for index, kind in enumerate(kinds) if kind is f.Deliver)
    assert kinds.index(f.Drained) > last


def test_the_newest_connection_receives_and_the_older_may_still_send(world: World) -> None:
    device, other = world.devices[:2]
    old = device.connect()
    world.settle()
    device.connect()
    world.settle()
    assert of(device, f.Superseded)
    assert old.link.state is State.SUPERSEDED
    other.connect()
    other.post([device], b"hello")
    old.say(fanout_frame([other.id]), f.Send([posting(world, device, other, b"from the old")]))
    world.settle()
    assert device.shown == [b"hello"]
    assert other.shown == [b"from the old"]


@pytest.mark.parametrize("set_aside", [False, True])
def test_a_repeated_resume_reads_nothing(world: World, set_aside: bool) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, link_limits.MAX_UNACKNOWLEDGED_PARCELS + 100)
    wire = receiver.connect(resume=False)
    resume = f.Resume(set_aside)
    wire.say(*[resume] * 100)
    while world.step_wire(wire, to_server=True):
        pass
    delivered = [f.decode(data) for data in wire.to_device]
    assert sum(len(frame.parcels) for frame in delivered) == link_limits.MAX_UNACKNOWLEDGED_PARCELS
    world.settle()
    assert len(receiver.shown) == link_limits.MAX_UNACKNOWLEDGED_PARCELS + 100
    assert len(of(receiver, f.Drained)) == 1, "one answer to all that came while it was served"
    read, receiver.heard[:] = world.reader.answered, []
    wire.say(*[resume] * 100)
    world.settle()
    assert world.reader.answered == read
    assert [type(frame) for frame in receiver.heard] == [f.Drained] * 100


def test_what_is_set_aside_is_marked_in_parts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MARK_GROUP", 4)
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 10)
    receiver.aside.update(world.stored(receiver))
    world.run_wire(receiver.connect())
    world.dispatcher.tick(world.now)
    mailbox = world.dispatcher._mailboxes.find(receiver.id)
    assert mailbox is not None
    marked = []
    while mailbox.undecryptable.parcels < 10:
        assert world.writer.commit() == 1
        marked.append(mailbox.undecryptable.parcels)
    assert marked == [4, 8, 10]
    world.check_counts()


def test_what_another_connection_delivered_cannot_be_acknowledged(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 3)
    receiver.connect(resume=False)
    receiver.wire.link._enter(State.RECEIVING)
    receiver.wire.session.link._enter(State.RECEIVING)
    receiver.wire.say(f.Acknowledge([1, 2, 3]))
    world.settle()
    assert len(world.stored(receiver)) == 3


def test_what_is_set_aside_is_kept_asked_for_and_at_last_deleted(world: World) -> None:
    sender, receiver = world.devices[:2]
    receiver.connect()
    receiver.aside.add(bytes(8))
    fill(world, sender, receiver, 3)
    assert world.stored(receiver) == [bytes(8)]
    receiver.connect()
    world.settle()
    assert len(receiver.shown) == 2
    receiver.aside.clear()
    receiver.wire.say(f.Resume(set_aside=True))
    receiver.wire.ordered = False
    world.settle()
    assert receiver.shown[-1] == bytes(8)
    receiver.aside.add(b"never opened")
    sender.post([receiver], b"never opened")
    world.settle()
    world.dispatcher.start_day(20_000 + messaging_limits.UNDECRYPTABLE_DAYS)
    world.settle()
    assert world.stored(receiver) == [b"never opened"]
    world.dispatcher.start_day(20_001 + messaging_limits.UNDECRYPTABLE_DAYS)
    world.settle()
    assert world.stored(receiver) == []
    world.check_counts()


def test_what_is_set_aside_fills_no_mailbox_and_the_oldest_goes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_mailboxes(monkeypatch, 5)
    monkeypatch.setattr(messaging_limits, "MAX_UNDECRYPTABLE_PARCELS", 8)
    sender, receiver = world.devices[:2]
    sender.connect()
    receiver.connect()
    world.devices[2].connect()
    junk = [b"junk %d" % number for number in range(20)]
    receiver.aside.update(junk)
    for content in junk:
        sender.post([receiver, world.devices[2]], content)
        world.settle()
        world.check_counts()
    assert not sender.refusals
    kept = world.stored(receiver)
    assert kept == junk[-len(kept) :]
    assert 6 <= len(kept) <= 8
    receiver.aside.clear()
    receiver.wire.ordered = False
    receiver.wire.say(f.Resume(set_aside=True))
    world.settle()
    assert receiver.shown == kept
    assert world.stored(receiver) == []
    world.check_counts()
    world.check_nothing_shared()


def test_what_is_kept_is_counted_where_it_lies_and_not_by_what_is_on_its_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = world.devices[:2]
    sender.connect()
    receiver.connect()
    junk = [b"junk %d" % number for number in range(9)]
    receiver.aside.update(junk)
    for content in junk:
        sender.post([receiver], content)
    world.settle()
    monkeypatch.setattr(messaging_limits, "MAX_UNDECRYPTABLE_PARCELS", 8)
    rows = world.database.reading.execute("SELECT device, seq FROM mailbox ORDER BY seq").fetchall()
    delivery, mailbox = world.dispatcher._delivery, world.dispatcher._mailboxes.find(receiver.id)
    assert mailbox is not None
    world.writer.submit(RemoveUndecryptable(rows[:4]), delivery.mailboxes.remove_undecryptable)
    delivery._trim(mailbox)
    world.settle()
    assert world.stored(receiver) == junk[4:]
    world.check_counts()


def test_what_is_set_aside_is_bounded_in_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "MAX_UNDECRYPTABLE_BYTES", 10_000)
    sender, receiver = world.devices[:2]
    receiver.connect()
    junk = [bytes([number]) * 3_000 for number in range(6)]
    receiver.aside.update(junk)
    sender.connect()
    for content in junk:
        sender.post([receiver], content)
        world.settle()
    assert world.stored(receiver) == junk[-3:] or world.stored(receiver) == junk[-2:]
    world.check_counts()


def test_an_acknowledged_parcel_does_not_come_again_before_its_deletion(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 3)
    receiver.connect()
    world.run_wire(receiver.wire)
    assert len(world.stored(receiver)) == 3, "the deletion waits for company"
    receiver.connect()
    receiver.heard.clear()
    world.run_wire(receiver.wire)
    assert of(receiver, f.Drained) and not of(receiver, f.Deliver)
    world.settle()
    assert world.stored(receiver) == []


def test_who_does_not_read_gets_nothing_more_and_is_cut(world: World) -> None:
    sender, receiver = world.devices[:2]
    wire = receiver.connect()
    world.settle()
    world.dispatcher.pause(wire.session, world.now)
    assert not wire.reading
    fill(world, sender, receiver, 5)
    assert not wire.to_device
    world.now += limits.LINK_WRITE_SECONDS + 1
    world.dispatcher.tick(world.now)
    assert not wire.open
    assert f.decode(wire.to_device.pop()).code == "not-reading"
    world.cut(wire)
    receiver.connect()
    world.settle()
    assert len(receiver.shown) == 5


def test_what_came_before_a_peer_was_made_to_wait_is_served_when_it_reads(world: World) -> None:
    """Frames that were read together with the one that filled the buffer."""
    device = world.devices[0]
    wire = device.connect()
    world.settle()
    device.heard.clear()
    world.dispatcher.pause(wire.session, world.now)
    for number in range(3):
        world.dispatcher.receive(wire.session, wire.link.send(f.Ping(number)), world.now)
    assert not wire.to_device
    world.dispatcher.unpause(wire.session)
    assert wire.reading
    world.settle()
    assert device.heard == [f.Pong(0), f.Pong(1), f.Pong(2)]


def test_who_sends_without_end_and_does_not_read_is_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_QUEUED_BYTES", 10 * limits.MIN_QUEUED_BYTES)
    device = world.devices[0]
    wire = device.connect()
    world.settle()
    world.dispatcher.pause(wire.session, world.now)
    for number in range(11):
        world.dispatcher.receive(wire.session, wire.link.send(f.Ping(number)), world.now)
    assert not wire.open
    assert f.decode(wire.to_device.pop()).code == "not-reading"


def test_one_claim_of_a_device_is_answered_at_a_time(world: World) -> None:
    device = world.devices[0]
    wire = device.connect()
    world.settle()
    for number in range(3):
        claim = wire.link.send(f.ClaimKeyPackages(number, [world.devices[1].address]))
        world.dispatcher.receive(wire.session, claim, world.now)
    assert world.writer.waiting == 1
    assert not wire.reading
    world.settle()
    assert [answer.request for answer in of(device, f.KeyPackages)] == [0, 1, 2]
    assert wire.reading


def test_who_reads_again_gets_what_he_missed(world: World) -> None:
    sender, receiver = world.devices[:2]
    wire = receiver.connect()
    world.settle()
    world.dispatcher.pause(wire.session, world.now)
    fill(world, sender, receiver, 5)
    world.dispatcher.unpause(wire.session)
    world.settle()
    assert len(receiver.shown) == 5
    assert wire.reading


def numbers(device: Device) -> list[int]:
    return [parcel.seq for frame in of(device, f.Deliver) for parcel in frame.parcels]


def test_numbers_count_within_a_mailbox_and_tell_nothing_of_others(world: World) -> None:
    sender, first, second, third = world.devices
    for device in (sender, first, second):
        device.connect()
    world.settle()
    for count in range(5):
        sender.post([first], b"%d" % count)
        world.settle()
    sender.post([first, second, third], b"to all", b"and again")
    sender.post([second], b"to one")
    world.settle()
    assert numbers(first) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(second) == [1, 2, 3]
    third.connect()
    world.settle()
    assert numbers(third) == [1, 2]
    world.check_all_shown_once()


def test_after_a_restart_numbers_go_on_above_what_waits(world: World) -> None:
    sender, receiver = world.devices[:2]
    receiver.aside.add(b"kept aside")
    receiver.connect()
    sender.connect()
    world.settle()
    for sealed in (b"one", b"kept aside", b"three"):
        sender.post([receiver], sealed)
    world.settle()
    world.crash(committed=True)
    sender.connect()
    sender.post([receiver], b"four")
    world.settle()
    assert world.stored(receiver) == [b"kept aside", b"four"]
    receiver.connect()
    world.settle()
    assert numbers(receiver) == [1, 2, 3, 3]
    assert receiver.shown == [b"one", b"three", b"four"]
    world.check_nothing_lost()


def test_what_is_acknowledged_is_deleted_in_commands_of_bounded_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "MAX_REMOVED_BYTES", 100)
    sender, receiver = world.devices[:2]
    removed: list[int] = []
    submit = world.writer.submit

    def spy(command: Any, done: Any) -> None:
        if isinstance(command, RemoveParcels):
            removed.append(len(command.places))
        submit(command, done)

    monkeypatch.setattr(world.writer, "submit", spy)
    sender.connect()
    world.settle()
    for size in (40, 41, 42, 300, 43, 44):
        sender.post([receiver], bytes(size))
    world.settle()
    receiver.connect()
    world.settle()
    assert removed == [2, 1, 1, 2]
    world.check_all_shown_once()
    world.check_counts()
