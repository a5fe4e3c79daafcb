"""The demo of mail looks: what the relay carried decides a row, and what does not hold fails."""

import base64

import pytest

from blackthorn.audit.plaintext.verdict import mint
from blackthorn.demo import two_domains
from blackthorn.demo.two_domains import CLEAR, NO_TEXT, NOTHING, SEALED, MailOutcome, Row

MARKERS = (mint("subject", "mail subject"), mint("body", "mail body"))
TEXT = MARKERS[1].spellings[0].encode()
ARMOR = b"-----BEGIN PGP MESSAGE-----\n\n"


@pytest.mark.parametrize(
    ("carried", "wire"),
    [
        ((), NOTHING),
        ((ARMOR + b"wy4ECQ",), SEALED),
        ((b"Hello " + TEXT,), CLEAR),
        ((ARMOR + base64.b64encode(b"12" + TEXT + b"3"),), CLEAR),
        ((ARMOR, b"Subject: half of it\n\n" + TEXT[12:]), CLEAR),
        ((ARMOR, b"something else"), "neither sealed nor the mail"),
    ],
)
def test_what_the_relay_saw(tmp_path, carried, wire) -> None:
    files = [tmp_path / str(number) for number in range(len(carried))]
    for file, content in zip(files, carried, strict=True):
        file.write_bytes(content)
    assert two_domains._wire(files, MARKERS) == wire


@pytest.mark.parametrize(
    ("wire", "disk", "read", "failed"),
    [
        (SEALED, NO_TEXT, True, 0),
        (SEALED, NO_TEXT, None, 0),
        (CLEAR, NO_TEXT, True, 1),
        ("", NO_TEXT, True, 1),
        (SEALED, CLEAR, True, 1),
        (SEALED, None, False, 2),
    ],
)
def test_a_row_that_does_not_hold_fails(wire, disk, read, failed) -> None:
    row = Row(
        "step", "a@acme.example", "g@globex.example", SEALED, "a, g", MARKERS, wire, disk, read
    )
    assert len(MailOutcome([row], {}, 1.0).failures()) == failed
