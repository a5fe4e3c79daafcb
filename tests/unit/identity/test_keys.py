"""The pair of keys: both halves count, and nothing secret prints."""

import random
from dataclasses import replace

from blackthorn.identity.keys import SigningKeys
from tests.support.identity_world import keys_of, refuses

KEYS, OTHER = keys_of(1), keys_of(2)
SIGNATURE = KEYS.sign(b"message")


def test_sizes() -> None:
    assert (len(SIGNATURE.ed25519), len(SIGNATURE.ml_dsa)) == (64, 3309)
    assert (len(KEYS.public.ed25519), len(KEYS.public.ml_dsa)) == (32, 1952)


def test_the_same_seeds_are_the_same_keys() -> None:
    again = SigningKeys.generate(random.Random(1).randbytes)
    assert again.public == KEYS.public
    assert again == KEYS


def test_both_halves_hold() -> None:
    KEYS.public.verify(SIGNATURE, b"message")


def test_I19_either_half_alone_is_refused() -> None:
    other = OTHER.sign(b"message")
    for forged in (
        replace(SIGNATURE, ed25519=other.ed25519),
        replace(SIGNATURE, ml_dsa=other.ml_dsa),
        replace(SIGNATURE, ed25519=bytes(64)),
        replace(SIGNATURE, ml_dsa=bytes(3309)),
        replace(SIGNATURE, ed25519=b""),
        replace(SIGNATURE, ml_dsa=b""),
    ):
        with refuses("I19"):
            KEYS.public.verify(forged, b"message")
    for public in (
        replace(KEYS.public, ed25519=OTHER.public.ed25519),
        replace(KEYS.public, ml_dsa=OTHER.public.ml_dsa),
        replace(KEYS.public, ed25519=bytes(32)),
        replace(KEYS.public, ml_dsa=b""),
    ):
        with refuses("I19"):
            public.verify(SIGNATURE, b"message")
    with refuses("I19"):
        KEYS.public.verify(SIGNATURE, b"massage")


def test_a_key_of_small_order_signs_nothing() -> None:
    """With the neutral element as Ed25519 key, a careless verifier takes one signature for all."""
    neutral = b"\x01" + bytes(31)
    forged = replace(SIGNATURE, ed25519=neutral + bytes(32))
    with refuses("I19"):
        replace(KEYS.public, ed25519=neutral).verify(forged, b"message")


def test_seeds_do_not_print() -> None:
    for private in (KEYS.ed25519, KEYS.ml_dsa):
        assert private.expose().hex() not in repr(KEYS)
        assert repr(private.expose()) not in repr(KEYS)
