"""Insiders, and a server that helps them, against devices that are on their way back."""

import pytest

from blackthorn.device.conversations import conversations, key_packages, rejoining
from blackthorn.device.core.envelope import seal_welcome
from blackthorn.device.core.group_metadata import GROUP, GroupMetadata
from blackthorn.device.healing import limits, notes
from tests.support import forks
from tests.support.device_world import Person, World
from tests.support.stranding import come_back, epochs, go_off_line, live, standing, strand

AWHILE = 3_600


def four() -> World:
    """Alice has removed Carol, which Dan has missed."""
    world = World(21, "alice", "bob", "carol", "dan")
    alice, bob, carol, dan = world.people
    alice.create_group("team", bob, carol, dan)
    world.settle()
    strand(world, dan, lambda: alice.change_group("team", [], [carol]))
    return world


def be_behind(world: World) -> notes.Wish:
    """Dan has noticed, and a member is about to add him again: his wish."""
    alice, bob, _, _ = world.people
    alice.write_group("team", "unreadable for dan")
    world.settle()
    for _ in range(200):
        live(world, 15)
        if wishes := noted(alice).wishes or noted(bob).wishes:
            return wishes[0]
    raise AssertionError("nobody was asked")


def epoch_of(person: Person) -> int:
    (found,) = [record.epoch for record in person.conversations() if record.kind == "group"]
    return found


def noted(person: Person) -> notes.Healing:
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        return notes.of(unit.records, record.id)


def test_nothing_is_sealed_on_an_insiders_fork_and_the_true_way_back_stays_open() -> None:
    world = four()
    alice, bob, carol, dan = world.people
    be_behind(world)
    dan.write_group("team", "not for carol")
    group = forks.fork(alice, "team")
    packages = [forks.ordinary_package(dan), forks.ordinary_package(carol)]
    parcel = forks.welcome(alice, group, [dan], packages)
    world.put_parcel(dan, parcel)
    world.put_parcel(carol, parcel)
    world.settle()
    live(world, 30 * AWHILE, 60)
    assert standing(dan) == ["active"]
    assert "not for carol" in bob.received()
    assert "not for carol" not in carol.received()
    live(world, 60)
    there = [
        max(one.epoch for one in p.conversations() if one.kind == "group") for p in (alice, dan)
    ]
    assert there[0] == there[1]
    dan.write_group("team", "for the true group")
    world.settle()
    assert "for the true group" in alice.received()


def test_a_welcome_to_a_conversation_in_step_changes_nothing_but_a_question() -> None:
    world = four()
    alice, bob, carol, dan = world.people
    go_off_line(dan)
    group = forks.fork(alice, "team")
    packages = [forks.ordinary_package(bob), forks.ordinary_package(carol)]
    world.put_parcel(bob, forks.welcome(alice, group, [bob], packages))
    world.settle()
    assert standing(bob) == ["suspect"]
    bob.write_group("team", "still here")
    world.settle()
    assert "still here" in alice.received()
    assert not carol.received()
    come_back(dan)
    live(world, 30 * AWHILE, 300)
    assert standing(bob) == standing(alice) == standing(dan) == ["active"]


def test_a_welcome_far_ahead_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = four()
    alice, bob, _, dan = world.people
    be_behind(world)
    group = forks.fork(alice, "team")
    for _ in range(9):
        group.commit(
            random=world.chance.randbytes, now=world.now_ms // 1000, validate=forks.anybody
        )
        group.merge_pending()
    monkeypatch.setattr(limits, "MAX_EPOCHS_AHEAD", 8)
    parcel = forks.welcome(alice, group, [dan], [forks.ordinary_package(dan)])
    world.put_parcel(dan, parcel)
    world.settle()
    assert standing(dan) == ["asking"]
    live(world, 2 * AWHILE)
    assert standing(dan) == ["active"]
    bob.write_group("team", "the true group")
    world.settle()
    assert "the true group" in dan.received()


def test_a_second_welcome_for_a_package_of_a_question_is_no_alarm() -> None:
    world = four()
    alice, _, _, dan = world.people
    wish = be_behind(world)
    group = forks.fork(alice, "team")
    second = forks.welcome(alice, group, [dan], [wish.package])
    live(world, AWHILE)
    assert standing(dan) == ["active"]
    world.put_parcel(dan, second)
    live(world, 60)
    assert not dan.alarms()
    assert standing(dan) == ["active"]


def test_a_package_of_a_question_opens_no_other_conversation() -> None:
    world = four()
    alice, _, _, dan = world.people
    wish = be_behind(world)
    with alice.unit() as unit:
        metadata = GroupMetadata(GROUP, "another", world.now_ms)
        package = forks.verified(alice, wish.package)
        _, welcome = conversations.create(unit, metadata, "another", [package])
    world.put_parcel(dan, seal_welcome(welcome))
    world.settle()
    assert [record.name for record in dan.conversations() if record.kind == "group"] == ["team"]
    assert any("made for another conversation" in one.reason for one in dan.set_aside())


def test_a_question_is_served_only_with_its_own_package_and_key() -> None:
    world = four()
    alice, bob, _, dan = world.people
    with dan.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        bound = rejoining.bound_to(record.id, b"n" * 16)
        package, _ = key_packages.make_bound(unit, bound)
    with alice.unit() as unit:
        for nonce in (b"n" * 16, b"x" * 16):
            wish = notes.Wish(bob.address, bob.keys.device, nonce, package, world.now_ms)
            notes.change(unit, record.id, wishes=[wish])
    live(world, AWHILE)
    assert standing(bob) == ["active"]
    assert bob.keys.device not in {one.device for one in noted(alice).additions}


@pytest.mark.parametrize("times", [3])
def test_a_device_is_added_again_once_an_hour(times: int) -> None:
    world = four()
    alice, _, _, dan = world.people
    be_behind(world)
    live(world, 600)
    before = noted(alice).additions
    assert len(before) == 1
    for _ in range(times):
        with dan.unit() as unit:
            (record,) = unit.records.conversations.named("group", "team")
            package, _ = key_packages.make_bound(unit, rejoining.bound_to(record.id, b"n" * 16))
        with alice.unit() as unit:
            wish = notes.Wish(dan.address, dan.keys.device, b"n" * 16, package, alice.now_ms)
            notes.change(unit, record.id, wishes=[wish])
        live(world, 300)
    assert noted(alice).additions == before


def in_step(*names: str) -> World:
    world = World(22, *names)
    first, *others = world.people
    first.create_group("team", *others)
    world.settle()
    return world


def test_a_commit_that_nobody_can_merge_leaves_all_in_one_epoch() -> None:
    world = in_step("alice", "bob", "carol", "dan")
    alice, bob, carol, dan = world.people
    forks.post(alice, "team", forks.unreadable_path)
    world.settle()
    assert standing(bob) == standing(carol) == standing(dan) == ["asking"]
    bob.write_group("team", "waits")
    world.settle()
    assert not carol.received()
    live(world, AWHILE)
    assert standing(bob) == standing(carol) == standing(dan) == ["active"]
    assert len(epochs(world, "team")) == 1
    assert carol.received() == dan.received() == ["waits"]


def test_a_commit_that_breaks_a_rule_is_refused_by_all_and_holds_no_text() -> None:
    world = in_step("alice", "bob", "carol")
    alice, bob, carol = world.people
    forks.post(alice, "team", forks.broken_rule)
    world.settle()
    assert standing(bob) == standing(carol) == ["active"]
    bob.write_group("team", "goes")
    world.settle()
    assert carol.received() == ["goes"]


def test_a_handle_that_is_taken_by_nothing_ends_in_a_question() -> None:
    world = in_step("alice", "bob", "carol")
    alice, bob, carol = world.people
    forks.take_handle(alice, "team")
    alice.change_group("team", [], [carol])
    world.settle()
    live(world, 45)
    assert standing(alice) == ["active"]
    world.dispatcher.tick(world.now)
    seen = set()
    for _ in range(12):
        live(world, 15, 15)
        seen |= set(standing(alice))
    assert standing(alice) == ["active"]
    with alice.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        assert notes.of(unit.records, record.id).signal == "SAME"
    assert standing(bob) == ["active"]


def test_a_server_that_says_taken_in_vain_holds_texts_for_minutes() -> None:
    world = in_step("alice", "bob", "carol")
    alice, bob, carol = world.people
    forks.take_handle(alice, "team")
    world.put_parcel(bob, b"\x01" + bytes(120))
    live(world, 900)
    assert standing(bob) == ["active"]
    assert noted(bob).signal == "SAME"
    bob.write_group("team", "goes, though his keys are due for renewal")
    world.settle()
    assert carol.received() == ["goes, though his keys are due for renewal"]
