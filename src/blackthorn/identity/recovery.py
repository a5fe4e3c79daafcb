"""The printed recovery key: 32 random bytes as 24 words on paper, and the keys made of them.

It may only add a device to the chain of the user who has named it (I23), so that a found sheet
of paper gives a device that all contacts are told of, and no more.
"""

from collections.abc import Callable
from typing import Final

from blackthorn.crypto import mnemonic
from blackthorn.crypto.kdf import SHA256, hkdf_expand, hkdf_extract
from blackthorn.crypto.mnemonic import MnemonicError
from blackthorn.crypto.secret import Secret
from blackthorn.errors import UserError
from blackthorn.identity.keys import SigningKeys

SEED_BYTES: Final = 32
_DOMAIN: Final = b"blackthorn-recovery-v1"


class RecoveryWordsError(UserError):
    """The typed words are no recovery key; the text names the wrong word, if one is."""


def new_seed(random: Callable[[int], bytes]) -> Secret:
    """The 32 bytes of a new recovery key."""
    return Secret(random(SEED_BYTES))


def to_words(seed: Secret) -> tuple[str, ...]:
    """The 24 words to print. They are the key itself."""
    return mnemonic.to_words(seed.expose())


def from_words(text: str) -> Secret:
    """The seed of 24 words as a person types them. Raises `RecoveryWordsError`."""
    try:
        return Secret(mnemonic.from_words(text))
    except MnemonicError as error:
        raise RecoveryWordsError(f"not a recovery key: {error}") from None


def recovery_keys(seed: Secret) -> SigningKeys:
    """The keys that sign as RECOVERY: HKDF-SHA-256 (RFC 5869), one output for each half."""
    key = hkdf_extract(SHA256, _DOMAIN, seed.expose())
    return SigningKeys(
        Secret(hkdf_expand(SHA256, key, b"ed25519", 32)),
        Secret(hkdf_expand(SHA256, key, b"ml-dsa-65", 32)),
    )
