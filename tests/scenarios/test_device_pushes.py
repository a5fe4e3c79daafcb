"""Each epoch is pushed with the places that changed (H32), and whoever is there is looked up."""

import pytest

from blackthorn.link import frames as f
from blackthorn.simulation.linking import add_device, bring_up, revoke
from tests.support.device_world import World
from tests.support.evil_server import EvilServer, changed

DAY = 24 * 3600.0


def lookups(world, person):
    """The addresses of each lookup that the person's device asks for from now on."""
    heard, serve = [], world.dispatcher._handlers[f.LookUp]

    def listen(session, frame, now):
        if session.device is not None and session.device.id == person.keys.device:
            heard.append(set(frame.addresses))
        serve(session, frame, now)

    world.dispatcher._handlers[f.LookUp] = listen
    return heard


def devices_of(person, other):
    with person.unit() as unit:
        return unit.chains.live(other.address)


def test_whoever_changed_is_looked_up_within_a_minute_and_nobody_else():
    world = World(960, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    world.introduce(alice)
    heard = lookups(world, alice)
    tablet = add_device(bob)
    world.publish()
    world.settle()
    world.later(60)
    world.settle()
    assert bytes(tablet.keys.device) in devices_of(alice, bob)
    asked = [each for each in heard if bob.address in each]
    assert asked and all(carol.address not in each and dave.address not in each for each in asked)


def test_on_connecting_a_revocation_is_known_before_parcels_are_asked_for():
    world = World(961, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(bob)
    alice.write(bob, "hello")
    world.settle()
    world.cut(alice.wire)
    revoke(bob, tablet)
    world.settle()
    world.publish()
    wire = alice.connect()
    said, say = [], wire.say

    def note(*frames):
        said.extend((type(each).__name__, each) for each in frames)
        say(*frames)

    wire.say = note
    world.settle()
    names = [name for name, _ in said]
    of_bob = next(
        i for i, (n, each) in enumerate(said) if n == "LookUp" and bob.address in each.addresses
    )
    assert names.index("FetchEpochs") < of_bob < names.index("FetchChain") < names.index("Resume")
    assert bytes(tablet.keys.device) not in devices_of(alice, bob)


def test_without_changes_parcels_are_asked_for_at_once():
    world = World(962, "alice", "bob")
    alice, _ = world.people
    wire = alice.connect()
    world.run_wire(wire)
    world.writer.commit()  # the number of the hello is durable before it is answered
    world.run_wire(wire)
    assert wire.link.state.name == "RECEIVING"


def test_a_text_waits_for_the_lookup_of_whoever_changed():
    world = World(963, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(bob)
    alice.write(bob, "hello")
    world.settle()
    revoke(bob, tablet)
    world.settle()
    world.publish()
    world.settle()
    alice.write(bob, "not for the tablet")
    world.settle()
    assert "not for the tablet" in bob.received()
    assert bytes(tablet.keys.device) not in devices_of(alice, bob)
    tablet.connect()
    world.settle()
    assert "not for the tablet" not in tablet.received()


@pytest.mark.parametrize("lie", ["left out", "none named"])
def test_a_push_that_leaves_somebody_out_stands_for_no_lookup(lie):
    """Whoever adds or first writes to somebody looks them up, whatever was pushed."""
    world = EvilServer(964, "alice", "bob")
    alice, bob, *_ = world.people
    world.introduce(alice)

    def leave_out(frame):
        if not isinstance(frame, f.EpochPushed):
            return frame
        return None if lie == "none named" else changed(frame, prefixes=[])

    world.lie(alice, leave_out)
    phone = add_device(bob, "new phone")
    world.settle()
    revoke(phone, bob)
    bring_up(world)
    world.settle()
    alice.write(bob, "hello")
    world.settle()
    assert phone.received() == ["hello"]


def test_more_changes_than_are_named_look_up_all_contacts_once_a_day():
    world = EvilServer(965, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    world.introduce(alice)
    world.lie(
        alice,
        lambda frame: (
            changed(frame, prefixes=[], whole=False) if isinstance(frame, f.EpochPushed) else frame
        ),
    )
    heard = lookups(world, alice)
    for _ in range(3):
        add_device(carol, "another")
        world.publish()
        world.settle()
        world.later(60)
        world.settle()
    assert sum(bob.address in each for each in heard) == 1


def test_pushes_without_end_bring_no_lookups_without_end():
    """A server that names everybody each second: each is looked up once a minute at most."""
    world = World(966, "alice", "bob", "carol")
    alice, bob, _ = world.people
    world.introduce(alice)
    with alice.unit() as unit:
        places = [place for _, place, _ in unit.records.directory.places()]
        size = unit.records.directory.newest().size
    heard = lookups(world, alice)
    for second in range(300):
        frame = f.EpochPushed(size + second, size + second + 1, places)
        alice.wire.say(*alice.device.receive(frame, world.now_ms))
        world.later(1)
        world.run_wires()
    assert sum(bob.address in each for each in heard) <= 6


def test_a_device_that_stays_on_line_looks_up_its_own_user_every_six_hours_and_no_more():
    """Neither the replay of the log nor upkeep asks for more while nothing is due."""
    world = World(966, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    heard = lookups(world, alice)
    for _ in range(144):
        world.later(600)
        world.publish()
        for person in world.people:
            assert person.wire is not None
            person.wire.say(f.Ping(0))
            world.run_wire(person.wire)
        world.settle()
    assert 3 <= len(heard) <= 5
    assert all(alice.address in each for each in heard)


def test_a_device_whose_newest_checkpoint_was_too_old_looks_again_at_the_next_epoch():
    world = World(967, "alice", "bob")
    alice, _ = world.people
    world.cut(alice.wire)
    world.later(10 * DAY)
    heard = lookups(world, alice)
    alice.connect()
    world.settle()
    assert len(heard) > 1 and not alice.device.directory.stale
