"""Who a leaf is: no user passes for another, and honest people meet for the first time."""

import dataclasses

import pytest

from blackthorn.device.conversations import content, conversations
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import DIRECT, GROUP, GroupMetadata
from blackthorn.device.core.members import Identity, identities, indices_of
from blackthorn.device.core.unit_of_work import unit
from blackthorn.ids import device_id
from blackthorn.link import frames as f
from blackthorn.mls import suites
from blackthorn.mls.framing.key_package import create_key_package, parse_key_package
from blackthorn.mls.group.group import Group
from tests.scenarios.test_device_hostile import _published, commit_by, package_of
from tests.support.device_world import World

FAR_AHEAD = 2**53 - 1


def believe(*_):
    """The validator of somebody who keeps to no rule."""


def conversation_as(world, mallory, address, victim, created_ms, sent_ms=5):
    """Mallory's direct conversation with the victim: her device and keys, that address."""
    world.introduce(mallory)
    keys = dataclasses.replace(mallory.keys, address=address)
    with unit(mallory.vault, keys, world.now_ms, world.chance.randbytes) as made:
        package = parse_key_package(_published(world, victim), now=int(world.now), validate=believe)
        facts = GroupMetadata(DIRECT, "", created_ms)
        conversation, welcome = conversations.create(made, facts, victim.address, [package])
        text = content.TextContent(made.random(16), "wire it to me", sent_ms, 1)
        message = conversation.group.encrypt(content.encode(text), random=made.random)
        sealed = made.envelope_key(conversation).seal(message, made.random)
    return envelope.seal_welcome(welcome), sealed


def key_packages_left(world, person):
    query = "SELECT count(*) FROM key_package WHERE device = ?"
    return world.database.reading.execute(query, (person.number,)).get


def questions(world):
    """Who is looked up from now on, lookup by lookup."""
    seen = []
    serve = world.dispatcher._handlers[f.LookUp]

    def spy(session, frame, now):
        seen.append(frame.addresses)
        serve(session, frame, now)

    world.dispatcher._handlers[f.LookUp] = spy
    return seen


@pytest.mark.parametrize("epoch", [2**62, 2**63 - 1, 2**64 - 2])
def test_a_welcome_of_an_epoch_that_no_vault_counts_is_refused(epoch):
    """And the parcels behind it are read."""
    world = World(89, "alice", "mallory")
    alice, mallory = world.people
    with mallory.unit() as made:
        now = made.now_ms // 1000
        package = parse_key_package(_published(world, alice), now=now, validate=believe)
        group = Group.create(
            suites.suite(suites.DEFAULT_SUITE),
            made.random(32),
            made.me.credential(),
            made.keys.identity,
            made.keys.identity_public,
            random=made.random,
            now=now,
            extensions=[GroupMetadata(DIRECT, "", world.now_ms).extension()],
        )
        first = group._state.epoch
        context = dataclasses.replace(first.context, epoch=epoch)
        group._state.epoch = dataclasses.replace(first, context=context)
        welcome = group.commit(add=[package], random=made.random, now=now, validate=believe).welcome
    world.introduce(alice)
    world.put_parcel(alice, envelope.seal_welcome(welcome))
    world.settle()
    (refused,) = alice.set_aside()
    assert refused.reason == "the Welcome is of an epoch that no conversation reaches"
    mallory.write(alice, "behind it")
    world.settle()
    world.check_received(alice, ["behind it"])


# --- Posing as a colleague ----------------------------------------------------------------


@pytest.mark.parametrize("met", [True, False])
def test_nobody_takes_a_colleagues_address_with_a_device_of_his_own(met):
    world = World(80, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    if met:
        alice.write(bob, "alice here")
        world.settle()
    before = bob.conversations()
    for parcel in conversation_as(world, mallory, alice.address, bob, FAR_AHEAD):
        world.put_parcel(bob, parcel)
    world.settle()
    assert bob.received() == (["alice here"] if met else [])
    assert bob.conversations() == before
    reasons = [each.reason for each in bob.set_aside()]
    assert "the ledger has no such device of alice@acme.example" in reasons
    assert len(world.stored(bob)) == 2, "what was not opened is not acknowledged"
    bob.write(alice, "for alice alone")
    alice.write(bob, "it is me")
    world.settle()
    world.check_received(alice, ["for alice alone"])
    assert bob.received()[-1] == "it is me" and not mallory.received()


def test_what_the_ledger_does_not_have_is_asked_for_once_in_each_connection():
    world = World(81, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    parcels = conversation_as(world, mallory, alice.address, bob, 5)
    asked = questions(world)
    for parcel in parcels:
        world.put_parcel(bob, parcel)
    world.settle()
    assert asked == [[alice.address]]
    world.later(60)
    world.settle()
    assert len(asked) == 1
    bob.connect()
    world.settle()
    assert sorted(user for users in asked[1:] for user in users) == [alice.address, bob.address]
    assert len(bob.set_aside()) == 2


@pytest.mark.parametrize("kind", [DIRECT, GROUP])
def test_a_leaf_with_the_device_of_another_and_a_key_of_his_own_is_refused(kind):
    world = World(82, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    facts = GroupMetadata(kind, "" if kind == DIRECT else "board", 5)
    group = Group.create(
        suites.suite(suites.DEFAULT_SUITE),
        world.chance.randbytes(32),
        Identity(alice.address, alice.keys.device).credential(),
        mallory.keys.identity,
        mallory.keys.identity_public,
        random=world.chance.randbytes,
        now=int(world.now),
        extensions=[facts.extension()],
    )
    package = parse_key_package(_published(world, bob), now=int(world.now), validate=believe)
    made = group.commit(
        add=[package], random=world.chance.randbytes, now=int(world.now), validate=believe
    )
    world.put_parcel(bob, envelope.seal_welcome(made.welcome))
    world.settle()
    (refused,) = bob.set_aside()
    device = alice.keys.device.hex()
    assert refused.reason == (
        f"a leaf of alice@acme.example: device {device} has another key in the chain [I43]"
    )
    alice.write(bob, "it is me")
    world.settle()
    bob.write(alice, "welcome")
    world.settle()
    world.check_received(bob, ["it is me"])
    world.check_received(alice, ["welcome"])


def test_devices_that_do_not_exist_are_not_added_to_a_group():
    world = World(83, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    mallory.create_group("board", alice, bob)
    world.settle()
    asked = questions(world)

    def add(group, made):
        packages = [ghost(world, made, name) for name in ("ghost", "alice")]
        return group.commit(add=packages, random=made.random, now=int(world.now), validate=believe)

    world.put_parcel(alice, commit_by(world, mallory, add))
    world.settle()
    assert not alice.set_aside()
    number = alice.write_group("board", "secret")
    world.settle()
    assert asked == [[alice.address, "ghost@acme.example", mallory.address]]
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    with alice.unit() as unit:
        (record,) = unit.records.conversations.all()
        members = identities(unit.open(record.id).group.members)
    assert {one.device for one in members} == {one.keys.device for one in world.people}
    told = [text for text in alice.events() if "put out before you write" in text]
    assert sorted(text.split(" is in")[0] for text in told) == [
        "a device that is not alice@acme.example's",
        "a device that is not ghost@acme.example's",
    ]


def ghost(world, made, name):
    """The key package of a device that nobody has activated."""
    chosen = suites.suite(suites.DEFAULT_SUITE)
    private, public = chosen.generate_signature_key(world.chance.randbytes)
    credential = Identity(f"{name}@acme.example", device_id(public)).credential()
    message, _ = create_key_package(
        chosen, credential, private, public, random=world.chance.randbytes, now=int(world.now)
    )
    return parse_key_package(message, now=int(world.now), validate=believe)


# --- Times --------------------------------------------------------------------------------


def test_no_time_of_a_sender_reaches_far_beyond_the_receivers_clock():
    world = World(84, "bob", "mallory")
    bob, mallory = world.people
    parcels = conversation_as(world, mallory, mallory.address, bob, FAR_AHEAD, sent_ms=FAR_AHEAD)
    for parcel in parcels:
        world.put_parcel(bob, parcel)
    world.settle()
    (conversation,) = bob.conversations()
    (line,) = bob.history()
    assert conversation.created_ms == world.now_ms
    assert line.sent_ms == world.now_ms + 24 * 3600 * 1000


# --- Direct conversations -----------------------------------------------------------------


def test_a_direct_conversation_with_anybody_else_in_it_is_not_written_in():
    """Even if such a one had come into the store."""
    world = World(85, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    mallory.create_group("board", bob)
    world.settle()
    with bob.vault.transaction() as records:
        (record,) = records.conversations.all()
        records.conversations.put(
            dataclasses.replace(record, kind=DIRECT, name=alice.address, created_ms=FAR_AHEAD)
        )
    bob.write(alice, "for alice alone")
    world.settle()
    world.check_received(alice, ["for alice alone"])
    world.check_received(mallory, [])


def test_the_other_side_of_a_direct_conversation_does_not_become_somebody_else():
    world = World(86, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    bob.write(alice, "between us")
    world.settle()
    for person in world.people:
        world.introduce(person)
    package = package_of(world, mallory)

    def swap(group, made):
        verified = parse_key_package(package, now=int(world.now), validate=believe)
        gone = indices_of(group, [alice.address])
        return group.commit(
            add=[verified],
            remove=gone,
            random=made.random,
            now=int(world.now),
            validate=believe,
        )

    world.put_parcel(alice, commit_by(world, bob, swap))
    world.settle()
    assert alice.events() == [f"{bob.address} sent a change that nobody may make; it was refused"]
    assert alice.conversations()[0].standing == "active"


# --- First contact ------------------------------------------------------------------------


def test_two_people_meet_and_nothing_is_left_at_the_server():
    world = World(87, "alice", "bob")
    alice, bob = world.people
    left = key_packages_left(world, alice)
    asked = questions(world)
    alice.write(bob, "hello")
    world.settle()
    assert asked == [[bob.address], [alice.address]]
    world.check_received(bob, ["hello"])
    assert not bob.set_aside() and key_packages_left(world, alice) == left
    world.dispatcher.tick(world.now)
    world.settle()
    assert not world.stored(bob)
    bob.write(alice, "hello yourself")
    world.settle()
    world.check_received(alice, ["hello yourself"])
    assert len(asked) == 2, "each has looked up the other once"


def test_a_group_of_people_who_have_never_met():
    world = World(88, "alice", "bob", "carol", "dave", "erin")
    alice, bob, carol, dave, erin = world.people
    asked = questions(world)
    alice.create_group("team", bob, carol, dave)
    alice.write_group("team", "welcome")
    world.settle()
    assert len(asked) == 4 and all(len(each) == 3 for each in asked), "all at once"
    for person in (bob, carol, dave):
        world.check_received(person, ["welcome"])
    bob.change_group("team", [erin], [])
    world.settle()
    erin.write_group("team", "thank you")
    world.settle()
    assert [each.received()[-1] for each in (alice, bob, carol, dave)] == ["thank you"] * 4
    assert not any(world.stored(each) or each.set_aside() for each in world.people)


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("steps", range(6))
def test_a_link_that_breaks_at_any_moment_of_a_first_contact_loses_nothing(steps, restart):
    world = World(89, "alice", "bob")
    alice, bob = world.people
    wire = bob.wire
    world.cut(wire)
    alice.write(bob, "hello")
    world.settle()
    wire = bob.connect()
    for _ in range(steps):
        while wire.to_server:
            world.step_wire(wire, to_server=True)
        world.step_wire(wire, to_server=False)
    world.cut(wire)
    if restart:
        bob.restart()
    bob.connect()
    world.settle()
    world.check_received(bob, ["hello"])
    world.reconnect_all()
    assert not world.stored(bob) and not bob.set_aside()
