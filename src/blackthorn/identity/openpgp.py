"""The OpenPGP certificate in a chain: its statement, and how to verify it.

The chain has fingerprint, digest and the certificate's own signature over the user's label: else a
user could claim another's certificate and receive mail that they cannot read.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto import openpgp_dates
from blackthorn.crypto.openpgp_seal import Certificate, CertificateError, parse_certificate
from blackthorn.crypto.openpgp_verify import verify_detached
from blackthorn.crypto.signatures import VerifyError
from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import SetOpenPGP

DOMAIN: Final = b"blackthorn-openpgp-v1\0"


@dataclass(frozen=True, slots=True)
class OpenPGP:
    """The certificate that the chain of `label` states in statement `seq`.

    `fingerprint` in hex, `digest` SHA-256 of the certificate, `proof` its signature.
    """

    label: str
    fingerprint: str
    digest: bytes
    proof: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class Compatible:
    """The certificate for programs without RFC 9580, and whether mail is sealed to it as well."""

    stated: OpenPGP
    copies: bool


def certificate_message(label: str, fingerprint: str, digest: bytes) -> bytes:
    """What the certificate signs: domain, 32-byte digest, hex fingerprint, zero, label."""
    return DOMAIN + digest + fingerprint.encode() + b"\0" + label.encode()


def claim(label: str, certificate: bytes, sign: Callable[[bytes], bytes]) -> SetOpenPGP:
    """The body for this certificate; `sign` makes its key's detached signature.

    Raises `CertificateError` for other bytes.
    """
    parsed = parse_certificate(certificate)
    parsed.check_sealing()
    fingerprint = parsed.fingerprint.lower()
    digest = hashlib.sha256(certificate).digest()
    proof = sign(certificate_message(label, fingerprint, digest))
    return SetOpenPGP(fingerprint, digest, proof)


def is_ahead(certificate: bytes, now: int) -> bool:
    """Whether a certificate is dated later than `now`, Unix seconds: it cannot be verified then."""
    try:
        return openpgp_dates.created(certificate) > now
    except ValueError:
        return False  # of version 4: its device dates it by the earlier of two clocks


def verify_certificate(stated: OpenPGP, certificate: bytes) -> Certificate:
    """The stated certificate, expired or not (`Certificate.check`). Raises I39 to I41."""
    if hashlib.sha256(certificate).digest() != stated.digest:
        raise VerificationError("I39", "the certificate is not the one in the chain")
    try:
        parsed = parse_certificate(certificate)
    except CertificateError as error:
        raise VerificationError("I40", str(error)) from None
    if parsed.fingerprint.lower() != stated.fingerprint:
        raise VerificationError("I40", "the certificate's fingerprint is not the one in the chain")
    message = certificate_message(stated.label, stated.fingerprint, stated.digest)
    try:
        verify_detached(parsed, stated.proof, message)
    except VerifyError as error:
        raise VerificationError("I41", str(error)) from None
    return parsed
