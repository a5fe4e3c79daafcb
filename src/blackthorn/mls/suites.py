"""Cipher suites: every parameter pinned with its number, and MLS's labelled functions.

A suite number alone is never trusted: two libraries give 0x004E different meanings. What
this build means by a number is `CipherSuite.parameters`, which a stored group carries.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto import aead, kdf, kem, signatures
from blackthorn.crypto.hpke import Hpke, HpkeError
from blackthorn.crypto.secret import Secret
from blackthorn.mls.errors import DecryptionFailed, InvalidSignature, UnsupportedSuite
from blackthorn.mls.rules import Rule
from blackthorn.wire.tls import opaque, u16, u32

SUITE_1: Final = 0x0001
SUITE_XWING_AES256: Final = 0xF04E
SUITE_XWING_AES128: Final = 0xF04F
LADDER: Final = (SUITE_XWING_AES128, SUITE_XWING_AES256)
"""The suites of conversations, the weakest first; a conversation moves upward only."""
DEFAULT_SUITE: Final = LADDER[-1]

_PREFIX = b"MLS 1.0 "

Sealer = Callable[[bytes, bytes], tuple[bytes, bytes]]


@dataclass(frozen=True)
class CipherSuite:
    """One cipher suite (RFC 9420, 5.1). Sizes are in bytes.

    The RFC's functions take and return raw bytes; keep longer-lived secrets in a `Secret`.
    """

    number: int
    name: str
    hpke: Hpke
    aead: aead.Aead
    hash_name: str
    signature: signatures.SignatureScheme

    @property
    def hash_size(self) -> int:
        """Nh: bytes of a hash and of every secret of the key schedule."""
        return _HASH_SIZES[self.hash_name]

    @property
    def parameters(self) -> str:
        """All parameters behind the number, in full."""
        return (
            f"{self.number:#06x} kem={self.hpke.kem.name} kdf=HKDF-{self.hash_name} "
            f"aead={self.aead.name} hash={self.hash_name} signature={self.signature.name}"
        )

    def generate_signature_key(self, random: Callable[[int], bytes]) -> tuple[Secret, bytes]:
        """A signature key pair: the private key and the public key."""
        private = self.signature.generate(random)
        return private, self.signature.public_key(private)

    def hash(self, data: bytes) -> bytes:
        return hashlib.new(self.hash_name, data).digest()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """MAC: HMAC with the suite's hash (5.1)."""
        return hmac.digest(key, data, self.hash_name)

    def check_mac(
        self, key: bytes, data: bytes, tag: bytes, what: str, rule: Rule | None = None
    ) -> None:
        """Raises `InvalidSignature`, with the `rule`, unless `tag` is the MAC of `data`."""
        if not hmac.compare_digest(self.mac(key, data), tag):
            raise InvalidSignature(f"the {what} does not hold", rule)

    def ref_hash(self, label: bytes, value: bytes) -> bytes:
        """RefHash (5.2): the name of a key package or proposal."""
        return self.hash(opaque(label) + opaque(value))

    def extract(self, salt: bytes, ikm: bytes) -> bytes:
        return kdf.hkdf_extract(self.hash_name, salt, ikm)

    def expand_with_label(self, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
        """ExpandWithLabel: `length` bytes for `label` and `context`."""
        info = u16(length) + opaque(_PREFIX + label) + opaque(context)
        return kdf.hkdf_expand(self.hash_name, secret, info, length)

    def derive_secret(self, secret: bytes, label: bytes) -> bytes:
        """DeriveSecret: Nh bytes for `label`."""
        return self.expand_with_label(secret, label, b"", self.hash_size)

    def derive_tree_secret(
        self, secret: bytes, label: bytes, generation: int, length: int
    ) -> bytes:
        """DeriveTreeSecret (9.1): `length` bytes for `label` at `generation`."""
        return self.expand_with_label(secret, label, u32(generation), length)

    def sign_with_label(self, private: Secret, label: bytes, content: bytes) -> bytes:
        """SignWithLabel. Raises `ValueError` for an invalid private key."""
        return self.signature.sign(private, opaque(_PREFIX + label) + opaque(content))

    def verify_with_label(
        self,
        public: bytes,
        label: bytes,
        content: bytes,
        signature: bytes,
        rule: Rule | None = None,
    ) -> None:
        """VerifyWithLabel. Raises `InvalidSignature` with the `rule` that asks for it."""
        message = opaque(_PREFIX + label) + opaque(content)
        try:
            self.signature.verify(public, signature, message)
        except signatures.VerifyError as error:
            raise InvalidSignature(f"invalid signature of a {label.decode()}", rule) from error

    def sealer_with_label(self, label: bytes, context: bytes) -> Sealer:
        """EncryptWithLabel for many: a function of public key and plaintext, one hash of `context`.

        It returns KEM output and ciphertext; raises `DecryptionFailed` for an invalid key.
        """
        seal = self.hpke.sealer(opaque(_PREFIX + label) + opaque(context))

        def seal_with_label(public: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
            try:
                return seal(public, plaintext)
            except HpkeError as error:
                raise DecryptionFailed(f"{label.decode()}: {error}") from error

        return seal_with_label

    def decrypt_with_label(
        self,
        private: Secret,
        label: bytes,
        context: bytes,
        sealed: tuple[bytes, bytes],
        rule: Rule | None = None,
    ) -> bytes:
        """DecryptWithLabel of KEM output and ciphertext. Raises `DecryptionFailed`."""
        info = opaque(_PREFIX + label) + opaque(context)
        try:
            return self.hpke.open(private, info, *sealed)
        except HpkeError as error:
            raise DecryptionFailed(f"{label.decode()}: {error}", rule) from error


_HASH_SIZES = {kdf.SHA256: 32, kdf.SHA384: 48, kdf.SHA512: 64}


def _suite(
    number: int,
    name: str,
    kem_: kem.Kem,
    aead_: aead.Aead,
    hash_name: str,
    signature: signatures.SignatureScheme,
) -> CipherSuite:
    # HPKE's KDF is HKDF over the suite's own hash in every suite below.
    return CipherSuite(number, name, Hpke(kem_, hash_name, aead_), aead_, hash_name, signature)


_AES128, _AES256, _CHACHA = aead.AES_128_GCM, aead.AES_256_GCM, aead.CHACHA20_POLY1305
_ED25519, _ED448 = signatures.ED25519, signatures.ED448
_P256, _P384, _P521 = signatures.ECDSA_P256, signatures.ECDSA_P384, signatures.ECDSA_P521

# fmt: off
_SUITES: Final = {suite.number: suite for suite in (
    _suite(SUITE_XWING_AES256, "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519",
           kem.XWING, _AES256, kdf.SHA384, _ED25519),
    _suite(SUITE_XWING_AES128, "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
           kem.XWING, _AES128, kdf.SHA256, _ED25519),
    _suite(SUITE_1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
           kem.X25519, _AES128, kdf.SHA256, _ED25519),
    _suite(0x0002, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
           kem.P256, _AES128, kdf.SHA256, _P256),
    _suite(0x0003, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
           kem.X25519, _CHACHA, kdf.SHA256, _ED25519),
    _suite(0x0004, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
           kem.X448, _AES256, kdf.SHA512, _ED448),
    _suite(0x0005, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
           kem.P521, _AES256, kdf.SHA512, _P521),
    _suite(0x0006, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
           kem.X448, _CHACHA, kdf.SHA512, _ED448),
    _suite(0x0007, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
           kem.P384, _AES256, kdf.SHA384, _P384),
)}
# fmt: on

SUPPORTED: Final = tuple(_SUITES)
"""Numbers of all suites of this build, the preferred first."""


def is_above(number: int, floor: int) -> bool:
    """Whether a suite is stronger than `floor`, both of the ladder."""
    return number in LADDER and floor in LADDER and LADDER.index(number) > LADDER.index(floor)


def suite(number: int) -> CipherSuite:
    """The suite of a number. Raises `UnsupportedSuite`."""
    found = _SUITES.get(number)
    if found is None:
        raise UnsupportedSuite(f"cipher suite {number:#06x} is not supported", Rule.CIPHER_SUITE)
    return found
