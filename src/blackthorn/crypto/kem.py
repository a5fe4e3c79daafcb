"""The KEMs of HPKE (RFC 9180, 4.1; draft-ietf-hpke-pq): key pairs, encapsulation, seeds.

Private keys are `Secret` in serialised form; public keys are bytes. Every method raises
`ValueError` for invalid keys. `derive` is DeriveKeyPair, `check_public` refuses unusable keys,
`encapsulate` returns a shared secret and its `enc` for `decapsulate`. X-Wing is MLKEM768-X25519: a
32-byte seed, a 1,216-byte public key (1,184 ML-KEM, 32 X25519), an `enc` of 1,120 bytes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from blackthorn.crypto import kdf, signatures
from blackthorn.crypto.secret import Secret

_VERSION = b"HPKE-v1"

Expand = Callable[[bytes, bytes, int], bytes]
"""LabeledExpand over one pseudorandom key: label, info, length."""


def labelled_prk(hash_name: str, suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """LabeledExtract (RFC 9180, 4)."""
    return kdf.hkdf_extract(hash_name, salt, _VERSION + suite_id + label + ikm)


def labelled_expand(hash_name: str, suite_id: bytes, prk: bytes) -> Expand:
    """LabeledExpand (RFC 9180, 4)."""

    def expand(label: bytes, info: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + _VERSION + suite_id + label + info
        return kdf.hkdf_expand(hash_name, prk, labelled, length)

    return expand


@dataclass(frozen=True)
class _DhKem:
    """Common part of the Diffie-Hellman KEMs (RFC 9180, 4.1)."""

    number: int
    name: str
    hash_name: str
    private_size: int
    enc_size: int
    secret_size: int

    def _expander(self, label: bytes, ikm: bytes) -> Expand:
        suite_id = b"KEM" + self.number.to_bytes(2, "big")
        prk = labelled_prk(self.hash_name, suite_id, b"", label, ikm)
        return labelled_expand(self.hash_name, suite_id, prk)

    def _shared(self, exchanged: bytes, enc: bytes, public: bytes) -> bytes:
        expand = self._expander(b"eae_prk", exchanged)
        return expand(b"shared_secret", enc + public, self.secret_size)


@dataclass(frozen=True)
class MontgomeryKem(_DhKem):
    """DHKEM over X25519 or X448: raw keys as in RFC 7748."""

    private_type: type[x25519.X25519PrivateKey] | type[x448.X448PrivateKey]
    public_type: type[x25519.X25519PublicKey] | type[x448.X448PublicKey]
    prime: int
    low_order: frozenset[int]

    def derive(self, ikm: bytes) -> Secret:
        return Secret(self._expander(b"dkp_prk", ikm)(b"sk", b"", self.private_size))

    def public_key(self, private: Secret) -> bytes:
        key = self.private_type.from_private_bytes(private.expose())
        return key.public_key().public_bytes_raw()

    def check_public(self, public: bytes) -> None:
        """Raises `ValueError` for the known points of low order (RFC 7748, 6 and 7)."""
        if len(public) != self.enc_size:
            raise ValueError(f"a {self.name} public key has {self.enc_size} bytes")
        u = int.from_bytes(public, "little") % (1 << self.prime.bit_length()) % self.prime
        if u in self.low_order:
            raise ValueError("the point has low order")

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        ephemeral = self.private_type.generate()
        enc = ephemeral.public_key().public_bytes_raw()
        return self._shared(self._exchange(ephemeral, public), enc, public), enc

    def decapsulate(self, private: Secret, enc: bytes) -> bytes:
        key = self.private_type.from_private_bytes(private.expose())
        public = key.public_key().public_bytes_raw()
        return self._shared(self._exchange(key, enc), enc, public)

    def _exchange(self, key: x25519.X25519PrivateKey | x448.X448PrivateKey, peer: bytes) -> bytes:
        public = self.public_type.from_public_bytes(peer)
        return key.exchange(public)  # type: ignore[arg-type]  # both are of one curve


@dataclass(frozen=True)
class EcKem(_DhKem):
    """DHKEM over a NIST curve: scalars and uncompressed points."""

    curve: ec.EllipticCurve
    order: int

    def derive(self, ikm: bytes) -> Secret:
        """By rejection (7.1.3)."""
        expand = self._expander(b"dkp_prk", ikm)
        mask = (1 << self.order.bit_length()) - 1
        for counter in range(256):
            candidate = expand(b"candidate", bytes([counter]), self.private_size)
            scalar = int.from_bytes(candidate, "big") & mask
            if 0 < scalar < self.order:
                return Secret(scalar.to_bytes(self.private_size, "big"))
        raise ValueError("no scalar was found in 256 candidates")

    def public_key(self, private: Secret) -> bytes:
        return self._raw(self._private(private))

    def check_public(self, public: bytes) -> None:
        self._public(public)

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        ephemeral = ec.generate_private_key(self.curve)
        enc = self._raw(ephemeral)
        exchanged = ephemeral.exchange(ec.ECDH(), self._public(public))
        return self._shared(exchanged, enc, public), enc

    def decapsulate(self, private: Secret, enc: bytes) -> bytes:
        key = self._private(private)
        return self._shared(key.exchange(ec.ECDH(), self._public(enc)), enc, self._raw(key))

    def _private(self, private: Secret) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(private.expose(), "big"), self.curve)

    def _public(self, public: bytes) -> ec.EllipticCurvePublicKey:
        if len(public) != self.enc_size:
            raise ValueError("the point is not uncompressed")
        return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, public)

    def _raw(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class XWingKem:
    """X-Wing, with hpke-pq's labelled SHAKE256 DeriveKeyPair (not draft-connolly's)."""

    number = 0x647A
    name = "MLKEM768-X25519"
    private_size = 32
    enc_size = 1120
    _ML_KEM_PUBLIC = 1184
    _ML_KEM_CIPHERTEXT = 1088
    _LABEL = rb"\.//^" + b"\\"

    def derive(self, ikm: bytes) -> Secret:
        """SHAKE256 with hpke-pq's one-stage LabeledDerive."""
        label = b"DeriveKeyPair"
        labelled = ikm + _VERSION + b"KEM" + self.number.to_bytes(2, "big")
        labelled += len(label).to_bytes(2, "big") + label + (32).to_bytes(2, "big")
        return Secret(hashlib.shake_256(labelled).digest(32))

    def public_key(self, private: Secret) -> bytes:
        ml_kem, x = self._halves(private)
        return ml_kem.public_key().public_bytes_raw() + x.public_key().public_bytes_raw()

    def check_public(self, public: bytes) -> None:
        mlkem.MLKEM768PublicKey.from_public_bytes(public[: self._ML_KEM_PUBLIC])
        X25519.check_public(public[self._ML_KEM_PUBLIC :])

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """`enc` is the ML-KEM ciphertext, then an X25519 key."""
        x_public = public[self._ML_KEM_PUBLIC :]
        ml_kem = mlkem.MLKEM768PublicKey.from_public_bytes(public[: self._ML_KEM_PUBLIC])
        ml_shared, ml_enc = ml_kem.encapsulate()
        ephemeral = x25519.X25519PrivateKey.generate()
        x_enc = ephemeral.public_key().public_bytes_raw()
        x_shared = ephemeral.exchange(x25519.X25519PublicKey.from_public_bytes(x_public))
        return self._combine(ml_shared, x_shared, x_enc, x_public), ml_enc + x_enc

    def decapsulate(self, private: Secret, enc: bytes) -> bytes:
        ml_kem, x = self._halves(private)
        x_enc = enc[self._ML_KEM_CIPHERTEXT :]
        ml_shared = ml_kem.decapsulate(enc[: self._ML_KEM_CIPHERTEXT])
        x_shared = x.exchange(x25519.X25519PublicKey.from_public_bytes(x_enc))
        return self._combine(ml_shared, x_shared, x_enc, x.public_key().public_bytes_raw())

    def _combine(self, ml_shared: bytes, x_shared: bytes, x_enc: bytes, x_public: bytes) -> bytes:
        combined = ml_shared + x_shared + x_enc + x_public + self._LABEL
        return hashlib.sha3_256(combined).digest()

    def _halves(self, private: Secret) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        if len(private) != self.private_size:
            raise ValueError("an X-Wing seed has 32 bytes")
        expanded = hashlib.shake_256(private.expose()).digest(96)
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
            x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
        )


Kem = MontgomeryKem | EcKem | XWingKem

_P25519: Final = 2**255 - 19
_P448: Final = 2**448 - 2**224 - 1

# The u of every point of order 1, 2, 4 or 8 on Curve25519 and its twist.
_LOW_ORDER_25519: Final = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)
_LOW_ORDER_448: Final = frozenset({0, 1, _P448 - 1})

X25519: Final = MontgomeryKem(
    0x0020,
    "DHKEM-X25519-HKDF-SHA256",
    kdf.SHA256,
    32,
    32,
    32,
    x25519.X25519PrivateKey,
    x25519.X25519PublicKey,
    _P25519,
    _LOW_ORDER_25519,
)
X448: Final = MontgomeryKem(
    0x0021,
    "DHKEM-X448-HKDF-SHA512",
    kdf.SHA512,
    56,
    56,
    64,
    x448.X448PrivateKey,
    x448.X448PublicKey,
    _P448,
    _LOW_ORDER_448,
)
XWING: Final = XWingKem()
P256: Final = EcKem(
    0x0010, "DHKEM-P256-HKDF-SHA256", kdf.SHA256, 32, 65, 32, ec.SECP256R1(), signatures.P256_ORDER
)
P384: Final = EcKem(
    0x0011, "DHKEM-P384-HKDF-SHA384", kdf.SHA384, 48, 97, 48, ec.SECP384R1(), signatures.P384_ORDER
)
P521: Final = EcKem(
    0x0012, "DHKEM-P521-HKDF-SHA512", kdf.SHA512, 66, 133, 64, ec.SECP521R1(), signatures.P521_ORDER
)
