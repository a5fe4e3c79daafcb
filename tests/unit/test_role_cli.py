"""`blackthorn role`: founding, appointing, dismissing, and whose keys are believed."""

import hashlib
import re
from dataclasses import replace

import pytest

from blackthorn.cli.officer import officer_keys
from blackthorn.errors import SecurityError, UnavailableError, UserError, VerificationError
from blackthorn.governance import statements
from blackthorn.governance.statements import Signed
from blackthorn.link import frames as f
from tests.support.office_world import OfficeWorld, address

BOB = address("bob")


@pytest.fixture
def world(tmp_path, monkeypatch):
    return OfficeWorld(tmp_path, monkeypatch)


def test_two_people_found_and_appoint_the_others(world):
    told = world.run("ann", "role", "found", BOB, "--yes")
    assert "found waits for owner" in told
    assert "blackthorn role sign officers" in told
    assert "bob@acme.example" in told
    told = world.run("bob", "role", "found", address("ann"), "--yes")
    assert "is decided" in told
    assert "The keys are those of ann@acme.example's device phone" in told
    world.both("ann", "bob", "role", "appoint", address("lea"), "--role", "legal")
    found = world.json("ann", "role", "list")
    by_address = {each["address"]: each for each in found["officers"]}
    assert by_address[address("lea")]["roles"] == ["legal"]
    assert by_address[address("ann")]["me"] and not by_address[BOB]["me"]
    assert found["waiting"] is None


def test_who_was_not_named_on_the_host_founds_nothing(world):
    assert "named on the server's host" in world.run(
        "ann", "role", "found", address("lea"), "--yes", error=UserError
    )
    assert "nobody founds alone" in world.run(
        "ann", "role", "found", address("ann"), "--yes", error=UserError
    )
    assert world.office.pending == {}


def test_nothing_is_signed_where_nobody_can_be_asked(world):
    text = world.run("ann", "role", "found", BOB, error=UserError)
    assert "--yes" in text and world.office.pending == {}


def test_a_dry_run_signs_nothing(world):
    told = world.run("ann", "role", "found", BOB, "--dry-run")
    assert "nothing was signed" in told and world.office.pending == {}
    assert "A new officer gets another id each time this is made." in told


def test_the_first_founder_cannot_be_both(world):
    world.run("ann", "role", "found", BOB, "--yes")
    world.run("ann", "role", "found", BOB, "--yes", error=UserError)


def test_an_appointment_again_keeps_the_id_and_takes_the_place_of_the_roles(world):
    world.founded()
    before = {each["address"]: each["id"] for each in world.json("bob", "role", "list")["officers"]}
    told = world.both("ann", "bob", "role", "appoint", address("lea"), "--role", "custodian")
    assert "has had the roles legal" in told or "is decided" in told
    after = {each["address"]: each for each in world.json("bob", "role", "list")["officers"]}
    assert after[address("lea")]["id"] == before[address("lea")]
    assert after[address("lea")]["roles"] == ["custodian"]


def test_somebody_is_dismissed_by_address_or_id_and_two_owners_remain(world):
    world.founded()
    world.both("ann", "bob", "role", "dismiss", address("kim"))
    found = world.json("ann", "role", "list")["officers"]
    assert address("kim") not in {each["address"] for each in found}
    (bob,) = [each["id"] for each in found if each["address"] == BOB]
    assert "two owners" in world.run("ann", "role", "dismiss", bob, "--yes", error=UserError)
    assert "not an officer" in world.run(
        "ann", "role", "dismiss", address("kim"), "--yes", error=UserError
    )


def test_who_is_no_officer_signs_nothing(world):
    world.founded()
    world.both("ann", "bob", "role", "dismiss", address("kim"))
    world.run("ann", "role", "appoint", address("kim"), "--role", "legal", "--yes")
    assert "not an officer" in world.run(
        "kim", "role", "sign", "officers", "--yes", error=UserError
    )
    world.run("lea", "role", "sign", "officers", "--yes", error=UserError)


def test_a_role_that_there_is_not_is_refused(world):
    world.founded()
    words = ("role", "appoint", address("kim"), "--role", "king", "--yes")
    assert "'king'" in world.run("ann", *words, error=UserError)


def test_keys_that_are_not_the_persons_are_not_approved(world):
    """The proposer's program named another key than the ledger does: the second one notices."""
    world.founded()
    stranger = world.ledger.model("phone").keys.public
    with world.monkeypatch.context() as patched:
        patched.setattr(officer_keys, "person_keys", lambda *_: stranger)
        world.run("ann", "role", "appoint", address("lea"), "--role", "owner", "--yes")
    text = world.run("bob", "role", "sign", "officers", "--yes", error=SecurityError)
    assert "no live device of lea@acme.example" in text


def test_keys_are_judged_only_after_the_ledger_was_asked(world):
    """A chain known from before may lack a device that is new: that is no attack."""
    world.founded()
    appoint = ("role", "appoint", address("lea"), "--role", "owner", "--yes")
    sign = ("role", "sign", "officers", "--yes")
    stranger = world.ledger.model("phone").keys.public
    with world.monkeypatch.context() as patched:
        patched.setattr(officer_keys, "person_keys", lambda *_: stranger)
        world.run("ann", *appoint)
    world.ledger_answers = False
    for name, words in (("bob", sign), ("ann", appoint)):
        told = world.run(name, *words, error=UnavailableError)
        assert (
            "lea@acme.example's devices: lea@acme.example is not in the ledger yet; try again in 20"
            in told
        )
    world.ledger_answers = True
    assert "no live device of lea" in world.run("bob", *sign, error=SecurityError)


def test_a_person_is_shown_by_the_fingerprint_of_their_keys(world):
    world.founded()
    told = world.run("ann", "role", "appoint", address("lea"), "--role", "owner", "--yes")
    keys = world.devices["lea"].keys.public
    fingerprint = hashlib.sha256(keys.ed25519 + keys.ml_dsa).hexdigest()
    assert f"key fingerprint       {fingerprint}" in told
    assert not re.search("[0-9a-f]{65}", told) and "ml dsa" not in told


def test_a_list_is_plain_when_piped(world):
    assert "There are no officers yet." in world.run("ann", "role", "list")
    world.founded()
    told = world.run("ann", "role", "list")
    assert "\x1b" not in told and "legal" in told
    assert len(told.splitlines()) == 6


def test_an_approval_that_was_tampered_with_is_no_mistake_of_the_officer(world):
    world.founded()
    world.run("ann", "role", "appoint", address("kim"), "--role", "legal", "--yes")
    waits = world.office.pending["officers"]
    signed = statements.decode(waits.signed)
    (approval,) = signed.approvals
    false = replace(approval, at_ms=approval.at_ms + 1)
    forged = Signed(signed.statement, (false,)).encode()
    world.office.pending["officers"] = f.Decision(0, forged, waits.private, waits.logged_ms)
    text = world.run("bob", "role", "sign", "officers", "--yes", error=VerificationError)
    assert "[G5]" in text


def test_what_is_not_shown_is_not_signed(world):
    world.founded()
    world.run("ann", "role", "appoint", address("kim"), "--role", "legal", "--yes")
    waits = world.office.pending["officers"]
    world.office.pending["officers"] = f.Decision(0, waits.signed, b"", waits.logged_ms)
    text = world.run("bob", "role", "sign", "officers", "--yes", error=UserError)
    assert "not shown to you" in text
