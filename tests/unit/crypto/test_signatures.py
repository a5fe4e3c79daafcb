"""Signature schemes: what they sign verifies, and nothing else does."""

import random

import pytest

from blackthorn.crypto.signatures import (
    ECDSA_P256,
    ECDSA_P384,
    ECDSA_P521,
    ED448,
    ED25519,
    SignatureScheme,
    VerifyError,
)

SCHEMES = [ED25519, ED448, ECDSA_P256, ECDSA_P384, ECDSA_P521]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_sign_and_verify(scheme: SignatureScheme) -> None:
    seeded = random.Random(5)
    private = scheme.generate(seeded.randbytes)
    public = scheme.public_key(private)
    signature = scheme.sign(private, b"message")
    scheme.verify(public, signature, b"message")
    wrong = [
        (public, signature, b"massage"),
        (public, signature[:-1], b"message"),
        (public, b"", b"message"),
        (public[:-1], signature, b"message"),
        (b"", signature, b"message"),
        (scheme.public_key(scheme.generate(seeded.randbytes)), signature, b"message"),
    ]
    for case in wrong:
        with pytest.raises(VerifyError):
            scheme.verify(*case)
