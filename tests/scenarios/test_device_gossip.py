"""Gossip: what each message says of the ledger is compared, and two truths are found out."""

import pytest

from blackthorn.device.transparency import gossip
from blackthorn.device.transparency.evidence import proves
from blackthorn.directory.verify import Gossip
from blackthorn.link import frames as f
from tests.support.device_world import World
from tests.support.evil_server import EvilServer, changed

HOUR = 3600


def friends(seed):
    """Two people who have talked, and a world that may fork."""
    world = EvilServer(seed, "alice", "bob", "carol")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    return world, alice, bob


def part(world, victim, *, larger):
    """The victim is shown another ledger from now on; with `larger` the true one grows more."""
    from tests.scenarios.test_device_directory import _joins

    fork = world.fork(victim)
    if larger:
        _joins(world, "dora")
    else:
        fork.ledger.now_ms += 701_000  # the same size, at another time
    world.wake(700)
    assert not any(person.alarms() for person in world.people)


def say(person, to, text):
    person.write(to, text)
    person.world.settle()


def test_honest_messages_say_what_was_accepted_and_raise_nothing():
    world, alice, bob = friends(890)
    for number in range(3):
        world.wake(700)
        say(alice, bob, f"{number}")
        say(bob, alice, f"re {number}")
    with bob.vault.transaction() as records:
        assert not gossip.pending(records)
        said = gossip.outgoing(records, b"c", bob.now_ms)
        newest = records.directory.newest()
    assert said == b"\x01" + Gossip(newest.size, newest.root).encode()
    assert not alice.alarms() and not bob.alarms()


def test_one_size_and_two_roots_is_found_out_and_both_come_to_hold_both_notes():
    world, alice, bob = friends(891)
    part(world, bob, larger=False)
    say(alice, bob, "one")
    assert bob.alarms() == ["split-view"]
    say(bob, alice, "two")
    say(alice, bob, "three")
    for person in (alice, bob):
        (alarm,) = person.open_alarms()
        assert alarm.code == "split-view"
        assert "has signed" in proves(alarm.evidence)
    assert bob.received()[-1] == "three" and alice.received()[-1] == "two"


@pytest.mark.parametrize("ahead", ["who speaks first", "who hears first"])
def test_another_size_is_compared_by_a_proof_that_does_not_hold(ahead):
    world, alice, bob = friends(892)
    victim = bob if ahead == "who speaks first" else alice
    part(world, victim, larger=True)
    for number in range(2):
        say(alice, bob, f"one {number}")
        say(bob, alice, f"two {number}")
    held = [alarm for person in (alice, bob) for alarm in person.open_alarms()]
    assert held and {each.code for each in held} == {"split-view"}
    other = alice if victim is bob else bob
    (alarm,) = other.open_alarms()
    assert "has signed trees of 9 and 11 entries" in proves(alarm.evidence)
    assert alice.received()[-1] == "two 1" and bob.received()[-1] == "one 1"


def test_a_server_that_answers_no_proof_is_seen():
    world, alice, bob = friends(893)
    world.wake(700)

    def none(frame):
        return changed(frame, known=False, proof=[]) if isinstance(frame, f.Consistency) else frame

    alice.look_up()
    world.settle()
    world.lie(bob, none)
    with bob.unit() as unit:
        newest = unit.records.directory.newest()
        gossip.receive(
            unit.records, b"c", alice.address, _told(newest.size - 1, b"\x05" * 32), bob.now_ms
        )
    bob.tick()
    world.settle()
    assert bob.alarms() == ["split-view"]


def _told(size, root, note=b""):
    return (b"\x02" if note else b"\x01") + Gossip(size, root).encode() + note


def test_a_larger_ledger_that_is_not_shown_for_an_hour_is_withheld():
    world, alice, bob = friends(894)
    with bob.vault.transaction() as records:
        size = records.directory.newest().size
    with bob.unit() as unit:
        told = _told(size + 100, b"\x05" * 32)
        gossip.receive(unit.records, b"c", alice.address, told, bob.now_ms)
    bob.tick()
    world.settle()
    assert not bob.alarms()
    world.wake(2 * HOUR)
    assert bob.alarms() == ["withheld"]
    with bob.vault.transaction() as records:
        assert not gossip.pending(records)


def test_what_is_no_gossip_is_not_listened_to():
    _, alice, bob = friends(895)
    for data in (b"", b"\x01", b"\x03" + bytes(40), b"\x01" + bytes(39), b"\x01" + b"\xff" * 40):
        with bob.unit() as unit:
            gossip.receive(unit.records, b"c", alice.address, data, bob.now_ms)
            assert not gossip.pending(unit.records), data


def test_one_member_does_not_crowd_out_what_others_have_said():
    world, alice, bob = friends(896)
    with bob.unit() as unit:
        records, now_ms = unit.records, bob.now_ms
        size = records.directory.newest().size
        gossip.receive(records, b"c", "carol@acme.example", _told(size + 9, b"\x01" * 32), now_ms)
        for number in range(500):
            told = _told(size + 10 + number, b"\x02" * 32)
            gossip.receive(records, b"c", alice.address, told, now_ms)
        waiting = gossip.pending(records)
    assert len(waiting) <= 5
    assert any(each.sender == "carol@acme.example" for each in waiting)
    assert world.people


def test_the_same_words_again_do_not_make_it_younger():
    world, alice, bob = friends(897)
    with bob.unit() as unit:
        records = unit.records
        size = records.directory.newest().size
        for minute in range(3):
            now_ms = bob.now_ms + minute * 60_000
            gossip.receive(records, b"c", alice.address, _told(size + 9, b"\x01" * 32), now_ms)
        (waiting,) = gossip.pending(records)
    assert waiting.heard_ms == bob.now_ms and world.people


def test_gossip_reaches_groups_too():
    world = World(898, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    heard = []
    true = gossip.receive
    try:
        gossip.receive = lambda *args: heard.append(args) or true(*args)
        alice.write_group("team", "hello")
        world.settle()
    finally:
        gossip.receive = true
    assert len(heard) == 2 and all(each[3][:1] == b"\x01" for each in heard)
