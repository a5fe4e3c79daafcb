"""Signature schemes by their TLS numbers (RFC 8446, 4.2.3), keys in raw form.

Ed25519 and Ed448 keys are the raw strings of RFC 8032; ECDSA private keys are the scalar,
public keys the uncompressed point, signatures DER (RFC 9420, 5.1.1 and 5.1.2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.bindings import (
    crypto_sign,
    crypto_sign_BYTES,
    crypto_sign_open,
    crypto_sign_seed_keypair,
    crypto_sign_SEEDBYTES,
)
from nacl.exceptions import BadSignatureError

from blackthorn.crypto.secret import Secret


class VerifyError(ValueError):
    """The signature does not verify, or the key is invalid."""


class Ed25519:
    """Ed25519: 32-byte seed, 32-byte public key, 64-byte signature.

    libsodium verifies in half of OpenSSL's time, which dominates joining a group.
    """

    number = 0x0807
    name = "Ed25519"

    def generate(self, random: Callable[[int], bytes]) -> Secret:
        return Secret(random(crypto_sign_SEEDBYTES))

    def public_key(self, private: Secret) -> bytes:
        return crypto_sign_seed_keypair(private.expose())[0]

    def sign(self, private: Secret, message: bytes) -> bytes:
        _, key = crypto_sign_seed_keypair(private.expose())
        return crypto_sign(message, key)[:crypto_sign_BYTES]

    def verify(self, public: bytes, signature: bytes, message: bytes) -> None:
        """Raises `VerifyError` unless the signature holds."""
        try:
            if len(signature) != crypto_sign_BYTES:
                raise ValueError("the signature has the wrong length")
            crypto_sign_open(signature + message, public)
        except (BadSignatureError, ValueError) as error:
            raise VerifyError("the Ed25519 signature does not verify") from error


class Ed448:
    """Ed448: 57-byte seed, 57-byte public key, 114-byte signature."""

    number = 0x0808
    name = "Ed448"

    def generate(self, random: Callable[[int], bytes]) -> Secret:
        return Secret(random(57))

    def public_key(self, private: Secret) -> bytes:
        key = ed448.Ed448PrivateKey.from_private_bytes(private.expose())
        return key.public_key().public_bytes_raw()

    def sign(self, private: Secret, message: bytes) -> bytes:
        return ed448.Ed448PrivateKey.from_private_bytes(private.expose()).sign(message)

    def verify(self, public: bytes, signature: bytes, message: bytes) -> None:
        try:
            ed448.Ed448PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise VerifyError("the Ed448 signature does not verify") from error


@dataclass(frozen=True)
class Ecdsa:
    """ECDSA over a NIST curve with the hash of its TLS scheme."""

    number: int
    name: str
    curve: ec.EllipticCurve
    hash: hashes.HashAlgorithm
    scalar_size: int
    order: int

    def generate(self, random: Callable[[int], bytes]) -> Secret:
        """By rejection of too large scalars."""
        excess = 8 * self.scalar_size - self.order.bit_length()
        while True:
            scalar = int.from_bytes(random(self.scalar_size), "big") >> excess
            if 0 < scalar < self.order:
                return Secret(scalar.to_bytes(self.scalar_size, "big"))

    def _key(self, private: Secret) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(private.expose(), "big"), self.curve)

    def public_key(self, private: Secret) -> bytes:
        public = self._key(private).public_key()
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, private: Secret, message: bytes) -> bytes:
        return self._key(private).sign(message, ec.ECDSA(self.hash))

    def verify(self, public: bytes, signature: bytes, message: bytes) -> None:
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(self.curve, public)
            key.verify(signature, message, ec.ECDSA(self.hash))
        except (InvalidSignature, ValueError) as error:
            raise VerifyError(f"the {self.name} signature does not verify") from error


SignatureScheme = Ed25519 | Ed448 | Ecdsa

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384_ORDER: Final = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
    "581a0db248b0a77aecec196accc52973",
    16,
)
P521_ORDER: Final = int(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
    "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    16,
)

ED25519: Final = Ed25519()
ED448: Final = Ed448()
ECDSA_P256: Final = Ecdsa(0x0403, "ECDSA-P256", ec.SECP256R1(), hashes.SHA256(), 32, P256_ORDER)
ECDSA_P384: Final = Ecdsa(0x0503, "ECDSA-P384", ec.SECP384R1(), hashes.SHA384(), 48, P384_ORDER)
ECDSA_P521: Final = Ecdsa(0x0603, "ECDSA-P521", ec.SECP521R1(), hashes.SHA512(), 66, P521_ORDER)
