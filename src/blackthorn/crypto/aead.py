"""The AEADs of MLS and HPKE suites, by their HPKE numbers (RFC 9180, 7.3)."""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305


class OpenError(ValueError):
    """The ciphertext does not open under this key, nonce and associated data."""


@dataclass(frozen=True)
class Aead:
    """One AEAD: key and nonce sizes in bytes; the tag is 16 bytes at the end."""

    number: int
    name: str
    key_size: int
    algorithm: type[AESGCM] | type[ChaCha20Poly1305]
    nonce_size: int = 12

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """The ciphertext and its tag."""
        return self.algorithm(key).encrypt(nonce, plaintext, associated)

    def open(self, key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """The plaintext. Raises `OpenError`."""
        try:
            return self.algorithm(key).decrypt(nonce, ciphertext, associated)
        except (InvalidTag, ValueError) as error:
            raise OpenError("the ciphertext does not open") from error


AES_128_GCM: Final = Aead(0x0001, "AES-128-GCM", 16, AESGCM)
AES_256_GCM: Final = Aead(0x0002, "AES-256-GCM", 32, AESGCM)
CHACHA20_POLY1305: Final = Aead(0x0003, "ChaCha20-Poly1305", 32, ChaCha20Poly1305)
