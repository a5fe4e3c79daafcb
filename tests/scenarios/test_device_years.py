"""Devices that are away for months: what was sent meanwhile is read, and people still meet."""

from tests.support.device_world import World

DAY = 24 * 3600.0


def test_an_added_device_is_followed_after_its_key_package_has_expired() -> None:
    """RFC 9420, 7.3: who adds a leaf judges its lifetime, not who reads that Commit later."""
    world = World(31, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    assert carol.wire is not None
    world.cut(carol.wire)
    world.later(80 * DAY)
    world.publish()
    for person in (alice, bob, dave):
        person.connect()
    world.settle()
    alice.change_group("team", [dave], [])
    world.settle()
    alice.write_group("team", "Welcome, Dave.")
    world.settle()
    assert "Welcome, Dave." in dave.received()
    world.wake(15 * DAY)
    assert "Welcome, Dave." in carol.received()
    carol.write_group("team", "I am back.")
    world.settle()
    for person in (alice, bob, dave):
        assert "I am back." in person.received(), person.name


def test_who_was_away_around_an_expiry_seals_nothing_for_a_person_removed_meanwhile() -> None:
    """Who could not follow the addition did not see the removal, and sealed for the removed."""
    world = World(34, "alice", "bob", "carol", "dave", "mallory")
    alice, bob, carol, dave, mallory = world.people
    alice.create_group("team", bob, carol, mallory)
    world.settle()
    assert carol.wire is not None
    world.cut(carol.wire)
    world.later(20 * DAY)
    for person in (alice, bob, dave, mallory):
        person.connect()
    world.settle()
    alice.change_group("team", [dave], [mallory])
    world.settle()
    world.wake(90 * DAY)
    carol.write_group("team", "not for Mallory")
    world.settle()
    assert "not for Mallory" in dave.received() and "not for Mallory" not in mallory.received()


def test_people_who_met_nobody_for_months_can_still_be_written_to() -> None:
    """First contact on days 30, 60, 92 and 400 after activation, also with one who is away."""
    names = ["alice", "bob", "carol", "dave", "erin"]
    world = World(32, *names)
    alice, *others = world.people
    for day, person in zip((30, 60, 92, 390), others, strict=True):
        while world.now_ms < (day * DAY + world.began) * 1000:
            world.wake(min(10 * DAY, day * DAY + world.began - world.now))
            world.dispatcher.start_day(int(world.now // DAY))
        alice.write(person, f"day {day}")
        world.settle()
        assert f"day {day}" in person.received()


def test_a_device_that_never_came_back_is_reached_by_its_last_resort_key_package() -> None:
    world = World(33, "alice", "bob")
    alice, bob = world.people
    assert bob.wire is not None
    world.cut(bob.wire)
    world.later(100 * DAY)
    world.dispatcher.start_day(int(world.now // DAY))
    alice.connect()
    world.settle()
    number = alice.write(bob, "Where are you?")
    world.settle()
    assert not alice.outcomes[number].error
    bob.connect()
    world.settle()
    assert bob.received() == ["Where are you?"]
