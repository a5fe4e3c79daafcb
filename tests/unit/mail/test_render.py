"""What a person sees: the best text, the attachments, and nothing that acts on a terminal."""

import base64

import pytest

from blackthorn.mail import limits
from blackthorn.mail.mime.transfer import decode_transfer
from blackthorn.mail.render.html_text import html_text
from blackthorn.mail.render.render import Attachment, render
from blackthorn.mail.render.text import (
    decode_charset,
    decode_header,
    decode_parameter,
    safe_line,
    safe_text,
)

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def text_of(body: bytes, kind: bytes = b"text/plain; charset=utf-8") -> str:
    return render(b"Content-Type: " + kind + b"\r\n\r\n" + body).text


def test_fields_and_text() -> None:
    mail = render(
        b"From: =?utf-8?q?Andr=C3=A9?= <a@example.net>\r\nTo: alice@acme.example\r\n"
        b"Cc: bob@acme.example\r\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?b?IOKcjA==?=\r\n"
        b"Date: Mon, 1 Jan 2029 10:00:00 +0000\r\n\r\nHello,\r\nworld\r\n"
    )
    assert (mail.sender, mail.subject) == ("André <a@example.net>", "Grüße ✌")
    assert (mail.to, mail.cc) == ("alice@acme.example", "bob@acme.example")
    assert mail.date == "Mon, 1 Jan 2029 10:00:00 +0000"
    assert (mail.text, mail.attachments, mail.parsed) == ("Hello,\nworld", (), True)


def test_plain_text_is_preferred_to_html() -> None:
    mail = (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>html\r\n--b\r\n\r\nplain\r\n--b--\r\n"
    )
    assert (render(mail).text, render(mail).attachments) == ("plain", ())


def test_attachments_have_clean_names_types_and_sizes() -> None:
    mail = render(
        MIXED + b"--b\r\n\r\nsee attached\r\n"
        b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="../../etc/pass\x1bwd.pdf"\r\n\r\n'
        + base64.encodebytes(b"x" * 100)
        + b"--b\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''%E2%82;\r\n"
        b" filename*1*=%AC%20rates;\r\n filename*2=.csv\r\n\r\n1,2\r\n--b--\r\n"
    )
    assert mail.text == "see attached"
    assert mail.attachments == (
        Attachment("pass\N{REPLACEMENT CHARACTER}wd.pdf", "application/pdf", 100),
        Attachment("€ rates.csv", "text/plain", 3),
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\x1b[31mb", "a\N{REPLACEMENT CHARACTER}[31mb"),
        ("a\x9b31mb\x07\x08\x7f", "a\ufffd31mb\ufffd\ufffd\ufffd"),
        ("a\rb\r\nc\u2028d", "a\nb\nc\nd"),
        ("invoice\u202egpj.exe", "invoice[U+202E]gpj.exe"),
        ("\u2066x\u2069", "[U+2066]x[U+2069]"),
        ("p\u200bay\u00adpal\ufeff\U000e0041", "paypal"),
        ("\ud800", "\ufffd"),
        ("tab\tstop", "tab    stop"),
        ("naïve 日本 👍🏽 שלום", "naïve 日本 👍🏽 שלום"),
    ],
)
def test_nothing_acts_on_the_terminal(raw: str, shown: str) -> None:
    assert safe_text(raw) == shown
    assert "\n" not in safe_line(raw) and "\x1b" not in safe_line(raw)


def test_a_field_cannot_make_a_line() -> None:
    mail = render(b"Subject: =?utf-8?q?a=0D=0ABcc:_x=40y?=\r\n\r\n")
    assert mail.subject == "a\ufffd Bcc: x@y" or mail.subject == "a Bcc: x@y"
    assert "\n" not in mail.subject and "\r" not in mail.subject


def test_long_things_are_cut_and_say_so() -> None:
    assert text_of(b"x\r\n" * 600_000).endswith("[… cut here]")
    assert render(b"Subject: " + b"x" * 5_000 + b"\r\n\r\n").subject.endswith(" …")
    assert len(render(b"Subject: " + b"x" * 5_000 + b"\r\n\r\n").subject) < 1_010


def test_html_shows_text_and_where_links_lead() -> None:
    page = (
        "<html><head><title>t</title><style>p{}</style></head><body><script>alert(1)</script>"
        "<!-- hidden --><p>Dear&nbsp;Alice &amp; Bob,</p><br><img src='http://spy.example/x.gif'>"
        "<a title=x href='https://evil.example/a?b'>your bank</a> says<div>hi</div>1 < 2"
    )
    expected = "Dear Alice & Bob,\n\nyour bank <https://evil.example/a?b> says\nhi\n1 < 2"
    assert html_text(page).text == expected
    assert text_of(page.encode(), b"text/html") == expected


@pytest.mark.parametrize(
    "page", ["<", "<!--", "<a", "<a href=", "&#" + "9" * 5_000 + ";", "</", "<script>", "<![CDATA["]
)
def test_broken_html_is_no_trouble(page: str) -> None:
    assert "before" in html_text("before" + page).text


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"\xe9", b"iso-8859-1", "é"),
        ("é".encode(), b"no-such-charset", "é"),
        ("é".encode(), b"us-ascii", "é"),
        (b"\xe9", b"us-ascii", "é"),
        (b"\xff\xfe", b"utf-8", "ÿþ"),
        (b"\xe9\xc3\xa9", b"utf-8", "\ufffdé"),
        (b"\xe9 \x80", b"", "é €"),
        (b"\x80", b"iso-8859-1", "€"),
        ("€".encode("utf-16"), b"", "€"),
        (b"abc-", b"punycode", "abc-"),
        (b"\\u0041", b"unicode_escape", "\\u0041"),
        (b"abc", b"\x00", "abc"),
        (b"abc", b"zlib", "abc"),
        (b'\x1b$B$"\x1b(B', b"iso-2022-jp", "あ"),
    ],
)
def test_charsets(data: bytes, charset: bytes, text: str) -> None:
    assert decode_charset(data, charset).replace("\ufffd\ufffd", "ÿþ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        (b"=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),
        (b"=?utf-8*en?q?a_b?=", "a b"),
        (b"=?x?y?z?= =?", "=?x?y?z?= =?"),
        (b"=?utf-8?b?!!?=", "!!"),
        ("roh: é".encode(), "roh: é"),
    ],
)
def test_encoded_words(value: bytes, text: str) -> None:
    assert decode_header(value) == text


def test_transfer_encodings_are_read_as_far_as_they_go() -> None:
    assert decode_transfer(b"aGVsbG8", b"base64") == b"hello"
    assert decode_transfer(b"aGVs\r\n bG8=\r\ntrailing words", b"base64") == b"hello"
    assert decode_transfer(b"a", b"base64") == b""
    assert decode_transfer(b"a=3Db=\r\nc=ZZ", b"quoted-printable") == b"a=bc=ZZ"
    assert decode_transfer(b"x", b"x-uuencode") == b"x"


def test_a_foreign_byte_in_base64_costs_no_more_than_its_block() -> None:
    text = b"the quick brown fox jumps over the lazy dog\r\n" * 20
    coded = base64.encodebytes(text)
    added, replaced = bytearray(coded), bytearray(coded)
    added.insert(30, 0x21)
    replaced[30] = 0x21
    assert decode_transfer(bytes(added), b"base64") == text
    got = decode_transfer(bytes(replaced), b"base64")
    assert len(got) == len(text) and sum(a != b for a, b in zip(got, text, strict=True)) <= 3


def test_base64_in_blocks_with_padding_of_their_own_and_with_a_footer() -> None:
    assert decode_transfer(b"aGk=aGVsbG8=", b"base64") == b"hihello"
    assert decode_transfer(b"aGk=\r\naGVsbG8=\r\n", b"base64") == b"hihello"
    footer = b"\r\n" + b"_" * 40 + b"\r\nA mailing list\r\nfooter\r\n"
    assert (
        decode_transfer(base64.encodebytes(b"text\r\n" * 30) + footer, b"base64")
        == b"text\r\n" * 30
    )
    assert decode_transfer(b"not encoded at all\r\n", b"base64") == b"not encoded at all\r\n"
    assert len(decode_transfer(b"ab=" * 100_000, b"base64")) >= 10_000


def test_quoted_printable_with_blanks_of_transport() -> None:
    assert decode_transfer(b"a= \t\r\nb =20 \r\nc", b"quoted-printable") == b"ab  \r\nc"


def test_undeclared_8_bit_text_is_windows_1252() -> None:
    assert render(b"\r\n\x93caf\xe9\x94 5 \x80").text == "“café” 5 €"
    assert render(b"Subject: caf\xe9\r\n\r\n").subject == "café"


def test_parameters_in_every_form() -> None:
    assert decode_parameter({b"n": b"=?utf-8?q?=C3=A9?="}, b"n") == "é"
    assert decode_parameter({b"n*": b"iso-8859-1'fr'%E9"}, b"n") == "é"
    assert decode_parameter({b"n*0": b"a", b"n*1*": b"%62", b"n*3": b"d"}, b"n") == "ab"
    assert decode_parameter({}, b"n") == ""
    assert decode_parameter({b"n": b"?", b"n*": b"utf-8''%E2%82%AC"}, b"n") == "€"
    assert decode_parameter({b"n*0": b"=?utf-8?q?=E2=82", b"n*1": b"=AC?="}, b"n") == "€"


def test_what_cannot_be_parsed_is_shown_as_an_excerpt() -> None:
    mail = render(MIXED + b"--b\r\n\r\n\x1bx\r\n" * (limits.MAX_MIME_PARTS + 1))
    assert not mail.parsed and mail.text.startswith("[not parsed: the mail has too many parts")
    assert "\x1b" not in mail.text and len(mail.text) < 5_000
    assert not render(b"a\0b").parsed
    for name in (b"Type: text/plain", b"Disposition: attachment"):
        assert not render(b"Content-" + name + b"; a=b" * 65 + b"\r\n\r\n").parsed


def test_a_mail_sealed_by_its_sender_says_so() -> None:
    mail = (
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n'
        b"\r\n--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\n\r\nsealed\r\n--b--\r\n"
    )
    shown = render(mail)
    assert shown.sealed and shown.unopened and len(shown.attachments) == 2
    assert "its sender sealed" in shown.notes[0]
    armored = b"-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n-----END PGP MESSAGE-----\r\n"
    inline = render(b"\r\nbefore\r\n" + armored + b"after")
    assert inline.sealed and "abc" in inline.text and inline.text.startswith("before")
    assert not render(b"\r\n> -----BEGIN PGP MESSAGE-----\r\n").sealed


def test_a_rendered_mail_has_the_bytes_of_each_attachment() -> None:
    mail = (
        MIXED + b"--b\r\n\r\nsee attached\r\n"
        b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="a.pdf"\r\n\r\n'
        + base64.encodebytes(b"x" * 100)
        + b"--b--\r\n"
    )
    assert render(mail).files == (b"x" * 100,)
