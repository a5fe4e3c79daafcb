"""An insider, or a thief of a device, moves a conversation: nobody is lost, and nobody listens."""

import pytest

from blackthorn.device.conversations import conversations
from blackthorn.device.core.group_metadata import GroupMetadata
from blackthorn.device.core.members import identify
from blackthorn.device.healing import moving, notes
from blackthorn.device.healing.states import Event
from blackthorn.device.operations import create_group, postings
from blackthorn.mls import suites
from blackthorn.simulation.linking import add_device, revoke
from tests.scenarios.test_device_moves import (
    NEW,
    OLD,
    active,
    check_all_talk,
    check_no_doubles,
    move,
    present,
    release_before,
    team,
    update,
)
from tests.support.device_world import Person, World
from tests.support.losing import group_id
from tests.support.stranding import come_back, go_off_line, live, standing

__all__ = ["release_before"]  # the fixture


def wicked(seed: int) -> World:
    world = team(seed, "mallory", "bob", "carol", "dan")
    update(world)
    return world


def check_group_goes_on(world: World) -> None:
    """The honest members are in the old group, and nothing waits."""
    _, *honest = world.people
    live(world, 3_600)
    for person in honest:
        assert [suite for suite, _ in present(person)] == [OLD], person.name
        assert standing(person)[0] == "active"
        person.write_group("team", f"{person.name} goes on")
    live(world, 60)
    for person in honest:
        others = {f"{one.name} goes on" for one in honest if one is not person}
        assert others <= set(person.received()), person.name
        assert not person.alarms()
    check_no_doubles(world)


def test_a_move_whose_welcome_never_comes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = wicked(7201)
    with monkeypatch.context() as patch:
        patch.setattr(postings, "_welcomes", lambda *_: [])
        move(world.people[0])
        world.settle()
    check_group_goes_on(world)


def test_another_group_than_was_announced_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    world = wicked(7202)
    honest = moving.announce
    with monkeypatch.context() as patch:
        patch.setattr(moving, "announce", lambda made: honest(made)[:-1] + b"x")
        move(world.people[0])
        world.settle()
    check_group_goes_on(world)


def test_a_group_without_one_of_the_members_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    world = wicked(7203)
    honest = conversations.make_successor
    dan = world.people[3]

    def without_dan(unit, place, packages, tree):  # type: ignore[no-untyped-def]
        kept = [p for p in packages if identify(p.credential).device != dan.keys.device]
        return honest(unit, place, kept, tree)

    with monkeypatch.context() as patch:
        patch.setattr(conversations, "make_successor", without_dan)
        move(world.people[0])
        world.settle()
    check_group_goes_on(world)


def test_a_group_that_nobody_announced_replaces_none(monkeypatch: pytest.MonkeyPatch) -> None:
    world = wicked(7204)
    mallory, bob, carol, dan = world.people
    replaced = group_id(mallory, "team")

    def false(kind: str, name: str, created_ms: int) -> GroupMetadata:
        return GroupMetadata(kind, "team", created_ms, replaced)

    with monkeypatch.context() as patch:
        patch.setattr(create_group, "GroupMetadata", false)
        mallory.create_group("team2", bob, carol)
        world.settle()
    live(world, 3_600)
    for person in (bob, carol, dan):
        assert present(person)[0][0] == OLD
        assert standing(person)[0] == "active"
    bob.write_group("team", "to all of us")
    live(world, 60)
    assert "to all of us" in dan.received()
    assert "to all of us" in carol.received()


def revoke_and_vanish(world: World, person: Person, laptop: Person) -> None:
    """The statement is stored, and the person is off line before they remove the laptop."""
    number = revoke(person, laptop)
    while person.outcomes.get(number) is None or not person.outcomes[number].final:
        assert person.wire is not None
        if not world.step_wire(person.wire, to_server=True):
            world._ledger_step()
            world.step_wire(person.wire, to_server=False)
    go_off_line(person)


def test_who_was_behind_leaves_a_group_that_nobody_confirms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An insider takes a stranded device to another group; later it asks from the old one."""
    world = team(7207, "mallory", "bob", "carol", "dan", "erin")
    update(world)
    mallory, bob, carol, dan, erin = world.people
    replaced = group_id(mallory, "team")
    for person in (bob, carol, erin):
        go_off_line(person)
    with dan.unit() as unit:
        opened = unit.open(replaced)
        notes.move(unit, opened, Event.FAILED)

    def false(kind: str, name: str, created_ms: int) -> GroupMetadata:
        return GroupMetadata(kind, "team", created_ms, replaced)

    with monkeypatch.context() as patch:
        patch.setattr(create_group, "GroupMetadata", false)
        mallory.create_group("team2", dan, bob)
        world.settle()
    assert sorted(standing(dan)) == ["stale", "unconfirmed"]
    dan.write_group("team", "not for mallory alone")
    live(world, 300)
    assert "not for mallory alone" not in mallory.received()
    world.people.remove(mallory)
    world.cut(mallory.wire)
    for _ in range(3):
        world.wake(86_400)
        live(world, 120)
    assert sorted(standing(dan)) == ["asking", "stale"]
    for person in (bob, carol, erin):
        come_back(person)
    live(world, 7_200)
    assert sorted(standing(dan)) == ["active", "stale"]
    assert "not for mallory alone" in carol.received()


def test_whom_a_stolen_laptop_added_does_not_come_along() -> None:
    """It adds a listener, is revoked, and moves the group: what was noted is noted there too."""
    world = team(7205, "alice", "bob", "carol", "mallory")
    alice, bob, carol, mallory = world.people
    alice.change_group("team", [], [mallory])
    laptop = add_device(alice, "laptop")
    world.publish()
    live(world, 300)
    go_off_line(mallory)
    update(world)
    go_off_line(bob)
    laptop.change_group("team", [mallory], [])
    world.settle()
    mallory.restart()
    come_back(mallory)
    move(laptop)
    world.settle()
    assert present(mallory)[0][0] == NEW
    revoke_and_vanish(world, alice, laptop)
    world.publish()
    go_off_line(carol)  # who could be asked
    world.people.remove(laptop)
    come_back(bob)
    bob.write_group("team", "not for mallory")
    live(world, 600)
    come_back(carol)
    assert "not for mallory" in carol.received()
    assert "not for mallory" not in mallory.received()
    assert "not for mallory" not in laptop.received()


def test_who_is_removed_while_somebody_else_moves_the_group_is_out() -> None:
    """Both are ordered: the second one is made anew."""
    for first in (True, False):
        world = team(7206)
        alice, bob, _, dan = world.people
        update(world)
        bob.change_group("team", [], [dan]) if first else move(alice)
        move(alice) if first else bob.change_group("team", [], [dan])
        world.settle()
        live(world, 60)
        world.people.remove(dan)
        check_all_talk(world)
        assert "alice goes on" not in dan.received()
        assert all(len(active(person)) == 1 for person in world.people)
        suites.DEFAULT_SUITE = OLD  # type: ignore[misc]
