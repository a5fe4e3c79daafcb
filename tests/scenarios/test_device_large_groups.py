"""Large groups: many additions by Commits without a path. The limits are lowered, no check."""

from collections.abc import Sequence

import pytest

from blackthorn.device.core.unit_of_work import Conversation
from blackthorn.device.operations import limits
from blackthorn.simulation.device import Person
from tests.support import runs
from tests.support.device_world import World

NEW = ("carol", "dave", "erin", "frank", "grace")


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two devices are added by a Commit."""
    monkeypatch.setattr(limits, "MAX_ADDED_WITH_PATH", 2)
    monkeypatch.setattr(limits, "MAX_ADDED_WITHOUT_PATH", 2)


def team(seed: int) -> World:
    """Alice and bob have a group; five others are to be added."""
    world = World(seed, "alice", "bob", *NEW)
    alice, bob, *_ = world.people
    alice.create_group("team", bob)
    world.settle()
    return world


def place(person: Person) -> Conversation:
    with person.unit() as unit:
        (record,) = (one for one in unit.records.conversations.all() if one.name == "team")
        return unit.open(record.id)


def own_key(person: Person) -> bytes:
    return place(person).group._state.epoch.own_leaf().encryption_key


def all_read_all(world: World, before: Sequence[str] = ()) -> None:
    """Everybody is in one epoch, and reads what alice and the last one write."""
    places = [place(person) for person in world.people]
    assert len({one.group.epoch_authenticator for one in places}) == 1
    alice, last = world.people[0], world.people[-1]
    alice.write_group("team", "from the first")
    last.write_group("team", "from the last")
    world.settle()
    for person in world.people[1:-1]:
        world.check_received(person, [*before, "from the first", "from the last"])
    assert all(person.waiting() == 0 for person in world.people)


def step(world: World, person: Person) -> bool:
    """Move the person's next frame, or the server; whether anything moved."""
    if person.wire is None:
        return False
    if world.step_wire(person.wire, to_server=True):
        return True
    world.dispatcher.tick(world.now)
    if world.writer.commit() or world.step_wire(person.wire, to_server=False):
        return True
    person.tick()
    return any(wire.to_server for wire in world.wires)


def test_many_are_added_step_by_step_and_the_last_commit_has_a_path() -> None:
    world = team(1)
    alice, bob, *others = world.people
    before, seen = own_key(alice), {}
    place_id = place(alice).record.id
    with alice.unit() as unit:
        unit.records.leaves.mark_before_text(unit.me.device)
    number = alice.change_group("team", others, [])
    while step(world, alice):
        with alice.unit() as unit:
            row = unit.records.outbox.get(number)
            leaf = unit.records.leaves.get(place_id, unit.me.device)
        renewed, epoch = own_key(alice) != before, place(alice).group.epoch
        assert leaf is not None and leaf.before_text != renewed
        seen[epoch] = renewed, "" if row is None else row.problem
    first = min(seen)
    assert [seen[epoch][0] for epoch in sorted(seen)] == [False, False, False, True]
    assert seen[first + 1][1] == "2 of 5 devices are added"
    assert max(seen) == first + 3 and not alice.outcomes[number].error
    world.settle()
    all_read_all(world)
    assert bob.events()[-1] == "alice@acme.example added grace@acme.example"


def test_a_number_that_fills_its_steps_is_followed_by_a_path_alone() -> None:
    world = team(2)
    alice, _, *others = world.people
    before, epoch = own_key(alice), place(alice).group.epoch
    limits.MAX_ADDED_WITHOUT_PATH = 5  # the fixture puts it back
    alice.change_group("team", others, [])
    world.settle()
    assert place(alice).group.epoch == epoch + 2 and own_key(alice) != before
    all_read_all(world)


def test_who_goes_by_the_same_change_is_out_before_the_first_comes() -> None:
    world = team(3)
    alice, bob, *others = world.people
    epoch = place(alice).group.epoch
    alice.change_group("team", others, [bob])
    world.settle()
    assert place(alice).group.epoch == epoch + 4
    assert place(bob).group.epoch == epoch and bob.events()[-1] == "alice@acme.example removed you"
    world.people.remove(bob)
    all_read_all(world)


@pytest.mark.parametrize("committed", [False, True])
def test_a_crash_at_each_step_adds_everybody_once(
    committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device or the server dies after each frame; the rest is done all the same."""
    monkeypatch.setattr(limits, "MAX_ADDED_WITH_PATH", 1)
    monkeypatch.setattr(limits, "MAX_ADDED_WITHOUT_PATH", 1)
    for steps in runs.moments(24, 3, f"large groups {committed}"):
        world = World(100 + steps, "alice", "bob", *NEW[:3])
        world.people[0].create_group("team", world.people[1])
        world.settle()
        alice, _, *others = world.people
        alice.change_group("team", others, [])
        epoch = place(alice).group.epoch
        for _ in range(steps):
            step(world, alice)
        if committed:
            world.crash(committed=True)
        alice.restart()
        world.reconnect_all()
        assert place(alice).group.epoch >= epoch + 3  # joiners may have renewed their leaves
        assert len(place(alice).group.members) == 5
        all_read_all(world)


def test_a_change_that_comes_between_is_merged_and_the_rest_goes_on() -> None:
    world = team(4)
    alice, bob, *others = world.people
    alice.change_group("team", others[:4], [])
    while place(alice).group.epoch == place(bob).group.epoch:
        assert step(world, alice)
    bob.change_group("team", [others[4]], [])
    world.settle()
    assert len(place(bob).group.members) == 7
    all_read_all(world)


def test_more_devices_than_a_group_may_have_are_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    from blackthorn.link import limits as link_limits

    world = team(5)
    alice, _, *others = world.people
    monkeypatch.setattr(link_limits, "MAX_RECIPIENTS", 5)
    number = alice.change_group("team", others, [])
    world.settle()
    assert alice.outcomes[number].error == "a group has at most 6 devices"
    assert len(place(alice).group.members) == 2
