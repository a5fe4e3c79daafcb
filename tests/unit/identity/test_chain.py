"""A chain from its first statement on: what each kind does, and that it is cheap to check."""

from dataclasses import replace

import pytest

from blackthorn.identity.chain import UnverifiedChain, extend, replay
from blackthorn.identity.statements import (
    AddDevice,
    DeviceInfo,
    Reset,
    Rotate,
    SetCompatible,
    SetRecovery,
)
from tests.support.identity_world import (
    ALICE,
    DELAY,
    NOON,
    OTHER_SHEET,
    SHEET,
    Story,
    certificate_stated,
    compatible_stated,
    device,
    keys_of,
    refuses,
    revoke,
)
from tests.support.work import Work


def test_a_genesis() -> None:
    chain = Story().begin(1).verified
    assert (chain.label, chain.seq, chain.flags) == (ALICE, 1, 0)
    assert chain.devices == (device(1),)
    assert chain.recovery == SHEET.public
    assert (chain.former, chain.openpgp, chain.pending, chain.resets) == ((), None, None, ())
    assert chain.genesis == chain.head == chain.hash_of(1)
    assert chain.last_reset == b""
    assert chain.device(device(1).id) == device(1)
    assert chain.device(device(2).id) is None


def test_a_genesis_without_recovery_key() -> None:
    assert Story().begin(1, sheet=None).verified.recovery is None


def test_devices_come_in_order_and_go() -> None:
    told = Story().begin(1).add(2).add(3, by=2, role="compliance").add(4, by=1)
    assert [each.name for each in told.verified.devices] == [f"device {n}" for n in (1, 2, 3, 4)]
    assert [each.personal for each in told.verified.devices] == [True, True, False, True]
    told.tell(revoke(2, 3, "left in a train"), 4)
    told.tell(revoke(3), 1)
    chain = told.verified
    assert [each.id for each in chain.devices] == [device(1).id, device(4).id]
    assert [(each.device.id, each.seq, each.reason) for each in chain.former] == [
        (device(2).id, 5, "left in a train"),
        (device(3).id, 6, "lost"),
    ]


def test_a_device_may_revoke_itself() -> None:
    told = Story().begin(1).add(2)
    told.tell(revoke(1), 1)
    assert told.verified.devices == (device(2),)


def test_a_rotation_to_new_keys() -> None:
    told = Story().begin(1).add(2)
    told.tell(Rotate(device(4), device(1).id), 1, 4)
    chain = told.verified
    assert chain.devices == (device(4), device(2)), "it keeps its place"
    assert [(each.device.id, each.reason) for each in chain.former] == [(device(1).id, "rotated")]
    told.add(5, by=4)


def test_a_rotation_that_keeps_the_id_changes_the_rest() -> None:
    told = Story().begin(1).add(2)
    renamed = replace(device(1), name="new name", suites=(0x4E, 0x4F), mls_key=bytes(32))
    told.tell(Rotate(renamed, device(1).id), 1)
    assert told.verified.devices == (renamed, device(2))
    assert told.verified.former == ()
    again = replace(renamed, name="newer name")
    told.tell(Rotate(again, device(1).id), 1)
    assert told.verified.devices == (again, device(2))


def test_I25_a_rotation_does_not_bring_back_an_earlier_mls_key() -> None:
    told = Story().begin(1)
    told.tell(Rotate(replace(device(1), mls_key=bytes(32)), device(1).id), 1)
    with refuses("I25"):
        told.tell(Rotate(device(1), device(1).id), 1)


def test_a_rotation_may_keep_the_mls_key() -> None:
    told = Story().begin(1)
    kept = device(4, mls=device(1).mls_key)
    told.tell(Rotate(kept, device(1).id), 1, 4)
    assert told.verified.devices == (kept,)


def test_certificates_and_recovery_keys_are_replaced() -> None:
    told = Story().begin(1)
    for number in range(3):
        told.tell(certificate_stated(bytes([number])), 1)
    stated = told.verified.openpgp
    assert stated is not None
    assert (stated.label, stated.proof, stated.seq) == (ALICE, b"\2", 4)
    told.tell(SetRecovery(OTHER_SHEET.public), 1)
    assert told.verified.recovery == OTHER_SHEET.public
    told.tell(SetRecovery(None), 1)
    assert told.verified.recovery is None


def test_a_device_added_by_the_recovery_key_is_marked() -> None:
    told = Story().begin(1)
    told.tell(AddDevice(device(4), recovered=True), 4, "sheet")
    assert told.verified.recovered == {device(4).id}
    told.tell(Rotate(device(5), device(4).id), 4, 5)
    assert told.verified.recovered == {device(5).id}
    told.tell(revoke(5), 1)
    assert told.verified.recovered == frozenset()


def test_a_verified_chain_does_not_change_when_it_is_extended() -> None:
    told = Story().begin(1)
    before = told.verified
    told.add(2)
    assert before.devices == (device(1),)
    assert before.seq == 1
    assert len(before.statements) == 1


def test_the_time_of_the_question_is_kept() -> None:
    assert Story().begin(1).wait(5).verified.now_ms == NOON + 5


def test_min_rules_of_a_draft_follow_the_chain() -> None:
    told = Story().begin(1)
    assert told.draft(SetRecovery(None)).min_rules == 1


def test_a_device_computes_its_id() -> None:
    one = DeviceInfo.of("x", keys_of(1).public, bytes(32))
    assert one.id == device(1).id
    assert one.personal


def test_a_chain_of_twenty_is_replayed_in_few_calls() -> None:
    told = Story().begin(1)
    for number in range(2, 11):
        told.add(number)
    for number in range(10):
        told.tell(certificate_stated(bytes(154) + bytes([number])), 1)
    chain = UnverifiedChain(ALICE, told.statements)
    with Work() as work:
        replay(chain, told.terms)
    assert work.calls < 10_000


def test_extending_verifies_only_what_is_new() -> None:
    told = Story().begin(1)
    for number in range(2, 12):
        told.add(number)
    with Work() as work:
        extend(told.verified, [], told.terms)
    assert work.calls < 100


def test_a_compatible_certificate_stands_until_it_is_revoked() -> None:
    told = Story().begin(1).add(2)
    told.tell(certificate_stated(), 1)
    told.tell(compatible_stated(copies=True), 2)
    found = told.verified.compatible
    assert found is not None and found.copies
    assert (found.stated.seq, found.stated.label) == (told.verified.seq, ALICE)
    told.tell(SetCompatible(None), 1)
    assert told.verified.compatible is None
    assert told.verified.openpgp is not None
    assert told.draft(SetRecovery(None)).min_rules == 2  # for good, since the chain holds one


@pytest.mark.parametrize("ends", ["a revocation", "a reset"])
def test_a_compatible_certificate_ends_with_a_device_that_knew_its_key(ends: str) -> None:
    told = Story().begin(1).add(2)
    told.tell(compatible_stated(), 1)
    if ends == "a revocation":
        told.tell(revoke(2, told.verified.seq), 1)
    else:
        told.tell(Reset(device(9)), 9, "enterprise")
        assert told.verified.compatible is not None
        told.now += DELAY
    assert told.verified.compatible is None
