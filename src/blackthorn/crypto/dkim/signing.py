"""Keys by which mail that leaves is signed (RFC 6376, RFC 8463): RSA of 2,048 bits and Ed25519."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DecodeError

KINDS: Final = ("rsa", "ed25519")
_RSA_BITS: Final = 2_048
"""What RFC 8301, 3.2, asks for, and what one TXT record still holds."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`kind` is one of KINDS; `public` is base64, as its DNS record publishes it.

    RSA as SubjectPublicKeyInfo (RFC 6376, 3.6.1), Ed25519 as 32 bytes (RFC 8463, 4.2).
    """

    kind: str
    public: str
    sign: Callable[[bytes], bytes]
    """The signature of a hash's input by SHA-256; with Ed25519 of its hash (RFC 8463, 3)."""

    @property
    def algorithm(self) -> str:
        return f"{self.kind}-sha256"


def make_key(kind: str) -> Secret:
    """A new key as PEM (PKCS #8, unencrypted). RSA takes about 0.1 s."""
    key = (
        rsa.generate_private_key(65_537, _RSA_BITS)
        if kind == "rsa"
        else Ed25519PrivateKey.generate()
    )
    unencrypted = serialization.NoEncryption()
    return Secret(key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted))


def load_key(pem: Secret) -> SigningKey:
    """Raises DecodeError for anything but such a key."""
    try:
        key = serialization.load_pem_private_key(pem.expose(), None)
    except (ValueError, TypeError):
        raise DecodeError("not a private key in PEM without a passphrase") from None
    if isinstance(key, Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        ed25519 = key
        return SigningKey("ed25519", _base64(raw), lambda data: _ed(ed25519, data))
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _RSA_BITS:
        info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        private = key
        return SigningKey("rsa", _base64(info), lambda data: _rsa(private, data))
    raise DecodeError("the key is neither Ed25519 nor RSA of 2,048 bits or more")


def _base64(public: bytes) -> str:
    return base64.b64encode(public).decode()


def _rsa(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _ed(key: Ed25519PrivateKey, data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return key.sign(digest.finalize())
