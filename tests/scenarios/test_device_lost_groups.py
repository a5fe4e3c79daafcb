"""Conversations that others count a device in and that it does not have (H1, H28)."""

import pytest

from blackthorn.device.account import lost_groups
from blackthorn.device.conversations import heal_messages, key_packages
from blackthorn.device.core import envelope
from blackthorn.device.healing import lacking
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.mls.framing.key_package import parse_key_package
from blackthorn.simulation.device import Person
from blackthorn.simulation.linking import add_device
from tests.scenarios.test_device_copies import copy_of, reconnect, restore
from tests.scenarios.test_device_life import members
from tests.support.device_world import World
from tests.support.insiders import believe
from tests.support.stranding import epochs, live, standing

AWHILE = 3_600


def conversation_of(person, group):
    return next(one.id for one in person.conversations() if one.name == group)


def test_a_restored_folder_comes_back_into_groups_that_it_does_not_know():
    world = World(71, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "hello")
    world.settle()
    backup = copy_of(alice)
    reconnect(world, alice, 3)
    bob.create_group("later", alice, carol)
    world.settle()
    bob.write_group("later", "read by the copy")
    world.settle()
    assert "read by the copy" in alice.received()
    restore(alice, backup)
    alice.connect()
    world.settle()
    live(world, AWHILE)
    assert standing(alice) == ["active"] and len(epochs(world, "later")) == 1
    carol.write_group("later", "welcome back")
    alice.write_group("later", "here I am")
    live(world, AWHILE)
    assert "welcome back" in alice.received() and "here I am" in carol.received()
    assert alice.alarms() == ["copy"] and not bob.alarms() and not carol.alarms()


def test_a_restored_folder_asks_where_a_group_went_on_without_a_text():
    """Commits that the copy has read are gone; nobody has to write before it is noticed."""
    world = World(72, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    alice.create_group("team", bob, carol, dave)
    world.settle()
    backup = copy_of(alice)
    reconnect(world, alice, 3)
    bob.change_group("team", [], [dave])
    world.settle()
    restore(alice, backup)
    alice.connect()
    world.settle()
    live(world, AWHILE, step=30)
    assert standing(alice) == ["active"] and len(epochs(world, "team")) == 1
    bob.write_group("team", "hello")
    world.settle()
    assert "hello" in alice.received()


def test_own_devices_and_people_replace_direct_conversations_that_it_does_not_know():
    world = World(73, "alice", "bob", "carol")
    alice, bob, carol = world.people
    tablet = add_device(alice)
    tablet.write(bob, "hello")
    world.settle()
    backup = copy_of(tablet)
    reconnect(world, tablet, 3)
    carol.write(alice, "a first text, read by the copy")
    world.settle()
    restore(tablet, backup)
    tablet.connect()
    world.settle()
    live(world, AWHILE)
    carol.write(alice, "after the restore")
    live(world, 60)
    assert "after the restore" in tablet.received() and "after the restore" in alice.received()
    assert members(tablet, "direct")[-1] == {p.keys.device for p in (alice, carol, tablet)}


def test_no_own_device_answers_what_is_put_to_another_person():
    """It reads the question too: both are in that direct conversation."""
    world = World(76, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(alice)
    alice.write(bob, "hello")
    alice.create_group("team", bob)
    world.settle()
    item = heal_messages.AskedItem(conversation_of(alice, "team"), 1, b"b" * 16, "S3", b"")
    for message in (heal_messages.Known(b""), heal_messages.Question(b"n" * 16, [item])):
        part = heal_messages.encode_part(message)
        alice.enqueue(lambda unit: SendHeal(bob.address, b"s" * 16, part).enqueue(unit))  # noqa: B023
    live(world, 300)
    assert [one.name for one in tablet.conversations() if one.kind == "direct"] == [bob.address]
    assert [one.name for one in alice.conversations() if one.kind == "direct"] == [bob.address]


def test_nobody_makes_a_device_ask_that_has_not_asked():
    world = World(74, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    with alice.unit() as unit:
        before = unit.records.key_packages.count()
    part = heal_messages.encode_part(heal_messages.Unknown([b"\x07" * 32]))
    bob.enqueue(lambda unit: SendHeal(alice.address, b"s" * 16, part).enqueue(unit))
    live(world, 300)
    with alice.unit() as unit:
        assert not lacking.of(unit).lacks
        assert unit.records.key_packages.count() == before


def test_the_inviter_hears_of_a_refused_welcome_and_sends_another(monkeypatch):
    """A member of the first one stays unknown to the ledger for seven days; no member answers."""
    monkeypatch.setattr(lost_groups, "answer", lambda unit, heard, asked: [])
    world = World(75, "alice", "bob", "mallory", "dave")
    alice, bob, mallory, dave = world.people
    mallory.create_group("board", alice, bob)
    world.settle()
    ghost = Person.first(world, 99, "bob")
    with ghost.unit() as unit:
        (false,) = key_packages.make(unit, 1)
    with dave.unit() as unit:
        (true,) = key_packages.make(unit, 1)
    now = int(world.now)
    packages = [parse_key_package(one, now=now, validate=believe) for one in (false, true)]
    with mallory.unit() as unit:
        (record,) = unit.records.conversations.all()
        conversation = unit.open(record.id)
        key = unit.envelope_key(conversation)
        made = conversation.group.commit(
            add=packages, random=unit.random, now=now, validate=believe
        )
        forged = key.seal(made.commit, unit.random)
        conversation.group.merge_pending()
        unit.moved(conversation)
    for person in (alice, bob):
        world.put_parcel(person, forged)
    world.put_parcel(dave, envelope.seal_welcome(made.welcome))
    world.settle()
    alice.write_group("board", "the ghost goes out")
    live(world, AWHILE, step=60)
    assert standing(dave) == [] and "the ghost goes out" in mallory.received()
    world.wake(8 * 86_400)
    live(world, AWHILE)
    assert any("was not reached: the Welcome was refused" in text for text in mallory.events())
    assert standing(dave) == ["active"] and len(epochs(world, "board")) == 1
    bob.write_group("board", "hello, Dave")
    live(world, 60)
    assert "hello, Dave" in dave.received()


def test_a_welcome_that_opens_nothing_is_asked_about_once_a_day():
    world = World(76, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "hello")
    bob.create_group("team", alice, carol)
    bob.create_group("other", alice)
    world.settle()
    heard = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lost_groups, "answer", lambda unit, heard_, asked: heard.append(asked) or [])
        for number in range(5):
            with carol.unit() as unit:
                (package,) = key_packages.make(unit, 1)
            verified = parse_key_package(package, now=int(world.now), validate=believe)
            with bob.unit() as unit:
                record = unit.records.conversations.named("group", "other")[0]
                group = unit.open(record.id).group
                made = group.commit(
                    add=[verified], random=unit.random, now=int(world.now), validate=believe
                )
                group.discard_pending()
            world.put_parcel(alice, envelope.seal_welcome(made.welcome))
            live(world, 120 + number)
        assert len(heard) == 2, "Bob and Carol are asked once"
        live(world, 25 * AWHILE, step=600)
    assert alice.received() == [] and not alice.alarms()


def test_a_copy_of_one_connection_is_no_copy_to_the_server_and_still_asks_what_it_lacks():
    """It has the newest connection number: only what it cannot read shows that it was restored."""
    world = World(77, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "hello")
    carol.write(alice, "hello, too")
    world.settle()
    backup = copy_of(alice)
    bob.create_group("later", alice, carol)
    world.settle()
    restore(alice, backup)
    alice.connect()
    world.settle()
    bob.write_group("later", "not for the copy")
    live(world, AWHILE)
    assert standing(alice) == ["active"] and len(epochs(world, "later")) == 1
    carol.write_group("later", "welcome back")
    alice.write_group("later", "here I am")
    live(world, AWHILE)
    assert "welcome back" in alice.received() and "here I am" in carol.received()
    assert not alice.alarms() and not bob.alarms() and not carol.alarms()
