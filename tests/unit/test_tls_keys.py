"""The server's key and certificate."""

import datetime
import hashlib
import secrets
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from blackthorn.crypto import tls_keys
from blackthorn.errors import DecodeError

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def test_the_fingerprint_is_that_of_the_key_and_outlives_the_certificate():
    key = tls_keys.make_key(secrets.token_bytes)
    first = tls_keys.make_certificate(key, "acme.example", secrets.token_bytes, NOW)
    later = NOW + datetime.timedelta(days=400)
    second = tls_keys.make_certificate(key, "acme.example", secrets.token_bytes, later)
    assert first != second
    assert tls_keys.certificate_fingerprint(first) == tls_keys.certificate_fingerprint(second)
    info = x509.load_pem_x509_certificate(first).public_key()
    der = info.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert tls_keys.certificate_fingerprint(first) == hashlib.sha256(der).digest()
    assert tls_keys.peer_fingerprint(ssl.PEM_cert_to_DER_cert(first.decode())) == (
        tls_keys.certificate_fingerprint(first)
    )


def test_the_certificate_is_valid_for_longer_than_the_server_lives():
    key = tls_keys.make_key(secrets.token_bytes)
    pem = tls_keys.make_certificate(key, "acme.example", secrets.token_bytes, NOW)
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc > NOW + datetime.timedelta(days=365 * 49)


def test_a_long_domain_fits():
    key = tls_keys.make_key(secrets.token_bytes)
    domain = ".".join(["a" * 60] * 4)
    assert tls_keys.make_certificate(key, domain, secrets.token_bytes, NOW)


@pytest.mark.parametrize("function", [tls_keys.certificate_fingerprint, tls_keys.peer_fingerprint])
def test_what_is_no_certificate_is_told(function):
    for data in (b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(DecodeError):
            function(data)


def test_the_key_does_not_print():
    assert "PRIVATE" not in repr(tls_keys.make_key(secrets.token_bytes))
