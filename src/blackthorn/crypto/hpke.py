"""HPKE in base mode (RFC 9180), one-shot: the suite, key pairs, seal and open."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, Suite

from blackthorn.crypto import kdf
from blackthorn.crypto.aead import Aead
from blackthorn.crypto.kem import Kem
from blackthorn.crypto.secret import Secret

_KDFS = {
    kdf.SHA256: (0x0001, KDF.HKDF_SHA256),
    kdf.SHA384: (0x0002, KDF.HKDF_SHA384),
    kdf.SHA512: (0x0003, KDF.HKDF_SHA512),
}
_AEADS = {0x0001: AEAD.AES_128_GCM, 0x0002: AEAD.AES_256_GCM, 0x0003: AEAD.CHACHA20_POLY1305}


class HpkeError(ValueError):
    """A key that is no key, or a ciphertext that does not open."""


@dataclass(frozen=True)
class Hpke:
    """One HPKE suite: a KEM, HKDF over `hash_name`, an AEAD."""

    kem: Kem
    hash_name: str
    aead: Aead

    @cached_property
    def _suite(self) -> Suite:
        return Suite(self.kem.hpke, _KDFS[self.hash_name][1], _AEADS[self.aead.number])

    def generate_key_pair(self, random: Callable[[int], bytes]) -> tuple[Secret, bytes]:
        """A private key and its public key, derived from as many random bytes as it has."""
        return self.derive_key_pair(Secret(random(max(32, self.kem.private_size))))

    def derive_key_pair(self, ikm: Secret) -> tuple[Secret, bytes]:
        """DeriveKeyPair (RFC 9180, 4): the same input keying material, the same keys."""
        private = self.kem.derive(ikm.expose())
        return private, self.kem.public_key(private)

    def check_public_key(self, public: bytes) -> None:
        """Raises `HpkeError` when nothing can be sealed to the key."""
        try:
            self.kem.check_public(public)
        except ValueError as error:
            raise HpkeError(f"not a {self.kem.name} public key") from error

    def check_key_pair(self, private: Secret, public: bytes) -> None:
        """Raises `HpkeError` unless the two belong together."""
        try:
            matches = self.kem.public_key(private) == public
        except ValueError as error:
            raise HpkeError(f"not a {self.kem.name} private key") from error
        if not matches:
            raise HpkeError(f"the {self.kem.name} private and public keys do not match")

    def seal(self, public: bytes, info: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """The encapsulated key and the ciphertext, with empty aad. Raises `HpkeError`."""
        try:
            sealed = self._suite.encrypt(plaintext, self.kem.load_public(public), info)
        except ValueError as error:
            raise HpkeError(f"not a {self.kem.name} public key") from error
        return sealed[: self.kem.enc_size], sealed[self.kem.enc_size :]

    def open(self, private: Secret, info: bytes, enc: bytes, ciphertext: bytes) -> bytes:
        """The plaintext that was sealed with empty aad. Raises `HpkeError`."""
        if len(enc) != self.kem.enc_size:
            raise HpkeError("the encapsulated key has the wrong length")
        try:
            key = self.kem.load_private(private)
            return self._suite.decrypt(enc + ciphertext, key, info)
        except (InvalidTag, ValueError) as error:
            raise HpkeError("the HPKE ciphertext does not open") from error
