"""Leaves get new keys (H21, H22): by days of use, messages and absence, and after joining."""

from blackthorn.device.conversations import renewal
from blackthorn.device.core import limits, preferences
from tests.support.device_world import World

DAY = 24 * 3600.0


def epochs(world, name=None):
    """The epoch of the conversation on each device."""
    return [[c.epoch for c in person.conversations()] for person in world.people]


def on_line(world):
    """All stay on line for two minutes."""
    for _ in range(3):
        world.later(40)
        world.settle()


def leaf_of(person):
    """The public key of the device's own leaf, by conversation."""
    with person.unit() as unit:
        return {
            record.id: unit.open(record.id).group._state.epoch.own_leaf().encryption_key
            for record in unit.records.conversations.all()
        }


def test_whoever_joins_renews_within_the_slot_of_its_leaves():
    world = World(900, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    assert epochs(world) == [[1], [1], [1]]
    world.later(60)
    world.settle()
    world.later(60)
    world.settle()
    assert epochs(world) == [[3], [3], [3]]
    world.later(DAY)
    world.settle()
    assert epochs(world) == [[3], [3], [3]]


def test_leaves_are_renewed_after_seven_days_of_use_and_not_before():
    world = World(901, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    on_line(world)
    (before,) = epochs(world)[0]
    assert before == 2
    for _ in range(6):
        world.wake(DAY)
        on_line(world)
    assert epochs(world) == [[before], [before]]
    world.wake(DAY)
    on_line(world)
    assert epochs(world) == [[before + 2], [before + 2]]
    bob.write(alice, "still here")
    world.settle()
    assert alice.received() == ["still here"]


def prefer(person, preference, value):
    """As `blackthorn device settings` does it."""
    with person.unit() as unit:
        preference.put(unit.records.settings, value)
        renewal.hasten(unit)


def test_own_messages_make_new_keys_due_from_the_number_that_is_set():
    world = World(902, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "0")
    world.settle()
    on_line(world)
    (before,) = epochs(world)[0]
    prefer(alice, preferences.RENEWAL_MESSAGES, 100)
    for number in range(1, 100):
        alice.write(bob, str(number))
    world.settle()
    on_line(world)
    assert epochs(world) == [[before], [before]]
    alice.write(bob, "100")
    world.settle()
    on_line(world)
    assert epochs(world) == [[before + 1], [before + 1]]
    assert bob.received() == [str(number) for number in range(101)]


def test_after_a_thousand_own_messages_they_are_due_if_nothing_is_set():
    world = World(907, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    on_line(world)
    with alice.unit() as unit:
        (own,) = unit.records.leaves.own(alice.keys.device, "active")
        assert own.leaf.due_sent == own.sent - 1 + 1_000


def test_fewer_days_hold_from_now_on_and_for_this_device_only():
    world = World(908, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    on_line(world)
    (before,) = epochs(world)[0]
    keys = leaf_of(bob)
    world.wake(DAY)
    on_line(world)
    prefer(alice, preferences.RENEWAL_DAYS, 2)
    world.wake(DAY)
    on_line(world)
    assert epochs(world) == [[before], [before]]
    world.wake(DAY)
    on_line(world)
    assert epochs(world) == [[before + 1], [before + 1]]
    assert leaf_of(bob) == keys


def test_whoever_was_away_for_thirty_days_renews_before_the_next_text():
    world = World(903, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    on_line(world)
    world.away.add(bob.address)
    world.wake(31 * DAY)
    (before,) = [c.epoch for c in alice.conversations()]
    alice.write(bob, "back again")
    world.settle()
    assert [c.epoch for c in alice.conversations()] == [before + 1]
    bob.connect()
    world.settle()
    assert bob.received() == ["hello", "back again"]


def test_a_leaf_of_a_last_resort_package_is_renewed_before_its_first_text():
    world = World(904, "alice", "bob")
    alice, bob = world.people
    world.database.writing.execute(
        "DELETE FROM key_package WHERE device = ? AND last_resort = 0", (bob.number,)
    )
    alice.write(bob, "hello")
    world.settle()
    (conversation, shared), *_ = leaf_of(bob).items()
    bob.write(alice, "and back")
    world.settle()
    assert alice.received() == ["and back"] and epochs(world) == [[2], [2]]
    assert leaf_of(bob)[conversation] != shared


def test_a_fresh_package_needs_no_commit_before_the_first_text():
    world = World(905, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    bob.write(alice, "and back")
    world.settle()
    assert epochs(world) == [[1], [1]] and alice.received() == ["and back"]


def test_any_own_commit_counts():
    world = World(906, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob)
    world.settle()
    on_line(world)
    world.wake(DAY, 5)
    alice.change_group("team", [carol], [])
    world.settle()
    on_line(world)
    with alice.unit() as unit:
        (own,) = unit.records.leaves.own(alice.keys.device, "active")
        assert own.leaf.due_day == renewal.days_of_use(unit).days + limits.RENEWAL_DAYS
    own_leaf = leaf_of(alice)
    world.wake(DAY, 4)
    assert leaf_of(alice) == own_leaf and leaf_of(bob)
