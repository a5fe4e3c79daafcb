"""Public keys to which nothing can be sealed: the known points agree with a real exchange."""

import pytest
from cryptography.hazmat.primitives.asymmetric import x448, x25519

from blackthorn.crypto.kem import X448, X25519, MontgomeryKem


def _encodings(kem: MontgomeryKem) -> list[bytes]:
    """Every encoding of every known point: canonical or not, with the ignored bit or without."""
    room = 8 * kem.enc_size
    ignored = {0, 1 << 255} if kem is X25519 else {0}
    numbers = {
        (u + multiple * kem.prime) | bit
        for u in kem.low_order
        for multiple in (0, 1, 2)
        for bit in ignored
        if u + multiple * kem.prime < 1 << kem.prime.bit_length()
    }
    return [each.to_bytes(kem.enc_size, "little") for each in sorted(numbers) if each < 1 << room]


@pytest.mark.parametrize("kem", [X25519, X448], ids=["X25519", "X448"])
def test_a_point_of_low_order_is_refused_where_its_exchange_fails(kem: MontgomeryKem) -> None:
    encodings = _encodings(kem)
    assert len(encodings) >= len(kem.low_order)
    for public in encodings:
        with pytest.raises(ValueError):
            kem.encapsulate(public)
        with pytest.raises(ValueError):
            kem.check_public(public)


@pytest.mark.parametrize("kem", [X25519, X448], ids=["X25519", "X448"])
def test_an_honest_key_is_taken_and_a_wrong_length_is_not(kem: MontgomeryKem) -> None:
    private = x25519.X25519PrivateKey if kem is X25519 else x448.X448PrivateKey
    for _ in range(20):
        kem.check_public(private.generate().public_key().public_bytes_raw())
    for size in (0, kem.enc_size - 1, kem.enc_size + 1):
        with pytest.raises(ValueError):
            kem.check_public(b"\x09" * size)
