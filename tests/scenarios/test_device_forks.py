"""Two branches of one group (H12): one remains, by the users who follow it."""

import pytest

from blackthorn.device.account import heal_answers
from blackthorn.device.conversations.heal_messages import AnsweredItem, Answers
from blackthorn.device.healing import branches, notes, own_branch
from blackthorn.device.healing.notes import Reply
from blackthorn.device.operations.healing.renew import Renew
from blackthorn.simulation.device import Person
from tests.scenarios.test_device_branches import DAY, healing, hide, other_commit, show, team
from tests.support.device_world import World
from tests.support.stranding import epochs, live, standing


def renew(person: Person) -> None:
    """An honest Commit without other changes."""
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        row = Renew(record.kind, record.name, record.id, record.epoch).enqueue(unit)
        target = unit.records.outbox.get(row).target
    person.device._sender.take_charge([target])
    person.tick()
    person.world.settle()


def split(world: World, *led_away: Person) -> None:
    """Mallory's Commit takes these away; Alice's, which is in order, takes all others on."""
    alice, mallory = world.people[0], world.people[-1]
    forged = other_commit(mallory)()
    for person in led_away:
        world.put_parcel(person, forged)
    world.settle()
    hide(world, mallory)
    renew(alice)


def marks(*people: Person) -> list[bytes]:
    found = []
    for person in people:
        with person.unit() as unit:
            (record,) = unit.records.conversations.named("group", "team")
            found.append(unit.open(record.id).group.epoch_authenticator)
    return found


@pytest.mark.parametrize("led_away", [(3,), (2, 3), (1, 2, 3)])
def test_H12_of_two_branches_one_remains(led_away: tuple[int, ...]) -> None:
    """Neither Alice nor Mallory, whose Commits part them, counts."""
    world = team(740 + len(led_away), "alice", "bob", "carol", "dave", "mallory")
    alice, bob, carol, dave, _ = world.people
    people = [alice, bob, carol, dave]
    split(world, *(people[place] for place in led_away))
    assert len(set(marks(*people))) == 2
    live(world, 4 * 3600, 30)
    assert [standing(person) for person in people] == [["active"]] * 4
    assert len(set(marks(*people))) == 1
    for person in people:
        person.write_group("team", f"{person.name} is there")
        live(world, 60)
        assert all(f"{person.name} is there" in p.received() for p in people if p is not person)
    assert any("forked" in person.alarms() for person in people)


def mark(person: Person) -> bytes:
    """What decides between equal branches: that of the first epoch of the person's own."""
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        return own_branch.mark_of(unit, unit.open(record.id), record.epoch)


def equally_split(seed: int) -> tuple[World, list[Person], Person, set[str]]:
    """Two branches of three who count each: Bob's, which Alice made, and Dave's. Erin is in none.

    Besides the world, its people and Erin the names of those whose branch is to go on.
    """
    bobs, daves = ["bob", "carol", "grace"], ["dave", "frank", "heidi"]
    world = World(seed, "alice", *bobs, *daves, "erin", "mallory")
    alice, *others, erin, mallory = world.people
    bob, dave = others[0], others[3]
    alice.create_group("team", *others, mallory)
    alice.write_group("team", "hello")
    world.settle()
    live(world, 30)
    split(world, *others[3:])
    expected = {"alice", *bobs} if mark(bob) > mark(dave) else set(daves)
    return world, [alice, *others], erin, expected


def check_that_one_remains(world: World, people: list[Person], expected: set[str]) -> None:
    """Live on until all are in one epoch, of the branch of these, at most a day."""
    for _ in range(24):
        live(world, 3600, 60)
        calm = {tuple(standing(person)) for person in people} == {("active",)}
        if calm and len(set(marks(*people))) == 1:
            break
    assert [standing(person) for person in people] == [["active"]] * len(people)
    assert len(set(marks(*people))) == 1
    for person in people:
        person.write_group("team", f"{person.name} is there")
        live(world, 60)
        assert all(f"{person.name} is there" in p.received() for p in people if p is not person)
    assert {person.name for person in people if healing(person).goes_on_ms} <= expected


@pytest.mark.parametrize("adder", [1, 4])
def test_H12_of_equal_branches_one_remains_though_somebody_was_added_on_one_side(adder) -> None:
    """Erin was not there where they part: she counts for neither."""
    world, people, erin, expected = equally_split(750 + adder)
    people[adder].change_group("team", [erin], [])
    world.settle()
    check_that_one_remains(world, people, expected)


def test_H12_who_was_added_on_the_branch_that_ends_is_told_and_can_be_added_again() -> None:
    world, people, erin, expected = equally_split(770)
    adder, other = (people[4], people[1]) if "bob" in expected else (people[1], people[4])
    adder.change_group("team", [erin], [])
    world.settle()
    assert standing(erin) == ["active"]
    check_that_one_remains(world, people, expected)
    live(world, 4 * 3600, 60)
    assert any("removed" in event for event in erin.events())
    assert standing(erin) == ["removed"]
    other.change_group("team", [erin], [])
    live(world, 120)
    other.write_group("team", "welcome back")
    live(world, 60)
    assert "welcome back" in erin.received()


def test_H12_of_equal_branches_one_remains_though_changes_come_meanwhile() -> None:
    """A branch has the mark of its first epoch, whatever follows."""
    world, people, _, expected = equally_split(760)
    renew(people[1])
    renew(people[4])
    live(world, 700, 30)
    renew(people[2])
    renew(people[5])
    check_that_one_remains(world, people, expected)


def test_H12_a_group_that_was_split_while_nobody_could_be_asked_heals_later() -> None:
    world = team(745, "alice", "bob", "carol", "dave", "mallory")
    alice, bob, carol, dave, _ = world.people
    split(world, dave)
    hide(world, alice, bob, carol)
    live(world, 3600, 60)
    assert standing(dave) == ["suspect"]
    dave.write_group("team", "of the smaller branch")
    world.settle()
    show(world, alice, bob, carol)
    live(world, DAY + 4 * 3600, 120)
    assert standing(dave) == ["active"] and len(epochs(world, "team")) == 1
    assert bob.received().count("of the smaller branch") == 1


def test_H12_a_branch_that_one_member_makes_up_moves_nobody() -> None:
    """After another Commit Dave says, alone, that he is elsewhere, by a mark of no branch."""
    world = team(746, "alice", "bob", "carol", "dave", "mallory")
    alice, bob, carol, dave, mallory = world.people
    junk = other_commit(mallory)()
    alice.change_group("team", [], [mallory])
    world.settle()
    hide(world, alice, carol, dave)
    world.put_parcel(bob, junk)
    live(world, 1300)
    (asked, *_) = [one for one in healing(bob).questions if one.user == dave.address]
    before = marks(bob)
    with bob.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        said = AnsweredItem(record.id, "other", 9, b"\xff" * 16, by="alice@acme.example", parted=1)
        heard = notes.Heard("direct", dave.address, dave.keys.device, b"", unit.now_ms)
        heal_answers.take(unit, heard, Answers(asked.nonce, [said]))
    show(world, alice, carol)
    live(world, 1300)
    assert standing(bob) == ["active"] and marks(bob) == before
    assert bob.alarms() == ["forked"] and not alice.alarms() + carol.alarms()


# --- The count ----------------------------------------------------------------------------------


COUNTED = ("me", "a", "b", "c", "d", "e", "f", "g")


def own(mark: bytes = b"m", makers: tuple[str, ...] = (), asked: int = 3, over: bool = False):
    counted = COUNTED[: asked + 1]
    silent = () if over else counted[1:]
    return branches.Own(mark, "me", frozenset(makers), frozenset(counted), frozenset(silent))


def away(user: str, mark: bytes = b"z", maker: str = "") -> Reply:
    return Reply(user, False, "other", 2, False, mark, 1, maker)


def test_H12_more_users_decide_and_of_equals_the_greater_mark() -> None:
    assert branches.goes_on(own(), [away("a")], {"b", "c"}) is True
    assert branches.goes_on(own(), [away("a"), away("b"), away("c")], set()) is False
    assert branches.goes_on(own(b"m"), [away("a"), away("b")], {"c"}) is False
    assert branches.goes_on(own(b"~"), [away("a"), away("b")], {"c"}) is True


def test_H12_who_came_after_two_branches_parted_counts_for_neither() -> None:
    assert branches.goes_on(own(b"m", over=True), [away("a")], {"new"}) is False
    assert branches.goes_on(own(b"~", over=True), [away("a"), away("new")], set()) is True


def test_H12_who_is_behind_on_a_branch_counts_for_it() -> None:
    replies = [away("a"), away("b", b"m")]
    assert branches.goes_on(own(b"m", over=True), replies, set()) is True


def test_H12_nothing_is_decided_while_a_silent_user_may_decide_it() -> None:
    assert branches.goes_on(own(asked=3), [away("a")], {"b"}) is None
    assert branches.goes_on(own(asked=3, over=True), [away("a")], {"b"}) is True
    assert branches.goes_on(own(asked=7), [away("e")], {"a", "b", "c", "d"}) is True
    assert branches.goes_on(own(asked=7), [away("e")], {"a", "b", "c"}) is None


def test_H12_while_nobody_tells_of_another_branch_all_are_asked() -> None:
    """Who was added, or made a Commit where they part, does not count: that is not known yet."""
    assert branches.goes_on(own(asked=7), [], {"a", "b", "c", "d", "e", "f"}) is None
    assert branches.goes_on(own(asked=7), [], set(COUNTED[1:])) is True
    assert branches.goes_on(own(asked=7, over=True), [], {"a", "b"}) is True


def test_F6_who_made_a_commit_where_branches_part_counts_for_neither() -> None:
    replies = [away("a", maker="d"), away("d", maker="b")]
    assert branches.goes_on(own(b"~", ("me",), 4, True), replies, {"b"}) is True
    assert branches.goes_on(own(b"m", ("me",), 4, True), replies, {"b"}) is False
    assert branches.goes_on(own(b"m", ("d",), 4, True), [away("a")], {"d", "b"}) is True
