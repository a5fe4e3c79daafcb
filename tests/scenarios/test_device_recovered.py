"""A device that comes by the words of a paper gets into its user's conversations (H3, H33)."""

from blackthorn.simulation.linking import bring_up, revoke
from blackthorn.simulation.recovery import Recoverer, reset, state_recovery
from tests.scenarios.test_device_life import members
from tests.scenarios.test_device_life_recovery import wait_for_delay
from tests.support.device_world import World
from tests.support.stranding import go_off_line, live, members_of

AWHILE = 3_600


def recovered(seed: int):
    """Alice's phone is stolen; she has a new one by the words."""
    world = World(seed, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    alice.write(bob, "before")
    world.settle()
    words, check = state_recovery(alice)
    go_off_line(alice)
    found = Recoverer(world, "new phone")
    found.recover(words, alice.address, check)
    world.settle()
    world.publish()
    phone = found.person()
    world.settle()
    return world, alice, bob, carol, phone


def ids(*people):
    return {person.keys.device for person in people}


def test_members_add_a_recovered_device_to_every_conversation():
    world, alice, bob, carol, phone = recovered(61)
    live(world, AWHILE)
    assert members(bob, "group") == members(phone, "group") == [ids(alice, bob, carol, phone)]
    assert members(bob, "direct")[-1] == members(phone, "direct")[-1] == ids(alice, bob, phone)
    bob.write_group("team", "hello")
    bob.write(alice, "hello again")
    phone.write_group("team", "here I am")
    live(world, 60)
    assert set(phone.received()) == {"hello", "hello again"}
    assert carol.received() == ["hello", "here I am"]
    assert not bob.alarms() and not carol.alarms()


def test_the_stolen_phone_goes_out_and_its_user_stays():
    world, alice, bob, carol, phone = recovered(62)
    revoke(phone, alice)
    bring_up(world)
    live(world, AWHILE)
    assert members(bob, "group") == members(carol, "group") == [ids(bob, carol, phone)]
    carol.write_group("team", "hello")
    phone.write_group("team", "here I am")
    live(world, 60)
    assert "hello" in phone.received() and "here I am" in bob.received()
    alice.world.people.append(alice)
    alice.connect()
    world.settle()
    assert "hello" not in alice.received()


def test_a_text_that_clears_the_stolen_phone_out_loses_nobody():
    world, alice, bob, carol, phone = recovered(63)
    revoke(phone, alice)
    world.settle()
    world.publish()
    world.settle()
    bob.write_group("team", "at once")
    world.settle()
    assert members(bob, "group") == [ids(bob, carol)]
    live(world, 120)
    assert members(bob, "group") == members(phone, "group") == [ids(bob, carol, phone)]


def test_whom_a_person_removes_is_not_added_again():
    world, alice, bob, carol, _ = recovered(64)
    bob.change_group("team", [], [alice])
    live(world, 2 * AWHILE)
    assert members_of(bob, "team") == {bob.address, carol.address}


def test_whom_a_person_removes_after_a_loss_is_not_added_again():
    world, alice, bob, carol, phone = recovered(65)
    revoke(phone, alice)
    world.settle()
    world.publish()
    world.settle()
    bob.change_group("team", [], [alice])
    live(world, 2 * AWHILE)
    assert members_of(bob, "team") == {bob.address, carol.address}


def test_nobody_adds_the_device_of_a_reset_unasked():
    world = World(66, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    go_off_line(alice)
    phone = reset(world, "alice")
    wait_for_delay(world)
    live(world, 2 * AWHILE)
    assert members_of(bob, "team") == {bob.address, carol.address}
    assert members(phone, "group") == []
