"""Passwords that a device makes for one mail program: 120 random bits, in letters and digits."""

import base64
import hmac
from collections.abc import Callable
from typing import Final

from blackthorn.crypto.argon2 import Argon2Parameters, argon2id
from blackthorn.crypto.secret import Secret

SALT_BYTES: Final = 16
VERIFIER_BYTES: Final = 32
_RANDOM_BYTES: Final = 15
_COST: Final = Argon2Parameters(memory=8 * 1024, passes=1, lanes=1)
"""Guessing 120 bits needs no cost; a password that somebody chose is not tried fast."""


def make_password(random: Callable[[int], bytes]) -> Secret:
    """24 letters and digits in groups of four."""
    text = base64.b32encode(random(_RANDOM_BYTES)).decode().lower()
    return Secret("-".join(text[at : at + 4] for at in range(0, len(text), 4)).encode())


def verifier(password: bytes, salt: bytes) -> bytes:
    """What is stored: 32 bytes. Takes about 10 ms; dashes and capitals count for nothing."""
    plain = password.replace(b"-", b"").replace(b" ", b"").lower()
    return argon2id(plain, salt, VERIFIER_BYTES, _COST).expose()


def matches(password: bytes, salt: bytes, stored: bytes) -> bool:
    """Whether it is the password of the verifier, in constant time."""
    return hmac.compare_digest(verifier(password, salt), stored)
