"""Refusals that pass, answers that are lost, groups of one name: nothing undone, nothing astray."""

from itertools import pairwise

import pytest

from blackthorn.device.operations import limits
from blackthorn.errors import StorageError
from tests.support.device_world import World
from tests.support.mailbox_limits import limit_mailboxes


def _run_until_posted(world, person):
    """Move the person's frames, with commits between, until a posting waits for the disk."""
    for _ in range(200):
        while world.step_wire(person.wire, to_server=True):
            pass
        if world.step_wire(person.wire, to_server=False):
            continue
        with person.vault.transaction() as records:
            if records.outbox.all()[0].prepared is not None and world.writer.waiting:
                return
        world.dispatcher.tick(world.now)
        world.writer.commit()
    raise AssertionError("nothing was posted")


def test_a_creation_that_may_be_durable_is_not_undone_by_a_full_disk():
    """The first copy is stored, its answer lost; the second finds the disk full."""
    world = World(300, "alice", "bob")
    alice, bob = world.people
    number = alice.write(bob, "one")
    _run_until_posted(world, alice)
    world.crash(committed=True)
    bob.connect()
    world.settle()
    world.check_received(bob, ["one"])
    world.writer.fail(StorageError("the disk is full"))
    alice.connect()
    world.settle()
    assert not alice.outcomes[number].final
    assert len(alice.conversations()) == 1 and alice.waiting() == 1
    world.writer.fail(None)
    world.reconnect_all()
    for text in ("two", "three"):
        alice.write(bob, text)
    bob.write(alice, "four")
    world.settle()
    world.check_received(bob, ["one", "two", "three"])
    world.check_received(alice, ["four"])
    assert len(alice.conversations()) == len(bob.conversations()) == 1


@pytest.mark.parametrize("durable", [False, True])
def test_a_commit_is_not_undone_by_a_full_disk(durable):
    """A passing refusal says nothing about an earlier copy: the same Commit is sent again."""
    world = World(301, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    number = alice.change_group("team", [], [carol])
    _run_until_posted(world, alice)
    world.crash(committed=durable)
    world.writer.fail(StorageError("the disk is full"))
    alice.connect()
    world.settle()
    assert alice.waiting() == 1
    world.writer.fail(None)
    world.reconnect_all()
    alice.write_group("team", "do you read me?")
    bob.write_group("team", "yes")
    world.settle()
    world.check_received(bob, ["do you read me?"])
    world.check_received(alice, ["yes"])
    world.check_received(carol, [])
    assert alice.outcomes[number].error == "" and alice.waiting() == 0
    assert len({person.conversations()[0].epoch for person in (alice, bob)}) == 1


def test_a_creation_waits_for_a_full_mailbox(monkeypatch):
    world = World(302, "alice", "bob", "carol")
    alice, bob, carol = world.people
    world.cut(bob.wire)
    carol.write(bob, "fills it")
    world.settle()
    limit_mailboxes(monkeypatch, 2)
    number = alice.write(bob, "patience")
    world.settle()
    assert not alice.outcomes[number].final and len(alice.conversations()) == 1
    bob.connect()
    world.settle()
    world.later(60)
    world.settle()
    world.check_received(bob, ["fills it", "patience"])
    assert alice.outcomes[number].error == ""


def test_a_mailbox_that_stays_full_is_tried_ever_less_often_and_told_after_two_weeks(monkeypatch):
    world = World(305, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "before")
    world.settle()
    world.cut(bob.wire)
    carol.write(bob, "fills it")
    world.settle()
    limit_mailboxes(monkeypatch, 2)
    number = alice.write(bob, "patience")
    refused = []
    for _ in range(20):
        refused.append(world.dispatcher.counters.postings_refused)
        world.settle()
        world.later(60)
        alice.tick()
        world.settle()
    assert [after - before for before, after in pairwise(refused)].count(0) >= 12
    world.away.add(bob.address)
    world.wake(limits.REDELIVERY_DAYS * 24 * 3600)
    outcome = alice.outcomes[number]
    assert outcome.final and "mailbox was full for 14 days" in outcome.error


def test_a_text_goes_to_the_group_that_was_meant_and_to_no_namesake():
    """Bob writes off line; meanwhile he is removed, and put into another group of that name."""
    world = World(303, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    alice.create_group("board", bob)
    world.settle()
    world.cut(bob.wire)
    number = bob.write_group("board", "for alice's board only")
    alice.change_group("board", [], [bob])
    world.settle()
    mallory.create_group("board", bob)
    world.settle()
    world.reconnect_all()
    world.check_received(mallory, [])
    assert bob.outcomes[number].final
    assert bob.outcomes[number].error == "you were removed from that group"


def test_one_of_several_groups_of_a_name_is_written_in_by_its_id():
    world = World(304, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    alice.create_group("board", bob)
    world.settle()
    first = bob.conversations()[0].id.hex()
    mallory.create_group("board", bob)
    world.settle()
    for name in (first, first[:8]):
        bob.write_group(name, f"by {name}")
    world.settle()
    world.check_received(alice, [f"by {first}", f"by {first[:8]}"])
    world.check_received(mallory, [])


def test_a_text_for_a_group_yet_to_be_made_goes_to_that_one():
    """While Alice is off line, somebody else makes a group of that name with her."""
    world = World(305, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    world.cut(alice.wire)
    alice.create_group("plans", bob)
    alice.write_group("plans", "for bob")
    mallory.create_group("plans", alice)
    world.settle()
    world.reconnect_all()
    world.check_received(bob, ["for bob"])
    world.check_received(mallory, [])


def test_a_text_for_a_group_that_could_not_be_made_fails():
    world = World(306, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    world.cut(alice.wire)
    bob.address = "nobody@acme.example"
    alice.create_group("plans", bob)
    number = alice.write_group("plans", "for bob")
    mallory.create_group("plans", alice)
    world.settle()
    alice.connect()
    mallory.connect()
    world.settle()
    assert alice.outcomes[number].error == "the group was not made"
    world.check_received(mallory, [])
