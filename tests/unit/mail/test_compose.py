"""Composed mail: what the standard library and our own renderer read of it is what was written."""

import random
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from blackthorn.errors import UserError
from blackthorn.mail.compose import limits
from blackthorn.mail.compose.entity import File, compose
from blackthorn.mail.compose.fields import message_id
from blackthorn.mail.compose.flowed import flow
from blackthorn.mail.compose.letter import Letter, Mailbox, check_recipients, mail_address
from blackthorn.mail.compose.protection import (
    message,
    outside,
    outside_of_colleagues,
    payload,
)
from blackthorn.mail.mime.scan import scan
from blackthorn.mail.render.names import file_name
from blackthorn.mail.render.render import render

NOW = 1_900_000_000
ARMORED = b"-----BEGIN PGP MESSAGE-----\n\nabc=\n-----END PGP MESSAGE-----\n"
ALICE = Mailbox("alice@acme.example", "Alice Müller")


def letter(**changes: object) -> Letter:
    values: dict[str, object] = {
        "sender": ALICE,
        "to": (Mailbox("bob@acme.example", 'Bob "the Builder", Esq.'), Mailbox("c@d.example")),
        "cc": (Mailbox("Dora@example.net", "Dora"),),
        "subject": "Grüße aus Köln",
        "date": NOW,
        "message_id": message_id(bytes(16), "acme.example"),
    }
    return Letter(**{**values, **changes})  # type: ignore[arg-type]


def chance(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def parsed(data: bytes) -> EmailMessage:
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage) and not found.defects
    return found


def written(text: str = "Hello.\n", *files: File, **changes: object) -> bytes:
    mail = letter(**changes)
    return payload(mail, compose(text, files, random=chance), outside(mail))


def test_the_header_is_read_as_it_was_written() -> None:
    found = parsed(written())
    assert found["subject"] == "Grüße aus Köln"
    assert [a.display_name for a in found["to"].addresses] == ['Bob "the Builder", Esq.', ""]
    assert [a.addr_spec for a in found["to"].addresses] == ["bob@acme.example", "c@d.example"]
    assert found["from"].addresses[0].display_name == "Alice Müller"
    assert found["cc"] == "Dora <Dora@example.net>"
    assert found["date"].datetime.timestamp() == NOW
    assert found["message-id"] == "<" + "00" * 16 + "@acme.example>"
    assert found.get_content().strip() == "Hello."


@pytest.mark.parametrize(
    "subject",
    ["", "=?utf-8?q?no=20word?=", "x" * 400, "\r\nBcc: eve@example.net", "a\tb\0c", "漢字" * 120],
)
def test_no_subject_can_begin_another_field(subject: str) -> None:
    found = parsed(written(subject=subject))
    assert found["bcc"] is None and found["date"] is not None
    shown = " ".join(subject.replace("\0", "�").replace("\t", " ").split())
    assert (found["subject"] or "") == shown[: limits.MAX_SUBJECT_CHARS]
    head = written(subject=subject).partition(b"\r\n\r\n")[0]
    assert head.isascii() and all(len(line) <= 78 for line in head.split(b"\r\n"))


def test_only_what_must_stands_outside() -> None:
    mail = letter(in_reply_to="<a@b.example>", references=("<a@b.example>",))
    whole = message(outside(mail), ARMORED, chance)
    found = parsed(whole)
    assert found["subject"] == "[...]" and found["in-reply-to"] is None
    assert found["from"] == "alice@acme.example"
    assert found["to"] == "bob@acme.example, c@d.example"
    assert b"ller" not in whole and b"Bob" not in whole and b"K=C3" not in whole
    assert found.get_content_type() == "multipart/encrypted"
    assert [part.get_content_type() for part in found.iter_parts()] == [
        "application/pgp-encrypted",
        "application/octet-stream",
    ]


def test_to_colleagues_not_even_the_sender_stands_outside() -> None:
    outer = outside_of_colleagues(letter(), "<1@acme.example>")
    whole = message(outer, ARMORED, chance)
    assert b"alice" not in whole and b"bob" not in whole and b"c@d.example" not in whole


def test_the_outer_header_is_told_within() -> None:
    """RFC 9788, 2.2: a reader knows what was readable outside."""
    mail = letter()
    outer = outside(mail)
    found = parsed(payload(mail, compose("x", random=chance), outer))
    told = [value.partition(": ")[::2] for value in found.get_all("hp-outer")]
    assert [name for name, _ in told] == [name for name, _ in outer]
    assert ("Subject", "[...]") in told
    assert found.get_param("hp") == "cipher"


NAMES = [
    "report.pdf",
    "Übersicht 2026.pdf",
    'a"b\\c;d.txt',
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "\u202egnp.exe",
    "x" * 400 + ".tar.gz",
    "漢" * 200 + ".pdf",
    "",
    "...",
    "a\r\nContent-Type: text/html",
]


@pytest.mark.parametrize("name", NAMES)
def test_attachments_come_back_under_a_safe_name(name: str) -> None:
    data = random.Random(7).randbytes(5_000)
    whole = written("See attached.\n", File(name, data), File("b.bin", b""))
    part, other = parsed(whole).iter_attachments()
    assert (
        part.get_content() in (data, data.decode("latin-1"))
        or part.get_payload(decode=True) == data
    )
    written_name = part.get_filename()
    assert written_name == (file_name(name) or "unnamed")
    assert not set("/\\\r\n\0") & set(written_name)
    assert other.get_payload(decode=True) == b""
    assert scan(whole) == whole
    assert render(whole).files == (data, b"")


@pytest.mark.parametrize(
    "text",
    ["Hello.\n", "Grüße\n", "漢字かな交じり文\n" * 50, "x" * 3_000, "", "From here\n>no\n -- \n"],
)
@pytest.mark.parametrize("flowed", [True, False])
def test_the_text_is_7_bit_and_read_as_written(text: str, flowed: bool) -> None:
    mail = letter()
    whole = payload(mail, compose(text, flowed=flowed, random=chance), outside(mail))
    assert whole.isascii() and all(len(line) <= 998 for line in whole.split(b"\r\n"))
    if not flowed:
        assert render(whole).text.strip("\n") == text.strip("\n")


def test_a_forwarded_mail_stays_as_it_is() -> None:
    original = b"From: x@y.example\r\nSubject: \xff\r\n\r\n" + b"z" * 2_000 + b"\r\n"
    mail = letter()
    whole = payload(mail, compose("See below.\n", (), original, random=chance), outside(mail))
    assert original in whole
    part = next(iter(parsed(whole).iter_attachments()))
    assert part.get_content_type() == "message/rfc822"
    assert part["content-transfer-encoding"] == "binary"


def test_lines_flow_as_rfc_3676_says() -> None:
    long = "word " * 40
    assert all(len(line) <= 74 for line in flow(long).split("\r\n"))
    assert flow("> quoted") == "> quoted\r\n"
    assert flow(">> deeper") == ">> deeper\r\n"
    assert flow("From me") == " From me\r\n"
    assert flow(" indented") == "  indented\r\n"
    assert flow("text with blanks   ") == "text with blanks\r\n"
    assert flow("-- \nAlice") == "-- \r\nAlice\r\n"
    joined = "".join(
        line if line.endswith(" ") else line + "\n" for line in flow(long).split("\r\n")
    )
    assert joined.strip() == long.strip()


def test_bounds_are_told_in_words() -> None:
    with pytest.raises(UserError, match="more than the 18"):
        compose("x", [File("a", bytes(20 * 2**20))], random=chance)
    with pytest.raises(UserError, match="at most 100 attachments"):
        compose("x", [File("a", b"")] * 101, random=chance)
    with pytest.raises(UserError, match="attach it as a file"):
        compose("x" * (limits.MAX_TEXT_BYTES + 1), random=chance)
    with pytest.raises(UserError, match="no recipient"):
        check_recipients([])
    with pytest.raises(UserError, match="at most 100 recipients, not 101"):
        check_recipients(["a@b.example"] * 101)
    with pytest.raises(UserError, match="not an address"):
        mail_address("bob")
    assert mail_address("Bob.B@EXAMPLE.net") == "Bob.B@example.net"
