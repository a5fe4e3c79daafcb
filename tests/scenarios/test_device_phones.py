"""Somebody changes phones (H32): whoever adds them just then adds the new phone, or is told."""

from blackthorn.simulation.linking import add_device, revoke
from tests.support.device_world import World


def change_phones(world, person, how=revoke):
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
