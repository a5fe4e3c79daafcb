"""Devices that are away for months: what was sent meanwhile is read, and people still meet."""

from tests.scenarios.device_world import World

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
