"""The printed recovery key: 32 random bytes as 24 words, and the keys derived from them.

It can only add a device (I23), which all contacts see, so a found sheet gives no silent access.
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
    """The typed words are wrong; the text names the wrong word if it is known."""


def new_seed(random: Callable[[int], bytes]) -> Secret:
    """32 bytes."""
    return Secret(random(SEED_BYTES))


def to_words(seed: Secret) -> tuple[str, ...]:
    """The 24 words to print: they are the key."""
    return mnemonic.to_words(seed.expose())


def from_words(text: str) -> Secret:
    """The seed of 24 typed words. Raises `RecoveryWordsError`."""
    try:
        return Secret(mnemonic.from_words(text))
    except MnemonicError as error:
        raise RecoveryWordsError(f"not a recovery key: {error}") from None


def recovery_keys(seed: Secret) -> SigningKeys:
    """The keys that sign as RECOVERY: HKDF-SHA-256 (RFC 5869), one output each."""
    key = hkdf_extract(SHA256, _DOMAIN, seed.expose())
    return SigningKeys(
        Secret(hkdf_expand(SHA256, key, b"ed25519", 32)),
        Secret(hkdf_expand(SHA256, key, b"ml-dsa-65", 32)),
    )
