"""Sending (docs/specs/link.md, 4): answers, order, bounds."""

import pytest

from blackthorn.errors import StorageError
from blackthorn.ids import DeviceId
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.fanout import fanout_frame
from blackthorn.server.handlers import limits
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.server.messaging.fanouts import MISSING_COST
from tests.support.link_world import Device, World, byes, fill, of, posting
from tests.support.mailbox_limits import limit_mailboxes


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


def test_a_frame_makes_no_more_than_so_many_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "MAX_PLACES_PER_FRAME", 8)
    sender, *receivers = world.devices
    for device in world.devices:
        device.connect()
    sender.post(receivers, b"0")
    world.settle()
    sends = [posting(world, sender, receivers, b"%d" % number) for number in range(1, 11)]
    sender.wire.say(f.Send(sends))
    world.step_wire(sender.wire, to_server=True)
    assert world.writer.commit() == 1
    assert [len(world.stored(receiver)) for receiver in receivers] == [3, 3, 3]
    world.settle()
    asked = [(frame.fanouts, len(frame.postings)) for frame in of(sender, f.FanoutUnknown)]
    assert asked[1:] == [([], 7), ([], 4), ([], 1)]
    for receiver in receivers:
        assert receiver.shown == [b"%d" % number for number in range(11)]


def test_users_are_stored_in_turn_in_groups_of_bounded_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "GROUP_ROWS", 8)
    monkeypatch.setattr(messaging_limits, "USER_GROUP_ROWS", 4)
    flood, honest, *receivers = world.devices
    for device in world.devices:
        device.connect()
    for sender in (flood, honest):
        sender.post(receivers, b"first of %d" % sender.number)
    world.settle()
    flood.wire.say(f.Send([posting(world, flood, receivers, b"%d" % n) for n in range(50)]))
    world.run_wire(flood.wire)
    honest.wire.say(f.Send([posting(world, honest, receivers, b"honest")]))
    world.run_wire(honest.wire)
    honest.heard.clear()
    commits = 0
    while not of(honest, f.Accepted):
        assert world.writer.commit() == 1
        world.run_wire(honest.wire)
        commits += 1
    assert commits <= 2
    most = (8 + 4) // len(receivers)
    assert max(len(world.stored(receiver)) for receiver in receivers) <= commits * most
    world.settle()
    for receiver in receivers:
        flooded = [text for text in receiver.shown if text.isdigit()]
        assert flooded == [b"%d" % n for n in range(50)], "in order"
    world.check_counts()


def to_all(world: World, sender: Device, *receivers: bytes) -> f.Posting:
    """A posting to these device ids, which need not exist, sent at once."""
    told = fanout_frame([DeviceId(each) for each in receivers])
    made = f.Posting(world.chance.randbytes(16), [f.Parcel(told.id, b"x")])
    sender.wire.say(told, f.Send([made]))
    world.settle()
    return made


GHOST = b"\xab" * 16


def test_a_posting_for_nobody_who_exists_is_refused_and_names_him(world: World) -> None:
    sender = world.devices[0]
    sender.connect()
    to_all(world, sender, GHOST)
    to_all(world, sender, GHOST, sender.id)
    assert [refused.code for refused in sender.refusals] == ["recipient-unknown"] * 2
    assert all("ab" * 16 in refused.text for refused in sender.refusals)
    assert world.stored(sender) == []


def test_a_device_that_does_not_exist_keeps_the_others_from_nothing(world: World) -> None:
    sender, receiver = world.devices[:2]
    sender.connect()
    made = to_all(world, sender, receiver.id, GHOST)
    left_out = [f.LeftOut("recipient-unknown", [GHOST])]
    assert of(sender, f.Accepted) == [f.Accepted([made.id], left_out)]
    assert world.stored(receiver) == [b"x"]
    world.check_counts()


def test_who_names_devices_without_end_that_do_not_exist_is_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "MAX_MISSING_NAMED", 1000)
    sender = world.devices[0]
    wire = sender.connect()
    for _ in range(3):
        wire.say(fanout_frame([DeviceId(world.chance.randbytes(16)) for _ in range(500)]))
    world.settle()
    assert byes(sender) == ["recipient-unknown"]
    assert world.dispatcher._submission._fanouts._devices <= 2 * 500 * MISSING_COST


def test_a_full_mailbox_of_one_keeps_the_others_from_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, full, other = world.devices[:3]
    limit_mailboxes(monkeypatch, 3)
    fill(world, sender, full, 3)
    made = to_all(world, sender, full.id, other.id)
    left_out = [f.LeftOut("mailbox-full", [full.id])]
    assert of(sender, f.Accepted)[-1] == f.Accepted([made.id], left_out)
    assert (len(world.stored(full)), world.stored(other)) == (3, [b"x"])
    to_all(world, sender, full.id, sender.id)
    assert [refused.code for refused in sender.refusals] == ["mailbox-full"]
    world.check_counts()


def test_postings_that_leave_out_the_same_devices_share_an_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, full, other = world.devices[:3]
    limit_mailboxes(monkeypatch, 20)
    fill(world, sender, full, 20)
    told = [
        fanout_frame([full.id, other.id]),
        fanout_frame([other.id]),
        fanout_frame([GHOST, full.id, other.id]),
    ]
    names = [bytes([number]) * 16 for number in range(6)]
    made = [f.Posting(name, [f.Parcel(told[n // 2].id, name)]) for n, name in enumerate(names)]
    sender.heard.clear()
    sender.wire.say(*told, f.Send(made))
    world.settle()
    is_full, unknown = f.LeftOut("mailbox-full", [full.id]), f.LeftOut("recipient-unknown", [GHOST])
    assert of(sender, f.Accepted) == [
        f.Accepted(names[:2], [is_full]),
        f.Accepted(names[2:4]),
        f.Accepted(names[4:], [unknown, is_full]),
    ]
    assert len(world.stored(other)) == 6
    world.check_counts()


def test_a_mailbox_is_bounded_in_bytes_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_mailboxes(monkeypatch, 1_000)
    monkeypatch.setattr(messaging_limits, "MAX_MAILBOX_BYTES", 10_000)
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 4, size=3_000)
    assert [refused.code for refused in sender.refusals] == ["mailbox-full"]
    receiver.connect()
    world.settle()
    sender.post([receiver], bytes(9_000))
    world.settle()
    assert len(receiver.shown) == 4
    world.check_counts()


def test_small_postings_are_charged_what_they_cost_in_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 1)
    monkeypatch.setattr(limits, "MAX_UNANSWERED_BYTES", 100 * messaging_limits.MIN_CHARGED_BYTES)
    sender.wire.say(f.Send([posting(world, sender, receiver, b"%d" % n) for n in range(101)]))
    world.step_wire(sender.wire, to_server=True)
    assert not sender.wire.reading
    world.settle()
    assert sender.wire.reading
    assert len(world.stored(receiver)) == 102


def test_while_the_disk_is_short_postings_wait_and_acknowledgements_do_not(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2)
    world.dispatcher.disk_is_short(True)
    sender.post([receiver], b"hello")
    receiver.connect()
    world.settle()
    assert [refused.code for refused in sender.refusals] == ["storage"]
    assert world.stored(receiver) == []
    world.dispatcher.disk_is_short(False)
    sender.connect()
    world.settle()
    assert receiver.shown[-1] == b"hello"


def test_a_full_mailbox_refuses_and_takes_again_when_it_has_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_mailboxes(monkeypatch, 3)
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
        sender.post([receiver], bytes(link_limits.MAX_PARCEL_BYTES - 64))
    sender.wire.say(fanout_frame([receiver.id]))
    world.run_wire(sender.wire)
    assert not sender.wire.reading
    world.settle()
    assert sender.wire.reading
    assert len(world.stored(receiver)) == 3
