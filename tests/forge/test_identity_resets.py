"""Resets: the one way by which an operator can take over, and everything that holds it (I32-I38).

The delay runs from the time at which the ledger logged the reset. Nothing that a statement
claims shortens it, and nothing but a cancel by a live device stands between a reset and its end.
"""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from blackthorn.identity.chain import (
    PENDING_RESET,
    Terms,
    UnverifiedChain,
    VerifiedChain,
    extend,
    replay,
)
from blackthorn.identity.statements import (
    AddDevice,
    Body,
    Cancel,
    Reset,
    Rotate,
    SetRecovery,
)
from blackthorn.wire import limits
from tests.support.identity_world import (
    ALICE,
    DELAY,
    ENTERPRISE,
    HOUR,
    NOON,
    OTHER_SHEET,
    SHEET,
    Signer,
    Story,
    certificate_stated,
    device,
    refuses,
    revoke,
    signed,
)

GHOST = 66


def story() -> Story:
    """Alice with two devices, a certificate and a recovery key."""
    told = Story().begin(1).add(2)
    told.tell(certificate_stated(), 1)
    return told


def judge(told: Story, logged: Mapping[int, int], now: int, *more: bytes) -> VerifiedChain:
    """The chain and more statements from the first on, with these times."""
    terms = Terms(ENTERPRISE.public, DELAY, now, logged)
    return replay(UnverifiedChain(ALICE, (*told.statements, *more)), terms)


def ids(chain: VerifiedChain) -> list[bytes]:
    """The live devices."""
    return [each.id for each in chain.devices]


# --- What a reset does ---


def test_while_it_waits_the_old_devices_are_live_and_the_new_one_is_not() -> None:
    told = story().reset(GHOST).wait(DELAY - 1)
    chain = told.verified
    assert ids(chain) == [device(1).id, device(2).id]
    assert chain.flags == PENDING_RESET
    assert chain.pending is not None
    assert (chain.pending.device, chain.pending.logged_ms) == (device(GHOST), NOON)
    assert chain.pending.effective_ms == NOON + DELAY
    assert chain.openpgp is not None
    assert chain.recovery == SHEET.public
    assert chain.last_reset == b""
    assert [(each.seq, each.logged_ms, each.effective) for each in chain.resets] == [
        (4, NOON, False)
    ]


def test_when_it_is_effective_nothing_of_before_is_left() -> None:
    told = story().reset(GHOST).wait(DELAY)
    chain = told.verified
    assert ids(chain) == [device(GHOST).id]
    assert [each.device.id for each in chain.former] == [device(1).id, device(2).id]
    assert {each.reason for each in chain.former} == {"reset"}
    assert (chain.pending, chain.openpgp, chain.recovery) == (None, None, None)
    assert chain.last_reset == chain.hash_of(4) == chain.head
    assert chain.flags == PENDING_RESET, "the leaf says so until the next statement"
    assert [(each.seq, each.logged_ms, each.effective) for each in chain.resets] == [
        (4, NOON, True)
    ]
    told.tell(certificate_stated(b"new"), GHOST)
    assert told.verified.flags == 0
    assert told.verified.resets == chain.resets
    assert told.verified.last_reset == chain.last_reset


def test_a_cancel_ends_it() -> None:
    told = story().reset(GHOST).wait(DELAY - 1)
    told.tell(Cancel(4), 2)
    told.wait(10 * DELAY)
    chain = told.verified
    assert ids(chain) == [device(1).id, device(2).id]
    assert (chain.flags, chain.pending, chain.last_reset) == (0, None, b"")
    assert [(each.effective, each.cancelled_seq) for each in chain.resets] == [(False, 5)]
    told.add(4)


def test_a_second_reset_after_the_first_is_effective() -> None:
    told = story().reset(GHOST).wait(DELAY).reset(67)
    assert ids(told.verified) == [device(GHOST).id]
    told.wait(DELAY)
    assert ids(told.verified) == [device(67).id]
    assert [each.effective for each in told.verified.resets] == [True, True]
    assert told.verified.last_reset == told.verified.hash_of(5)


# --- When it was logged ---


def test_I32_a_reset_without_proof_of_its_time() -> None:
    told = story()
    data = told.write(Reset(device(GHOST)), GHOST, "enterprise")
    for logged in ({}, {3: NOON}, {5: NOON}):
        with refuses("I32"):
            judge(told, logged, NOON, data)
        with refuses("I32"):
            judge(told, logged, NOON + 100 * DELAY, data)


def test_I32_a_cancel_without_proof_of_its_time() -> None:
    told = story().reset(GHOST)
    data = told.write(Cancel(4), 1)
    with refuses("I32"):
        judge(told, {4: NOON}, NOON, data)


def test_the_claimed_time_of_a_reset_decides_nothing() -> None:
    told = story()
    for claimed in (0, NOON - 10 * DELAY, NOON + 10 * DELAY):
        draft = replace(told.draft(Reset(device(GHOST))), time_ms=claimed)
        data = signed(draft, GHOST, "enterprise")
        assert ids(judge(told, {4: NOON}, NOON + DELAY - 1, data)) == [device(1).id, device(2).id]
        assert ids(judge(told, {4: NOON}, NOON + DELAY, data)) == [device(GHOST).id]


def test_I33_a_cancel_that_was_logged_before_its_reset() -> None:
    told = story().reset(GHOST)
    data = told.write(Cancel(4), 1)
    with refuses("I33"):
        judge(told, {4: NOON, 5: NOON - 1}, NOON, data)


def test_I33_a_reset_that_was_logged_before_the_one_before_it() -> None:
    told = story().reset(GHOST)
    told.tell(Cancel(4), 1)
    data = told.write(Reset(device(67)), 67, "enterprise")
    with refuses("I33"):
        judge(told, {4: NOON, 5: NOON, 6: NOON - 1}, NOON, data)


def test_I33_the_time_of_a_reset_that_is_known_changes() -> None:
    told = story().reset(GHOST)
    for moment in (NOON - DELAY, NOON - 1, NOON + 1):
        terms = Terms(ENTERPRISE.public, DELAY, NOON + HOUR, {4: moment})
        with refuses("I33"):
            extend(told.verified, [], terms)


# --- What follows a reset that waits ---


WAITING: tuple[tuple[Body, tuple[Signer, ...]], ...] = (
    (AddDevice(device(67)), (67, 1)),
    (AddDevice(device(67), recovered=True), (67, "sheet")),
    (revoke(2), (1,)),
    (certificate_stated(b"x"), (1,)),
    (Rotate(device(67), device(1).id), (67, 1)),
    (SetRecovery(OTHER_SHEET.public), (1,)),
)


@pytest.mark.parametrize(("body", "signers"), WAITING, ids=lambda each: type(each).__name__)
def test_I34_an_old_device_goes_on_as_if_nothing_were(
    body: Body, signers: tuple[Signer, ...]
) -> None:
    told = story().reset(GHOST).wait(DELAY - 1)
    data = told.write(body, *signers)
    with refuses("I34"):
        told.hear(data)
    told.tell(Cancel(4), 1)
    told.tell(body, *signers)


def test_I34_a_second_reset_replaces_nothing() -> None:
    """Else whoever asks for resets could keep the wait going, or slip in a device at its end."""
    told = story().reset(GHOST).wait(DELAY - 1)
    with refuses("I34"):
        told.tell(Reset(device(67)), 67, "enterprise")
    assert told.verified.pending is not None
    assert told.verified.pending.device == device(GHOST)


def test_I34_a_second_reset_is_judged_by_its_own_time_of_logging() -> None:
    """Also long after: what was logged too early stays refused."""
    told = story().reset(GHOST)
    data = told.write(Reset(device(67)), 67, "enterprise")
    with refuses("I34"):
        judge(told, {4: NOON, 5: NOON + DELAY - 1}, NOON + 100 * DELAY, data)
    assert ids(judge(told, {4: NOON, 5: NOON + DELAY}, NOON + 2 * DELAY, data)) == [device(67).id]


GHOSTLY: tuple[tuple[Body, tuple[Signer, ...]], ...] = (
    (AddDevice(device(67)), (67, GHOST)),
    (certificate_stated(b"x"), (GHOST,)),
    (SetRecovery(OTHER_SHEET.public), (GHOST,)),
    (revoke(1), (GHOST,)),
    (Rotate(device(67), device(GHOST).id), (67, GHOST)),
)


@pytest.mark.parametrize(("body", "signers"), GHOSTLY, ids=lambda each: type(each).__name__)
def test_I35_the_new_device_before_its_time(body: Body, signers: tuple[Signer, ...]) -> None:
    told = story().reset(GHOST).wait(DELAY - 1)
    with refuses("I35"):
        told.hear(told.write(body, *signers))


def test_I20_the_new_device_cancels_nothing() -> None:
    told = story().reset(GHOST).wait(HOUR)
    for by in (GHOST, 67):
        with refuses("I20"):
            told.tell(Cancel(4), by)


def test_I20_a_device_that_was_revoked_before_cancels_nothing() -> None:
    told = story()
    told.tell(revoke(2), 1)
    told.reset(GHOST)
    with refuses("I20"):
        told.tell(Cancel(told.verified.seq), 2)


def test_I22_the_enterprise_cancels_nothing() -> None:
    told = story().reset(GHOST)
    with refuses("I22"):
        told.tell(Cancel(4), "enterprise")


def test_I23_the_recovery_key_cancels_nothing() -> None:
    told = story().reset(GHOST)
    with refuses("I23"):
        told.tell(Cancel(4), "sheet")


def test_I20_a_compliance_device_cancels_nothing() -> None:
    told = story().add(3, role="compliance").reset(GHOST)
    with refuses("I20"):
        told.tell(Cancel(told.verified.seq), 3)


@pytest.mark.parametrize("by", [1, 2])
def test_I20_the_old_devices_once_it_is_effective(by: int) -> None:
    told = story().reset(GHOST).wait(DELAY)
    for body in (certificate_stated(b"x"), revoke(GHOST), SetRecovery(None)):
        with refuses("I28" if body == revoke(GHOST) else "I20"):
            told.hear(told.write(body, by))
    with refuses("I23"):
        told.tell(AddDevice(device(67), recovered=True), 67, "sheet")


# --- Cancels ---


@pytest.mark.parametrize("seq", [0, 1, 3, 5, 6])
def test_I36_a_cancel_of_something_else(seq: int) -> None:
    told = story().reset(GHOST)
    with refuses("I36"):
        told.tell(Cancel(seq), 1)


def test_I36_a_cancel_of_nothing() -> None:
    told = story()
    with refuses("I36"):
        told.tell(Cancel(3), 1)
    told.reset(GHOST)
    told.tell(Cancel(4), 1)
    with refuses("I36"):
        told.tell(Cancel(4), 1)


def test_I36_a_cancel_after_the_new_device_has_acted() -> None:
    told = story().reset(GHOST).wait(DELAY)
    told.tell(certificate_stated(b"x"), GHOST)
    for by in (1, GHOST):
        with refuses("I36"):
            told.tell(Cancel(4), by)


def test_I37_a_cancel_that_was_logged_too_late() -> None:
    told = story().reset(GHOST)
    data = told.write(Cancel(4), 1)
    for moment in (NOON + DELAY, NOON + DELAY + 1, NOON + 9 * DELAY):
        with refuses("I37"):
            judge(told, {4: NOON, 5: moment}, NOON + 10 * DELAY, data)
    chain = judge(told, {4: NOON, 5: NOON + DELAY - 1}, NOON + 10 * DELAY, data)
    assert ids(chain) == [device(1).id, device(2).id]


def test_I37_the_new_device_does_not_cancel_its_own_reset_afterwards() -> None:
    told = story().reset(GHOST).wait(DELAY)
    for by in (1, GHOST):
        with refuses("I37"):
            told.tell(Cancel(4), by)


def test_I38_more_resets_than_the_ledger_proves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CHAIN_RECEIPTS", 4)
    told = story()
    for number in (GHOST, 67):
        told.reset(number)
        told.tell(Cancel(told.verified.seq), 1)
    with refuses("I38"):
        told.reset(68)


# --- Time ---


def test_a_delay_of_nothing_is_no_delay() -> None:
    """Whoever sets the delay to nothing takes over at once; so the delay is in the ledger's
    configuration, which cannot be changed unseen."""
    told = story()
    data = told.write(Reset(device(GHOST)), GHOST, "enterprise")
    terms = Terms(ENTERPRISE.public, 0, NOON, {4: NOON})
    chain = replay(UnverifiedChain(ALICE, (*told.statements, data)), terms)
    assert ids(chain) == [device(GHOST).id]


def test_extending_and_replaying_agree_at_each_moment() -> None:
    told = story().reset(GHOST)
    early = told.verified
    for moment in (NOON, NOON + DELAY - 1, NOON + DELAY, NOON + 5 * DELAY):
        terms = Terms(ENTERPRISE.public, DELAY, moment, {4: NOON})
        assert extend(early, [], terms) == judge(told, {4: NOON}, moment)
    late = judge(told, {4: NOON}, NOON + DELAY)
    assert extend(late, [], Terms(ENTERPRISE.public, DELAY, NOON, {4: NOON})) == early


def test_an_effective_reset_seen_early_is_not_undone_by_a_late_cancel() -> None:
    """A client that has seen an epoch after the end is shown a cancel: its logging can only be
    later, so it is refused."""
    told = story().reset(GHOST).wait(DELAY + HOUR)
    seen = told.verified
    data = told.write(Cancel(4), 1)
    with refuses("I37"):
        extend(seen, [data], replace(told.terms, logged={4: NOON, 5: told.now}))
