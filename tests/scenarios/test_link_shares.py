"""Shares of a mailbox (docs/specs/link.md, 5): nobody fills it alone, and Commits have room."""

import pytest

from blackthorn.link import frames as f
from blackthorn.server.messaging import limits
from tests.support.link_world import Device, World, fill, of

PARCELS = 1_000
"""Parcels of a mailbox here, of which anybody may fill 700."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(limits, "MAX_MAILBOX_PARCELS", PARCELS)
    return World(seed=7, devices=12)


def flood(world: World, sender: Device, receiver: Device, count: int = PARCELS) -> int:
    """The sender posts so many more parcels; how many the mailbox has taken."""
    before = len(world.stored(receiver))
    fill(world, sender, receiver, count)
    return len(world.stored(receiver)) - before


def test_one_sender_holds_an_eighth_of_what_others_leave_free(world: World) -> None:
    receiver, *senders = world.devices
    free, took = 700, []
    for sender in senders[:8]:
        took.append(flood(world, sender, receiver))
        assert took[-1] == free // 8
        free -= took[-1]
    assert took[0] == 87 and free == 243, "eight abusers leave a third of the seven tenths"
    codes = {refused.code for sender in senders[:8] for refused in sender.refusals}
    assert codes == {"mailbox-full"}
    assert flood(world, senders[8], receiver, 20) == 20
    world.check_counts()


@pytest.mark.parametrize("restarted", [False, True])
def test_what_counts_is_what_lies_there(world: World, restarted: bool) -> None:
    receiver, abuser, honest = world.devices[:3]
    assert flood(world, abuser, receiver) == 87
    if restarted:
        world.crash(committed=False)
    assert flood(world, abuser, receiver, 10) == 0
    assert flood(world, honest, receiver, 20) == 20
    receiver.connect()
    world.settle()
    world.check_all_shown_once()
    receiver.wire.say(f.Bye("going", ""))
    world.settle()
    assert flood(world, abuser, receiver, 10) == 10
    world.check_counts()


def test_bytes_are_shared_as_parcels_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MAILBOX_BYTES", 100_000)
    receiver, abuser, honest = world.devices[:3]
    fill(world, abuser, receiver, 20, size=1_000)
    assert len(world.stored(receiver)) == 8
    fill(world, honest, receiver, 5, size=1_000)
    assert len(world.stored(receiver)) == 13
    world.check_counts()


def test_the_rest_is_for_commits_in_the_same_shares(world: World) -> None:
    receiver, *senders = world.devices
    for sender in senders:
        flood(world, sender, receiver)
    before = len(world.stored(receiver))
    abuser = senders[0]
    abuser.heard.clear()
    for number in range(100):
        order = f.Order(number.to_bytes(32, "big"), 0, bytes(16))
        abuser.post([receiver], b"c%d" % number, order=order)
    world.settle()
    accepted = [bool(frame.left_out) for frame in of(abuser, f.Accepted) for _ in frame.ids]
    took = len(world.stored(receiver)) - before
    assert len(accepted) == 100 and accepted.count(False) == took
    assert took < 50, "one user leaves the reserve to others' Commits"
    honest = senders[-1]
    honest.post([receiver], b"removes somebody", order=f.Order(b"h" * 32, 0, bytes(16)))
    world.settle()
    assert world.stored(receiver)[-1] == b"removes somebody"
    world.check_counts()


def test_own_devices_have_room_that_others_have_not(world: World) -> None:
    receiver, own, *senders = world.devices
    own.address = receiver.address
    execute = world.database.writing.execute
    execute("UPDATE devices SET user = ? WHERE number = ?", (receiver.number, own.number))
    world.crash(committed=False)
    for sender in senders:
        flood(world, sender, receiver)
    while flood(world, senders[0], receiver, 1) or flood(world, senders[1], receiver, 1):
        pass
    assert flood(world, own, receiver, 30) == 30


def test_the_disk_says_the_same_of_a_sender_in_one_mailbox_and_another_in_the_next(
    world: World,
) -> None:
    one, two, sender, other = world.devices[:4]
    for receiver in (one, two):
        fill(world, sender, receiver, 2)
        fill(world, other, receiver, 1)
    rows = world.database.reading.execute("SELECT device, sender FROM mailbox ORDER BY device, seq")
    tags = [tag for _, tag in rows]
    assert tags[0] == tags[1] != tags[2] and tags[3] == tags[4] != tags[5]
    assert tags[0] != tags[3] and all(0 < tag < 65_536 for tag in tags)


def test_junk_of_one_sender_pushes_out_no_parcels_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_MAILBOX_PARCELS", 100_000)
    receiver, abuser, honest = world.devices[:3]
    receiver.connect()
    early = [bytes([number]) * 100 for number in range(1, 20)]
    receiver.aside.update(early)
    receiver.aside.update(number.to_bytes(8, "big") for number in range(3_000))
    honest.connect()
    for sealed in early:
        honest.post([receiver], sealed)
    world.settle()
    fill(world, abuser, receiver, 3_000)
    kept = world.stored(receiver)
    assert len(kept) <= limits.MAX_UNDECRYPTABLE_PARCELS
    assert kept[: len(early)] == early
    world.check_counts()
