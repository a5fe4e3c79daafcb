"""Where a certificate lies by WKD, and the Autocrypt field: pure parts, any input."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackthorn.crypto.openpgp import compatible
from blackthorn.mail import limits
from blackthorn.mail.pgp.autocrypt import autocrypt_field, parse_autocrypt
from blackthorn.mail.pgp.wkd import local_part_hash, places
from blackthorn.wire.address import parse_address

ALICE = parse_address("alice@acme.example")
_, CERTIFICATE = compatible.generate(ALICE, 1_700_000_000, os.urandom)


def test_the_example_of_the_draft():
    advanced, direct = places(parse_address("Joe.Doe@Example.ORG"))
    name = "hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=joe.doe"
    assert advanced.host == "openpgpkey.example.org"
    assert advanced.path == f"/.well-known/openpgpkey/example.org/{name}"
    assert (direct.host, direct.path) == ("example.org", f"/.well-known/openpgpkey/{name}")
    assert local_part_hash("Joe.Doe") == "iy9q119eutrkn8s1mk4r39qejnbu3n5q"


def test_a_local_part_is_escaped():
    _, direct = places(parse_address("a&b=c+d/e?f@acme.example"))
    assert direct.path.endswith("?l=a%26b%3Dc%2Bd%2Fe%3Ff")


@given(st.text())
def test_any_local_part_has_a_name_of_32_letters(text):
    name = local_part_hash(text.encode("utf-8", "ignore").decode())
    assert len(name) == 32 and name.isascii() and name.isalnum()


def test_an_autocrypt_field_comes_back():
    written = autocrypt_field(ALICE, CERTIFICATE)
    assert all(len(line) <= 78 for line in written.split("\r\n"))
    for value in (written, written.replace("\r\n", "")):
        found = parse_autocrypt(value, "Alice@ACME.example")
        assert found is not None
        assert (found.address, found.certificate) == (ALICE, CERTIFICATE)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "addr=alice@acme.example",
        "addr=alice@acme.example; keydata=",
        "addr=alice@acme.example; keydata=!!",
        "addr=bob@acme.example; keydata=aGVsbG8=",
        "addr=alice@acme.example; addr=alice@acme.example; keydata=aGVsbG8=",
        "addr=alice@acme.example; newer=1; keydata=aGVsbG8=",
        "addr=alice@acme.example; keydata=" + "A" * limits.MAX_AUTOCRYPT_CHARS,
        "addr=alice@acme.example; keydata=\u0661",
    ],
)
def test_a_field_that_does_not_hold_says_nothing(value):
    assert parse_autocrypt(value, ALICE) is None


def test_attributes_that_may_be_ignored_are():
    found = parse_autocrypt("_x=1; addr=alice@acme.example; keydata=aGVs bG8=", ALICE)
    assert found is not None and found.certificate == b"hello"


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_field_is_parsed_or_none(value, sender):
    parse_autocrypt(value, sender)
