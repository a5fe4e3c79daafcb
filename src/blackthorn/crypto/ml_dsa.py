"""ML-DSA-65 (FIPS 204, pure, empty context). Signing is hedged (3.4): signatures differ."""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import VerifyError

SEED_BYTES: Final = 32
PUBLIC_BYTES: Final = 1952
SIGNATURE_BYTES: Final = 3309


class MlDsa65:
    """ML-DSA-65: 32-byte seed, 1952-byte public key, 3309-byte signature."""

    name = "ML-DSA-65"

    def generate(self, random: Callable[[int], bytes]) -> Secret:
        """The seed xi of FIPS 204, 5.1."""
        return Secret(random(SEED_BYTES))

    def public_key(self, private: Secret) -> bytes:
        key = mldsa.MLDSA65PrivateKey.from_seed_bytes(private.expose())
        return key.public_key().public_bytes_raw()

    def sign(self, private: Secret, message: bytes) -> bytes:
        return mldsa.MLDSA65PrivateKey.from_seed_bytes(private.expose()).sign(message)

    def verify(self, public: bytes, signature: bytes, message: bytes) -> None:
        try:
            mldsa.MLDSA65PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise VerifyError("the ML-DSA-65 signature does not verify") from error


ML_DSA_65: Final = MlDsa65()
