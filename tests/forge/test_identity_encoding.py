"""Statements that are malformed, field by field: each is refused by its rule (I1 to I11)."""

from typing import Any

import cbor2
import pytest

from blackthorn.crypto import limits as crypto_limits
from blackthorn.identity import limits as identity_limits
from blackthorn.identity.statements import (
    ENROLMENT,
    AddDevice,
    Body,
    Cancel,
    Genesis,
    Reset,
    RevokeDevice,
    Rotate,
    SetOpenPGP,
    SetRecovery,
    Statement,
    decode,
    make,
)
from blackthorn.wire import limits as wire_limits
from tests.support.identity_world import (
    ALICE,
    NOON,
    SHEET,
    bent,
    certificate_stated,
    compatible_stated,
    device,
    raw,
    refuses,
    revoke,
    signer,
)

LABEL, SEQ, PREV, KIND, BODY, TIME, MIN_RULES = range(1, 8)
"""Places in a statement."""

ID, NAME, ROLE, KEYS, MLS_KEY, SUITES = range(6)
"""Places in a device."""


def sound(body: Body) -> bytes:
    """A well-formed statement with that body."""
    return make(Statement(ALICE, 2, bytes(32), body, NOON), [signer(1), signer(2)]).encode()


GENESIS = sound(Genesis(device(1), SHEET.public))
OPENPGP = sound(certificate_stated())
REVOKE = sound(revoke(2))
COMPATIBLE = sound(compatible_stated())


def changed(data: bytes, *path: int, to: Any) -> bytes:
    """The statement with the value at that path replaced; the path starts at the statement."""
    value = raw(data)
    place: Any = value[0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return bent(value)


def test_the_sound_ones_are_taken() -> None:
    for data in (GENESIS, OPENPGP, REVOKE):
        assert decode(data).encode() == data
        assert changed(data, LABEL, to=ALICE) == data


def test_I1_too_large() -> None:
    with refuses("I1"):
        decode(bytes(wire_limits.MAX_STATEMENT_BYTES + 1))
    long = changed(OPENPGP, BODY, 2, to=bytes(wire_limits.MAX_STATEMENT_BYTES))
    with refuses("I1"):
        decode(long)
    with refuses("I2"):
        decode(b"\xff" * wire_limits.MAX_STATEMENT_BYTES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        GENESIS[:-1],
        GENESIS + b"\0",
        GENESIS + GENESIS,
        b"\x9f" + GENESIS[1:] + b"\xff",
        b"\xc1" + GENESIS,
        b"\x98\x02" + GENESIS[1:],
        cbor2.dumps([[[[[[[[[[]]]]]]]]]]),
        b"\x81" * 60_000,
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x82\xd8\x1d\x00\x80",
    ],
    ids=lambda data: data[:6].hex(),
)
def test_I2_not_the_one_form(data: bytes) -> None:
    with refuses("I2"):
        decode(data)


def test_I2_a_longer_number_for_the_same_value() -> None:
    at = GENESIS.index(b"\x02\x58\x20")
    with refuses("I2"):
        decode(GENESIS[:at] + b"\x18\x02" + GENESIS[at + 1 :])


def test_I2_a_big_number_by_its_tag() -> None:
    at = GENESIS.index(b"\x02\x58\x20")
    with refuses("I2"):
        decode(GENESIS[:at] + b"\xc2\x41\x02" + GENESIS[at + 1 :])


@pytest.mark.parametrize(
    "value", [None, 1, {}, {1: 2}, [], [[]], [[], [], []], "text", 1.5, [1, 2]]
)
def test_I3_another_shape(value: Any) -> None:
    with refuses("I3"):
        decode(bent(value))


def test_I3_the_tag_that_says_that_this_is_cbor() -> None:
    """cbor2 drops this one tag without asking, and makes tuples of the arrays under it."""
    with refuses("I3"):
        decode(b"\xd9\xd9\xf7" + GENESIS)


@pytest.mark.parametrize("version", [0, 2, True, 1.0, "1", None, b"\x01"])
def test_I3_another_version(version: Any) -> None:
    with refuses("I3"):
        decode(changed(GENESIS, 0, to=version))


@pytest.mark.parametrize("kind", [0, 10, -1, True, "genesis", None, [], 2**64 - 1])
def test_I3_an_unknown_kind(kind: Any) -> None:
    with refuses("I3"):
        decode(changed(GENESIS, KIND, to=kind))


@pytest.mark.parametrize("place", range(1, 8))
@pytest.mark.parametrize("value", [None, 1.5, {}, [[]], True])
def test_I3_a_field_of_another_type(place: int, value: Any) -> None:
    with refuses("I3"):
        decode(changed(GENESIS, place, to=value))


@pytest.mark.parametrize(
    "body",
    [
        Genesis(device(1)),
        AddDevice(device(1)),
        revoke(1),
        certificate_stated(),
        Rotate(device(1), device(2).id),
        SetRecovery(SHEET.public),
        Cancel(1),
        Reset(device(1)),
    ],
    ids=lambda body: type(body).__name__,
)
def test_I3_a_body_with_a_field_too_many_too_few_or_of_another_type(body: Body) -> None:
    data = sound(body)
    fields = raw(data)[0][BODY]
    shapes: list[Any] = [fields[:-1], [*fields, None], None, {}]
    for forged in shapes:
        with refuses("I3"):
            decode(changed(data, BODY, to=forged))
    for place in range(len(fields)):
        values: list[Any] = [1.5, {}, [[]]]
        for value in values:
            with refuses("I3"):
                decode(changed(data, BODY, place, to=value))


@pytest.mark.parametrize("place", range(6))
def test_I3_a_device_with_a_field_of_another_type(place: int) -> None:
    data = changed(GENESIS, BODY, 0, place, to=1.5)
    with refuses("I8" if place == ROLE else "I3"):
        decode(data)
    one = raw(GENESIS)[0][BODY][0]
    for forged in (one[:-1], [*one, None], None):
        with refuses("I3"):
            decode(changed(GENESIS, BODY, 0, to=forged))


@pytest.mark.parametrize("signatures", [None, 1, {}, [None], [[]], [[bytes(16), bytes(64)]], [1]])
def test_I3_signatures_of_another_shape(signatures: Any) -> None:
    value = raw(GENESIS)
    with refuses("I3"):
        decode(bent([value[0], signatures]))


@pytest.mark.parametrize(
    "label",
    [
        "",
        "alice",
        "Alice@acme.example",
        "alice@ACME.example",
        "alice@acme",
        " alice@acme.example",
        "alice@acme.example\0",
        "älice@acme.example",
        "a@b@acme.example",
        f"{'a' * 65}@acme.example",
    ],
)
def test_I4_no_address(label: str) -> None:
    with refuses("I4"):
        decode(changed(GENESIS, LABEL, to=label))


@pytest.mark.parametrize(
    "path",
    [
        (PREV,),
        (BODY, 0, ID),
        (BODY, 0, KEYS, 0),
        (BODY, 0, KEYS, 1),
        (BODY, 0, MLS_KEY),
        (BODY, 1, 0),
        (BODY, 1, 1),
    ],
)
def test_I5_a_length_is_wrong(path: tuple[int, ...]) -> None:
    place: Any = raw(GENESIS)[0]
    for step in path:
        place = place[step]
    for forged in (b"", place[:-1], place + b"\0"):
        with refuses("I5"):
            decode(changed(GENESIS, *path, to=forged))


def test_I5_the_length_of_a_digest_a_signer_or_a_signature() -> None:
    with refuses("I5"):
        decode(changed(OPENPGP, BODY, 1, to=bytes(31)))
    with refuses("I5"):
        decode(changed(REVOKE, BODY, 0, to=bytes(17)))
    for place in range(3):
        value = raw(GENESIS)
        value[1][0][place] += b"\0"
        with refuses("I5"):
            decode(bent(value))


def test_I6_an_id_that_is_not_made_of_the_key() -> None:
    with refuses("I6"):
        decode(changed(GENESIS, BODY, 0, ID, to=device(2).id))
    with refuses("I6"):
        decode(changed(GENESIS, BODY, 0, ID, to=ENROLMENT))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        "a\nb",
        "a\0",
        "\x7f",
        "\x85",
        "a\u202eb",
        "\u2066x",
        "\ufeff",
        "\u200fx",
        "\u2028",
    ],
)
def test_I7_a_name_that_cannot_be_shown(name: str) -> None:
    with refuses("I7"):
        decode(changed(GENESIS, BODY, 0, NAME, to=name))


@pytest.mark.parametrize("reason", ["x" * 129, "\t", "a\u202eb"])
def test_I7_a_reason_that_cannot_be_shown(reason: str) -> None:
    with refuses("I7"):
        decode(changed(REVOKE, BODY, 1, to=reason))


@pytest.mark.parametrize("name", ["Alice’s laptop", "電話", "📱", "a b", "é" * 64])
def test_other_names_are_taken(name: str) -> None:
    signed = decode(changed(GENESIS, BODY, 0, NAME, to=name))
    assert isinstance(signed.statement.body, Genesis)
    assert signed.statement.body.device.name == name


@pytest.mark.parametrize("role", ["", "Personal", "admin", "compliance ", None, 1, b"personal"])
def test_I8_an_unknown_role(role: Any) -> None:
    with refuses("I8"):
        decode(changed(GENESIS, BODY, 0, ROLE, to=role))


def test_I8_suites_twice_or_too_many() -> None:
    for suites in ([1, 1], [1, 2, 1], list(range(1, identity_limits.MAX_DEVICE_SUITES + 2))):
        with refuses("I8"):
            decode(changed(GENESIS, BODY, 0, SUITES, to=suites))


def test_as_many_suites_as_the_bound_are_taken() -> None:
    decode(
        changed(GENESIS, BODY, 0, SUITES, to=list(range(1, identity_limits.MAX_DEVICE_SUITES + 1)))
    )


@pytest.mark.parametrize(
    ("data", "path", "value"),
    [
        (GENESIS, (SEQ,), 0),
        (GENESIS, (SEQ,), -1),
        (GENESIS, (SEQ,), wire_limits.MAX_CHAIN_STATEMENTS + 1),
        (GENESIS, (TIME,), -1),
        (GENESIS, (TIME,), 2**53),
        (GENESIS, (MIN_RULES,), 0),
        (GENESIS, (MIN_RULES,), 65_536),
        (GENESIS, (BODY, 0, SUITES), [0]),
        (GENESIS, (BODY, 0, SUITES), [65_536]),
        (REVOKE, (BODY, 2), -1),
        (REVOKE, (BODY, 2), wire_limits.MAX_CHAIN_STATEMENTS + 1),
        (sound(Cancel(1)), (BODY, 0), 2**63),
    ],
)
def test_I9_a_number_out_of_its_bounds(data: bytes, path: tuple[int, ...], value: Any) -> None:
    with refuses("I9"):
        decode(changed(data, *path, to=value))


@pytest.mark.parametrize(
    "fingerprint", ["", "ab" * 19, "ab" * 21, "AB" * 32, "zz" * 32, "ab" * 32 + "\n", "ab" * 33]
)
def test_I10_no_fingerprint(fingerprint: str) -> None:
    with refuses("I10"):
        decode(changed(OPENPGP, BODY, 0, to=fingerprint))


@pytest.mark.parametrize(
    "body",
    [
        [None, True],
        [["ab" * 32, bytes(32), b"proof"], False],
    ],
)
def test_I47_no_compatible_certificate(body: Any) -> None:
    with refuses("I47"):
        decode(changed(COMPATIBLE, BODY, to=body))


@pytest.mark.parametrize("body", [[None], [None, 0], [[], False], [b"", False], None])
def test_I3_no_fields_of_a_compatible_certificate(body: Any) -> None:
    with refuses("I3"):
        decode(changed(COMPATIBLE, BODY, to=body))


def test_I10_a_proof_that_is_too_long() -> None:
    with refuses("I10"):
        decode(changed(OPENPGP, BODY, 2, to=bytes(crypto_limits.MAX_OPENPGP_PROOF_BYTES + 1)))


def test_both_lengths_of_fingerprints_are_taken() -> None:
    for fingerprint in ("0123456789" * 4, "abcdef00" * 8):
        body = decode(changed(OPENPGP, BODY, 0, to=fingerprint)).statement.body
        assert isinstance(body, SetOpenPGP)
        assert body.fingerprint == fingerprint


def test_I11_signatures_out_of_order_twice_or_too_many() -> None:
    statement, signatures = raw(GENESIS)
    one, two = signatures
    third = [b"\xff" * 16, *one[1:]]
    fourth = [b"\xff" * 15 + b"\xfe", *one[1:]]
    for forged in ([two, one], [one, one], [one, two, two], [one, two, fourth, third]):
        with refuses("I11"):
            decode(bent([statement, forged]))


def test_a_revocation_names_a_device_id_not_a_key() -> None:
    body = decode(REVOKE).statement.body
    assert isinstance(body, RevokeDevice)
    assert body.device_id == device(2).id
