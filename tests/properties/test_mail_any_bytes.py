"""Any bytes at all: one exception type from the scanner, none from the renderer."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.mail.errors import MailRefusedError, SealBrokenError
from blackthorn.mail.mime.scan import normalise, remove_dots, scan
from blackthorn.mail.mime.structure import parse, walk
from blackthorn.mail.mime.transfer import decode_base64
from blackthorn.mail.pgp.open import open_mail
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from blackthorn.mail.render.calendar import calendar_text
from blackthorn.mail.render.html_text import html_text
from blackthorn.mail.render.render import render, render_head
from blackthorn.mail.render.walk import MESSAGE, SEALED, SIGNED
from blackthorn.mail.smtp.path import parse_path
from blackthorn.mail.unpack.smime import read_smime
from blackthorn.mail.unpack.tnef import SIGNATURE, read_tnef
from blackthorn.mail.unpack.uuencode import find_uuencoded
from tests.support import runs
from tests.support.work import Work

KEY, CERTIFICATE = generate_user_key("alice@acme.example")
PARSED = parse_certificate(CERTIFICATE)
UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: multipart/alternative; boundary=\"b\"\r\n",
    b"Content-Type: multipart/digest; boundary=bb\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html; charset=utf-7\r\n",
    b"Content-Type: text/plain; charset=iso-2022-jp\r\n",
    b"Content-Type: text/plain; name*0*=utf-8''%E2; name*1=\"\\\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename=\"../x\"\r\n",
    b"Subject: =?utf-8?q?a=0D=0Ab?= =?utf-8?b?4oI?= =?\r\n",
    b"From: ((((<a@b\r\n",
    b"Received: by x\r\n",
    b"--b\r\n", b"--b--\r\n", b"--bb\r\n", b"--", b"\r\n", b"\n", b"\r", b".", b"..", b" ", b"\t",
    b"<p>", b"<a href='x:y'>", b"<!--", b"<script>", b"&#x1b;", b"&#99999999999;", b"=1B=9B",
    b"Content-Type: multipart/related; boundary=b; start=x\r\n",
    b"Content-Type: multipart/signed; boundary=b\r\n",
    b"Content-Type: text/plain; format=flowed\r\n",
    b"Content-Type: multipart/encrypted; boundary=b\r\n", b"Content-Type: text/enriched\r\n",
    b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:x\r\n",
    b"END:VEVENT\r\nEND:VCALENDAR\r\n", b"Content-Type: application/pkcs7-mime\r\n",
    b"Content-Type: application/ms-tnef\r\n\r\n\x78\x9f\x3e\x22\x01\x00",
    b"-----BEGIN PGP MESSAGE-----\r\n\r\n", b"\r\n-----END PGP MESSAGE-----\r\n",
    b"-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\n", b"\r\n-----BEGIN PGP SIGNATURE-----\r\n",
    b"begin 644 x\r\n", b"#86)C\r\n", b"`\r\nend\r\n", b"<table><tr><td>", b"</table>", b"<li>",
    b"<div style='display:none'>", b"<blockquote>", b"<img alt='", b"'>", b"</a>", b"<svg>",
    b"\xe2\x80\xae", b"\x1b[2J", b"\x00", b"\xff", b"aGVsbG8=", b"text",
]  # fmt: skip
MAILS = st.one_of(
    st.binary(max_size=2_000),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=60).map(b"".join),
)
many = settings(max_examples=runs.many(400), suppress_health_check=[HealthCheck.too_slow])


@many
@given(MAILS)
def test_the_scanner_returns_or_refuses(data: bytes) -> None:
    try:
        content = scan(data)
    except MailRefusedError as error:
        assert re.fullmatch(r"5\d\d 5\.\d+\.\d+ [ -~]{1,80}", error.reply)
        return
    assert content.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")
    assert b"\0" not in content and content.count(b"\n") == content.count(b"\r\n")
    assert content.count(b"\r") == content.count(b"\n")
    assert scan(content) == content


@many
@given(MAILS)
def test_the_tree_lies_within_the_mail(data: bytes) -> None:
    try:
        content = normalise(data)
        root = parse(content)
    except MailRefusedError:
        return
    for part in walk(root):
        assert 0 <= part.start <= part.end <= len(content)
        for child in part.children:
            assert child.depth == part.depth + 1


@many
@given(MAILS)
def test_rendering_never_raises_and_is_always_safe(data: bytes) -> None:
    with Work() as work:
        mail = render(data, lambda armored: armored)
    assert work.calls < 60_000
    lines = (mail.sender, mail.to, mail.cc, mail.subject, mail.date)
    assert not any("/" in each.name or "\\" in each.name for each in mail.attachments)
    names = [text for each in mail.attachments for text in (each.name, each.type)]
    for text in (*lines, *names):
        assert not UNSAFE.search(text) and "\n" not in text
    assert not UNSAFE.search(mail.text)
    assert not any(UNSAFE.search(note) or "\n" in note for note in mail.notes)
    heads = {
        SEALED,
        MESSAGE,
        *(SIGNED.format(kind) for kind in ("OpenPGP", "S/MIME", "a signature")),
    }
    assert {each.head.removeprefix("end: ") for each in mail.sections} <= heads | {""}
    assert len(mail.files) == len(mail.attachments)
    head = render_head(data, lambda armored: armored)
    assert (head.sender, head.subject, head.date) == (mail.sender, mail.subject, mail.date)


@settings(max_examples=runs.many(60))
@given(MAILS, st.text(max_size=400), st.text(max_size=400), st.randoms(use_true_random=False))
def test_sealing_and_opening_is_the_identity(data: bytes, sender: str, helo: str, random) -> None:
    envelope = Envelope("acme.example", "alice@acme.example", sender, helo, "::1", False, 2**31)
    opened = open_mail(seal_mail(data, envelope, PARSED, random.randbytes), KEY)
    assert opened.content == data and opened.marked


@many
@given(MAILS)
def test_opening_anything_else_is_one_error(data: bytes) -> None:
    try:
        open_mail(data, KEY)
    except SealBrokenError as error:
        assert "\n" not in str(error)
    else:
        raise AssertionError("opened what was never sealed")


def stuff(lines: list[bytes], end: bytes) -> bytes:
    """Lines as a client sends them, dots doubled."""
    return b"".join((b"." + line if line.startswith(b".") else line) + end for line in lines)


@many
@given(
    st.lists(st.binary(max_size=6).filter(lambda line: not set(line) & {0, 10, 13}), max_size=20)
)
def test_dots_come_and_go(lines: list[bytes]) -> None:
    for end in (b"\r\n", b"\n"):
        meant = b"".join(line + end for line in lines)
        if end == b"\r\n" or not lines or not lines[0].startswith(b"."):
            assert remove_dots(stuff(lines, end)) == meant


@many
@given(st.text(max_size=100))
def test_paths_never_raise(text: str) -> None:
    found = parse_path(text)
    assert found is None or found[0].isprintable()


@many
@given(st.binary(max_size=600))
def test_containers_of_any_bytes_never_raise(data: bytes) -> None:
    read_tnef(SIGNATURE + b"\x01\x00" + data)
    read_smime(data)
    find_uuencoded(b"begin 644 x\n" + data + b"\nend\n")
    decode_base64(data)
    calendar_text("BEGIN:VCALENDAR\n" + data.decode("latin-1") + "\nEND:VCALENDAR\n")


@many
@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "<b>",
                "</p>",
                "<table>",
                "<td>",
                "<tr>",
                "</table>",
                "<a",
                "href=x>",
                "</a>",
                "<ul>",
                "<li>",
                "</ul>",
                "<select>",
                "<svg>",
                "<math>",
                "<desc>",
                "<template>",
                "<form>",
                "<button>",
                "x",
                "&",
                "&amp;",
                "<!--",
                "-->",
                "<br>",
                "<td",
                "style=font-size:0>",
                "<pre>",
                "<frameset>",
                "<body>",
                "</body>",
                "</html>",
                "<title>",
                "<textarea>",
                "<dd>",
            ]
        )
    )
)
def test_html_of_any_tags_never_raises(tags: list[str]) -> None:
    found = html_text("".join(tags))
    assert not found.cut or "cut here" in found.text
