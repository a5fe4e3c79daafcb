"""OpenPGP: the key that users get, and the traps of pysequoia that are stopped here."""

from base64 import b64decode

import pysequoia
import pytest

from blackthorn.crypto import limits, openpgp_dates
from blackthorn.crypto.openpgp_open import UnsealError, generate_user_key, sign_detached, unseal
from blackthorn.crypto.openpgp_seal import (
    CertificateError,
    ExpiredCertificateError,
    RevokedCertificateError,
    parse_certificate,
    seal,
)
from blackthorn.crypto.openpgp_verify import verify_detached
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import VerifyError
from tests.support.certificates import unsealable

NOW = 1_900_000_000
KEY, CERTIFICATE = generate_user_key("alice@acme.example")
ML_KEM_768_X25519 = 35
FROM_2100 = b64decode(
    "xjME9IZXABYJKwYBBAHaRw8BAQdAnXBwtdfdl63X/clIyyiR1zTP6UWjmj9g2faT9+ZENBbNGkFsaWNl"
    "IDxhbGljZUBhY21lLmV4YW1wbGU+woEEExYIACkFAvSGVwACGwMCCwkCFQgCHgEWIQTYr7fgGuJnnHpu"
    "l73d3jxTlCqptAAKCRDd3jxTlCqptMQ5AP9H7UU7KbT6Oq+aKUrZPPrku5aZQWL2bkm0zvWoysk2JAEA"
    "0ML9ftKbDlHk5FNWvMV5AK/vNuLu98inqVIhImjFTALOOAT0hlcAEgorBgEEAZdVAQUBAQdAOxSEgsJF"
    "Dk8ClKFsnthwamH+QzX5SlF6XfYS9D6BNBsDAQgHwngEGBYIACAFAvSGVwACGwQWIQTYr7fgGuJnnHpu"
    "l73d3jxTlCqptAAKCRDd3jxTlCqptITeAP4v/qRnxcJJZE4I8Hm9FF3ZPaEOj37Ovc9suiYxu8cUIAD+"
    "MtifJueTSgCa+IQOLt4ZH7usFfjGSF6tXPdU/eD36gQ="
)
"""A sound certificate of a clock that is decades ahead."""


def other_key(**options) -> tuple[pysequoia.Tsk, bytes]:
    key = pysequoia.Tsk.generate("alice@acme.example", **options)
    return key, bytes(key.extract_certificate())


def test_a_user_key_is_post_quantum_and_small() -> None:
    certificate = parse_certificate(CERTIFICATE)
    assert len(certificate.fingerprint) == 64  # version 6
    assert certificate.expires is None and not certificate.revoked
    assert len(CERTIFICATE) < 4_096
    packets = pysequoia.packet.PacketPile.from_bytes(CERTIFICATE)
    algorithms = [str(each.key_algorithm) for each in packets if "key" in str(each.tag).lower()]
    assert any("MLKEM768" in each.replace("_", "").upper() for each in algorithms)


def test_sealed_comes_back() -> None:
    certificate = parse_certificate(CERTIFICATE)
    for content in (b"", b"x", b"\xff" * 300_000):
        assert unseal(seal(content, certificate, now=NOW), KEY) == content


def test_two_seals_of_the_same_differ() -> None:
    certificate = parse_certificate(CERTIFICATE)
    assert seal(b"x", certificate, now=NOW) != seal(b"x", certificate, now=NOW)


def test_an_expired_certificate_is_refused() -> None:
    """pysequoia would seal to it."""
    _, data = other_key(validity_seconds=3_600)
    certificate = parse_certificate(data)
    assert certificate.expires is not None
    certificate.check(certificate.expires - 1)
    with pytest.raises(ExpiredCertificateError):
        seal(b"x", certificate, now=certificate.expires)
    assert pysequoia.encrypt(b"x", recipients=[pysequoia.Cert.from_bytes(data)])


def test_a_revoked_certificate_is_refused() -> None:
    """pysequoia would seal to it."""
    key, data = other_key()
    revocation = pysequoia.Cert.from_bytes(data).revoke(key.certifier())
    certificate = parse_certificate(data + bytes(revocation))
    assert certificate.revoked
    with pytest.raises(RevokedCertificateError):
        seal(b"x", certificate, now=NOW)


def test_a_certificate_without_a_key_to_seal_to_is_told_from_others() -> None:
    parse_certificate(CERTIFICATE).check_sealing()
    certificate = parse_certificate(unsealable("alice@acme.example")[0])
    certificate.check(NOW)
    for refused in (certificate.check_sealing, lambda: seal(b"x", certificate, now=NOW)):
        with pytest.raises(CertificateError, match="no key that mail can be sealed to"):
            refused()


def test_a_certificate_from_a_clock_that_is_ahead_says_so() -> None:
    with pytest.raises(CertificateError, match="dated later than this machine's clock"):
        parse_certificate(FROM_2100)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xff" * 1_000,
        b"hello",
        KEY.expose(),
        str(pysequoia.Tsk.from_bytes(KEY.expose())).encode(),
        CERTIFICATE[:200],
        CERTIFICATE * (limits.MAX_CERTIFICATE_BYTES // len(CERTIFICATE) + 1),
    ],
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(CertificateError) as refused:
        seal(b"x", parse_certificate(data), now=NOW)
    assert "\n" not in str(refused.value)


def test_only_the_owner_opens() -> None:
    other, _ = generate_user_key("bob@acme.example")
    sealed = seal(b"secret", parse_certificate(CERTIFICATE), now=NOW)
    for key in (other, Secret(b""), Secret(b"junk"), Secret(CERTIFICATE)):
        with pytest.raises(UnsealError) as refused:
            unseal(sealed, key)
        assert "\n" not in str(refused.value)


def test_what_was_never_sealed_is_not_opened() -> None:
    """pysequoia hands out the content of a message that is only signed, or not even that."""
    key = pysequoia.Tsk.from_bytes(KEY.expose())
    signed = pysequoia.sign(key.signer(), b"hello")
    assert pysequoia.decrypt(signed, decryptor=key.decryptor()).bytes == b"hello"
    with pytest.raises(UnsealError):
        unseal(signed, KEY)


def test_a_key_dated_as_it_was_is_the_same_to_the_byte():
    """So every field, length and hash of the rewritten packets is as pysequoia makes them."""
    key = KEY.expose()
    assert openpgp_dates.redate(key, openpgp_dates.created(key)) == key


@pytest.mark.parametrize("at", [1_000_000_000, 1_700_000_000])
def test_a_key_dated_by_another_clock_seals_opens_and_signs(at):
    key, certificate = generate_user_key("alice@acme.example", at)
    assert openpgp_dates.created(certificate) == openpgp_dates.created(key.expose()) == at
    parsed = parse_certificate(certificate)
    assert unseal(seal(b"hello", parsed, now=NOW), key) == b"hello"
    signature = sign_detached(b"a statement", key)
    verify_detached(parsed, signature, b"a statement")
    assert pysequoia.Sig.from_bytes(signature).created.timestamp() == at
    with pytest.raises(VerifyError):
        verify_detached(parsed, signature, b"another statement")


def test_a_key_is_never_dated_later_than_this_machine():
    """pysequoia takes no key from the future, not even to open mail."""
    _, certificate = generate_user_key("alice@acme.example", 2**32 - 1)
    parse_certificate(certificate).check_sealing()


@pytest.mark.parametrize("data", [b"", b"\xc6", b"\xc6\x05\x04abcd", b"\xc6\xe0", b"\x99\x00"])
def test_the_date_of_other_bytes_is_a_value_error(data):
    with pytest.raises(ValueError, match=r".+"):
        openpgp_dates.created(data)
