"""The certificate in the chain: the right bytes, the right fingerprint, its own signature."""

import hashlib
from dataclasses import replace
from functools import cache

import pysequoia
import pytest

from blackthorn.crypto.openpgp_open import UnsealError, generate_user_key, sign_detached
from blackthorn.crypto.openpgp_seal import CertificateError, parse_certificate
from blackthorn.crypto.openpgp_verify import verify_detached
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import VerifyError
from blackthorn.identity.openpgp import OpenPGP, certificate_message, claim, verify_certificate
from tests.support.certificates import unsealable
from tests.support.identity_world import ALICE, BOB, Story, refuses


@cache
def user_key(number: int) -> tuple[Secret, bytes]:
    """The OpenPGP key of person `number`, and its certificate."""
    return generate_user_key(f"person{number}@acme.example")


KEY, CERTIFICATE = user_key(1)
OTHER_KEY, OTHER_CERTIFICATE = user_key(2)


def signs(key: Secret, message: bytes) -> bytes:
    """A detached signature."""
    return sign_detached(message, key)


def stated(label: str = ALICE) -> OpenPGP:
    """What the chain of that label states."""
    body = claim(label, CERTIFICATE, lambda message: signs(KEY, message))
    told = Story(label).begin(1)
    told.tell(body, 1)
    found = told.verified.openpgp
    assert found is not None
    return found


def test_a_certificate_is_stated_and_verified() -> None:
    found = stated()
    assert found.digest == hashlib.sha256(CERTIFICATE).digest()
    assert found.fingerprint == parse_certificate(CERTIFICATE).fingerprint.lower()
    assert (found.label, found.seq, len(found.proof)) == (ALICE, 2, 154)
    assert verify_certificate(found, CERTIFICATE).fingerprint == found.fingerprint


def test_what_is_signed() -> None:
    message = certificate_message(ALICE, "ab" * 32, bytes(32))
    assert message == (
        b"blackthorn-openpgp-v1\0" + bytes(32) + b"ab" * 32 + b"\0" + b"alice@acme.example"
    )


def test_I39_another_certificate() -> None:
    found = stated()
    for data in (OTHER_CERTIFICATE, CERTIFICATE + b"\0", CERTIFICATE[:-1], b""):
        with refuses("I39"):
            verify_certificate(found, data)
    for place in range(0, len(CERTIFICATE), 97):
        forged = bytearray(CERTIFICATE)
        forged[place] ^= 1
        with refuses("I39"):
            verify_certificate(found, bytes(forged))


def test_I40_a_fingerprint_that_is_not_the_certificates() -> None:
    found = stated()
    with refuses("I40"):
        verify_certificate(replace(found, fingerprint="ab" * 32), CERTIFICATE)
    with refuses("I40"):
        verify_certificate(replace(found, digest=hashlib.sha256(b"none").digest()), b"none")


def test_I41_a_certificate_that_somebody_else_claims() -> None:
    """Mallory cannot state Alice's certificate as his own: it has not signed his label."""
    found = stated()
    with refuses("I41"):
        verify_certificate(replace(found, label=BOB), CERTIFICATE)


def test_I41_a_proof_by_another_key_of_other_things_or_none() -> None:
    found = stated()
    message = certificate_message(ALICE, found.fingerprint, found.digest)
    for proof in (
        b"",
        b"proof",
        signs(OTHER_KEY, message),
        signs(KEY, message + b"\0"),
        found.proof[:-1],
        found.proof + b"\0",
        found.proof + found.proof,
        found.proof + signs(OTHER_KEY, message),
        bytes(9000),
    ):
        with refuses("I41"):
            verify_certificate(replace(found, proof=proof), CERTIFICATE)


def test_an_armored_signature_is_no_proof() -> None:
    signer = pysequoia.Tsk.from_bytes(KEY.expose()).signer()
    armored = pysequoia.sign(signer, b"message", mode=pysequoia.SignatureMode.DETACHED)
    with pytest.raises(VerifyError):
        verify_detached(parse_certificate(CERTIFICATE), bytes(armored), b"message")


def test_a_signature_of_another_kind_is_no_proof() -> None:
    """A revocation is a signature of the same key, and none over a document."""
    key = pysequoia.Tsk.from_bytes(KEY.expose())
    revocation = bytes(pysequoia.Cert.from_bytes(CERTIFICATE).revoke(key.certifier()))
    for message in (b"", b"message", CERTIFICATE):
        with pytest.raises(VerifyError):
            verify_detached(parse_certificate(CERTIFICATE), revocation, message)


def test_each_bit_of_a_signature_that_means_something_counts() -> None:
    """All but the sixteen bits of the hash that stand there for haste: nothing depends on them."""
    certificate = parse_certificate(CERTIFICATE)
    signature = signs(KEY, b"message")
    verify_detached(certificate, signature, b"message")
    passed = []
    for place in range(8 * len(signature)):
        forged = bytearray(signature)
        forged[place // 8] ^= 1 << place % 8
        try:
            verify_detached(certificate, bytes(forged), b"message")
        except VerifyError:
            continue
        passed.append(place)
    assert passed == list(range(8 * 55, 8 * 57))


def test_what_is_no_key_signs_nothing() -> None:
    for key in (b"", b"junk", CERTIFICATE):
        with pytest.raises(UnsealError):
            sign_detached(b"message", Secret(key))


def test_what_cannot_be_sealed_to_is_not_stated_but_stays_valid_in_a_chain() -> None:
    certificate, body = unsealable(ALICE)
    with pytest.raises(CertificateError, match="make a new one"):
        claim(ALICE, certificate, lambda message: b"")
    told = Story(ALICE).begin(1)
    told.tell(body, 1)
    found = told.verified.openpgp
    assert found is not None
    assert verify_certificate(found, certificate).fingerprint.lower() == body.fingerprint


def test_what_is_no_certificate_is_not_stated() -> None:
    for data in (b"", b"junk", KEY.expose()):
        with pytest.raises(CertificateError):
            claim(ALICE, data, lambda _message: b"")


def test_a_version_4_key_can_be_stated_too() -> None:
    """A certificate that a person brings along from an older program."""
    key = pysequoia.Tsk.generate("person@acme.example", profile=pysequoia.Profile.RFC4880)
    certificate = bytes(key.extract_certificate())
    body = claim(ALICE, certificate, lambda message: signs(Secret(bytes(key)), message))
    assert len(body.fingerprint) == 40
    told = Story().begin(1)
    told.tell(body, 1)
    assert told.verified.openpgp is not None
    verify_certificate(told.verified.openpgp, certificate)
