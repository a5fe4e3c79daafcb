"""A second device of one user: added by code, with all that the first one has."""

from blackthorn.simulation.linking import add_device, bring_up
from tests.support.device_world import World


def test_a_second_device_reads_and_writes_the_same_conversations() -> None:
    world = World(1, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "before")
    world.settle()
    bob.write(alice, "an answer")
    alice.create_group("team", bob, carol)
    world.settle()
    tablet = add_device(alice)
    assert sorted(tablet.received()) == ["an answer"]
    assert [each.text for each in tablet.history() if each.standing == "accepted"] == ["before"]
    bob.write(alice, "to both")
    world.settle()
    assert "to both" in alice.received() and "to both" in tablet.received()
    tablet.write(bob, "from the tablet")
    tablet.write_group("team", "to the team from the tablet")
    world.settle()
    assert "from the tablet" in bob.received()
    assert "to the team from the tablet" in carol.received()
    alice.write_group("team", "to the team from the first")
    world.settle()
    assert "to the team from the first" in carol.received()
    for one, other in ((alice, tablet), (tablet, alice)):
        mine = [each.text for each in one.history() if each.standing == "accepted"]
        theirs = [each.text for each in other.history() if each.standing == "accepted"]
        assert sorted(mine) == sorted(theirs)
    for person in world.people:
        assert person.alarms() in ([], ["own-device"]), person.alarms()
        assert person.set_aside() == []


def test_a_conversation_that_a_new_device_makes_has_all_devices_of_both() -> None:
    world = World(2, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(alice)
    phone = add_device(bob, "phone")
    bring_up(world)
    phone.write(alice, "hello")
    world.settle()
    assert alice.received() == tablet.received() == ["hello"]
    assert [each.text for each in bob.history()] == ["hello"]
    tablet.write(bob, "hello yourself")
    world.settle()
    assert bob.received() == phone.received() == ["hello yourself"]
