"""Certificates of the public listeners (RFC 5280): parse, check against names and time, make.

A certificate is used with its chain, the server's own first, and with its key. The link has a key
of its own instead: `crypto.tls_keys`.
"""

import datetime
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blackthorn.crypto import limits
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import P256_ORDER
from blackthorn.errors import DecodeError

SELF_SIGNED_DAYS = 397
"""Life of a self-signed certificate; it is made anew, with the same key, before it ends."""


class Fault(StrEnum):
    """Why browsers or mail servers would refuse a certificate."""

    UNREADABLE = "unreadable"
    KEY_MISMATCH = "key does not match"
    WEAK_KEY = "key not accepted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    WRONG_NAME = "wrong name"
    CHAIN_INCOMPLETE = "chain incomplete"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault, and what it is and how to mend it in one line."""

    fault: Fault
    text: str


class CertificateError(DecodeError):
    """The files cannot be used at all; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's own certificate with what stands in its file besides."""

    names: tuple[str, ...]
    """DNS names of subjectAltName, in lower case; a common name counts for nothing (RFC 9525)."""
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    key: str
    """Kind of the key, such as `ECDSA P-256`."""
    strong: bool
    """Whether browsers and mail servers accept such a key."""
    self_signed: bool
    ends_in_root: bool
    """Whether the last certificate of the file is signed by itself."""
    ordered: bool
    """Whether each certificate of the file was issued by the next one."""
    fingerprint: str
    """SHA-256 of the certificate, hexadecimal."""
    key_hash: str
    """SHA-256 of its SubjectPublicKeyInfo, hexadecimal, as in a TLSA record `3 1 1` (RFC 6698)."""


def parse(chain: bytes, key: Secret) -> Certificate:
    """The certificate of PEM files, which belongs to the PEM private key. Raises CertificateError.

    `chain` may hold a private key besides, which is passed over.
    """
    certificates = _chain(chain)
    own = certificates[0]
    public = own.public_key()
    if _info(_private(key).public_key()) != _info(public):
        text = "the key does not belong to the first certificate: name the key it was issued for"
        raise CertificateError(Problem(Fault.KEY_MISMATCH, text))
    pairs = itertools.pairwise(certificates)
    kind, strong = _kind(public)
    return Certificate(
        names=_names(own),
        issuer=_common_name(own.issuer),
        not_before=own.not_valid_before_utc,
        not_after=own.not_valid_after_utc,
        key=kind,
        strong=strong,
        self_signed=_issued(own, own),
        ends_in_root=_issued(certificates[-1], certificates[-1]),
        ordered=all(_issued(one, following) for one, following in pairs),
        fingerprint=own.fingerprint(hashes.SHA256()).hex(),
        key_hash=hashlib.sha256(_info(public)).hexdigest(),
    )


def problems(
    certificate: Certificate, names: Sequence[str], now: datetime.datetime, known: bool
) -> list[Problem]:
    """What peers would refuse of it for `names` at `now`; a self-signed one is judged alike.

    `known`: whether the machine's own authorities, with the chain, lead to it.
    """
    found = []
    if not certificate.strong:
        text = (
            f"a key of the kind {certificate.key} is not accepted by browsers and most mail "
            "servers: use ECDSA P-256, or RSA of at least 2,048 bits"
        )
        found.append(Problem(Fault.WEAK_KEY, text))
    if now > certificate.not_after:
        text = f"expired on {_date(certificate.not_after)}: renew it"
        found.append(Problem(Fault.EXPIRED, text))
    if now < certificate.not_before:
        text = (
            f"valid only from {_date(certificate.not_before)}, and this machine's clock says "
            f"{_date(now)}: set the clock, or wait"
        )
        found.append(Problem(Fault.NOT_YET_VALID, text))
    if missing := [name for name in names if not covers(certificate.names, name)]:
        text = (
            f"does not name {', '.join(missing)}: have it issued for that, or correct "
            "tls.host_name and tls.other_names"
        )
        found.append(Problem(Fault.WRONG_NAME, text))
    if not certificate.ordered or not (known or certificate.ends_in_root):
        text = (
            "the chain is incomplete: append the certificates of its authority, each behind the "
            "one that it issued"
        )
        found.append(Problem(Fault.CHAIN_INCOMPLETE, text))
    return found


def covers(names: Sequence[str], name: str) -> bool:
    """Whether a certificate for `names` is one for `name` (RFC 9525, 6.3).

    A `*` stands for exactly the whole left-most label.
    """
    parent = name.partition(".")[2]
    return name in names or (bool(parent) and f"*.{parent}" in names)


def make_key(random: Callable[[int], bytes]) -> Secret:
    """A new ECDSA P-256 key as PEM (PKCS #8, unencrypted)."""
    number = int.from_bytes(random(48), "big") % (P256_ORDER - 1) + 1
    key = ec.derive_private_key(number, ec.SECP256R1())
    unencrypted = serialization.NoEncryption()
    return Secret(key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))


def make_self_signed(
    key: Secret, names: Sequence[str], random: Callable[[int], bytes], now: datetime.datetime
) -> bytes:
    """A self-signed certificate for DNS `names` as PEM, valid from a day before `now` (UTC)."""
    private = _private(key)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise DecodeError("the key of the self-signed certificate is not an ECDSA key")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    alternative = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(int.from_bytes(random(16), "big") | 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(alternative, critical=False)
        .add_extension(purpose, critical=False)
    )
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


def _chain(pem: bytes) -> list[x509.Certificate]:
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        for each in certificates:
            each.public_key()
            _ = each.extensions  # parsed here, so that nothing malformed is found later
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        certificates = []
    except Exception as error:  # of a key that the library does not know
        text = f"the certificate cannot be used: its key is unknown ({type(error).__name__})"
        raise CertificateError(Problem(Fault.UNREADABLE, text)) from None
    if not 0 < len(certificates) <= limits.MAX_CHAIN_CERTIFICATES:
        text = "there is no PEM certificate in the file, or too many: name the full chain's file"
        raise CertificateError(Problem(Fault.UNREADABLE, text))
    return certificates


def _private(pem: Secret) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem.expose(), None)
    except TypeError:
        text = "the key is encrypted by a passphrase: store it without, readable by the server only"
    except Exception:
        text = "there is no usable PEM private key in the file"
    raise CertificateError(Problem(Fault.UNREADABLE, text))


def _info(public: PublicKeyTypes) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _kind(public: PublicKeyTypes) -> tuple[str, bool]:
    if isinstance(public, ec.EllipticCurvePublicKey):
        strong = isinstance(public.curve, ec.SECP256R1 | ec.SECP384R1)
        return f"ECDSA {public.curve.name.replace('secp256r1', 'P-256')}", strong
    if isinstance(public, rsa.RSAPublicKey):
        return f"RSA {public.key_size:,}", public.key_size >= 2_048
    if isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return type(public).__name__.removeprefix("_").removesuffix("PublicKey"), False
    return "unknown", False


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in found.value.get_values_for_type(x509.DNSName))


def _common_name(name: x509.Name) -> str:
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(oid):
            return str(attribute.value)
    return name.rfc4514_string()


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # ValueError, TypeError, InvalidSignature: by another, or not at all
        return False
    return True


def _date(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
