"""Statements in the wrong place, and devices that may not come or go: I12 to I18, I25 to I31."""

import itertools
from dataclasses import replace

import pytest

from blackthorn.identity.chain import UnverifiedChain, extend, replay, verify_extension
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.statements import (
    AddDevice,
    Cancel,
    DeviceInfo,
    Genesis,
    Reset,
    RevokeDevice,
    Rotate,
    SetRecovery,
)
from blackthorn.wire import limits
from tests.forge.test_identity_signatures import refused
from tests.support.identity_world import (
    ALICE,
    BOB,
    OTHER_SHEET,
    Story,
    certificate_stated,
    compatible_stated,
    device,
    keys_of,
    refuses,
    revoke,
    signed,
)


def story() -> Story:
    """Alice with two devices."""
    return Story().begin(1).add(2)


# --- The place of a statement ---


def test_I12_a_chain_without_statements() -> None:
    with refuses("I12"):
        replay(UnverifiedChain(ALICE, ()), Story().terms)


def test_I12_a_chain_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CHAIN_STATEMENTS", 4)
    told = story()
    for _ in range(2):
        told.tell(certificate_stated(), 1)
    data = told.statements[-1]
    refused(told, data, "I12")
    with refuses("I12"):
        extend(told.verified, [data] * 300, told.terms)


def test_I13_the_chain_of_another() -> None:
    told = story()
    for label in (BOB, "", "Alice@acme.example"):
        with refuses("I13"):
            replay(UnverifiedChain(label, told.statements), told.terms)


def test_I13_a_statement_of_another() -> None:
    told = story()
    draft = replace(told.draft(certificate_stated()), label=BOB)
    refused(told, signed(draft, 1), "I13")


@pytest.mark.parametrize("seq", [1, 2, 4, 256])
def test_I14_a_wrong_number(seq: int) -> None:
    told = story()
    refused(told, signed(replace(told.draft(certificate_stated()), seq=seq), 1), "I14")


def test_I14_a_first_statement_that_is_not_number_one() -> None:
    draft = replace(Story().draft(Genesis(device(1))), seq=2)
    with refuses("I14"):
        replay(UnverifiedChain(ALICE, (signed(draft, 1, "enterprise"),)), Story().terms)


def test_I14_repeated_left_out_and_reordered_statements() -> None:
    told = story()
    for number in range(4):
        told.tell(certificate_stated(bytes(number)), 1)
    sound = told.statements
    for order in itertools.permutations(range(4)):
        if order != (0, 1, 2, 3):
            forged = tuple(sound[place] for place in order)
            with refuses("I14"):
                replay(UnverifiedChain(ALICE, forged), told.terms)
    for place in range(len(sound) - 1):
        with refuses("I14"):
            replay(UnverifiedChain(ALICE, sound[:place] + sound[place + 1 :]), told.terms)
    for place in range(len(sound)):
        forged = sound[: place + 1] + sound[place:]
        with refuses("I14"):
            replay(UnverifiedChain(ALICE, forged), told.terms)
    with refuses("I14"):
        extend(told.verified, [sound[-1]], told.terms)


def test_I15_a_wrong_hash_before() -> None:
    told = story()
    heads = [told.chain.hash_of(1) if told.chain else b"", bytes(32), b"\xff" * 32]
    for prev in heads:
        refused(told, signed(replace(told.draft(certificate_stated()), prev=prev), 1), "I15")


def test_I15_a_first_statement_with_something_before() -> None:
    draft = replace(Story().draft(Genesis(device(1))), prev=b"\1" * 32)
    with refuses("I15"):
        replay(UnverifiedChain(ALICE, (signed(draft, 1, "enterprise"),)), Story().terms)


def test_I15_a_statement_of_the_other_branch() -> None:
    """Two statements after the same one: each is sound alone, no chain holds both."""
    told = story()
    one = told.write(certificate_stated(b"one"), 1)
    other = told.write(certificate_stated(b"other"), 1)
    told.hear(one)
    after_one = told.write(SetRecovery(None), 1)
    with refuses("I15"):
        replay(UnverifiedChain(ALICE, (*told.statements[:2], other, after_one)), told.terms)


def test_I16_rules_of_a_newer_program() -> None:
    """Told apart from a malformed one, also when its kind is not known here."""
    told = story()
    with refuses("I16"):
        signed(replace(told.draft(certificate_stated()), min_rules=3), 1)


def test_I16_rules_older_than_before() -> None:
    told = story()
    told.hear(signed(replace(told.draft(certificate_stated()), min_rules=2), 1))
    assert told.draft(certificate_stated()).min_rules == 2
    refused(told, signed(replace(told.draft(certificate_stated()), min_rules=1), 1), "I16")
    told.tell(certificate_stated(), 1)


def test_I17_a_second_genesis() -> None:
    told = story()
    refused(told, told.write(Genesis(device(66)), 66, "enterprise"), "I17")
    refused(told, told.write(Genesis(device(66)), 66, "enterprise", 1), "I17")


@pytest.mark.parametrize(
    "body", [AddDevice(device(1)), Reset(device(1)), certificate_stated(), SetRecovery(None)]
)
def test_I17_a_chain_that_begins_with_something_else(body: AddDevice | Reset) -> None:
    told = Story()
    with refuses("I17"):
        replay(UnverifiedChain(ALICE, (told.write(body, 1, "enterprise"),)), told.terms)


def test_I18_another_chain_than_the_accepted_one() -> None:
    told, other = story(), Story().begin(66).add(67, by=66)
    accepted = told.verified
    told.tell(certificate_stated(), 1)
    assert verify_extension(told.verified, accepted.seq, accepted.head) == told.verified
    verify_extension(told.verified, 1, accepted.genesis)
    with refuses("I18"):
        verify_extension(other.verified, 1, accepted.genesis)
    with refuses("I18"):
        verify_extension(other.verified, accepted.seq, accepted.head)
    with refuses("I18"):
        verify_extension(accepted, told.verified.seq, told.verified.head)
    for seq in (0, -1, 3, 99):
        with refuses("I18"):
            verify_extension(told.verified, seq, accepted.head)


def test_I18_a_branch_at_the_last_accepted_statement() -> None:
    told = story()
    branch = story()
    told.tell(certificate_stated(b"one"), 1)
    branch.tell(certificate_stated(b"other"), 1)
    branch.tell(SetRecovery(None), 1)
    with refuses("I18"):
        verify_extension(branch.verified, told.verified.seq, told.verified.head)


# --- Devices ---


def test_I25_a_device_comes_twice() -> None:
    told = story()
    refused(told, told.write(AddDevice(device(2)), 2, 1), "I25")
    refused(told, told.write(AddDevice(device(1)), 1, 2), "I25")
    told.tell(revoke(2), 1)
    refused(told, told.write(AddDevice(device(2)), 2, 1), "I25")
    with refuses("I25"):
        told.tell(Reset(device(2)), 2, "enterprise")


def test_I25_the_same_id_with_another_post_quantum_key() -> None:
    told = story()
    mixed = VerifyKeys(keys_of(2).public.ed25519, keys_of(66).public.ml_dsa)
    ghost = DeviceInfo.of("ghost", mixed, bytes(range(32)))
    refused(told, told.write(AddDevice(ghost), 1, 2), "I25")


def test_I25_the_mls_key_of_another_device() -> None:
    told = story()
    shadow = device(66, mls=device(1).mls_key)
    refused(told, told.write(AddDevice(shadow), 66, 1), "I25")
    refused(told, told.write(Rotate(shadow, device(2).id), 66, 2), "I25")
    told.tell(revoke(2), 1)
    revived = device(66, mls=device(2).mls_key)
    refused(told, told.write(AddDevice(revived), 66, 1), "I25")


def test_I25_the_device_of_a_reset_that_was_cancelled() -> None:
    told = story().reset(9)
    told.tell(Cancel(told.verified.seq), 1)
    refused(told, told.write(AddDevice(device(9)), 9, 1), "I25")


def test_I25_a_rotation_to_a_device_that_was_here() -> None:
    told = story()
    refused(told, told.write(Rotate(device(2), device(1).id), 1, 2), "I25")
    told.tell(Rotate(device(4), device(2).id), 2, 4)
    refused(told, told.write(Rotate(device(2), device(4).id), 4, 2), "I25")


def test_I26_too_many_devices() -> None:
    told = Story().begin(1)
    for number in range(2, limits.MAX_DEVICES_PER_USER + 1):
        told.add(number, role="compliance" if number % 2 else "personal")
    assert len(told.verified.devices) == limits.MAX_DEVICES_PER_USER
    refused(told, told.write(AddDevice(device(66)), 66, 1), "I26")
    refused(told, told.write(AddDevice(device(66), recovered=True), 66, "sheet"), "I26")
    told.tell(revoke(2), 1)
    told.add(66)


def test_I27_a_revocation_of_what_is_not_live() -> None:
    told = story()
    refused(told, told.write(revoke(66), 1), "I27")
    told.tell(revoke(2), 1)
    refused(told, told.write(revoke(2), 1), "I27")


def test_I27_a_rotation_of_what_is_not_live() -> None:
    told = story()
    refused(told, told.write(Rotate(device(66), device(67).id), 66, 67), "I27")


def test_I28_the_last_personal_device() -> None:
    told = Story().begin(1)
    refused(told, told.write(revoke(1), 1), "I28")
    told.add(3, role="compliance")
    refused(told, told.write(revoke(1), 1), "I28")
    told.tell(revoke(3), 1)


def test_I29_a_last_good_statement_in_the_future() -> None:
    told = story()
    for last in (told.verified.seq + 1, 200):
        refused(told, told.write(RevokeDevice(device(2).id, "lost", last), 1), "I29")
    told.tell(RevokeDevice(device(2).id, "lost", told.verified.seq), 1)


def test_I30_a_compliance_device_begins_nothing() -> None:
    watcher = device(3, "compliance")
    with refuses("I30"):
        told = Story()
        told.hear(told.write(Genesis(watcher), 3, "enterprise"))
    told = story()
    with refuses("I30"):
        told.tell(Reset(watcher), 3, "enterprise")
    refused(told, told.write(AddDevice(watcher, recovered=True), 3, "sheet"), "I30")


def test_I31_a_rotation_that_changes_the_role() -> None:
    told = story().add(3, role="compliance")
    hidden = Rotate(device(4, "compliance"), device(2).id)
    refused(told, told.write(hidden, 4, 2), "I31")
    risen = Rotate(device(4), device(3).id)
    refused(told, told.write(risen, 4, 3), "I31")
    same = Rotate(device(4, "compliance"), device(3).id)
    refused(told, told.write(same, 4, 3), "I31")


def test_I31_a_rotation_that_keeps_the_id_and_changes_a_key() -> None:
    told = story()
    mixed = VerifyKeys(keys_of(2).public.ed25519, keys_of(66).public.ml_dsa)
    refused(told, told.write(Rotate(DeviceInfo.of("x", mixed, bytes(32)), device(2).id), 2), "I31")


def test_I46_a_kind_that_is_newer_than_the_rules_asked_for() -> None:
    told = story()
    refused(told, signed(replace(told.draft(compatible_stated()), min_rules=1), 1), "I46")
    told.tell(compatible_stated(), 1)


def test_a_thief_of_the_sheet_can_do_no_more_than_add() -> None:
    """Found paper: he has a device then, of which everybody is told, and the sheet is used up
    by the owner's next statement."""
    told = story()
    told.tell(AddDevice(device(66), recovered=True), 66, "sheet")
    assert device(66).id in told.verified.recovered
    told.tell(revoke(66, told.verified.seq - 1), 1)
    told.tell(SetRecovery(OTHER_SHEET.public), 1)
    refused(told, told.write(AddDevice(device(67), recovered=True), 67, "sheet"), "I19")
