"""Encodes 32 bytes as 24 words of BIP 39 with its checksum, without its key stretching."""

import difflib
import functools
import re
from typing import Final

from mnemonic import Mnemonic

WORDS_OF_32_BYTES: Final = 24
_WORD: Final = re.compile(r"[A-Za-z]+")
_PREFIX_LETTERS: Final = 4
"""No two words of the list begin with the same four letters."""


class MnemonicError(ValueError):
    """The words are wrong; the text names the wrong word if it is known."""


@functools.cache
def _bip39() -> Mnemonic:
    return Mnemonic("english")


def to_words(data: bytes) -> tuple[str, ...]:
    """The 24 words of 32 bytes."""
    return tuple(_bip39().to_mnemonic(data).split(" "))


def from_words(text: str) -> bytes:
    """The 32 bytes of 24 typed words. Raises `MnemonicError`.

    Case, numbers, punctuation and line breaks are ignored; four letters of a word suffice.
    """
    words = [_known(word, place) for place, word in enumerate(_WORD.findall(text), 1)]
    if len(words) != WORDS_OF_32_BYTES:
        raise MnemonicError(f"there are {len(words)} words instead of {WORDS_OF_32_BYTES}")
    try:
        return bytes(_bip39().to_entropy(words))
    except ValueError:
        raise MnemonicError("a word is not the one written down, or not in its place") from None


def _known(typed: str, place: int) -> str:
    """The list's word for a typed one; `place` counts from 1."""
    word, known = typed.lower(), _bip39().wordlist
    if word in known:
        return str(word)
    if len(word) >= _PREFIX_LETTERS:
        longer = [entry for entry in known if entry.startswith(word)]
        if longer:
            return str(longer[0])
    shown = word[:32]
    likely = difflib.get_close_matches(shown, known, 1)
    hint = f"; is it {likely[0]}?" if likely else ""
    raise MnemonicError(f"word {place}, {shown}, is not in the list{hint}")
