"""Words for 32 bytes: the published vectors, and what a person may type."""

import random

import pytest

from blackthorn.crypto.mnemonic import MnemonicError, from_words, to_words
from tests.support import runs

LEGAL = "legal winner thank year wave sausage worth useful "
LETTER = "letter advice cage absurd amount doctor acoustic avoid "
VECTORS = [
    (bytes(32), "abandon " * 23 + "art"),
    (b"\x7f" * 32, LEGAL * 2 + "legal winner thank year wave sausage worth title"),
    (b"\x80" * 32, LETTER * 2 + "letter advice cage absurd amount doctor acoustic bless"),
    (b"\xff" * 32, "zoo " * 23 + "vote"),
]
"""From the vectors of BIP 39."""

SHEET = to_words(b"\x7f" * 32)


@pytest.mark.parametrize(("data", "words"), VECTORS)
def test_the_published_vectors(data: bytes, words: str) -> None:
    assert to_words(data) == tuple(words.split())
    assert from_words(words) == data


def test_there_and_back() -> None:
    seed = runs.seed()
    seeded = random.Random(seed)
    for _ in range(100):
        data = seeded.randbytes(32)
        words = to_words(data)
        assert len(words) == 24
        assert from_words(" ".join(words)) == data


@pytest.mark.parametrize(
    "typed",
    [
        " ".join(SHEET).upper(),
        "\n".join(SHEET),
        "  " + " \t ".join(SHEET) + "\r\n",
        " ".join(f"{place}. {word}," for place, word in enumerate(SHEET, 1)),
        "-".join(SHEET),
        " ".join(word[:4] for word in SHEET),
    ],
)
def test_what_a_person_may_type(typed: str) -> None:
    assert from_words(typed) == b"\x7f" * 32


@pytest.mark.parametrize(
    ("place", "typed", "text"),
    [
        (0, "legall", "word 1, legall, is not in the list; is it legal?"),
        (6, "wroth", "word 7, wroth, is not in the list; is it worth?"),
        (23, "qqq", "word 24, qqq, is not in the list"),
        (3, "yea", "word 4, yea, is not in the list; is it year?"),
        (2, "x" * 100, f"word 3, {'x' * 32}, is not in the list"),
    ],
)
def test_a_wrong_word_is_named(place: int, typed: str, text: str) -> None:
    words = list(SHEET)
    words[place] = typed
    with pytest.raises(MnemonicError) as caught:
        from_words(" ".join(words))
    assert str(caught.value) == text


def test_missing_and_additional_words() -> None:
    for words in (SHEET[:-1], (*SHEET, "zoo"), ()):
        with pytest.raises(MnemonicError, match=f"there are {len(words)} words instead of 24"):
            from_words(" ".join(words))


def test_swapped_words_are_noticed_but_for_one_in_256() -> None:
    words = list(to_words(random.Random(1).randbytes(32)))
    noticed = 0
    for place in range(23):
        swapped = [*words[:place], words[place + 1], words[place], *words[place + 2 :]]
        try:
            from_words(" ".join(swapped))
        except MnemonicError:
            noticed += 1
    assert noticed >= 22
