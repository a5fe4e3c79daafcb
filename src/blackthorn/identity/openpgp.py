"""The user's OpenPGP certificate in their chain: what the chain states, and how it is checked.

The chain holds the certificate's fingerprint, its digest and its own signature; the bytes come
from anywhere. A certificate must sign, by a key of its own, that it is this user's: else a user
could claim another's certificate and would be sent mail that they cannot read.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto.openpgp_seal import Certificate, CertificateError, parse_certificate
from blackthorn.crypto.openpgp_verify import verify_detached
from blackthorn.crypto.signatures import VerifyError
from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import SetOpenPGP

DOMAIN: Final = b"blackthorn-openpgp-v1\0"


@dataclass(frozen=True, slots=True)
class OpenPGP:
    """The certificate that the chain of `label` states in statement `seq`.

    `fingerprint` in hex, `digest` = SHA-256 of the certificate's bytes, `proof` its signature.
    """

    label: str
    fingerprint: str
    digest: bytes
    proof: bytes
    seq: int


def certificate_message(label: str, fingerprint: str, digest: bytes) -> bytes:
    """The certificate signs this: domain, 32-byte digest, fingerprint in hex, zero, label."""
    return DOMAIN + digest + fingerprint.encode() + b"\0" + label.encode()


def claim(label: str, certificate: bytes, sign: Callable[[bytes], bytes]) -> SetOpenPGP:
    """The body that states this certificate; `sign` is its own key's detached signature.

    Raises `CertificateError` when the bytes are no certificate that can be sealed to.
    """
    parsed = parse_certificate(certificate)
    parsed.check_sealing()
    fingerprint = parsed.fingerprint.lower()
    digest = hashlib.sha256(certificate).digest()
    proof = sign(certificate_message(label, fingerprint, digest))
    return SetOpenPGP(fingerprint, digest, proof)


def verify_certificate(stated: OpenPGP, certificate: bytes) -> Certificate:
    """The parsed certificate that the chain means. Raises `VerificationError` (I39 to I41).

    `Certificate.check` and `check_sealing` judge a new one, never one that is in a chain already.
    """
    if hashlib.sha256(certificate).digest() != stated.digest:
        raise VerificationError("I39", "the certificate is not the one in the chain")
    try:
        parsed = parse_certificate(certificate)
    except CertificateError as error:
        raise VerificationError("I40", str(error)) from None
    if parsed.fingerprint.lower() != stated.fingerprint:
        raise VerificationError(
            "I40", "the certificate has another fingerprint than the chain says"
        )
    message = certificate_message(stated.label, stated.fingerprint, stated.digest)
    try:
        verify_detached(parsed, stated.proof, message)
    except VerifyError as error:
        raise VerificationError("I41", str(error)) from None
    return parsed
