"""Argon2id (RFC 9106): derives keys from passphrases."""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from blackthorn.crypto.secret import Secret


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """The cost: `memory` in KiB, `passes` over it, parallel `lanes`."""

    memory: int
    passes: int
    lanes: int


INTERACTIVE: Final = Argon2Parameters(memory=64 * 1024, passes=3, lanes=4)
"""RFC 9106, 4, second recommended option: 64 MiB, affordable on a phone."""


def argon2id(
    typed: bytes, salt: bytes, length: int, parameters: Argon2Parameters = INTERACTIVE
) -> Secret:
    """`length` bytes from a passphrase; `salt` has at least 8 bytes."""
    function = Argon2id(
        salt=salt,
        length=length,
        iterations=parameters.passes,
        lanes=parameters.lanes,
        memory_cost=parameters.memory,
    )
    return Secret(function.derive(typed))
