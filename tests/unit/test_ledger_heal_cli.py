"""`blackthorn ledger heal`: what officers' devices sign of the ledger's time, and what not."""

from dataclasses import replace

import pytest

from blackthorn.device.core import anchors
from blackthorn.errors import UserError
from blackthorn.governance import ledger_case
from blackthorn.programs.device import ledger_heal
from tests.support.office_world import OfficeWorld

HEAL = ("ledger", "heal", "--epoch", "1")


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = OfficeWorld(tmp_path, monkeypatch)
    made.founded()
    return made


def known_quorum_s(world, name, quorum_s=None):
    """What the device knows of witnesses at the end of epoch 1; or let it know another time."""
    vault = world.homes[name].unlock()
    with vault.transaction() as records:
        known = records.directory.checkpoint_until(1)
        if quorum_s is not None:
            known = replace(known, quorum_s=quorum_s)
            records.directory.put_checkpoint(known, 512)
        origin = anchors.pinned(records.settings).config.origin
    vault.close()
    return known.quorum_s * 1000 or known.unix_ms, origin


def test_two_officers_sign_the_ledger_the_epoch_and_what_their_devices_know(world):
    least_ms, origin = known_quorum_s(world, "ann")
    told = world.run("ann", *HEAL, "--yes")
    assert "heal waits for" in told and "blackthorn ledger sign ledger" in told
    assert "is decided" in world.run("lea", *HEAL, "--yes")
    (step,) = world.office.cases.case(ledger_case.CASE).history
    assert step.public == {"ledger": origin, "epoch": 1, "least_ms": least_ms}
    assert len(step.officers) == 2 and least_ms > 0


def test_one_officer_is_not_enough_and_neither_are_two_without_an_owner(world):
    world.run("ann", *HEAL, "--yes")
    assert not world.office.cases.case(ledger_case.CASE).history
    assert "approved this already" in world.run("ann", *HEAL, "--yes", error=UserError)
    world.office.pending.clear()
    world.run("lea", *HEAL, "--yes")
    assert "other roles" in world.run("cus", *HEAL, "--yes", error=UserError)


def test_a_device_that_knows_a_later_time_of_witnesses_does_not_sign(world):
    """It knows when they cosigned before the fault: the time may not fall below that."""
    least_ms, _ = known_quorum_s(world, "ann")
    world.run("ann", *HEAL, "--yes")
    known_quorum_s(world, "bob", least_ms // 1000 + 60)
    refusal = world.run("bob", "ledger", "sign", "ledger", "--yes", error=UserError)
    assert "below what this device knows" in refusal
    assert "another decision waits" in world.run("bob", *HEAL, "--yes", error=UserError)
    world.run("bob", *HEAL, "--yes", "--replace")
    assert "is decided" in world.run("ann", *HEAL, "--yes")
    (step,) = world.office.cases.case(ledger_case.CASE).history
    assert step.public["least_ms"] == (least_ms // 1000 + 60) * 1000


def test_a_decision_on_another_ledger_is_not_signed(world, monkeypatch):
    world.run("ann", *HEAL, "--yes")
    monkeypatch.setattr(ledger_heal, "origin", lambda device: "other.example/ledger")
    refusal = world.run("bob", "ledger", "sign", "ledger", "--yes", error=UserError)
    assert "another ledger" in refusal
