"""Patterns look at foreign text once: one that tries all beginnings takes the square of its length.

A second is a hundred times what each takes, and a third or less of what it took by the square.
"""

import time
from collections.abc import Callable

import pytest

from blackthorn.errors import DecodeError
from blackthorn.mail.render.bare import bare_text
from blackthorn.mail.render.headers import address_line
from blackthorn.mail.render.html_text import html_text
from blackthorn.mail.smtp.recipient import parse_author
from blackthorn.mail.unpack.uuencode import find_uuencoded

QUOTES = b'"' + b'\\"' * 45_000


@pytest.mark.parametrize(
    "read",
    [
        lambda: html_text(f"<p style='background:url({' ' * 50_000}x)'>"),
        lambda: bare_text("<a b='\"" * 300_000),
        lambda: find_uuencoded(b"begin 644" + b" " * 2_000_000 + b"\rx"),
        lambda: address_line([(b"from", QUOTES)], b"from"),
        lambda: parse_author([(b"from", QUOTES + b" <alice@acme.example>")]),
    ],
)
def test_blanks_and_quotes_in_a_row(read: Callable[[], object]) -> None:
    before = time.process_time()
    read()
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    "value",
    [b'"a <eve@b.example> <alice@acme.example>', b'"a\\" <eve@b.example> <alice@acme.example>'],
)
def test_a_quote_without_an_end_hides_no_second_author(value: bytes) -> None:
    with pytest.raises(DecodeError, match="more than one address"):
        parse_author([(b"from", value)])
    assert parse_author([(b"from", value.replace(b" <alice", b'" <alice'))])
