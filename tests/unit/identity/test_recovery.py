"""The printed recovery key: words both ways, keys that depend on the seed alone."""

import random

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.errors import UserError
from blackthorn.identity.recovery import (
    RecoveryWordsError,
    from_words,
    new_seed,
    recovery_keys,
    to_words,
)

SEED = new_seed(random.Random(7).randbytes)


def test_words_there_and_back() -> None:
    words = to_words(SEED)
    assert len(words) == 24
    assert from_words(" ".join(words)) == SEED
    assert from_words("\n".join(words).upper()) == SEED


def test_keys_come_from_the_seed() -> None:
    keys = recovery_keys(SEED)
    assert keys == recovery_keys(from_words(" ".join(to_words(SEED))))
    assert keys != recovery_keys(new_seed(random.Random(8).randbytes))
    assert keys.ed25519 != keys.ml_dsa
    assert keys.ed25519 != SEED


def test_the_derivation_stands_still() -> None:
    """A sheet of paper is kept for years: this value may never change."""
    keys = recovery_keys(Secret(bytes(range(32))))
    assert keys.ed25519.expose().hex() == (
        "c071ea74cfcae52cdced80c0308d328d54ff5f1fe0eaece501accb79edea1191"
    )
    assert keys.ml_dsa.expose().hex() == (
        "0390c982b25740cfbc5adb9c63152e02f9d9ff4254f040d0a546937453b391c9"
    )


def test_a_wrong_word_is_the_persons_to_correct() -> None:
    words = list(to_words(SEED))
    words[4] = "blackthorn"
    with pytest.raises(
        RecoveryWordsError, match="word 5, blackthorn, is not in the list"
    ) as caught:
        from_words(" ".join(words))
    assert isinstance(caught.value, UserError)


def test_an_error_holds_no_right_word() -> None:
    words = list(to_words(SEED))
    words[4] = "blackthorn"
    with pytest.raises(RecoveryWordsError) as caught:
        from_words(" ".join(words))
    shown = set(str(caught.value).replace(",", "").split())
    assert not shown & (set(words) - {"blackthorn"})
