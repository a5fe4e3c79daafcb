"""Devices against a server, and members, that keep to no rule: refused, visibly, and nobody in."""

import random

import pytest

from blackthorn.device.conversations import conversations
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import GroupMetadata
from blackthorn.device.core.members import Identity, identify
from blackthorn.device.healing.states import State
from blackthorn.errors import StorageError
from blackthorn.mls import suites
from blackthorn.mls.framing.key_package import create_key_package, parse_key_package
from tests.support.device_world import World


def identity_of(person):
    return Identity(person.address, person.keys.device)


def package_of(world, person, suite=suites.DEFAULT_SUITE):
    """A key package of the person, made by the person."""
    message, _ = create_key_package(
        suites.suite(suite),
        identity_of(person).credential(),
        person.keys.identity,
        person.keys.identity_public,
        random=world.chance.randbytes,
        now=int(world.now),
    )
    return message


def replace_packages(world, person, package):
    world.database.writing.execute(
        "UPDATE key_package SET package = ? WHERE device = ?", (package, person.number)
    )


@pytest.mark.parametrize("swap", ["another user's", "a weaker suite's"])
def test_a_key_package_that_is_not_the_one_asked_for_is_refused(swap):
    world = World(60, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    if swap == "another user's":
        package = package_of(world, mallory)
    else:
        package = package_of(world, bob, suites.SUITE_1)
    replace_packages(world, bob, package)
    number = alice.write(bob, "secret")
    world.settle()
    assert alice.outcomes[number].final and alice.outcomes[number].error
    assert not alice.conversations()
    assert not world.stored(mallory) and not mallory.history() and not bob.history()


def test_a_known_device_with_another_key_is_refused():
    """The server forges a key package in Bob's name, for Bob's device, with a key of its own."""
    world = World(61, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "first contact")
    world.settle()
    private, public = suites.suite(suites.DEFAULT_SUITE).generate_signature_key(
        world.chance.randbytes
    )
    forged, _ = create_key_package(
        suites.suite(suites.DEFAULT_SUITE),
        identity_of(bob).credential(),
        private,
        public,
        random=world.chance.randbytes,
        now=int(world.now),
    )
    replace_packages(world, bob, forged)
    number = alice.create_group("team", bob)
    world.settle()
    assert "has another key in the chain" in alice.outcomes[number].error


def commit_by(world, person, change):
    """A Commit of the person's own making, put into everybody's mailbox past every check."""
    (conversation,) = person.conversations()
    with person.device.unit(world.now_ms) as unit:
        opened = unit.open(conversation.id)
        key = unit.envelope_key(opened)
        made = change(opened.group, unit)
        return key.seal(made.commit, world.chance.randbytes)


def test_nobody_is_added_to_a_direct_conversation():
    world = World(62, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    alice.write(bob, "between us")
    world.settle()
    package = package_of(world, mallory)
    world.introduce(alice)
    world.introduce(bob)

    def add(group, unit):
        verified = parse_key_package(package, now=int(world.now), validate=unit.validate)
        return group.commit(
            add=[verified], random=unit.random, now=int(world.now), validate=unit.validate
        )

    before = alice.conversations()[0].state
    world.put_parcel(alice, commit_by(world, bob, add))
    world.settle()
    assert not alice.set_aside()
    assert "bob@acme.example sent a change that nobody may make; it was refused" in alice.events()
    assert alice.conversations()[0].state == before


def test_the_name_of_a_group_is_not_changed_by_a_commit():
    world = World(63, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()

    def rename(group, unit):
        facts = GroupMetadata("group", "another name", 5)
        return group.commit(
            extensions=[facts.extension()],
            random=unit.random,
            now=int(world.now),
            validate=unit.validate,
        )

    world.put_parcel(alice, commit_by(world, bob, rename))
    world.settle()
    assert not alice.set_aside()
    assert "bob@acme.example sent a change that nobody may make; it was refused" in alice.events()
    assert alice.conversations()[0].name == "team"


def test_everything_ever_sent_replayed_in_any_order_changes_nothing():
    seed = 64
    world = World(seed, "alice", "bob", "carol")
    alice, bob, carol = world.people
    seen: list[bytes] = []
    put = world.dispatcher._submission._take

    def spy(session, posting, lists, left_out):
        seen.extend(parcel.sealed for parcel in posting.parcels)
        return put(session, posting, lists, left_out)

    world.dispatcher._submission._take = spy
    alice.create_group("team", bob, carol)
    alice.write_group("team", "one")
    alice.write(bob, "two")
    world.settle()
    alice.change_group("team", [], [carol])
    bob.write_group("team", "three")
    world.settle()
    before = {person: (person.received(), person.events()) for person in world.people}
    states = {person: [c.state for c in person.conversations()] for person in world.people}
    chance = random.Random(seed)
    replayed = list(seen)
    for _ in range(2):
        chance.shuffle(replayed)
        for sealed in replayed:
            for person in world.people:
                world.put_parcel(person, sealed)
        world.settle()
    for person in world.people:
        assert (person.received(), person.events()) == before[person]
        assert [c.state for c in person.conversations()] == states[person]


def test_an_old_welcome_does_not_bring_back_who_was_removed():
    world = World(65, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.cut(carol.wire)
    world.settle()
    (welcome,) = world.stored(carol)
    carol.connect()
    world.settle()
    alice.change_group("team", [], [carol])
    world.settle()
    with carol.vault.transaction() as records:  # even if the digest had been forgotten
        records.parcels.forget_seen_before(2**60)
    world.put_parcel(carol, welcome)
    world.settle()
    assert len(carol.set_aside()) == 1
    assert carol.conversations()[0].standing == "removed"
    assert carol.conversations()[0].standing == State.LEFT


def test_a_welcome_into_a_direct_conversation_of_three_is_refused():
    world = World(66, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    world.introduce(mallory)
    world.introduce(alice)
    with mallory.device.unit(world.now_ms) as unit:
        packages = [
            parse_key_package(_published(world, each), now=int(world.now), validate=unit.validate)
            for each in (alice, bob)
        ]
        facts = GroupMetadata("direct", "", unit.now_ms)
        _, welcome = conversations.create(unit, facts, bob.address, packages)
    world.put_parcel(alice, envelope.seal_welcome(welcome))
    world.settle()
    assert [each.reason for each in alice.set_aside()] == [
        "a direct conversation is between two people"
    ]
    assert not alice.conversations()


def _published(world, person):
    query = "SELECT package FROM key_package WHERE device = ? AND last_resort = 0 LIMIT 1"
    return world.database.reading.execute(query, (person.number,)).get


def test_a_server_whose_disk_is_full_refuses_and_the_text_is_sent_later():
    world = World(67, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "one")
    world.settle()
    world.writer.fail(StorageError("the disk is full"))
    number = alice.write(bob, "two")
    world.settle()
    assert not alice.outcomes[number].final and alice.waiting() == 1
    world.writer.fail(None)
    world.later(60)
    world.reconnect_all()
    world.check_received(bob, ["one", "two"])
    assert alice.waiting() == 0


def test_a_second_connection_of_a_device_takes_over():
    world = World(68, "alice", "bob")
    alice, bob = world.people
    first = bob.wire
    bob.wire = None
    bob.connect()
    world.settle()
    assert bob.device.superseded or first not in world.wires
    alice.write(bob, "to whoever receives")
    world.settle()
    world.check_received(bob, ["to whoever receives"])


def test_an_identity_is_read_from_every_leaf():
    world = World(69, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    (conversation,) = bob.conversations()
    with bob.device.unit(world.now_ms) as unit:
        members = unit.open(conversation.id).group.members
    assert {identify(each.credential).address for each in members} == {
        alice.address,
        bob.address,
    }
