"""Somebody changes phones (H32): whoever adds them just then adds the new phone, or is told."""

from blackthorn.simulation.linking import add_device, revoke
from blackthorn.simulation.recovery import Recoverer, state_recovery
from tests.scenarios.test_device_life import members, submit
from tests.support.device_world import World
from tests.support.stranding import live


def change_phones(world, person):
    """The person links a new phone, which revokes the old one; the new phone."""
    phone = add_device(person, "new phone")
    world.settle()
    revoke(phone, person)
    world.settle()
    world.publish()
    world.settle()
    return phone


def test_after_somebody_changed_phones_group_create_includes_them():
    world = World(950, "alice", "bob", "carol")
    alice, bob, carol = world.people
    world.introduce(alice)  # a lookup within the hour
    phone = change_phones(world, bob)
    number = alice.create_group("team", bob, carol)
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    alice.write_group("team", "all together")
    world.settle()
    assert phone.received() == carol.received() == ["all together"] and not alice.events()


def test_after_somebody_changed_phones_group_add_adds_the_new_one():
    world = World(951, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", carol)
    world.settle()
    world.introduce(alice)
    phone = change_phones(world, bob)
    number = alice.change_group("team", [bob], [])
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    alice.write_group("team", "all together")
    world.settle()
    assert phone.received() == carol.received() == ["all together"]


def test_group_add_adds_a_recovered_phone_where_the_lost_one_still_is():
    """It said that they were in already, and the new phone stayed outside for hours."""
    world = World(957, "alice", "bob", "carol")
    alice, bob, carol = world.people
    words, check = state_recovery(bob)
    alice.create_group("team", bob, carol)
    world.settle()
    world.cut(bob.wire)
    world.people.remove(bob)
    found = Recoverer(world, "new phone")
    found.recover(words, bob.address, check)
    world.settle()
    world.publish()
    phone = found.person()
    world.settle()
    live(world, 90)  # the change was pushed
    number = alice.change_group("team", [bob], [])
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    alice.write_group("team", "all together")
    world.settle()
    assert "all together" in phone.received()


def test_after_somebody_changed_phones_a_first_text_reaches_the_new_one():
    world = World(952, "alice", "bob")
    alice, bob = world.people
    world.introduce(alice)
    phone = change_phones(world, bob)
    number = alice.write(bob, "hello")
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    assert phone.received() == ["hello"]


def test_a_new_phone_that_the_ledger_does_not_show_yet_is_waited_for():
    """The server knows of the change, and the next epoch is seconds away."""
    world = World(953, "alice", "bob", epoch_ms=10_000)
    alice, bob = world.people
    world.introduce(alice)
    phone = add_device(bob, "new phone")
    world.publish()
    world.settle()
    revoke(phone, bob)
    world.settle()
    number = alice.write(bob, "hello")
    for _ in range(10):
        world.later(5)
        world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    assert phone.received() == ["hello"]


def seconds_until_out(world, gone, *groups):
    """Seconds until no group holds the device, at most five minutes; nobody writes."""
    for second in range(0, 300, 5):
        if all(gone not in members(person, "group")[0] for person in groups):
            return second
        world.later(5)
        world.settle()
    raise AssertionError("still in")


def test_a_revoked_device_is_out_within_forty_seconds_by_another_of_its_user():
    """The revoker is off line at once, and a third device of the user is on line."""
    world = World(954, "alice", "bob")
    alice, bob = world.people
    tablet, laptop = add_device(alice, "tablet"), add_device(alice, "laptop")
    alice.create_group("team", bob)
    world.settle()
    world.publish()
    world.settle()
    revoke(alice, tablet)
    submit(world, alice)
    world.cut(alice.wire)
    world.settle()
    assert seconds_until_out(world, tablet.keys.device, laptop, bob) <= 40


def test_a_revoked_device_is_out_within_200_seconds_by_any_other_member():
    world = World(955, "alice", "bob", "carol")
    alice, bob, carol = world.people
    tablet = add_device(alice, "tablet")
    alice.create_group("team", bob, carol)
    world.settle()
    revoke(alice, tablet)
    submit(world, alice)
    world.cut(alice.wire)
    world.settle()
    assert 10 <= seconds_until_out(world, tablet.keys.device, bob, carol) <= 200


def test_after_recovery_the_stolen_phone_is_out_at_once():
    """All is lost but the words: nobody of the user is in the group, and its members act."""
    world = World(956, "alice", "bob", "carol")
    alice, bob, carol = world.people
    words, check = state_recovery(alice)
    alice.create_group("team", bob, carol)
    alice.write(bob, "hello")
    world.settle()
    found = Recoverer(world, "new phone")
    found.recover(words, alice.address, check)
    world.settle()
    world.publish()
    phone = found.person()
    world.settle()
    revoke(phone, alice, "stolen")
    world.settle()
    world.publish()
    world.settle()
    assert seconds_until_out(world, alice.keys.device, bob, carol) <= 200
    bob.write_group("team", "not for the thief")
    world.settle()
    assert "not for the thief" in carol.received()
    assert "not for the thief" not in alice.received()
