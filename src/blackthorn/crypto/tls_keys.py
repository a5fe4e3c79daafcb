"""The server's own long-lived TLS key: Ed25519, in a certificate that it signs itself.

No authority is asked: a device learns the fingerprint of this key at its activation and
accepts no other from then on. The certificate is only the key's wrapping, so it does not run
out in the server's life; SMTP shows it for opportunistic encryption as well.
"""

import datetime
import hashlib
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DecodeError
from blackthorn.ids import Fingerprint

VALID_YEARS = 50
"""Longer than the server lives: what ends a key is a new activation, not a date."""


def make_key(random: Callable[[int], bytes]) -> Secret:
    """A fresh private key as PEM (PKCS #8, unencrypted)."""
    key = Ed25519PrivateKey.from_private_bytes(random(32))
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def make_certificate(
    key: Secret, domain: str, random: Callable[[int], bytes], now: datetime.datetime
) -> bytes:
    """A self-signed certificate for `domain` as PEM, valid from a day before `now` (UTC)."""
    private = _private_key(key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain[:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(int.from_bytes(random(16), "big") | 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * VALID_YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
    )
    return builder.sign(private, None).public_bytes(Encoding.PEM)


def certificate_fingerprint(pem: bytes) -> Fingerprint:
    """SHA-256 of the certificate's SubjectPublicKeyInfo. Raises DecodeError."""
    return _fingerprint(x509.load_pem_x509_certificate, pem, "not a PEM certificate")


def peer_fingerprint(der: bytes) -> Fingerprint:
    """The same of a certificate in DER, as TLS gives the peer's. Raises DecodeError."""
    return _fingerprint(x509.load_der_x509_certificate, der, "not a certificate")


def _fingerprint(
    load: Callable[[bytes], x509.Certificate], data: bytes, refusal: str
) -> Fingerprint:
    try:
        public = load(data).public_key()
    except ValueError:
        raise DecodeError(refusal) from None
    info = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Fingerprint(hashlib.sha256(info).digest())


def _private_key(pem: Secret) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem.expose(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise DecodeError("the server's key is not an Ed25519 key")
    return key
