"""The activation code as people say, type, paste and scan it."""

import random as seeded

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackthorn.crypto.secret import Secret
from blackthorn.errors import UserError
from blackthorn.link.activation.code import (
    Code,
    CodeError,
    new_code,
    parse_code,
    parse_invitation,
    render,
    render_url,
    words,
)
from blackthorn.link.activation.pgp_words import EVEN_WORDS, ODD_WORDS
from tests.support import runs

CODE = Code("4821", Secret(bytes([0, 255, 1, 254, 2, 253, 3, 252])))
WRITTEN = "4821-aardvark-yucatan-absurd-yesteryear-accrue-wyoming-acme-wilmington"

codes = st.builds(
    Code,
    st.integers(1000, 999_999).map(str),
    st.binary(min_size=8, max_size=8).map(Secret),
)


def test_the_word_list_is_whole_and_no_word_stands_in_both_lists():
    assert len(set(EVEN_WORDS)) == len(set(ODD_WORDS)) == 256
    assert not set(EVEN_WORDS) & set(ODD_WORDS)
    assert all(word.isascii() and word.isalpha() for word in EVEN_WORDS + ODD_WORDS)


def test_known_words_of_the_published_list():
    """E582 94F2 E9A2 2748 6E8B of the list's own example (PGP documentation)."""
    example = bytes.fromhex("E58294F2E9A22748")
    spoken = "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator"
    assert words(Code("1000", Secret(example))) == spoken.lower().split()


@given(codes)
def test_what_is_rendered_is_parsed(code):
    assert parse_code(render(code)) == code
    invitation = parse_invitation(render_url(code, "mail.acme.example", 3101))
    assert invitation.code == code
    assert (invitation.host, invitation.port) == ("mail.acme.example", 3101)


@pytest.mark.parametrize(
    "typed",
    [
        WRITTEN,
        WRITTEN.upper(),
        WRITTEN.replace("-", " "),
        "  " + WRITTEN.replace("-", "  -  ") + "\n",
        WRITTEN.replace("-", "–"),
        WRITTEN.replace("-", ", "),
        "4821\n  Aardvark Yucatan absurd yesteryear\n  accrue wyoming ACME wilmington.",
    ],
)
def test_case_spaces_and_dashes_do_not_matter(typed):
    assert parse_code(typed) == CODE
    assert parse_invitation(typed).host is None


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "begins with its number"),
        ("aardvark", "begins with its number"),
        ("123-aardvark", "four to six digits"),
        ("1234567-aardvark", "four to six digits"),
        ("٤٨٢١-aardvark", "four to six digits"),
        ("4821", "has 8 words, this one 0"),
        (WRITTEN.rpartition("-")[0], "has 8 words, this one 7"),
        (WRITTEN + "-aardvark", "has 8 words, this one 9"),
        (WRITTEN.replace("absurd", "absurt"), "word 3, “absurt”.*did you mean absurd"),
        (WRITTEN.replace("yucatan", "yukatan"), "word 2, “yukatan”.*did you mean yucatan"),
        (WRITTEN.replace("acme", "qqqqqq"), "word 7, “qqqqqq”, is not in the word list$"),
        (
            WRITTEN.replace("absurd-yesteryear", "yesteryear-absurd"),
            "word 3, “yesteryear”, cannot stand there: are two words swapped",
        ),
    ],
)
def test_a_mistake_is_named_by_its_word(typed, message):
    with pytest.raises(CodeError, match=message):
        parse_code(typed)


@given(codes, st.integers(0, 6))
def test_neighbours_that_are_swapped_are_always_noticed(code, place):
    spoken = words(code)
    spoken[place], spoken[place + 1] = spoken[place + 1], spoken[place]
    with pytest.raises(CodeError, match="cannot stand there"):
        parse_code(" ".join([code.nameplate, *spoken]))


@pytest.mark.parametrize(
    "url",
    [
        "blackthorn://",
        "blackthorn://acme.example/activate#" + WRITTEN,
        "blackthorn://acme.example:0/activate#" + WRITTEN,
        "blackthorn://acme.example:65536/activate#" + WRITTEN,
        "blackthorn://user@acme.example:3101/activate#" + WRITTEN,
        "blackthorn://acme.example:3101/other#" + WRITTEN,
        "blackthorn://acme.example:3101/activate?" + WRITTEN,
    ],
)
def test_a_wrong_url_is_refused(url):
    with pytest.raises(CodeError, match="not of the form"):
        parse_invitation(url)


def test_an_address_of_version_6_stands_in_brackets():
    url = render_url(CODE, "2001:db8::1", 443)
    assert url == f"blackthorn://[2001:db8::1]:443/activate#{WRITTEN}"
    assert parse_invitation(url).host == "2001:db8::1"


@given(st.text(max_size=200))
def test_whatever_is_typed_raises_one_kind_of_error(text):
    try:
        parse_invitation(text)
    except UserError as error:
        assert str(error).isprintable()


def test_a_code_does_not_print_its_secret():
    assert "aardvark" not in repr(CODE) and "\\xff" not in repr(CODE) + str(CODE)


def test_fresh_codes_differ_and_can_be_typed():
    seed = runs.seed()
    random = seeded.Random(seed).randbytes
    made = {render(new_code(random)) for _ in range(200)}
    assert len(made) == 200
    for code in made:
        assert render(parse_code(code)) == code


def test_a_web_address_is_told_from_a_code():
    with pytest.raises(CodeError, match="this is not a blackthorn:// address"):
        parse_invitation("https://foo/bar")
