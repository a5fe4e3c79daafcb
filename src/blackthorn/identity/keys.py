"""Hybrid signature keys: Ed25519 and ML-DSA-65, both of which must hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from blackthorn.crypto.ml_dsa import ML_DSA_65, PUBLIC_BYTES, SIGNATURE_BYTES
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519, VerifyError
from blackthorn.errors import VerificationError

ED25519_PUBLIC_BYTES: Final = 32
ED25519_SIGNATURE_BYTES: Final = 64
ML_DSA_PUBLIC_BYTES: Final = PUBLIC_BYTES
ML_DSA_SIGNATURE_BYTES: Final = SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Signature:
    """64 bytes of Ed25519, 3309 of ML-DSA-65."""

    ed25519: bytes
    ml_dsa: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifyKeys:
    """Public keys: 32 bytes of Ed25519, 1952 of ML-DSA-65."""

    ed25519: bytes
    ml_dsa: bytes = field(repr=False)

    def verify(self, signature: Signature, message: bytes) -> None:
        """Raises `VerificationError` (I19) unless both signatures hold."""
        try:
            ED25519.verify(self.ed25519, signature.ed25519, message)
            ML_DSA_65.verify(self.ml_dsa, signature.ml_dsa, message)
        except VerifyError as error:
            raise VerificationError("I19", str(error)) from None


@dataclass(frozen=True)
class SigningKeys:
    """Private keys: two seeds of 32 bytes."""

    ed25519: Secret
    ml_dsa: Secret

    @classmethod
    def generate(cls, random: Callable[[int], bytes]) -> "SigningKeys":
        return cls(ED25519.generate(random), ML_DSA_65.generate(random))

    @cached_property
    def public(self) -> VerifyKeys:
        return VerifyKeys(ED25519.public_key(self.ed25519), ML_DSA_65.public_key(self.ml_dsa))

    def sign(self, message: bytes) -> Signature:
        """Both signatures over `message`, which starts with its domain."""
        return Signature(ED25519.sign(self.ed25519, message), ML_DSA_65.sign(self.ml_dsa, message))
