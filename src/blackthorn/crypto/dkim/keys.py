"""Verifies the signatures of DKIM and ARC by pyca/cryptography."""

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from blackthorn.crypto import limits


class DkimKeyError(ValueError):
    """The published key cannot be used: malformed, too short or too long."""


class DkimSignatureError(ValueError):
    """The signature does not verify."""


def verify_rsa(key: bytes, signature: bytes, data: bytes) -> None:
    """RSA PKCS #1 v1.5 with SHA-256. `key` is DER: SubjectPublicKeyInfo or RSAPublicKey.

    1,024 bits at least (RFC 8301, 3.2). Raises DkimKeyError, DkimSignatureError.
    """
    loaded = _rsa(key)
    try:
        loaded.verify(signature, hashlib.sha256(data).digest(), PKCS1v15(), Prehashed(SHA256()))
    except InvalidSignature:
        raise DkimSignatureError("the signature is false") from None


def verify_ed25519(key: bytes, signature: bytes, data: bytes) -> None:
    """Ed25519 over the SHA-256 of the data (RFC 8463, 3). `key` is 32 bytes.

    Raises DkimKeyError, DkimSignatureError.
    """
    try:
        loaded = Ed25519PublicKey.from_public_bytes(key)
    except (ValueError, UnsupportedAlgorithm):
        raise DkimKeyError("no Ed25519 key") from None
    try:
        loaded.verify(signature, hashlib.sha256(data).digest())
    except InvalidSignature:
        raise DkimSignatureError("the signature is false") from None


@lru_cache(256)
def _rsa(key: bytes) -> RSAPublicKey:
    """Loading costs more than a verification."""
    for der in (key, _wrapped(key)):
        try:
            loaded = load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm, TypeError):
            continue
        if isinstance(loaded, RSAPublicKey):
            if not limits.MIN_DKIM_RSA_BITS <= loaded.key_size <= limits.MAX_DKIM_RSA_BITS:
                raise DkimKeyError(f"an RSA key of {loaded.key_size} bits")
            return loaded
    raise DkimKeyError("no RSA key")


def _wrapped(key: bytes) -> bytes:
    """A bare RSAPublicKey, as RFC 6376 asks for, as the usual SubjectPublicKeyInfo."""
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    bits = b"\x03" + _length(len(key) + 1) + b"\0" + key
    return b"\x30" + _length(len(algorithm) + len(bits)) + algorithm + bits


def _length(size: int) -> bytes:
    """A DER length."""
    if size < 128:
        return bytes([size])
    encoded = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([128 | len(encoded)]) + encoded
