"""Nothing is sent by an old ledger, and nobody is removed before it is stated (H33)."""

from blackthorn.link import frames as f
from blackthorn.simulation.linking import add_device, bring_up, revoke
from tests.scenarios.test_device_life import members
from tests.support.device_world import World
from tests.support.stranding import live

HOUR = 3_600


def test_no_text_goes_after_a_day_without_a_verified_epoch():
    world = World(81, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    world.cosigning = False
    world.wake(20 * HOUR)
    alice.write(bob, "within a day")
    world.settle()
    live(world, 120)
    world.wake(6 * HOUR)
    number = alice.write(bob, "after a day")
    world.settle()
    assert bob.received() == ["hello", "within a day"]
    assert "the ledger has shown nothing new for a day" in alice.outcomes[number].error
    world.cosigning = True
    world.wake(2 * HOUR)
    live(world, 120)
    assert bob.received() == ["hello", "within a day", "after a day"]
    assert not alice.alarms()


def test_after_days_off_line_a_text_waits_for_one_lookup_only():
    world = World(82, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    world.wake(5 * 24 * HOUR)
    alice.write(bob, "back again")
    live(world, 60)
    assert bob.received() == ["hello", "back again"]


def test_a_revocation_that_the_server_refuses_removes_nobody():
    world = World(83, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(alice)
    alice.create_group("team", bob)
    world.settle()
    store = world.dispatcher._handlers[f.SubmitStatement]
    world.dispatcher._handlers[f.SubmitStatement] = lambda session, frame, now: session.transmit(
        f.StatementStored(frame.request, "another statement came first")
    )
    revoke(alice, tablet)
    live(world, 120)
    assert tablet.keys.device in members(bob, "group")[0]
    assert tablet.keys.device in members(alice, "self")[0]
    world.dispatcher._handlers[f.SubmitStatement] = store
    revoke(alice, tablet)
    bring_up(world)
    live(world, 120)
    assert tablet.keys.device not in members(bob, "group")[0]


def test_who_revokes_removes_at_once_although_the_ledger_withholds_the_statement():
    world = World(84, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(alice)
    alice.create_group("team", bob)
    world.settle()
    world.cosigning = False
    revoke(alice, tablet)
    live(world, 60)
    assert tablet.keys.device not in members(bob, "group")[0]
    with bob.unit() as unit:
        assert tablet.keys.device in {one.id for one in unit.chains.of(alice.address).devices}
