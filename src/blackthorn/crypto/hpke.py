"""HPKE in base mode (RFC 9180): key pairs, seal, open, export.

pyca's one-shot HPKE gives the same bytes; MLS also needs DeriveKeyPair, export, X448, and sealing
to many recipients under one long `info` that is hashed once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from blackthorn.crypto import kdf
from blackthorn.crypto.aead import Aead, OpenError
from blackthorn.crypto.kem import Expand, Kem, labelled_expand, labelled_prk
from blackthorn.crypto.secret import Secret

_KDF_NUMBERS = {kdf.SHA256: 0x0001, kdf.SHA384: 0x0002, kdf.SHA512: 0x0003}
_HASH_SIZES = {kdf.SHA256: 32, kdf.SHA384: 48, kdf.SHA512: 64}
_BASE_MODE = b"\x00"


class HpkeError(ValueError):
    """An invalid key, or a ciphertext that does not open."""


@dataclass(frozen=True)
class Hpke:
    """One HPKE suite: a KEM, HKDF over `hash_name`, an AEAD."""

    kem: Kem
    hash_name: str
    aead: Aead

    def generate_key_pair(self, random: Callable[[int], bytes]) -> tuple[Secret, bytes]:
        """A new private key and its public key."""
        return self.derive_key_pair(Secret(random(self.kem.private_size)))

    def derive_key_pair(self, ikm: Secret) -> tuple[Secret, bytes]:
        """DeriveKeyPair (RFC 9180, 4)."""
        private = self.kem.derive(ikm.expose())
        return private, self.kem.public_key(private)

    def check_public_key(self, public: bytes) -> None:
        """Raises `HpkeError` for a key that cannot be sealed to."""
        try:
            self.kem.check_public(public)
        except ValueError as error:
            raise HpkeError(f"not a {self.kem.name} public key") from error

    def check_key_pair(self, private: Secret, public: bytes) -> None:
        """Raises `HpkeError` unless the keys match."""
        try:
            matches = self.kem.public_key(private) == public
        except ValueError as error:
            raise HpkeError(f"not a {self.kem.name} private key") from error
        if not matches:
            raise HpkeError(f"the {self.kem.name} private and public keys do not match")

    def sealer(self, info: bytes) -> Callable[[bytes, bytes], tuple[bytes, bytes]]:
        """A function of public key and plaintext: enc and ciphertext. It raises `HpkeError`."""
        context = self._context(info)

        def seal(public: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
            shared, enc = self._encapsulate(public)
            key, nonce = self._key_and_nonce(shared, context)
            return enc, self.aead.seal(key, nonce, plaintext, b"")

        return seal

    def open(self, private: Secret, info: bytes, enc: bytes, ciphertext: bytes) -> bytes:
        """The plaintext that was sealed with empty aad. Raises `HpkeError`."""
        shared = self._decapsulate(private, enc)
        key, nonce = self._key_and_nonce(shared, self._context(info))
        try:
            return self.aead.open(key, nonce, ciphertext, b"")
        except OpenError as error:
            raise HpkeError("the HPKE ciphertext does not open") from error

    def send_export(
        self, public: bytes, info: bytes, exporter_context: bytes, length: int
    ) -> tuple[bytes, Secret]:
        """A new enc, and the secret that its receiver can export (5.3)."""
        shared, enc = self._encapsulate(public)
        return enc, self._export(shared, info, exporter_context, length)

    def receive_export(
        self, private: Secret, enc: bytes, info: bytes, exporter_context: bytes, length: int
    ) -> Secret:
        """The exported secret of an enc. Raises `HpkeError`."""
        return self._export(self._decapsulate(private, enc), info, exporter_context, length)

    @cached_property
    def _suite_id(self) -> bytes:
        numbers = (self.kem.number, _KDF_NUMBERS[self.hash_name], self.aead.number)
        return b"HPKE" + b"".join(number.to_bytes(2, "big") for number in numbers)

    def _extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return labelled_prk(self.hash_name, self._suite_id, salt, label, ikm)

    def _context(self, info: bytes) -> bytes:
        return _BASE_MODE + self._psk_id_hash + self._extract(b"", b"info_hash", info)

    @cached_property
    def _psk_id_hash(self) -> bytes:
        return self._extract(b"", b"psk_id_hash", b"")

    def _expander(self, shared: bytes) -> Expand:
        secret = self._extract(shared, b"secret", b"")
        return labelled_expand(self.hash_name, self._suite_id, secret)

    def _key_and_nonce(self, shared: bytes, context: bytes) -> tuple[bytes, bytes]:
        expand = self._expander(shared)
        return (
            expand(b"key", context, self.aead.key_size),
            expand(b"base_nonce", context, self.aead.nonce_size),
        )

    def _export(self, shared: bytes, info: bytes, context: bytes, length: int) -> Secret:
        size = _HASH_SIZES[self.hash_name]
        exporter = self._expander(shared)(b"exp", self._context(info), size)
        expand = labelled_expand(self.hash_name, self._suite_id, exporter)
        return Secret(expand(b"sec", context, length))

    def _encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        try:
            return self.kem.encapsulate(public)
        except ValueError as error:
            raise HpkeError(f"not a {self.kem.name} public key") from error

    def _decapsulate(self, private: Secret, enc: bytes) -> bytes:
        if len(enc) != self.kem.enc_size:
            raise HpkeError("the encapsulated key has the wrong length")
        try:
            return self.kem.decapsulate(private, enc)
        except ValueError as error:
            raise HpkeError("the encapsulated key does not open") from error
