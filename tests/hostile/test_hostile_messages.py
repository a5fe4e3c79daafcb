"""Hostile delivery: replays, disorder, silence, forged copies (attacks 21 to 24)."""

import pytest

from blackthorn.device.core import envelope
from blackthorn.link import frames as f
from tests.support.attacks import attack
from tests.support.evil_server import EvilServer, changed
from tests.support.hostile_harness import conclude
from tests.support.insiders import inject, parcels_of, states


@attack(21)
def test_everything_ever_sent_comes_again_in_any_order_and_changes_nothing():
    """Twice over; to the devices as they are, and as if they had forgotten what they saw."""
    world = EvilServer(1401, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    alice.create_group("team", bob, carol)
    alice.write_group("team", world.secret("one"))
    bob.write(alice, world.secret("two"))
    world.settle()
    alice.change_group("team", [], [carol])
    bob.write_group("team", world.secret("three"))
    world.settle()
    sent = parcels_of(world)
    people = (alice, bob, carol)
    before, shown = states(*people), [(each.received(), each.events()) for each in people]
    for forgetful in (False, True):
        if forgetful:
            for person in people:
                with person.vault.transaction() as records:
                    records.parcels.forget_seen_before(2**60)
        world.chance.shuffle(sent)
        inject(world, sent, *people)
    assert states(*people) == before
    assert [(each.received(), each.events()) for each in people] == shown
    told = {each: each.alarms() for each in people if each.alarms()}
    conclude(world, told)


def reordered(world, hold):
    """A mutator that keeps deliveries back and lets them go in another order, later."""
    kept: list[f.Delivery] = []

    def mix(frame):
        if not isinstance(frame, f.Deliver):
            return frame
        kept.extend(frame.parcels)
        if len(kept) < hold:
            return None
        world.chance.shuffle(kept)
        now, kept[:] = list(kept), []
        return [f.Deliver([each]) for each in now]

    return mix


@attack(22)
@pytest.mark.parametrize("seed", range(1410, 1416))
def test_messages_out_of_order_are_shown_once_each_and_no_gap_stays(seed):
    world = EvilServer(seed, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    world.lie(bob, reordered(world, 3))
    texts = []
    for number in range(9):
        texts.append(world.secret(str(number)))
        if number == 4:
            alice.change_group("team", [], [carol])
            world.settle()
        alice.write_group("team", texts[-1])
        world.settle()
    world.honest()
    world.wake(60, times=2)
    assert sorted(bob.received()) == sorted(texts)
    assert bob.gaps() == 0 and not bob.set_aside()
    conclude(world)


@attack(22)
def test_a_message_that_comes_late_is_a_gap_until_it_comes():
    world = EvilServer(1420, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    late: list[f.Delivery] = []

    def delay(frame):
        if isinstance(frame, f.Deliver) and not late:
            late.extend(frame.parcels)
            return None
        return frame

    world.lie(bob, delay)
    for number in range(3):
        alice.write(bob, world.secret(str(number)))
        world.settle()
    assert bob.gaps() == 1 and len(bob.received()) == 3
    world.honest()
    world.wake(60)
    assert bob.gaps() == 0 and len(bob.received()) == 4
    conclude(world)


@attack(23)
@pytest.mark.parametrize("dropped", [1, 5])
def test_a_dropped_message_is_a_gap_within_one_further_message(dropped):
    world = EvilServer(1430, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    left = dropped

    def drop(frame):
        nonlocal left
        if isinstance(frame, f.Deliver) and left:
            left -= len(frame.parcels)
            return None
        return frame

    world.lie(bob, drop)
    for number in range(dropped):
        alice.write(bob, world.secret(str(number)))
        world.settle()
    assert len(bob.received()) == 1 and bob.gaps() == 0, "nothing can be seen yet"
    alice.write(bob, world.secret("the next one"))
    world.settle()
    assert bob.gaps() == dropped
    conclude(world)


@attack(23)
def test_an_acceptance_that_was_no_acceptance_shows_to_the_receiver():
    """The server says that it has stored what it has thrown away."""
    world = EvilServer(1431, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    lost: list[bytes] = []

    def throw_away(frame):
        if isinstance(frame, f.Send):
            lost.extend(each.id for each in frame.postings)
            return None
        return frame

    world.mishear(alice, throw_away)
    alice.write(bob, world.secret("lost"))
    world.settle()
    alice.hear(alice.wire, f.Accepted(lost))
    assert alice.waiting() == 0
    world.honest()
    alice.write(bob, world.secret("next"))
    world.settle()
    assert bob.gaps() == 1
    conclude(world)


@attack(24)
@pytest.mark.parametrize("where", ["in the envelope", "in the message"])
def test_a_thousand_forged_copies_do_not_kill_the_true_message(where):
    """An outsider spoils envelopes; a member spoils messages and seals them with the true key."""
    world = EvilServer(1440, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, "hello")
    world.settle()
    forged = 0

    def spoil_first(frame):
        nonlocal forged
        if not isinstance(frame, f.Deliver):
            return frame
        copies = [false(each) for each in frame.parcels for _ in range(1_000)]
        forged += len(copies)
        batches = [f.Deliver(copies[at : at + 250]) for at in range(0, len(copies), 250)]
        return [*batches, frame]

    def false(delivery):
        sealed = delivery.sealed
        if where == "in the envelope":
            return changed(delivery, sealed=spoiled(sealed))
        with bob.unit() as unit:
            key = next(each for each in unit.envelopes() if each.matches(sealed))
        message = key.open(sealed)
        return changed(delivery, sealed=key.seal(spoiled(message, 80), world.chance.randbytes))

    def spoiled(data, start=1):
        place = world.chance.randrange(start, len(data))
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    world.lie(bob, spoil_first)
    text = world.secret("the true one")
    alice.write(bob, text)
    world.settle()
    assert forged == 1_000 and bob.received()[-1] == text
    world.honest()
    for number in range(3):
        alice.write(bob, world.secret(str(number)))
    world.settle()
    assert len(bob.received()) == 5 and bob.gaps() == 0
    conclude(world)


def test_the_envelope_is_what_these_trials_take_it_for():
    """A group parcel begins with 01, a Welcome with 02: the trials tell them apart by that."""
    assert (envelope.GROUP, envelope.WELCOME) == (1, 2)
