"""Commits (docs/specs/link.md, 4): one wins at each epoch, and is known again."""

import hashlib

import pytest

from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.storage import limits as storage_limits
from tests.support.link_world import Device, World, fill, of
from tests.support.mailbox_limits import limit_mailboxes


@pytest.fixture
def world() -> World:
    return World(seed=7, devices=4)


def commit(world: World, device: Device, epoch: int, *contents: bytes) -> f.Posting:
    order = f.Order(b"h" * 32, epoch, world.chance.randbytes(16))
    return device.post(world.devices, *contents, order=order)


def test_of_two_commits_at_one_epoch_one_wins_whole_and_one_loses_whole(world: World) -> None:
    first, second = world.devices[:2]
    for device in world.devices:
        device.connect()
    commit(world, first, 5, b"commit of first", b"welcome of first")
    commit(world, second, 5, b"commit of second", b"welcome of second")
    world.settle()
    winner = world.accepted_postings[0][0]
    loser = second if winner is first else first
    assert len(world.accepted_postings) == 1
    assert [refused.code for refused in loser.refusals] == ["epoch-taken"]
    name = b"first" if winner is first else b"second"
    digest = hashlib.sha256(b"commit of " + name).digest()
    assert [refused.winner for refused in loser.refusals] == [digest]
    for device in world.devices:
        assert device.shown == [b"commit of " + name, b"welcome of " + name]


def test_a_commit_whose_answer_was_lost_is_accepted_again_and_stored_once(world: World) -> None:
    first, second = world.devices[:2]
    first.connect()
    world.settle()
    commit(world, first, 0, b"commit")
    world.run_wire(first.wire)
    world.crash(committed=True)
    second.connect()
    commit(world, second, 1, b"the next one")
    world.settle()
    first.connect()
    world.settle()
    assert not first.outbox
    assert first.shown == [b"commit", b"the next one"]
    assert world.stored(world.devices[2]) == [b"commit", b"the next one"]


@pytest.mark.parametrize("obstacle", ["full", "short disk", "removed", "not yet durable"])
def test_a_commit_is_accepted_again_whatever_has_happened_since(
    world: World, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    first, second = world.devices[:2]
    first.connect()
    order = f.Order(b"h" * 32, 0, bytes(16))
    first.post([second], b"earlier")
    world.settle()
    first.post([second], b"commit", order=order)
    world.run_wire(first.wire)
    if obstacle != "not yet durable":
        world.writer.commit()
    world.cut(first.wire)
    if obstacle == "short disk":
        world.dispatcher.disk_is_short(True)
    elif obstacle == "removed":
        world.database.writing.execute("DELETE FROM devices WHERE number = ?", (second.number,))
        world.enterprise.forget(Address(second.address))
        world.dispatcher.device_removed(second.id)
    else:
        limit_mailboxes(monkeypatch, 1)
    first.connect()
    world.settle()
    assert not first.outbox
    assert not first.refusals
    stored = [] if obstacle == "removed" else [b"earlier", b"commit"]  # they go with the device
    assert world.stored(second) == stored
    late = first.post([second], b"another", order=f.Order(b"h" * 32, 0, bytes(15) + b"x"))
    world.settle()
    (refused,) = first.refusals
    assert refused.id == late.id


def test_a_commit_ahead_of_its_conversation_is_refused(world: World) -> None:
    device = world.devices[0]
    device.connect()
    commit(world, device, 3, b"a")
    world.settle()
    commit(world, device, 5, b"b")
    world.settle()
    assert [refused.code for refused in device.refusals] == ["epoch-ahead"]


def test_tokens_of_old_commits_are_forgotten(world: World) -> None:
    device = world.devices[0]
    device.connect()
    for epoch in range(storage_limits.MAX_REMEMBERED_COMMITS + 10):
        commit(world, device, epoch, b"%d" % epoch)
    world.settle()
    kept = world.database.reading.execute("SELECT count(*) FROM conversation_order").get
    assert kept == storage_limits.MAX_REMEMBERED_COMMITS


def test_the_order_of_commits_is_forgotten_in_time(world: World) -> None:
    def epochs() -> list[int]:
        rows = world.database.reading.execute("SELECT epoch FROM conversation_order")
        return sorted(epoch for (epoch,) in rows)

    device = world.devices[0]
    device.connect()
    commit(world, device, 0, b"old")
    world.settle()
    world.dispatcher.start_day(20_001)
    commit(world, device, 1, b"younger by a day")
    world.settle()
    world.dispatcher.start_day(20_000 + messaging_limits.COMMIT_DAYS)
    world.settle()
    assert epochs() == [0, 1]
    world.dispatcher.start_day(20_001 + messaging_limits.COMMIT_DAYS)
    world.settle()
    assert epochs() == [1]
    world.dispatcher.start_day(20_002 + messaging_limits.COMMIT_DAYS)
    world.settle()
    assert epochs() == []


def test_a_device_learns_which_handles_have_a_commit_and_nothing_else(world: World) -> None:
    first, second = world.devices[:2]
    first.connect()
    second.connect()
    commit(world, first, 0, b"commit")
    world.settle()
    handles = [b"h" * 32, *(world.chance.randbytes(32) for _ in range(255))]
    assert second.wire is not None
    second.wire.say(f.AskOrders(1, handles))
    world.settle()
    answers = [frame for frame in second.heard if isinstance(frame, f.Orders)]
    digest = hashlib.sha256(b"commit").digest()
    assert answers == [f.Orders(1, [True] + [False] * 255, [digest] + [b""] * 255)]


@pytest.mark.parametrize(
    ("contents", "covered"),
    [
        ((b"\x03one", b"\x03two", b"\x02welcome"), b"\x03one\x03two"),
        ((b"\x03one", b"\x02welcome"), b"\x03one"),
        ((b"\x01commit", b"\x03two"), b"\x01commit"),
        ((b"\x03one",), b"\x03one"),
    ],
)
def test_the_digest_is_of_both_parts_of_a_commit(
    world: World, contents: tuple[bytes, ...], covered: bytes
) -> None:
    first, second = world.devices[:2]
    for device in world.devices:
        device.connect()
    commit(world, first, 5, *contents)
    world.settle()
    commit(world, second, 5, b"commit of second")
    world.settle()
    assert [refused.winner for refused in second.refusals] == [hashlib.sha256(covered).digest()]


# --- A mailbox without room -----------------------------------------------------------------


def marker(device: Device) -> tuple[int, list[bytes]]:
    """What the device was told last of Commits that its mailbox did not take."""
    told = of(device, f.Drained)[-1]
    steps = range(0, len(told.digests), 8)
    return told.missed, [told.digests[at : at + 8] for at in steps]


def full_of(world: World, monkeypatch: pytest.MonkeyPatch, *owners: Device) -> None:
    limit_mailboxes(monkeypatch, 1)
    for owner in owners:
        fill(world, world.devices[0], owner, 1)
    world.devices[0].heard.clear()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_full_mailbox_keeps_no_commit_from_being_made_and_is_left_a_marker(
    world: World, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    sender, full = world.devices[:2]
    full_of(world, monkeypatch, full)
    order = f.Order(b"h" * 32, 0, b"t" * 16)
    made = sender.post([full], b"removes its owner", order=order)
    world.settle()
    left_out = [f.LeftOut("mailbox-full", [full.id])]
    assert of(sender, f.Accepted) == [f.Accepted([made.id], left_out)] and not sender.refusals
    if restarted:
        world.crash(committed=False)
    full.connect()
    world.settle()
    digest = hashlib.sha256(b"removes its owner").digest()[:8]
    assert marker(full) == (1, [digest]) and full.shown == [bytes(8)]
    full.connect()
    world.settle()
    assert marker(full) == (1, [digest]), "it was not read yet"
    full.wire.say(f.Acknowledge([], 1))
    world.settle()
    full.connect()
    world.settle()
    assert marker(full) == (0, [])
    world.check_counts()


def test_the_marker_is_one_row_however_many_commits_come(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, full = world.devices[:2]
    full_of(world, monkeypatch, full)
    for epoch in range(100):
        sender.post([full], b"%d" % epoch, order=f.Order(b"h" * 32, epoch, bytes(16)))
    world.settle()
    rows = world.database.reading.execute("SELECT count, length(digests) FROM missed_commit")
    assert rows.fetchall() == [(100, 64 * 8)]
    full.connect()
    world.settle()
    newest = [hashlib.sha256(b"%d" % epoch).digest()[:8] for epoch in range(99, 35, -1)]
    assert marker(full) == (100, newest)
    sender.post([full], b"later", order=f.Order(b"h" * 32, 100, bytes(16)))
    full.wire.say(f.Acknowledge([], 100))
    world.settle()
    assert full.shown[-1] == b"later"
    assert world.database.reading.execute("SELECT count(*) FROM missed_commit").get == 0


def test_what_comes_while_the_marker_is_read_stays_in_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, full = world.devices[:2]
    full_of(world, monkeypatch, full)
    for epoch in range(2):
        sender.post([full], b"%d" % epoch, order=f.Order(b"h" * 32, epoch, bytes(16)))
        world.settle()
    full.aside.add(bytes(8))
    full.connect()
    world.run_wires()
    full.wire.say(f.Acknowledge([], 1))  # it had read the first one alone
    world.settle()
    full.connect()
    world.settle()
    assert marker(full) == (1, [hashlib.sha256(b"1").digest()[:8]])


def test_a_commit_that_loses_leaves_no_marker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, full, other = world.devices[:3]
    other.connect()
    other.post([sender], b"first", order=f.Order(b"h" * 32, 0, b"1" * 16))
    world.settle()
    full_of(world, monkeypatch, full)
    sender.post([full], b"second", order=f.Order(b"h" * 32, 0, b"2" * 16))
    world.settle()
    assert [refused.code for refused in sender.refusals] == ["epoch-taken"]
    full.connect()
    world.settle()
    assert marker(full) == (0, [])
    world.check_counts()
