"""The server's long-lived TLS key: Ed25519, in a self-signed certificate.

Devices pin its fingerprint at activation and trust no authority, so it does not expire in the
server's life; SMTP uses it for opportunistic TLS too.
"""

import datetime
import hashlib
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DecodeError
from blackthorn.ids import Fingerprint

_ED25519_INFO = bytes.fromhex("302a300506032b6570032100")
"""What stands before the key in a SubjectPublicKeyInfo of Ed25519 (RFC 8410, 4)."""

VALID_YEARS = 50
"""Longer than the server's life: a key ends by a new activation."""


def make_key(random: Callable[[int], bytes]) -> Secret:
    """A new private key as PEM (PKCS #8, unencrypted)."""
    key = Ed25519PrivateKey.from_private_bytes(random(32))
    unencrypted = serialization.NoEncryption()
    return Secret(key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))


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
    """The same for a peer's DER certificate. Raises DecodeError."""
    return _fingerprint(x509.load_der_x509_certificate, der, "not a certificate")


def peer_public_key(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo (DER) of a peer's DER certificate. Raises DecodeError."""
    try:
        public = x509.load_der_x509_certificate(der).public_key()
    except ValueError:
        raise DecodeError("not a certificate") from None
    return public.public_bytes(Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_fingerprint(public: bytes) -> Fingerprint:
    """The fingerprint of a certificate's Ed25519 key in raw form, of 32 bytes (RFC 8410, 4)."""
    return Fingerprint(hashlib.sha256(_ED25519_INFO + public).digest())


def signer(key: Secret) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The raw public key and what signs with the private one. Raises DecodeError."""
    private = _private_key(key)
    return private.public_key().public_bytes_raw(), private.sign


def _fingerprint(
    load: Callable[[bytes], x509.Certificate], data: bytes, refusal: str
) -> Fingerprint:
    try:
        public = load(data).public_key()
    except ValueError:
        raise DecodeError(refusal) from None
    info = public.public_bytes(Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Fingerprint(hashlib.sha256(info).digest())


def _private_key(pem: Secret) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(pem.expose(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise DecodeError("the server's key is not an Ed25519 key")
    return key
