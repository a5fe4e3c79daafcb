"""What counts as a sealed mail: PGP/MIME around encrypted packets and nothing else."""

import base64
import random

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from blackthorn.mail.pgp.sealed import NotSealedError, check_sealed

_, CERTIFICATE = generate_user_key("alice@acme.example")
ENVELOPE = Envelope("acme.example", "alice@acme.example", "", "", "", False, 1_900_000_000)


def sealed(size: int = 100) -> bytes:
    content = b"Subject: secret\r\n\r\n" + bytes(n % 251 for n in range(size))
    return seal_mail(content, ENVELOPE, parse_certificate(CERTIFICATE), random.Random(1).randbytes)


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def mail(packets: bytes, checksum: str = "=AAAA\n") -> bytes:
    lines = base64.encodebytes(packets).decode() + checksum
    armored = f"-----BEGIN PGP MESSAGE-----\n\n{lines}-----END PGP MESSAGE-----\n"
    head, _, rest = sealed().partition(b"-----BEGIN")
    tail = rest.partition(b"END PGP MESSAGE-----")[2]
    return head + armored.replace("\n", "\r\n").encode() + tail


KEY, DATA = packet(1, bytes(50)), packet(18, b"\x02" + bytes(80))


@pytest.mark.parametrize("size", [0, 1, 100, 5_000, 300_000])
def test_what_our_sealing_makes_is_sealed(size: int) -> None:
    check_sealed(sealed(size))


@pytest.mark.parametrize(
    "packets",
    [
        KEY + DATA,
        packet(3, bytes(20)) + DATA,
        packet(10, b"PGP") + KEY + KEY + packet(20, bytes(40)) + packet(21, bytes(9)),
        KEY + b"\xd2\xe9" + bytes(512) + b"\x05" + bytes(5),
        bytes([0x84, 50]) + bytes(50) + bytes([0xC0 | 18, 192, 8]) + bytes(200),
    ],
)
def test_other_programs_packets_are_sealed(packets: bytes) -> None:
    check_sealed(mail(packets))
    check_sealed(mail(packets, checksum=""))


@pytest.mark.parametrize(
    "packets",
    [
        b"",
        b"Attack at dawn.",
        KEY,
        DATA,
        packet(11, b"t\0\0\0\0\0Attack at dawn.") + KEY + DATA,
        KEY + DATA + packet(11, b"t\0\0\0\0\0Attack at dawn."),
        KEY + DATA + b"Attack at dawn.",
        KEY + packet(8, bytes(9)),
        KEY + DATA + DATA,
        KEY + DATA[:-1],
        KEY + b"\xd2\xe1" + bytes(2) + b"\x05" + bytes(5),
        KEY + b"\xd2\xff\xff\xff\xff\xff" + bytes(80),
        KEY + b"\xd2",
    ],
)
def test_other_packets_are_not(packets: bytes) -> None:
    with pytest.raises(NotSealedError):
        check_sealed(mail(packets))


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (b"Subject: [...]", b"Subject: the plan", "subject"),
        (b"Subject: [...]", b"Subject: ...\r\nThread-Topic: the plan", "thread-topic"),
        (b"Version: 1\r\n\r\n--", b"Attack at dawn.\r\n--", "beside"),
        (b"-----BEGIN", b"Attack at dawn.\r\n-----BEGIN", "something else"),
        (b"-----END PGP MESSAGE-----\r\n", b"-----END PGP MESSAGE-----\r\nDawn.\r\n", "something"),
        (b"multipart/encrypted", b"multipart/mixed", "not encrypted"),
        (b"application/octet-stream", b"text/plain", "RFC 3156"),
        (b'protocol="application/pgp-encrypted"', b"protocol=x", "RFC 3156"),
        (b"\r\n\r\n--", b"\r\n\r\nAttack at dawn.\r\n--", "beside"),
    ],
)
def test_text_beside_the_sealed_part_is_found(before: bytes, after: bytes, word: str) -> None:
    changed = sealed().replace(before, after, 1)
    assert changed != sealed()
    with pytest.raises(NotSealedError, match=word):
        check_sealed(changed)


def test_text_behind_the_last_part_is_found() -> None:
    with pytest.raises(NotSealedError, match="beside"):
        check_sealed(sealed() + b"Attack at dawn.\r\n")


def test_the_sentence_of_mail_programs_may_stand_before() -> None:
    told = b"This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)"
    check_sealed(sealed().replace(b"\r\n\r\n--", b"\r\n\r\n" + told + b"\r\n--", 1))


@pytest.mark.parametrize("content", [b"", b"\r\n", b"Subject: a\r\n\r\nAttack at dawn.\r\n"])
def test_plain_mail_is_not_sealed(content: bytes) -> None:
    with pytest.raises(NotSealedError, match="encryption"):
        check_sealed(content)
