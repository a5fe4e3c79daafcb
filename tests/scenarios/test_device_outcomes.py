"""What became of an operation is read by the process that asks, whichever process sent it."""

import pytest

from blackthorn.device.core.group_metadata import DIRECT
from blackthorn.device.engine import Device
from blackthorn.device.operations import limits, send_text
from blackthorn.device.operations.operation import Outcome, finish, outcome_of
from tests.support.device_world import World


def enqueued_elsewhere(alice, to: str, text: str) -> int:
    """By another process of Alice's, which never comes to connect."""
    other = Device(alice.vault, alice.keys, random=alice.world.chance.randbytes)
    return other.enqueue(alice.now_ms, lambda unit: send_text.enqueue(unit, DIRECT, to, text))


def outcome(alice, number: int) -> Outcome:
    with alice.vault.transaction() as records:
        return outcome_of(records, number)


@pytest.mark.parametrize("restarted", [False, True])
def test_what_another_process_has_sent_or_given_up_is_known_to_all(restarted):
    world = World(2201, "alice", "bob")
    alice, bob = world.people
    sent = enqueued_elsewhere(alice, bob.address, "by the other")
    hopeless = enqueued_elsewhere(alice, "nobody@acme.example", "to nobody")
    assert outcome(alice, sent) == Outcome(sent, error="", final=False)
    world.later(limits.OUTBOX_HANDOVER_SECONDS + 1)
    alice.tick()
    world.settle()
    if restarted:
        alice.restart()
    assert bob.received() == ["by the other"] and not alice.waiting()
    assert outcome(alice, sent) == Outcome(sent, alice.history()[0].message)
    told = outcome(alice, hopeless)
    assert told.final and told.error.startswith("there is no user nobody@acme.example here")


def test_outcomes_are_bounded_in_number_and_in_age(monkeypatch):
    monkeypatch.setattr(limits, "MAX_OUTCOMES", 3)
    world = World(2202, "alice", "bob")
    alice, _ = world.people
    with alice.unit() as unit:
        for number in range(101, 106):
            finish(unit, number, error=f"{number}")
    assert [number for number in alice.outcomes if number > 100] == [103, 104, 105]
    world.later(limits.OUTCOME_SECONDS + 1)
    alice.connect()
    world.settle()
    assert not [number for number in alice.outcomes if number > 100]
    assert outcome(alice, 105).final and "too long ago" in outcome(alice, 105).error
