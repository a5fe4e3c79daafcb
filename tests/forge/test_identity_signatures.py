"""Statements signed by the wrong ones, or not truly: I19 to I24. Ghost devices, above all.

Whoever forges here has everything that an operator has: the enterprise's key, all statements
that were ever made, devices of his own. He has no key of the user.
"""

from dataclasses import replace

import pytest

from blackthorn.identity.chain import UnverifiedChain, VerifiedChain, extend, replay
from blackthorn.identity.keys import Signature
from blackthorn.identity.statements import (
    ENROLMENT,
    RECOVERY,
    AddDevice,
    Body,
    Genesis,
    Reset,
    Rotate,
    SetRecovery,
    SignedStatement,
    Statement,
    decode,
)
from tests.support.identity_world import (
    ALICE,
    BOB,
    OTHER_SHEET,
    SHEET,
    Signer,
    Story,
    certificate_stated,
    device,
    keys_of,
    refuses,
    revoke,
    signed,
)

GHOST = 66
"""A device of whoever forges."""


def story() -> Story:
    """Alice with two devices and a compliance device."""
    return Story().begin(1).add(2).add(3, role="compliance")


def refused(told: Story, data: bytes, rule: str) -> None:
    """Neither the next check nor a replay from the first statement takes it."""
    with refuses(rule):
        extend(told.verified, [data], told.terms)
    with refuses(rule):
        replay(UnverifiedChain(told.label, (*told.statements, data)), told.terms)


ORDINARY = (
    AddDevice(device(GHOST)),
    AddDevice(device(GHOST, "compliance")),
    revoke(2),
    certificate_stated(),
    SetRecovery(OTHER_SHEET.public),
)
"""What one live device signs."""


def comers(body: Body) -> tuple[Signer, ...]:
    """The device that comes by the body."""
    return (GHOST,) if isinstance(body, AddDevice) else ()


@pytest.mark.parametrize("body", ORDINARY, ids=lambda body: type(body).__name__)
def test_I24_no_live_device_signed(body: Body) -> None:
    refused(story(), story().write(body, *comers(body)), "I24")


@pytest.mark.parametrize("body", ORDINARY, ids=lambda body: type(body).__name__)
def test_I20_a_device_that_is_not_the_users_signed(body: Body) -> None:
    refused(story(), story().write(body, *comers(body), 67), "I20")


@pytest.mark.parametrize("body", ORDINARY, ids=lambda body: type(body).__name__)
def test_I20_a_compliance_device_signed(body: Body) -> None:
    refused(story(), story().write(body, *comers(body), 3), "I20")


@pytest.mark.parametrize("body", ORDINARY, ids=lambda body: type(body).__name__)
def test_I20_a_revoked_device_signed(body: Body) -> None:
    told = Story().begin(1).add(2).add(4)
    told.tell(revoke(4), 1)
    refused(told, told.write(body, *comers(body), 4), "I20")


@pytest.mark.parametrize("body", ORDINARY, ids=lambda body: type(body).__name__)
def test_I22_the_enterprise_signed_for_the_user(body: Body) -> None:
    refused(story(), story().write(body, *comers(body), "enterprise"), "I22")
    refused(story(), story().write(body, *comers(body), 1, "enterprise"), "I22")


@pytest.mark.parametrize("body", ORDINARY, ids=lambda body: type(body).__name__)
def test_I23_the_recovery_key_signed_something_else(body: Body) -> None:
    """An addition that does not say that it is a recovery is something else too."""
    refused(story(), story().write(body, *comers(body), "sheet"), "I23")


def test_I20_a_ghost_that_signed_itself() -> None:
    ghost = AddDevice(device(GHOST))
    told = story()
    alone = decode(told.write(ghost, GHOST))
    renamed = ((device(1).id, alone.signatures[0][1]), *alone.signatures)
    forged = SignedStatement(alone.statement, tuple(sorted(renamed, key=lambda each: each[0])))
    refused(told, forged.encode(), "I19")
    refused(told, told.write(ghost, GHOST, 67), "I20")


def test_I19_one_half_of_a_signature_is_missing_or_another() -> None:
    told = story()
    body = AddDevice(device(4))
    sound = decode(told.write(body, 4, 1))
    other = decode(told.write(body, 4, 1))
    for place in range(2):
        name, signature = sound.signatures[place]
        for forged in (
            replace(signature, ml_dsa=bytes(3309)),
            replace(signature, ed25519=bytes(64)),
            replace(signature, ml_dsa=sound.signatures[1 - place][1].ml_dsa),
            replace(signature, ed25519=sound.signatures[1 - place][1].ed25519),
        ):
            signatures = list(sound.signatures)
            signatures[place] = (name, forged)
            refused(told, SignedStatement(sound.statement, tuple(signatures)).encode(), "I19")
        mixed = Signature(signature.ed25519, other.signatures[place][1].ml_dsa)
        signatures = list(sound.signatures)
        signatures[place] = (name, mixed)
        extend(
            told.verified,
            [SignedStatement(sound.statement, tuple(signatures)).encode()],
            told.terms,
        )


def test_I19_swapped_signatures() -> None:
    told = story()
    sound = decode(told.write(AddDevice(device(4)), 4, 1))
    (one, first), (two, second) = sound.signatures
    forged = SignedStatement(sound.statement, ((one, second), (two, first)))
    refused(told, forged.encode(), "I19")


def test_I19_a_signature_of_another_statement() -> None:
    told = story()
    add = decode(told.write(AddDevice(device(4)), 4, 1))
    other = decode(told.write(AddDevice(device(GHOST)), 4, 1))
    refused(told, SignedStatement(other.statement, add.signatures).encode(), "I21")
    revocation = decode(told.write(revoke(1), 2)).statement
    by_two = decode(told.write(revoke(1, 1), 2)).signatures
    refused(told, SignedStatement(revocation, by_two).encode(), "I19")


def test_I19_a_signature_in_another_domain() -> None:
    """What a device signs elsewhere, such as an MLS leaf, is no signature of a statement."""
    told = story()
    draft = told.draft(revoke(1))
    elsewhere = keys_of(2).sign(draft.message.removeprefix(b"blackthorn-identity-v1\0"))
    refused(told, SignedStatement(draft, ((device(2).id, elsewhere),)).encode(), "I19")


def test_I20_the_same_statement_in_the_chain_of_another() -> None:
    """Alice's signature over Bob's label does not exist; hers over her own fits no label of his."""
    told = story()
    sound = decode(told.write(AddDevice(device(4)), 4, 1))
    relabelled = replace(sound.statement, label=BOB)
    with refuses("I13"):
        extend(told.verified, [SignedStatement(relabelled, sound.signatures).encode()], told.terms)
    bob = Story(BOB).begin(11)
    moved = replace(sound.statement, label=BOB, seq=2, prev=bob.verified.head)
    refused(bob, SignedStatement(moved, sound.signatures).encode(), "I20")


@pytest.mark.parametrize(
    "body",
    [AddDevice(device(4)), AddDevice(device(4, "compliance")), AddDevice(device(4), True)],
)
def test_I21_the_device_that_comes_did_not_sign(body: AddDevice) -> None:
    told = story()
    by: Signer = "sheet" if body.recovered else 1
    refused(told, told.write(body, by), "I21")


def test_I21_the_device_of_a_genesis_did_not_sign() -> None:
    told = Story()
    with refuses("I21"):
        told.hear(told.write(Genesis(device(1)), "enterprise"))
    with refuses("I21"):
        told.hear(told.write(Genesis(device(1)), "enterprise", 2))


def test_I21_the_device_of_a_reset_did_not_sign() -> None:
    told = story()
    with refuses("I21"):
        told.tell(Reset(device(9)), "enterprise")
    with refuses("I21"):
        told.tell(Reset(device(9)), "enterprise", 1)


def test_I21_new_keys_did_not_sign_their_rotation() -> None:
    told = story()
    refused(told, told.write(Rotate(device(4), device(1).id), 1), "I21")


def test_I20_old_keys_did_not_sign_their_rotation() -> None:
    told = story()
    rotation = Rotate(device(GHOST), device(1).id)
    refused(told, told.write(rotation, GHOST), "I20")
    refused(told, told.write(rotation, GHOST, 2), "I20")
    refused(told, told.write(Rotate(device(GHOST), device(2).id), GHOST, 1), "I20")


def test_I22_the_enterprise_did_not_sign() -> None:
    told = Story()
    for others in ((1,), (1, "other enterprise")):
        rule = "I22" if others == (1,) else "I19"
        with refuses(rule):
            told.hear(told.write(Genesis(device(1)), *others))
    told = story()
    with refuses("I22"):
        told.tell(Reset(device(9)), 9)
    with refuses("I22"):
        told.tell(Reset(device(9)), 9, 1)
    with refuses("I19"):
        told.tell(Reset(device(9)), 9, "other enterprise")


def test_I20_nobody_else_signs_a_genesis_or_a_reset() -> None:
    told = Story()
    with refuses("I20"):
        told.hear(told.write(Genesis(device(1)), 1, 2, "enterprise"))
    told = story()
    with refuses("I20"):
        told.tell(Reset(device(9)), 9, 1, "enterprise")


def test_I20_a_device_does_not_sign_for_another_chain() -> None:
    bob = Story(BOB).begin(11)
    refused(bob, bob.write(AddDevice(device(GHOST)), GHOST, 1), "I20")


def test_I23_a_recovery_without_the_sheet() -> None:
    told = story()
    recovery = AddDevice(device(4), recovered=True)
    refused(told, told.write(recovery, 4), "I23")
    refused(told, told.write(recovery, 4, 1), "I23")
    refused(told, told.write(recovery, 4, "other sheet"), "I19")


def test_I23_a_chain_without_recovery_key_takes_none() -> None:
    told = Story().begin(1, sheet=None)
    refused(told, told.write(AddDevice(device(4), recovered=True), 4, "sheet"), "I23")
    told = story()
    told.tell(SetRecovery(None), 1)
    refused(told, told.write(AddDevice(device(4), recovered=True), 4, "sheet"), "I23")


def test_I19_a_recovery_key_that_was_replaced() -> None:
    told = story()
    told.tell(SetRecovery(OTHER_SHEET.public), 1)
    recovery = AddDevice(device(4), recovered=True)
    refused(told, told.write(recovery, 4, "sheet"), "I19")
    told.tell(recovery, 4, "other sheet")


def test_I24_a_device_signs_besides_the_sheet() -> None:
    told = story()
    with refuses("I24"):
        told.tell(AddDevice(device(4), recovered=True), 4, "sheet", 1)


def test_I24_more_devices_sign_than_are_needed() -> None:
    told = story()
    refused(told, told.write(AddDevice(device(4)), 4, 1, 2), "I24")
    refused(told, told.write(certificate_stated(), 1, 2), "I24")
    refused(told, told.write(SetRecovery(None), 1, 2), "I24")
    told.add(5)
    refused(told, told.write(revoke(5), 1, 2, 5), "I24")


def test_I24_a_revocation_that_needs_two() -> None:
    told = Story(two_to_revoke=True).begin(1).add(2)
    told.tell(revoke(2), 1)
    told.add(4).add(5)
    refused(told, told.write(revoke(5), 1), "I24")
    told.add(3, role="compliance")
    refused(told, told.write(revoke(5), 1, 3), "I20")
    told.tell(revoke(5), 1, 4)


def test_two_may_revoke_where_one_is_enough() -> None:
    told = story()
    told.tell(revoke(3), 1, 2)


def test_no_signature_at_all() -> None:
    told = story()
    draft = told.draft(certificate_stated())
    refused(told, SignedStatement(draft, ()).encode(), "I24")


def test_an_authority_is_no_device_even_if_somebody_says_so() -> None:
    """The names of enterprise and recovery key are no hashes that anybody knows a key for."""
    for name in (ENROLMENT, RECOVERY):
        assert all(device(number).id != name for number in range(100))


def test_statements_of_two_chains_with_the_same_devices_are_not_exchanged() -> None:
    """One person, two addresses, one device in both: a statement still has one place."""
    first, second = Story(ALICE).begin(1), Story(BOB).begin(1)
    data = first.write(certificate_stated(), 1)
    with refuses("I13"):
        extend(second.verified, [data], second.terms)


def test_a_genesis_by_another_enterprise_is_not_taken_under_our_terms() -> None:
    theirs = signed(
        Statement(ALICE, 1, bytes(32), Genesis(device(1), SHEET.public), 1), 1, "other enterprise"
    )
    with refuses("I19"):
        replay(UnverifiedChain(ALICE, (theirs,)), Story().terms)


def test_what_was_refused_changed_nothing() -> None:
    told = story()
    before: VerifiedChain = told.verified
    refused(told, told.write(AddDevice(device(GHOST)), GHOST), "I24")
    assert told.verified == before
