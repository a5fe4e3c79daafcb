"""Devices among crashes, lost answers, forgeries and replays: nothing lost, nothing twice."""

import contextlib
import random

import pytest

from blackthorn.device.conversations import limits
from blackthorn.device.core import envelope
from blackthorn.errors import StorageError, UserError
from tests.support.device_world import World


def test_a_crash_between_save_and_send_loses_nothing():
    world = World(20, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "first contact")
    world.settle()
    alice.device.enqueue(world.now_ms, lambda unit: _text(unit, bob, "saved"))
    alice.device.tick(world.now_ms)  # prepared and saved; the frames are lost with the process
    alice.restart()
    alice.connect()
    world.settle()
    world.check_received(bob, ["first contact", "saved"])


def _text(unit, person, text):
    from blackthorn.device.operations import send_text

    return send_text.enqueue(unit, "direct", person.address, text)


def test_a_first_message_survives_a_crash_at_every_step():
    """The device dies after each message that it hears; claims, Welcome and text are redone."""
    for steps in range(1, 9):
        world = World(100 + steps, "alice", "bob")
        alice, bob = world.people
        alice.write(bob, "hello")
        for _ in range(steps):
            if alice.wire is None or not world.step_wire(alice.wire, to_server=True):
                world.dispatcher.tick(world.now)
                world.writer.commit()
                if alice.wire is None or not world.step_wire(alice.wire, to_server=False):
                    break
        alice.restart()
        world.reconnect_all()
        world.check_received(bob, ["hello"])
        assert alice.waiting() == 0


@pytest.mark.parametrize("committed", [False, True])
def test_a_server_that_dies_with_a_commit_in_flight_leaves_one_group(committed):
    """It failed; or it succeeded and the answer was lost."""
    world = World(30 + committed, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob)
    world.settle()
    bob.write_group("team", "so that the list is known")
    world.settle()
    alice.change_group("team", [carol], [])
    while alice.wire is not None and (
        world.step_wire(alice.wire, to_server=True) or world.step_wire(alice.wire, to_server=False)
    ):
        pass
    world.writer.commit()  # the claim
    while world.step_wire(alice.wire, to_server=False) or world.step_wire(
        alice.wire, to_server=True
    ):
        pass
    world.crash(committed=committed)
    world.reconnect_all()
    alice.write_group("team", "to both")
    bob.write_group("team", "from bob")
    world.settle()
    world.check_received(carol, ["to both", "from bob"])
    assert len({person.conversations()[0].epoch for person in world.people}) == 1


def test_a_commit_whose_answer_was_lost_stands_when_others_have_gone_on():
    world = World(33, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    alice.change_group("team", [], [carol])
    _until_posted(world, alice)
    world.writer.commit(told=True)
    world.cut(alice.wire)  # the answer is lost
    world.settle()
    bob.change_group("team", [carol], [])
    bob.write_group("team", "on we go")
    world.settle()
    alice.connect()
    world.settle()
    world.check_received(alice, ["on we go"])
    alice.write_group("team", "so do I")
    world.settle()
    assert "so do I" in bob.received() and "so do I" in carol.received()


def _until_posted(world, person):
    """Move the person's frames until a posting waits for the disk."""
    for _ in range(20):
        if not world.step_wire(person.wire, to_server=True) and not world.step_wire(
            person.wire, to_server=False
        ):
            return


def test_a_repeated_parcel_is_shown_once():
    world = World(40, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "once")
    alice.write(bob, "and only once")
    parcels = _capture(world, bob)
    world.settle()
    for sealed in parcels:
        world.put_parcel(bob, sealed)
    world.settle()
    world.check_received(bob, ["once", "and only once"])
    assert not bob.set_aside()


def _capture(world, person):
    """The sealed parcels that are put into the person's mailbox while the world settles."""
    taken = []
    while True:
        before = world.writer.waiting
        moved = False
        for wire in list(world.wires):
            while world.step_wire(wire, to_server=True):
                moved = True
        taken += [sealed for sealed in world.stored(person) if sealed not in taken]
        moved = world.writer.commit() > 0 or moved or before > 0
        for wire in list(world.wires):
            if wire.device is not person:
                while world.step_wire(wire, to_server=False):
                    moved = True
        if not moved:
            return taken


def test_a_forged_copy_first_does_not_destroy_the_true_message():
    """Every copy with one flipped bit, delivered before the true parcel."""
    world = World(41, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    world.cut(bob.wire)
    alice.write(bob, "the true message")
    (true,) = _capture(world, bob)
    world.database.writing.execute("DELETE FROM mailbox WHERE device = 2")
    world.crash(committed=True)
    alice.connect()
    world.settle()
    places = [0, 1, 16, 17, 24, 25, len(true) // 2, len(true) - 1]
    for place in places:
        forged = bytearray(true)
        forged[place] ^= 1
        world.put_parcel(bob, bytes(forged))
    world.put_parcel(bob, true)
    world.settle()
    bob.connect()
    world.settle()
    world.check_received(bob, ["hello", "the true message"])
    assert len(bob.set_aside()) == len(places)
    alice.write(bob, "and on")
    world.settle()
    assert bob.received()[-1] == "and on"


def test_an_insiders_forgery_inside_the_right_envelope_destroys_nothing():
    """A member can make envelopes; a message inside that MLS refuses changes nothing."""
    world = World(42, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    bob_before = bob.conversations()[0].state
    team = carol.conversations()[0].id
    with carol.device.unit(world.now_ms) as unit:
        conversation = unit.open(team)
        key = unit.envelope_key(conversation)
        message = bytearray(conversation.group.encrypt(b"x", random=world.chance.randbytes))
        message[-1] ^= 1
        parcel = key.seal(bytes(message), world.chance.randbytes)
        junk = key.seal(b"\x00\x01\x00\x02", world.chance.randbytes)
    world.put_parcel(bob, parcel)
    world.put_parcel(bob, junk)
    world.put_parcel(bob, b"\x07 no envelope")
    world.put_parcel(bob, envelope.seal_welcome(b"no Welcome"))
    world.settle()
    assert len(bob.set_aside()) == 4
    assert bob.conversations()[0].state == bob_before
    alice.write_group("team", "still here")
    world.settle()
    world.check_received(bob, ["still here"])


def lost_on_the_server(world: World, text: str) -> list[bytes]:
    """A Commit that removes Carol and a text after it: Bob, off line, gets neither of them."""
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    world.cut(bob.wire)
    alice.change_group("team", [], [carol])
    world.settle()
    alice.write_group("team", text)
    world.settle()
    stored = world.stored(bob)
    world.database.writing.execute("DELETE FROM mailbox WHERE device = 2")
    world.crash(committed=True)
    return stored


def test_messages_that_come_before_their_commit_are_read_when_it_comes():
    world = World(43, "alice", "bob", "carol")
    alice, bob, _ = world.people
    commit, message = lost_on_the_server(world, "after the change")
    alice.connect()
    world.settle()
    bob.connect()
    world.settle()
    world.put_parcel(bob, message)
    world.settle()
    assert [each.reason for each in bob.set_aside()] == [
        "no conversation at hand has this envelope"
    ]
    world.put_parcel(bob, commit)
    world.settle()
    world.check_received(bob, ["after the change"])
    assert not bob.set_aside()
    bob.connect()
    world.settle()
    assert not world.stored(bob), "what was opened late was not acknowledged"


def test_what_was_set_aside_is_asked_for_again_after_a_restart():
    world = World(44, "alice", "bob", "carol")
    alice, bob, _ = world.people
    commit, message = lost_on_the_server(world, "early")
    alice.connect()
    bob.connect()
    world.settle()
    world.put_parcel(bob, message)
    world.settle()
    bob.restart()
    bob.connect()
    world.settle()
    world.put_parcel(bob, commit)
    world.settle()
    bob.connect()
    world.settle()
    world.check_received(bob, ["early"])
    assert not bob.set_aside() and not world.stored(bob)


def test_a_dropped_message_shows_as_missing():
    world = World(45, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "one")
    world.settle()
    world.cut(bob.wire)
    alice.write(bob, "two")
    alice.write(bob, "three")
    world.settle()
    stored = world.stored(bob)
    world.database.writing.execute(
        "DELETE FROM mailbox WHERE device = 2 AND seq = (SELECT min(seq) FROM mailbox)"
    )
    world.crash(committed=True)
    alice.connect()
    bob.connect()
    world.settle()
    world.check_received(bob, ["one", "three"])
    assert bob.gaps() == 1
    world.put_parcel(bob, stored[0])
    world.settle()
    world.check_received(bob, ["one", "two", "three"])
    assert bob.gaps() == 0


def test_a_parcel_for_a_removed_member_is_set_aside():
    world = World(46, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    alice.change_group("team", [], [carol])
    world.settle()
    world.cut(bob.wire)
    alice.write_group("team", "not for carol")
    world.settle()
    (parcel,) = world.stored(bob)
    bob.connect()
    world.settle()
    world.put_parcel(carol, parcel)
    world.settle()
    world.check_received(carol, [])
    assert len(carol.set_aside()) == 1


def test_a_full_disk_of_the_device_acknowledges_nothing():
    world = World(47, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "one")
    world.settle()
    connection = bob.vault._connection
    pages = connection.pragma("page_count")
    connection.pragma("max_page_count", pages)
    for count in range(40):
        alice.write(bob, f"{count} " + "x" * 20_000)
    with pytest.raises(StorageError, match="disk is full"):
        world.settle()
    connection.pragma("max_page_count", 1_000_000)
    bob.restart()
    world.reconnect_all()
    assert len(bob.received()) == len(set(bob.received())) == 41


@pytest.mark.parametrize("seed", range(6))
def test_random_schedules_show_every_accepted_message_once(seed):
    """Direct and group messages, membership changes, cuts, restarts of server and devices."""
    chance = random.Random(seed)
    world = World(1000 + seed, "alice", "bob", "carol", "dave")
    alice, bob, _, dave = world.people
    alice.create_group("team", *world.people[1:3])
    world.settle()
    sent = {person: [] for person in world.people}
    for number in range(60):
        person = chance.choice(world.people)
        action = chance.random()
        if action < 0.45:
            other = chance.choice([each for each in world.people if each is not person])
            person.write(other, f"direct {number}")
            sent[other].append(f"direct {number}")
        elif action < 0.6 and person is not dave:
            person.write_group("team", f"group {number}")
        elif action < 0.65:
            _change(world, chance, alice, bob, dave)
        elif action < 0.75:
            person.connect()
        elif action < 0.82 and person.wire is not None:
            world.cut(person.wire)
        elif action < 0.9:
            person.restart()
        elif action < 0.94:
            world.crash(committed=chance.random() < 0.5)
        for _ in range(chance.randrange(30)):
            if world.wires:
                world.step_wire(chance.choice(world.wires), to_server=chance.random() < 0.5)
            if chance.random() < 0.2:
                world.writer.commit()
        world.later(chance.random() * 5)
    world.reconnect_all()
    world.reconnect_all()
    for person in world.people:
        direct = [text for text in person.received() if text.startswith("direct")]
        assert sorted(direct) == sorted(sent[person])
        assert len(person.received()) == len(set(person.received()))
        assert person.waiting() == 0
        assert not person.set_aside(), person.set_aside()
        assert person.gaps() == 0
    groups = [
        sorted(text for text in person.received() if text.startswith("group"))
        for person in world.people[:3]
    ]
    written = {
        line.text
        for person in world.people[:3]
        for line in person.history()
        if line.sort == "text" and line.kind == "group" and line.standing == "accepted"
    }
    for person, got in zip(world.people[:3], groups, strict=True):
        own = {line.text for line in person.history() if line.standing == "accepted"}
        assert set(got) == written - own


def _change(world, chance, alice, bob, dave):
    person = chance.choice([alice, bob])
    change = ([dave], []) if chance.random() < 0.5 else ([], [dave])
    with contextlib.suppress(UserError):  # they may be in it already, or not be in it
        person.change_group("team", *change)


@pytest.mark.parametrize("held", [limits.MAX_HELD_PARCELS, 0])
def test_what_was_set_aside_is_asked_for_while_the_link_stands(monkeypatch, held):
    """It came early, to an earlier process or to one that could not hold it in memory."""
    world = World(48, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    world.cut(bob.wire)
    alice.change_group("team", [], [carol])
    world.settle()
    alice.write_group("team", "after the change")
    world.settle()
    commit, message = world.stored(bob)
    world.database.writing.execute("DELETE FROM mailbox WHERE device = 2")
    world.crash(committed=True)
    alice.connect()
    bob.connect()
    world.settle()
    monkeypatch.setattr(limits, "MAX_HELD_PARCELS", held)
    world.put_parcel(bob, message)
    world.settle()
    assert len(bob.set_aside()) == 1
    if held:
        bob.restart()
        bob.connect()
        world.settle()
    world.put_parcel(bob, commit)
    for _ in range(3):
        world.settle()
        world.later(60)
    world.check_received(bob, ["after the change"])
    world.settle()
    assert not bob.set_aside() and not world.stored(bob)
