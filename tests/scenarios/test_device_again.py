"""Texts that a member could not read go again (docs/specs/conversations.md)."""

import pytest

from blackthorn.link import frames as f
from blackthorn.simulation.linking import add_device
from tests.scenarios.test_device_copies import copy_of, reconnect, restore
from tests.scenarios.test_device_healing import AWHILE, four, miss_a_commit
from tests.support.device_world import World
from tests.support.losing import again, lose, told
from tests.support.stranding import go_off_line, live, standing

MINUTE = 60
DAY = 86_400


def test_what_was_written_while_a_member_was_stranded_goes_again() -> None:
    world = four()
    alice, bob, _, dan = world.people
    miss_a_commit(world)
    alice.write_group("team", "unreadable for dan")
    bob.write_group("team", "unreadable as well")
    world.settle()
    assert "unreadable for dan" not in dan.received()
    live(world, AWHILE)
    assert standing(dan) == ["active"]
    assert again(dan, "unreadable for dan") == again(dan, "unreadable as well") == ["sent again"]
    assert again(bob, "unreadable for dan") == [""]
    assert not [told(person, "asks for") for person in world.people if told(person, "asks for")]


def test_a_text_of_the_own_users_tablet_goes_again_among_own_devices() -> None:
    world = four()
    alice, _, _, dan = world.people
    tablet = add_device(dan, "tablet")
    live(world, 10 * MINUTE)
    tablet.write_group("team", "hello from here")
    world.settle()
    lose(world, tablet, "team", "of the tablet", dan)
    tablet.write_group("team", "the next one")
    live(world, 15 * MINUTE)
    assert again(dan, "of the tablet") == ["handed on by your tablet"]
    assert again(alice, "of the tablet") == [""]
    assert all(record.kind != "direct" for record in dan.conversations())


def test_a_text_that_never_comes_goes_again_once_it_is_missed() -> None:
    world = four()
    alice, bob, _, dan = world.people
    lose(world, alice, "team", "lost on its way", dan)
    alice.write_group("team", "the next one")
    live(world, 5 * MINUTE)
    assert dan.gaps() == 1
    assert again(dan, "lost on its way") == []
    live(world, 15 * MINUTE)
    assert dan.gaps() == 0
    assert again(dan, "lost on its way") == ["sent again"]
    assert again(bob, "lost on its way") == [""]
    live(world, AWHILE)
    assert again(dan, "lost on its way") == ["sent again"]


def test_a_text_that_comes_meanwhile_is_not_asked_for() -> None:
    world = four()
    alice, _, _, dan = world.people
    (parcel,) = lose(world, alice, "team", "slow", dan)
    alice.write_group("team", "the next one")
    live(world, 5 * MINUTE)
    world.put_parcel(dan, parcel)
    world.settle()
    live(world, AWHILE)
    assert again(dan, "slow") == [""]


def overtake(world: World) -> None:
    """Changes of the group in which Dan is, until no keys are kept for older texts."""
    alice, _, carol, _ = world.people

    def change(number: int) -> None:
        alice.change_group("team", *([carol], []) if number % 2 else ([], [carol]))
        live(world, 5 * MINUTE)

    for number in range(3):
        change(number)
    for _ in range(4 * DAY // 280):  # the server closes a link that is silent for 300 s
        live(world, 280, 280)
    for number in range(3, 6):
        change(number)


def test_a_text_whose_keys_are_gone_goes_again() -> None:
    world = four()
    alice, _, _, dan = world.people
    (parcel,) = lose(world, alice, "team", "months on its way", dan)
    overtake(world)
    world.put_parcel(dan, parcel)
    world.settle()
    assert len(dan.set_aside()) == 1
    assert again(dan, "months on its way") == []
    live(world, 3 * MINUTE)
    assert again(dan, "months on its way") == ["sent again"]
    live(world, 3 * MINUTE)
    assert dan.set_aside() == []  # it is acknowledged, and lost no longer
    assert world.stored(dan) == []


def test_a_text_that_was_accepted_long_after_its_epoch_goes_again_unasked() -> None:
    world = four()
    alice, bob, _, dan = world.people
    dan.write_group("team", "slow sender")
    dan.wire.to_server.clear()
    with dan.vault.transaction() as records:
        (row,) = records.outbox.all()
    overtake(world)
    assert again(alice, "slow sender") == []
    dan.device.receive(f.Accepted([row.posting]), dan.now_ms)
    live(world, MINUTE)
    assert again(alice, "slow sender") == []
    for _ in range(2):
        dan.connect()
        world.settle()
        live(world, MINUTE)
        assert again(alice, "slow sender") == again(bob, "slow sender") == ["sent again"]


def test_a_second_users_report_brings_the_text_to_the_group_once() -> None:
    world = four()
    alice, bob, carol, dan = world.people
    lose(world, alice, "team", "lost for three", bob, carol, dan)
    alice.write_group("team", "the next one")
    live(world, 30 * MINUTE)
    for person in (bob, carol, dan):
        assert again(person, "lost for three") == ["sent again"]
    (lost,) = [line for line in alice.history() if line.text == "lost for three"]
    with alice.unit() as unit:
        reports = unit.records.lost.reports(lost.conversation, lost.message)
    assert sum(report.device == b"" for report in reports) == 1


def test_after_somebody_joined_a_text_goes_again_to_each_who_lost_it() -> None:
    world = World(21, "alice", "bob", "carol", "dan", "erin")
    alice, bob, carol, dan, erin = world.people
    alice.create_group("team", bob, carol, dan)
    world.settle()
    alice.write_group("team", "hello")
    world.settle()
    lose(world, alice, "team", "not for erin", bob, carol, dan)
    alice.change_group("team", [erin], [])
    world.settle()
    alice.write_group("team", "the next one")
    live(world, 30 * MINUTE)
    for person in (bob, carol, dan):
        assert again(person, "not for erin") == ["sent again"]
    assert again(erin, "not for erin") == []
    assert "the next one" in erin.received()


def test_a_restored_device_gets_what_was_written_after_the_copy() -> None:
    world = four()
    alice, bob, _, dan = world.people
    alice.write(dan, "direct")
    world.settle()
    data = copy_of(dan)
    alice.write_group("team", "first")
    alice.write_group("team", "second")
    alice.write(dan, "third")
    world.settle()
    restore(dan, data)
    dan.connect()
    world.settle()
    alice.write_group("team", "after")
    alice.write(dan, "after, directly")
    live(world, AWHILE)
    for text in ("first", "second", "third"):
        assert again(dan, text) == ["sent again"]
    assert again(bob, "first") == [""]


@pytest.mark.parametrize("changed", [False, True])
def test_a_restored_device_asks_authors_whom_it_never_read(changed: bool) -> None:
    """It may follow by Commits that members give it, and no count tells of a first text."""
    world = four()
    alice, bob, carol, dan = world.people
    data = copy_of(dan)
    reconnect(world, dan, 3)
    bob.write_group("team", "the first of bob")
    world.settle()
    if changed:
        alice.change_group("team", [], [carol])
        world.settle()
        bob.write_group("team", "the second of bob")
        world.settle()
    restore(dan, data)
    dan.connect()
    world.settle()
    live(world, AWHILE)
    assert not any("added this device again" in line for line in dan.events())
    assert again(dan, "the first of bob") == ["sent again"]
    if changed:
        assert again(dan, "the second of bob") == ["sent again"]
    assert again(dan, "hello") == [""] and len(told(alice, "asks for")) == 0


@pytest.mark.parametrize("removed", [False, True])
def test_who_cannot_get_a_text_again_is_told(removed: bool) -> None:
    world = four()
    alice, _, carol, dan = world.people
    lose(world, alice, "team", "lost", dan)
    alice.write_group("team", "the next one")
    world.settle()
    if removed:
        carol.change_group("team", [], [alice])
        world.settle()
    else:
        go_off_line(alice)
    live(world, DAY + 3600, 280)
    words = "1 text of alice@acme.example could not be read on this device"
    assert len(told(dan, words)) == 1
    assert again(dan, "lost") == []
