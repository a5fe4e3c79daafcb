"""The KEMs of HPKE (RFC 9180, draft-ietf-hpke-pq): key pairs, and keys made from seeds.

Private keys are `Secret` byte strings in the KEM's serialised form; public keys are bytes.
X-Wing is MLKEM768-X25519: a 32-byte seed, a 1,216-byte public key (1,184 ML-KEM, 32 X25519).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.hpke import (
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from blackthorn.crypto import kdf, signatures
from blackthorn.crypto.secret import Secret

PrivateKey = x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey | MLKEM768X25519PrivateKey
PublicKey = x25519.X25519PublicKey | ec.EllipticCurvePublicKey | MLKEM768X25519PublicKey

_VERSION = b"HPKE-v1"
_ANY_SCALAR = x25519.X25519PrivateKey.from_private_bytes(b"\x42" * 32)


def _labelled(hash_name: str, kem: int, ikm: bytes) -> Callable[[bytes, bytes, int], bytes]:
    """The LabeledExpand of DeriveKeyPair (RFC 9180, 7.1.3) over its dkp_prk."""
    suite_id = b"KEM" + kem.to_bytes(2, "big")
    prk = kdf.hkdf_extract(hash_name, b"", _VERSION + suite_id + b"dkp_prk" + ikm)

    def expand(label: bytes, info: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + _VERSION + suite_id + label + info
        return kdf.hkdf_expand(hash_name, prk, labelled, length)

    return expand


class X25519Kem:
    """DHKEM(X25519, HKDF-SHA256): keys of 32 bytes, `enc` of 32."""

    number = 0x0020
    name = "DHKEM-X25519-HKDF-SHA256"
    hpke = KEM.X25519
    private_size = 32
    public_size = 32
    enc_size = 32

    def derive(self, ikm: bytes) -> Secret:
        """DeriveKeyPair's private key (RFC 9180, 7.1.3)."""
        return Secret(_labelled(kdf.SHA256, self.number, ikm)(b"sk", b"", 32))

    def load_private(self, private: Secret) -> x25519.X25519PrivateKey:
        """The key object. Raises `ValueError`."""
        return x25519.X25519PrivateKey.from_private_bytes(private.expose())

    def load_public(self, public: bytes) -> x25519.X25519PublicKey:
        """The key object. Raises `ValueError`."""
        return x25519.X25519PublicKey.from_public_bytes(public)

    def check_public(self, public: bytes) -> None:
        """Raises `ValueError` for a point of low order, to which nothing can be sealed."""
        _ANY_SCALAR.exchange(self.load_public(public))

    def public_key(self, private: Secret) -> bytes:
        """The public key of a private one."""
        return self.load_private(private).public_key().public_bytes_raw()


@dataclass(frozen=True)
class EcKem:
    """DHKEM over a NIST curve: scalars and uncompressed points."""

    number: int
    name: str
    hpke: KEM
    curve: ec.EllipticCurve
    hash_name: str
    private_size: int
    order: int

    @property
    def public_size(self) -> int:
        """Bytes of an uncompressed point."""
        return 1 + 2 * self.private_size

    @property
    def enc_size(self) -> int:
        """Bytes of `enc`: a point too."""
        return self.public_size

    def derive(self, ikm: bytes) -> Secret:
        """DeriveKeyPair's private key, by rejection (RFC 9180, 7.1.3)."""
        expand = _labelled(self.hash_name, self.number, ikm)
        mask = (1 << self.order.bit_length()) - 1
        for counter in range(256):
            candidate = expand(b"candidate", bytes([counter]), self.private_size)
            scalar = int.from_bytes(candidate, "big") & mask
            if 0 < scalar < self.order:
                return Secret(scalar.to_bytes(self.private_size, "big"))
        raise ValueError("no scalar was found in 256 candidates")

    def load_private(self, private: Secret) -> ec.EllipticCurvePrivateKey:
        """The key object. Raises `ValueError`."""
        return ec.derive_private_key(int.from_bytes(private.expose(), "big"), self.curve)

    def load_public(self, public: bytes) -> ec.EllipticCurvePublicKey:
        """The key object. Raises `ValueError`."""
        if len(public) != self.public_size:
            raise ValueError("the point is not uncompressed")
        return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, public)

    def check_public(self, public: bytes) -> None:
        """Raises `ValueError` for what is no point of the curve."""
        self.load_public(public)

    def public_key(self, private: Secret) -> bytes:
        """The public key of a private one."""
        key = self.load_private(private).public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class XWingKem:
    """X-Wing, with hpke-pq's labelled SHAKE256 DeriveKeyPair (not draft-connolly's)."""

    number = 0x647A
    name = "MLKEM768-X25519"
    hpke = KEM.MLKEM768_X25519
    private_size = 32
    public_size = 1216
    enc_size = 1120

    def derive(self, ikm: bytes) -> Secret:
        """DeriveKeyPair's seed: SHAKE256 with hpke-pq's one-stage LabeledDerive."""
        label = b"DeriveKeyPair"
        labelled = ikm + _VERSION + b"KEM" + self.number.to_bytes(2, "big")
        labelled += len(label).to_bytes(2, "big") + label + (32).to_bytes(2, "big")
        return Secret(hashlib.shake_256(labelled).digest(32))

    def _halves(self, private: Secret) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        if len(private) != 32:
            raise ValueError("an X-Wing seed has 32 bytes")
        expanded = hashlib.shake_256(private.expose()).digest(96)
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
            x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
        )

    def load_private(self, private: Secret) -> MLKEM768X25519PrivateKey:
        """The key object. Raises `ValueError`."""
        return MLKEM768X25519PrivateKey(*self._halves(private))

    def load_public(self, public: bytes) -> MLKEM768X25519PublicKey:
        """The key object. Raises `ValueError`."""
        if len(public) != self.public_size:
            raise ValueError("an X-Wing public key has 1,216 bytes")
        return MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public[:1184]),
            x25519.X25519PublicKey.from_public_bytes(public[1184:]),
        )

    def check_public(self, public: bytes) -> None:
        """Raises `ValueError` for a key to which nothing can be sealed."""
        self.load_public(public)
        _ANY_SCALAR.exchange(x25519.X25519PublicKey.from_public_bytes(public[1184:]))

    def public_key(self, private: Secret) -> bytes:
        """The public key of a private one."""
        ml_kem, x = self._halves(private)
        return ml_kem.public_key().public_bytes_raw() + x.public_key().public_bytes_raw()


Kem = X25519Kem | EcKem | XWingKem

X25519: Final = X25519Kem()
XWING: Final = XWingKem()
P256: Final = EcKem(
    0x0010,
    "DHKEM-P256-HKDF-SHA256",
    KEM.P256,
    ec.SECP256R1(),
    kdf.SHA256,
    32,
    signatures.P256_ORDER,
)
P384: Final = EcKem(
    0x0011,
    "DHKEM-P384-HKDF-SHA384",
    KEM.P384,
    ec.SECP384R1(),
    kdf.SHA384,
    48,
    signatures.P384_ORDER,
)
P521: Final = EcKem(
    0x0012,
    "DHKEM-P521-HKDF-SHA512",
    KEM.P521,
    ec.SECP521R1(),
    kdf.SHA512,
    66,
    signatures.P521_ORDER,
)
