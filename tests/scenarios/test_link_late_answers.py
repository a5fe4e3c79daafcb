"""The store answers late: what comes meanwhile waits, is not lost, and is not said twice."""

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.errors import DiskError
from blackthorn.ids import Address, device_id
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.link.fanout import fanout_frame
from blackthorn.ports.parcels import MailboxTallies
from blackthorn.server.ledger.chains import DevicesChanged
from blackthorn.server.messaging import delivery, mailboxes
from tests.support.link_world import World, byes, fill, of


@pytest.fixture
def world() -> World:
    return World(seed=7, devices=4)


def test_what_comes_while_the_store_is_read_is_delivered_after_it(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2)
    wire = receiver.connect(resume=False)
    world.reader.hold(early=True)
    wire.say(f.Resume())
    world.run_wire(wire)
    sender.post([receiver], b"meanwhile")
    world.run_wire(sender.wire)
    world.writer.commit()
    assert not wire.to_device
    world.reader.release()
    world.run_wire(wire)
    assert len(receiver.shown) == 3
    assert receiver.shown[-1] == b"meanwhile"
    assert len(of(receiver, f.Drained)) == 1
    world.settle()
    world.check_all_shown_once()


def test_what_follows_hello_waits_until_the_device_is_known(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2)
    world.reader.hold()
    wire = receiver.connect()
    assert not receiver.heard
    world.reader.release()
    world.settle()
    assert wire.open
    assert len(receiver.shown) == 2


def test_a_link_that_ends_before_its_device_is_known_leaves_nothing(world: World) -> None:
    device = world.devices[0]
    for _ in range(3):
        world.reader.hold()
        wire = device.connect()
        world.cut(wire)
        world.reader.release()
        assert not wire.to_device
    assert world.counters.connections == 0
    assert not world.dispatcher._connections.with_device()


@pytest.mark.parametrize("after", range(3))
def test_a_device_removed_while_it_says_hello_is_not_let_in(world: World, after: int) -> None:
    """Before its record was read, while its mailbox is counted, before its stock was read."""
    device = world.devices[0]
    world.reader.hold(early=True)
    wire = device.connect()
    for _ in range(after):
        answer, done = world.reader._waiting.pop(0)
        done(answer())
    world.database.writing.execute("DELETE FROM devices WHERE number = ?", (device.number,))
    change = DevicesChanged(Address(device.address), (device.id,), ())
    world.dispatcher.user_changed(change)
    world.settle()
    assert not wire.open
    assert byes(device)[0] in (Code.HELLO_REFUSED, Code.REMOVED)
    assert world.dispatcher._mailboxes.find(device.id) is None
    assert world.counters.connections == 0


def test_a_list_told_while_a_member_is_removed_does_not_hold_it(world: World) -> None:
    sender, gone, other = world.devices[:3]
    sender.connect()
    world.settle()
    world.reader.hold(early=True)
    sender.post([gone, other], b"to both")
    world.run_wire(sender.wire)
    world.database.writing.execute("DELETE FROM devices WHERE number = ?", (gone.number,))
    world.dispatcher.user_changed(DevicesChanged(Address(gone.address), (gone.id,), ()))
    world.settle()
    assert world.dispatcher._mailboxes.find(gone.id) is None
    assert not sender.refusals
    assert world.stored(other) == [b"to both"]
    assert world.stored(gone) == []


def test_a_full_mailbox_goes_in_steps_once_its_device_is_removed(world: World) -> None:
    sender, gone = world.devices[:2]
    fill(world, sender, gone, 2)
    gone.connect(resume=False)
    world.settle()
    execute = world.database.writing.execute
    insert = "INSERT INTO mailbox (device, seq, market, sealed) VALUES (?, ?, 'XX', x'00')"
    for seq in range(10_000, 10_000 + 3 * delivery.STEP):
        execute(insert, (gone.number, seq)).fetchall()
    execute("DELETE FROM devices WHERE number = ?", (gone.number,)).fetchall()
    world.dispatcher.user_changed(DevicesChanged(Address(gone.address), (gone.id,), ()))
    count = "SELECT count(*) FROM mailbox WHERE device = ?"
    counted = [execute(count, (gone.number,)).get]
    while world.writer.commit():
        counted.append(execute(count, (gone.number,)).get)
    assert counted == [3 * delivery.STEP + 2, 2 * delivery.STEP + 2, delivery.STEP + 2, 2, 0]


def test_how_a_device_stands_is_read_again_until_the_disk_answers(world: World) -> None:
    sender, other = world.devices[:2]
    other.connect()
    sender.connect()
    world.settle()
    update = "UPDATE devices SET standing = 'pending' WHERE number = ?"
    world.database.writing.execute(update, (other.number,))
    world.reader.fail(DiskError("the disk failed to read or write the database"))
    world.dispatcher.user_changed(DevicesChanged(Address(other.address), (), ()))
    world.settle()
    world.reader.fail(None)
    world.dispatcher.tick(world.now)
    world.settle()
    sender.post([other], b"not yet")
    world.settle()
    assert world.stored(other) == []
    assert [refused.code for refused in sender.refusals] == [Code.RECIPIENT_UNKNOWN]


def test_a_failed_read_ends_the_link_and_the_next_is_served(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2)
    wire = receiver.connect(resume=False)
    world.reader.fail(DiskError("the disk failed to read or write the database"))
    wire.say(f.Resume())
    sender.wire.say(fanout_frame([world.devices[3].id]))
    world.settle()
    assert byes(receiver) == byes(sender) == [Code.STORAGE]
    assert world.counters.storage_failures == 2
    world.reader.fail(None)
    receiver.connect()
    world.settle()
    assert len(receiver.shown) == 2


def test_what_was_acknowledged_before_is_not_delivered_over_a_new_link(world: World) -> None:
    sender, receiver = world.devices[:2]
    receiver.connect()
    sender.connect()
    world.settle()
    sender.post([receiver], b"once")
    world.run_wire(sender.wire)
    world.writer.commit()
    world.run_wire(receiver.wire)
    assert receiver.shown == [b"once"]
    assert world.stored(receiver) == [b"once"], "its deletion waits for company"
    receiver.heard.clear()
    wire = receiver.connect(resume=False)
    world.reader.hold(early=True)
    wire.say(f.Resume())
    world.run_wire(wire)
    world.dispatcher.tick(world.now)
    world.writer.commit()
    assert world.stored(receiver) == []
    world.settle()
    assert not of(receiver, f.Deliver)
    assert of(receiver, f.Drained)


def test_a_superseded_link_is_not_given_what_was_read_for_it(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2)
    old = receiver.connect(resume=False)
    new = receiver.connect(resume=False)
    world.reader.hold()
    old.say(f.Resume())
    world.run_wire(old)
    new.say(f.Resume())
    world.run_wire(new)
    world.reader.release()
    delivered = [[f.decode(data) for data in wire.to_device] for wire in (old, new)]
    assert [type(frame) for frame in delivered[0]] == [f.Superseded]
    assert [type(frame) for frame in delivered[1]] == [f.Deliver, f.Drained]


def test_a_full_mailbox_is_counted_in_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sender, receiver, other = world.devices[:3]
    receiver.aside.add((3).to_bytes(8, "big"))
    receiver.connect()
    fill(world, sender, receiver, 5)
    world.cut(receiver.wire)
    for number in range(20):
        sender.post([receiver, other], b"%d" % number)
    world.settle()
    world.crash(committed=False)
    monkeypatch.setattr(mailboxes, "MailboxTallies", lambda *asked: MailboxTallies(*asked, limit=3))
    asked = world.reader.ask
    queries: list[object] = []
    monkeypatch.setattr(
        world.reader, "ask", lambda query, done: (queries.append(query), asked(query, done))
    )
    sender.connect(again=False)
    sender.wire.say(fanout_frame([other.id, receiver.id]))
    world.settle()
    assert sum(isinstance(query, MailboxTallies) for query in queries) > 41 // 3
    world.check_counts()


def test_what_is_too_old_goes_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "STEP", 2)
    sender, receiver = world.devices[:2]
    receiver.connect()
    receiver.aside.update(number.to_bytes(8, "big") for number in range(5))
    fill(world, sender, receiver, 5)
    assert len(world.stored(receiver)) == 5
    world.dispatcher.start_day(20_000 + 31)
    left = []
    while world.writer.waiting:
        world.writer.commit()
        left.append(len(world.stored(receiver)))
    assert left == [3, 1, 0]
    world.check_counts()


def test_a_mailbox_being_counted_while_its_old_parcels_go_is_counted_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = world.devices[:2]
    receiver.connect()
    receiver.aside.update(number.to_bytes(8, "big") for number in range(5))
    fill(world, sender, receiver, 6)
    world.crash(committed=False)
    world.writer.commit()
    world.reader.hold(early=True)
    receiver.connect()
    answer, done = world.reader._waiting.pop(0)
    done(answer())  # the device is known; its mailbox was counted, and that is not yet told
    world.dispatcher.start_day(20_000 + 31)
    world.writer.commit()
    world.settle()
    assert world.stored(receiver) == []
    world.check_counts()


def test_a_device_that_resumes_again_and_again_is_read_for_once_at_a_time(world: World) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2)
    wire = receiver.connect(resume=False)
    world.reader.hold(early=True)
    wire.say(*[f.Resume()] * 100)
    world.run_wire(wire)
    assert world.reader.waiting == 1
    sender.post([receiver], b"meanwhile")
    world.run_wire(sender.wire)
    world.writer.commit()
    world.settle()
    assert len(receiver.shown) == 3
    assert len(of(receiver, f.Drained)) == 1
    world.check_all_shown_once()


def test_a_new_id_that_is_read_before_it_is_told_has_the_mailbox_of_the_old_one(
    world: World,
) -> None:
    sender, receiver = world.devices[:2]
    fill(world, sender, receiver, 2)
    old, identity = receiver.id, Secret(world.chance.randbytes(32))
    receiver.identity, receiver.key = identity, ED25519.public_key(identity)
    receiver.id = device_id(receiver.key)
    world.by_id[receiver.id] = receiver
    world.database.writing.execute(
        "UPDATE devices SET id = ?, identity_key = ? WHERE number = ?",
        (receiver.id, receiver.key, receiver.number),
    )
    receiver.connect()
    world.run_wire(receiver.wire)
    renamed = ((old, receiver.id),)
    world.dispatcher.user_changed(DevicesChanged(Address(receiver.address), (), renamed))
    sender.post([receiver], b"by the new id")
    world.settle()
    assert receiver.shown[-1] == b"by the new id"
    assert world.stored(receiver) == []
    world.check_counts()
