"""Whole devices over a whole server, in memory: what people see of each other's messages."""

import pytest

from blackthorn.errors import UserError
from blackthorn.simulation.linking import add_device
from tests.support.device_world import World


def test_two_people_write_to_each_other():
    world = World(1, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "one")
    world.settle()
    bob.write(alice, "two")
    alice.write(bob, "three")
    world.settle()
    world.check_received(bob, ["one", "three"])
    world.check_received(alice, ["two"])
    assert all(not outcome.error for outcome in alice.outcomes.values())
    assert alice.waiting() == bob.waiting() == 0
    assert len(alice.conversations()) == len(bob.conversations()) == 1


def test_a_text_has_the_same_id_on_both_devices():
    world = World(2, "alice", "bob")
    alice, bob = world.people
    number = alice.write(bob, "one")
    world.settle()
    assert alice.outcomes[number].message == bob.history()[0].message == alice.history()[0].message


def test_both_start_at_once_and_converge_on_one_conversation():
    world = World(3, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "from alice")
    world.later(0.5)
    bob.write(alice, "from bob")
    world.settle()
    world.check_received(alice, ["from bob"])
    world.check_received(bob, ["from alice"])
    before = {person: {c.id: c.sent for c in person.conversations()} for person in world.people}
    alice.write(bob, "again from alice")
    bob.write(alice, "again from bob")
    world.settle()
    used = [
        {c.id for c in person.conversations() if c.sent != before[person][c.id]}
        for person in world.people
    ]
    assert used[0] == used[1] and len(used[0]) == 1
    world.check_received(alice, ["from bob", "again from bob"])
    world.check_received(bob, ["from alice", "again from alice"])


def test_what_is_written_off_line_is_sent_in_order_later():
    world = World(4, "alice", "bob")
    alice, bob = world.people
    world.cut(alice.wire)
    for text in ("one", "two", "three"):
        alice.write(bob, text)
    assert alice.waiting() == 3
    alice.connect()
    world.settle()
    assert bob.received() == ["one", "two", "three"]
    assert alice.waiting() == 0


def test_a_group_and_a_text_to_it_can_be_wished_off_line():
    world = World(5, "alice", "bob", "carol")
    alice, bob, carol = world.people
    world.cut(alice.wire)
    alice.create_group("team", bob, carol)
    alice.write_group("team", "welcome")
    alice.connect()
    world.settle()
    world.check_received(bob, ["welcome"])
    world.check_received(carol, ["welcome"])


def test_a_member_who_was_removed_sees_it_and_reads_nothing_new():
    world = World(6, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    alice.write_group("team", "for all")
    world.settle()
    alice.change_group("team", [], [carol])
    alice.write_group("team", "without carol")
    world.settle()
    bob.write_group("team", "neither")
    world.settle()
    world.check_received(carol, ["for all"])
    world.check_received(bob, ["for all", "without carol"])
    world.check_received(alice, ["neither"])
    assert carol.events()[-1] == "alice@acme.example removed you"
    assert bob.events()[-1] == "alice@acme.example removed carol@acme.example"
    with pytest.raises(UserError, match="you were removed"):
        carol.write_group("team", "let me in")
    assert not carol.set_aside()


def test_what_waits_in_the_outbox_is_not_sealed_for_who_was_removed_meanwhile():
    """Bob has sealed and not yet delivered a text when Carol is removed."""
    world = World(7, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    bob.write_group("team", "known fan-out")
    world.settle()
    bob.write_group("team", "sealed too early")
    world.cut(bob.wire)
    alice.change_group("team", [], [carol])
    world.settle()
    bob.connect()
    world.settle()
    world.check_received(alice, ["known fan-out", "sealed too early"])
    world.check_received(carol, ["known fan-out"])


def test_a_member_comes_back_and_reads_what_is_written_from_then_on():
    world = World(8, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    alice.change_group("team", [], [carol])
    alice.write_group("team", "while she was out")
    alice.change_group("team", [carol], [])
    alice.write_group("team", "welcome back")
    world.settle()
    world.check_received(carol, ["welcome back"])
    world.check_received(bob, ["while she was out", "welcome back"])
    carol.write_group("team", "thank you")
    world.settle()
    assert bob.received()[-1] == "thank you"


def test_commits_at_once_are_both_made_one_after_the_other():
    world = World(9, "alice", "bob", "carol", "dave", "erin")
    alice, bob, carol, dave, erin = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    alice.change_group("team", [dave], [])
    bob.change_group("team", [erin], [])
    carol.change_group("team", [dave], [])
    world.settle()
    alice.write_group("team", "all here?")
    world.settle()
    for person in (bob, carol, dave, erin):
        world.check_received(person, ["all here?"])
    epochs = {person.conversations()[0].epoch for person in world.people}
    assert len(epochs) == 1
    assert all(person.waiting() == 0 for person in world.people)


def test_nobody_sends_to_himself_or_to_a_stranger():
    world = World(10, "alice", "bob")
    alice, bob = world.people
    with pytest.raises(UserError, match="your own address"):
        alice.write(alice, "note")
    bob.address = "nobody@acme.example"
    number = alice.write(bob, "hello?")
    world.settle()
    reason = "there is no user nobody@acme.example here, which the ledger proves"
    assert alice.outcomes[number].error == reason
    assert alice.history()[0].standing == "failed"
    assert alice.waiting() == 0


def test_key_packages_are_published_again_when_they_run_low():
    world = World(11, "alice", "bob")
    alice, bob = world.people
    rows = "SELECT count(*) FROM key_package WHERE device = 2 AND last_resort = 0"
    world.database.writing.execute("DELETE FROM key_package WHERE device = 2 AND last_resort = 0")
    alice.write(bob, "by the last resort")
    world.settle()
    assert world.database.reading.execute(rows).get == 0
    bob.connect()
    world.settle()
    assert world.database.reading.execute(rows).get == 100
    world.check_received(bob, ["by the last resort"])


def test_a_direct_conversation_moves_when_the_other_has_a_new_device():
    """Bob's device is gone from the server; what Alice writes is kept, and said to wait."""
    world = World(12, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "one")
    world.settle()
    world.cut(bob.wire)
    world.database.writing.execute("DELETE FROM devices WHERE number = 2")
    world.crash(committed=True)
    alice.connect()
    number = alice.write(bob, "two")
    world.settle()
    assert "no activated device" in alice.outcomes[number].error


def test_a_group_that_is_named_after_the_id_of_another_gets_none_of_its_texts():
    world = World(61, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    alice.create_group("board", bob, mallory)
    world.settle()
    board = next(c.id.hex() for c in alice.conversations() if c.name == "board")
    alice.change_group("board", [], [mallory])
    world.settle()
    for name in (board[:8], board):
        mallory.create_group(name, alice)
        world.settle()
    with pytest.raises(UserError, match=f"several groups are meant .*{board} .board."):
        alice.write_group(board[:8], "for the board")
    alice.write_group(board, "for the board")
    world.settle()
    world.check_received(bob, ["for the board"])
    world.check_received(mallory, [])


def test_a_member_is_not_added_twice_without_a_connection():
    world = World(41, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("lunch", bob, carol)
    world.settle()
    world.cut(alice.wire)
    with pytest.raises(UserError, match="in the group already"):
        alice.change_group("lunch", [bob], [])
    assert alice.waiting() == 0
    alice.change_group("lunch", [], [bob])
    alice.change_group("lunch", [bob], [])
    assert alice.waiting() == 2, "after a removal that waits it is no second time"


def test_a_group_that_the_own_other_device_made_is_told_as_its_deed():
    world = World(3, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(alice)
    alice.create_group("team", bob)
    world.settle()
    text = f"your other device added this one; in the group: {bob.address}"
    assert text in tablet.events()
    assert f"{alice.address} added you; in the group: {alice.address}" in bob.events()
