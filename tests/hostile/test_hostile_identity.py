"""Hostile identity: devices that no device of the user has let in (attacks 1 to 3, 39, 40)."""

from dataclasses import replace

import pytest

from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import verified
from blackthorn.directory.audit import Replay
from blackthorn.errors import VerificationError
from blackthorn.identity.statements import (
    ENROLMENT,
    AddDevice,
    Genesis,
    Reset,
    RevokeDevice,
    SetOpenPGP,
    Statement,
    make,
)
from blackthorn.simulation.ledger import DELAY_MS
from tests.support.attacks import attack
from tests.support.evil_server import EvilServer
from tests.support.hostile_harness import conclude

DELAY_SECONDS = DELAY_MS / 1000


# --- 1: statements that nobody live has signed --------------------------------------------


def forged(world, victim, ghost, how):
    """A statement by which the ghost would be the victim's device."""
    ours, other = ghost.keys, world.bystanders[0].keys
    add = AddDevice(ours.info("ghost"))
    draft = world.statement(victim, add)
    enterprise = (ENROLMENT, world.ledger.keys.enrolment)
    match how:
        case "signed by the new device alone":
            return make(draft, [(ours.device, ours.signing)])
        case "signed by another user's device":
            return make(draft, [(other.device, other.signing), (ours.device, ours.signing)])
        case "signed by the enterprise":
            return make(draft, [enterprise, (ours.device, ours.signing)])
        case "signed with the victim's name and the ghost's keys":
            return make(draft, [(victim.keys.device, ours.signing), (ours.device, ours.signing)])
        case "a second genesis":
            draft = Statement(victim.address, 2, draft.prev, Genesis(ours.info("g")), draft.time_ms)
            return make(draft, [(ours.device, ours.signing), enterprise])
        case "a certificate by the ghost":
            body = SetOpenPGP("ab" * 20, bytes(32), b"proof")
            return make(world.statement(victim, body), [(ours.device, ours.signing)])
        case "a revocation by the enterprise":
            body = RevokeDevice(victim.keys.device, "lost", 0)
            return make(world.statement(victim, body), [enterprise])
    raise AssertionError(how)


@attack(1, alarm="bad-chain", checks=1)
@attack(1, alarm="unknown-statement", checks=1)
@pytest.mark.parametrize(
    "how",
    [
        "signed by the new device alone",
        "signed by another user's device",
        "signed by the enterprise",
        "signed with the victim's name and the ghost's keys",
        "a second genesis",
        "a certificate by the ghost",
        "a revocation by the enterprise",
    ],
)
def test_a_ghost_device_without_a_live_signature_is_not_believed(how):
    world = EvilServer(1001, "alice", "bob")
    alice, bob, *_ = world.people
    ghost = world.ghost(bob)
    world.force(forged(world, bob, ghost, how))
    world.check(bob)
    ghost.connect()
    alice.write(bob, world.secret())
    world.settle()
    assert alice.waiting() == 1 and not alice.conversations(), "she refuses to send"
    conclude(world, {alice: ["bad-chain"], bob: ["unknown-statement"]})


@attack(1, alarm="bad-chain", checks=1)
@attack(1, alarm="unknown-statement", checks=1)
def test_a_ghost_device_is_not_let_into_a_conversation_that_exists():
    world = EvilServer(1002, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, world.secret("before"))
    world.settle()
    ghost = world.ghost(bob)
    world.force(forged(world, bob, ghost, "signed by the new device alone"))
    ghost.connect()
    world.look(alice, bob)
    alice.write(bob, world.secret("after"))
    world.settle()
    assert len(bob.received()) == 1 and alice.waiting() == 1
    conclude(world, {alice: ["bad-chain"], bob: ["unknown-statement"]})


# --- 2, 39, 40: resets --------------------------------------------------------------------


@attack(2, alarm="own-reset", checks=1)
@attack(2, alarm="reset-pending", checks=1)
@attack(39, alarm="own-reset", checks=1)
def test_a_reset_with_a_stolen_code_is_loud_and_any_device_cancels_it():
    world = EvilServer(1003, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, world.secret("before"))
    world.settle()
    ghost = world.reset(bob)
    world.publish()
    ghost.connect()
    world.settle()
    world.look(alice, bob)
    assert bob.alarms() == ["own-reset"] and alice.alarms() == ["reset-pending"]
    alice.write(bob, world.secret("while it waits"))
    world.settle()
    assert len(bob.received()) == 2, "old devices are still valid"
    number = bob.enqueue(change_chain.enqueue_cancel)
    world.publish()
    world.settle()
    assert bob.outcomes[number].error == ""
    world.wake(DELAY_SECONDS + 3600)
    ghost.connect()
    world.settle()
    alice.write(bob, world.secret("after"))
    world.settle()
    assert len(bob.received()) == 3
    assert not ghost.conversations() and not ghost.history()
    conclude(world, {})


@attack(2, alarm="verified-reset", checks=1)
@attack(40, alarm="verified-reset", checks=1)
def test_after_the_delay_whoever_verified_the_person_is_stopped():
    world = EvilServer(1004, "alice", "bob")
    alice, bob, *_ = world.people
    alice.write(bob, world.secret("before"))
    world.settle()
    with alice.device.unit(world.now_ms) as unit:
        verified.mark(unit, bob.address)
    world.leave(bob)
    ghost = world.reset(bob)
    world.publish()
    world.look(alice, bob)
    assert alice.alarms() == ["reset-pending"]
    world.wake(DELAY_SECONDS + 3600)
    world.leave(bob)
    ghost.connect()
    world.settle()
    world.look(alice, bob)
    alice.write(bob, world.secret("after"))
    world.settle()
    assert alice.waiting() == 1, "it waits for a deliberate yes"
    assert any("None of the earlier devices confirmed it" in each for each in alice.events())
    conclude(world, {alice: ["verified-reset"]})


@attack(40, alarm="bad-chain", checks=1)
@attack(40, alarm="unknown-statement", checks=1)
@pytest.mark.parametrize("how", ["by itself", "and two signers"])
def test_the_enrolment_key_alone_resets_nothing_at_once(how):
    """A reset with the stolen key that leaves the waiting out of the map is refused."""
    world = EvilServer(1005, "alice", "bob")
    alice, bob, *_ = world.people
    ghost = world.ghost(bob)
    ours = ghost.keys
    enterprise = (ENROLMENT, world.ledger.keys.enrolment)
    body = Reset(ours.info("ghost")) if how == "by itself" else AddDevice(ours.info("ghost"))
    world.force(make(world.statement(bob, body), [(ours.device, ours.signing), enterprise]))
    alice.write(bob, world.secret())
    world.settle()
    conclude(world, {alice: ["bad-chain"], bob: ["unknown-statement"]})


# --- 3: the delay -------------------------------------------------------------------------


@attack(3, alarm="config-changed", checks=1)
@pytest.mark.parametrize("logged", [True, False])
def test_a_shortened_delay_is_seen_by_devices_and_refused_by_auditors(logged):
    """The witnesses obey: they see no entries. Whoever replays, and each device, does not."""
    world = EvilServer(1006, "alice", "bob")
    alice, bob, *_ = world.people
    world.check(alice)
    fork = world.fork(alice)
    short = world.ledger.make_config(0, reset_delay_ms=0)
    fork.ledger.ledger._epochs._config = short
    if not logged:  # heads of another configuration, and no entry that says so
        fork.ledger.ledger._epochs._tip = replaced_config(fork, short)
    world.later(700)
    world.settle()
    replay = Replay()
    with pytest.raises(VerificationError) as refused:
        for entry in fork.ledger.store.entries(0, 100, 2**30):
            replay.feed(entry)
    assert refused.value.rule == ("D31" if logged else "D30")
    world.check(alice)
    alice.write(bob, world.secret())
    world.settle()
    assert alice.waiting() == 1
    conclude(world, {alice: ["config-changed"]})


def replaced_config(fork, config):
    return replace(fork.ledger.ledger._epochs._tip, config=config.digest)
