"""ML-DSA-65 by its sizes, the key of a published seed, and refusals."""

import random

import pytest

from blackthorn.crypto.ml_dsa import ML_DSA_65, PUBLIC_BYTES, SIGNATURE_BYTES
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import VerifyError
from tests.support import runs

PRIVATE = ML_DSA_65.generate(random.Random(1).randbytes)
PUBLIC = ML_DSA_65.public_key(PRIVATE)
SIGNATURE = ML_DSA_65.sign(PRIVATE, b"message")


def test_sizes() -> None:
    assert len(PRIVATE) == 32
    assert len(PUBLIC) == PUBLIC_BYTES == 1952
    assert len(SIGNATURE) == SIGNATURE_BYTES == 3309


def test_a_seed_has_one_key() -> None:
    assert ML_DSA_65.public_key(PRIVATE) == PUBLIC
    other = ML_DSA_65.generate(random.Random(2).randbytes)
    assert ML_DSA_65.public_key(other) != PUBLIC


def test_the_key_of_the_published_seed() -> None:
    """RFC 9881, appendix C.1.2: seed 00 01 … 1f."""
    public = ML_DSA_65.public_key(Secret(bytes(range(32))))
    assert public[:32].hex() == "48683d91978e31eb3dddb8b0473482d2b88a5f625949fd8f58a561e696bd4c27"
    assert public[-32:].hex() == "ad18bd13fca55059dd9b185f79f9c47196a4e81b2104bc460a051e02f2e8444f"


def test_signing_is_hedged_and_each_signature_holds() -> None:
    again = ML_DSA_65.sign(PRIVATE, b"message")
    assert again != SIGNATURE
    ML_DSA_65.verify(PUBLIC, SIGNATURE, b"message")
    ML_DSA_65.verify(PUBLIC, again, b"message")


@pytest.mark.parametrize(
    ("public", "signature", "message"),
    [
        (PUBLIC, SIGNATURE, b"massage"),
        (PUBLIC, SIGNATURE[:-1], b"message"),
        (PUBLIC, SIGNATURE + b"\0", b"message"),
        (PUBLIC, b"", b"message"),
        (PUBLIC[:-1], SIGNATURE, b"message"),
        (PUBLIC + b"\0", SIGNATURE, b"message"),
        (b"", SIGNATURE, b"message"),
        (bytes(PUBLIC_BYTES), SIGNATURE, b"message"),
        (PUBLIC, bytes(SIGNATURE_BYTES), b"message"),
        (PUBLIC, b"\xff" * SIGNATURE_BYTES, b"message"),
    ],
)
def test_nothing_else_verifies(public: bytes, signature: bytes, message: bytes) -> None:
    with pytest.raises(VerifyError):
        ML_DSA_65.verify(public, signature, message)


def test_a_flipped_bit_anywhere_is_refused() -> None:
    seed = runs.seed()
    seeded = random.Random(seed)
    for _ in range(300):
        place = seeded.randrange(8 * SIGNATURE_BYTES)
        forged = bytearray(SIGNATURE)
        forged[place // 8] ^= 1 << place % 8
        with pytest.raises(VerifyError):
            ML_DSA_65.verify(PUBLIC, bytes(forged), b"message")
