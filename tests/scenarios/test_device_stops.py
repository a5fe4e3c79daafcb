"""Alarms stop what is sent until the person says to go on; never what takes rights back."""

import pytest

from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import alarms
from blackthorn.device.transparency.alarms import KINDS, LEDGER, Effect, raise_alarm
from blackthorn.errors import UserError
from tests.support.device_world import World


def alarmed(person, code, about):
    """An alarm on the person's device; its number."""
    with person.unit() as unit:
        assert raise_alarm(unit.records, code, about, "what happened", person.now_ms)
    return person.open_alarms()[-1].number


def accept(person, number):
    with person.unit() as unit:
        return alarms.accept(unit.records, number)


@pytest.mark.parametrize("code", [c for c, k in KINDS.items() if k.scope.value == "a person"])
def test_a_stop_about_a_person_holds_what_is_for_him_until_it_is_accepted(code):
    world = World(880, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "before")
    world.settle()
    number = alarmed(alice, code, bob.address)
    enqueue = alice.write(bob, "held")
    alice.write(carol, "not about carol")
    world.settle()
    world.check_received(carol, ["not about carol"])
    if KINDS[code].effect is not Effect.STOP:
        assert bob.received() == ["before", "held"]
        return
    assert bob.received() == ["before"] and enqueue in alice.device.blocked
    assert alice.outcomes[enqueue].error.startswith(f"alarm {number} stops it")
    assert not alice.outcomes[enqueue].final
    bob.write(alice, "what he says is read")
    world.settle()
    assert alice.received() == ["what he says is read"]
    assert accept(alice, number).accepted
    world.later(31)
    world.settle()
    assert bob.received() == ["before", "held"] and enqueue not in alice.device.blocked


def test_a_new_identity_stops_in_groups_and_tells_in_conversations():
    world = World(881, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "before")
    alice.create_group("team", bob, carol)
    world.settle()
    number = alarmed(alice, "identity-reset", bob.address)
    alice.write(bob, "direct")
    alice.write_group("team", "group")
    world.settle()
    assert bob.received() == ["before", "direct"] and not carol.received()
    accept(alice, number)
    world.later(31)
    world.settle()
    assert carol.received() == ["group"]


def test_a_stop_about_the_ledger_holds_new_contacts_and_members_only():
    world = World(882, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "before")
    alice.create_group("team", bob)
    world.settle()
    number = alarmed(alice, "split-view", LEDGER)
    alice.write(bob, "we know each other")
    alice.write(carol, "we have not met")
    alice.change_group("team", [carol], [])
    world.settle()
    assert bob.received() == ["before", "we know each other"] and not carol.conversations()
    accept(alice, number)
    world.later(31)
    world.settle()
    assert carol.received() == ["we have not met"] and len(carol.conversations()) == 2


def test_what_takes_rights_back_is_not_stopped():
    world = World(883, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    for code, about in (("split-view", LEDGER), ("bad-chain", bob.address)):
        alarmed(alice, code, about)
    alice.change_group("team", [], [bob])
    world.settle()
    assert bob.events()[-1] == f"{alice.address} removed you"
    enqueue = alice.enqueue(lambda unit: _recovery(unit))
    world.settle()
    assert alice.outcomes[enqueue].error == ""


def _recovery(unit):
    from blackthorn.identity.keys import SigningKeys
    from blackthorn.identity.statements import SetRecovery

    keys = SigningKeys.generate(unit.random).public
    return change_chain.enqueue(unit, "the recovery key", SetRecovery(keys))


def test_an_alarm_is_raised_once_for_one_fact_and_again_after_a_day():
    world = World(884, "alice")
    (alice,) = world.people
    number = alarmed(alice, "bad-chain", "bob@acme.example")
    with alice.unit() as unit:
        assert not raise_alarm(
            unit.records, "bad-chain", "bob@acme.example", "what happened", alice.now_ms
        )
    accept(alice, number)
    world.later(3600)
    with alice.unit() as unit:
        assert not raise_alarm(
            unit.records, "bad-chain", "bob@acme.example", "what happened", alice.now_ms
        )
    world.later(24 * 3600)
    assert alarmed(alice, "bad-chain", "bob@acme.example") != number
    with pytest.raises(UserError, match="there is no alarm 99"):
        accept(alice, 99)


def test_alarms_are_there_after_a_restart():
    world = World(885, "alice", "bob", "carol")
    alice, bob, _ = world.people
    number = alarmed(alice, "swapped", bob.address)
    alice.restart()
    alice.connect()
    alice.write(bob, "held")
    world.settle()
    assert alice.waiting() == 1 and not bob.received()
    accept(alice, number)
    alice.restart()
    alice.connect()
    world.settle()
    assert bob.received() == ["held"]
