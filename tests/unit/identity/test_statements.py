"""Statements to bytes and back: one form for each, and sizes that a frame can bear."""

import hashlib

import cbor2
import pytest

from blackthorn.crypto import limits as crypto_limits
from blackthorn.identity.statements import (
    DOMAIN,
    ENROLMENT,
    NO_STATEMENT,
    RECOVERY,
    Body,
    Genesis,
    SignedStatement,
    Statement,
    countersign,
    decode,
    make,
)
from blackthorn.wire import limits as wire_limits
from tests.support.identity_world import (
    ALICE,
    BODIES,
    ENTERPRISE,
    NOON,
    OTHER_ENTERPRISE,
    certificate_stated,
    device,
    keys_of,
    raw,
    refuses,
    signer,
)


def statement(body: Body) -> Statement:
    """A statement of that body that would be Alice's third."""
    return Statement(ALICE, 3, bytes(range(32)), body, NOON)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_there_and_back(body: Body) -> None:
    for signers in ((1,), (1, 2), (1, "enterprise"), ("sheet", 2, 1)):
        signed = make(statement(body), [signer(each) for each in signers])
        assert decode(signed.encode()) == signed
        assert [each for each, _ in signed.signatures] == sorted(signer(s)[0] for s in signers)


def test_the_layout_is_the_one_of_the_specification() -> None:
    signed = make(Statement(ALICE, 1, NO_STATEMENT, Genesis(device(1)), NOON), [signer(1)])
    one, keys = device(1), keys_of(1).public
    body = [
        [one.id, "device 1", "personal", [keys.ed25519, keys.ml_dsa], keys.ed25519, [0x4E]],
        None,
    ]
    fields = [1, ALICE, 1, bytes(32), 1, body, NOON, 1]
    (name, signature) = signed.signatures[0]
    assert raw(signed.encode()) == [fields, [[name, signature.ed25519, signature.ml_dsa]]]
    message = b"blackthorn-identity-v1\0" + cbor2.dumps(fields, canonical=True)
    assert signed.statement.message == message
    assert signed.statement.hash == hashlib.sha256(message).digest()
    keys.verify(signature, message)


def test_the_hash_does_not_depend_on_signatures() -> None:
    draft = statement(BODIES[0])
    one, two = make(draft, [signer(1)]), make(draft, [signer(1), signer("enterprise")])
    assert one.statement.hash == two.statement.hash == draft.hash
    assert one.encode() != two.encode()


def test_signers_that_are_no_devices_have_names_of_their_size() -> None:
    assert {len(ENROLMENT), len(RECOVERY)} == {16}
    assert len({ENROLMENT, RECOVERY}) == 2


def test_a_countersignature_is_added_in_its_place() -> None:
    draft = statement(BODIES[0])
    alone = make(draft, [signer(1)])
    both = countersign(alone, ENROLMENT, ENTERPRISE)
    assert {name for name, _ in both.signatures} == {device(1).id, ENROLMENT}
    assert decode(both.encode()) == both
    again = countersign(both, ENROLMENT, OTHER_ENTERPRISE)
    assert len(again.signatures) == 2
    assert dict(again.signatures)[device(1).id] == dict(both.signatures)[device(1).id]


def test_nothing_malformed_is_signed() -> None:
    with refuses("I4"):
        make(Statement("Alice@acme.example", 1, NO_STATEMENT, BODIES[0], NOON), [signer(1)])
    with refuses("I7"):
        make(statement(Genesis(device(1).__class__.of("", keys_of(1).public, bytes(32)))), [])


def test_sizes() -> None:
    sizes = {
        type(body).__name__: len(make(statement(body), [signer(each) for each in signers]).encode())
        for body, signers in (
            (BODIES[0], (1, "enterprise")),
            (BODIES[2], (1, 2)),
            (BODIES[5], (1,)),
            (certificate_stated(bytes(154)), (1,)),
            (BODIES[8], (1, 2)),
            (BODIES[9], (1,)),
            (BODIES[11], (1,)),
            (BODIES[12], (9, "enterprise")),
        )
    }
    print(sizes)
    assert all(3_400 < size < 12_000 for size in sizes.values())


def test_the_largest_statement_fits_its_bound() -> None:
    body = certificate_stated(bytes(crypto_limits.MAX_OPENPGP_PROOF_BYTES))
    signed = make(statement(body), [signer(1), signer(2), signer(3)])
    assert len(signed.encode()) < wire_limits.MAX_STATEMENT_BYTES


def test_the_domain_ends_in_a_zero() -> None:
    assert DOMAIN.endswith(b"\0")


def test_a_statement_without_signatures_can_be_read() -> None:
    signed = SignedStatement(statement(BODIES[0]), ())
    assert decode(signed.encode()) == signed
