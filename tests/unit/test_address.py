"""Addresses as access decisions use them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackthorn.errors import DecodeError
from blackthorn.wire.address import domain_of, parse_address, parse_domain


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("alice@acme.example", "alice@acme.example"),
        ("Alice.B+tag@ACME.Example", "alice.b+tag@acme.example"),
        ("o'hara@mail-1.acme.example", "o'hara@mail-1.acme.example"),
        ("a" * 64 + "@acme.example", "a" * 64 + "@acme.example"),
    ],
)
def test_an_address_has_one_form(text, address):
    assert parse_address(text) == address
    assert parse_address(parse_address(text)) == address
    assert domain_of(parse_address(text)) == address.partition("@")[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "@acme.example",
        "alice@",
        "alice@acme",
        "alice@@acme.example",
        "alice@acme.example@evil.example",
        '"alice"@acme.example',
        '"a@evil.example"@acme.example',
        "alice(comment)@acme.example",
        "Alice <alice@acme.example>",
        "<alice@acme.example>",
        " alice@acme.example",
        "alice@acme.example ",
        "alice@acme.example\n",
        "alice@acme.example\x00",
        "al ice@acme.example",
        ".alice@acme.example",
        "alice.@acme.example",
        "al..ice@acme.example",
        "alice@acme..example",
        "alice@.acme.example",
        "alice@acme.example.",
        "alice@-acme.example",
        "alice@acme-.example",
        "alice@[127.0.0.1]",
        "alice@acme_x.example",
        "älice@acme.example",
        "alice@äcme.example",
        "alicе@acme.example",  # a Cyrillic letter
        "K@acme.example".replace("K", "\u212a"),  # the Kelvin sign, whose lower case is k
        "a" * 65 + "@acme.example",
        "a@" + "b" * 64 + ".example",
        "a@" + ".".join(["b" * 60] * 5) + ".example",
        "alice%evil.example",
        "@relay:alice",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text):
    with pytest.raises(DecodeError):
        parse_address(text)


@given(st.text(max_size=300))
def test_any_text_is_an_address_in_its_one_form_or_a_decode_error(text):
    try:
        address = parse_address(text)
    except DecodeError:
        return
    assert address == text.lower() and parse_address(address) == address


def test_a_domain_has_two_labels_at_least():
    assert parse_domain("ACME.example") == "acme.example"
    for wrong in ("acme", "", "acme.example.", "a" * 64 + ".example"):
        with pytest.raises(DecodeError):
            parse_domain(wrong)
