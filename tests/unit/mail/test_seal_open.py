"""Sealing and opening: the original comes back byte for byte, and the outside tells nothing."""

import random
from dataclasses import replace

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.crypto.tls_keys import key_fingerprint, make_key, signer
from blackthorn.mail.pgp.notice import Reader, sign_notice
from blackthorn.mail.pgp.open import open_mail
from blackthorn.mail.pgp.seal import BY_SENDER, Envelope, seal_mail, trace_block

NOW = 1_900_000_000
KEY, CERTIFICATE = generate_user_key("alice@acme.example")
ENVELOPE = Envelope(
    domain="acme.example",
    address="alice@acme.example",
    sender="eve@example.net",
    helo="mx.example.net",
    peer="192.0.2.7",
    tls=True,
    now=NOW,
)
MAIL = b"From: eve@example.net\r\nSubject: the secret plan\r\n\r\nAttack at dawn.\r\n"


def sealed(content: bytes = MAIL, envelope: Envelope = ENVELOPE, seed: int = 1) -> bytes:
    return seal_mail(
        content, envelope, parse_certificate(CERTIFICATE), random.Random(seed).randbytes
    )


@pytest.mark.parametrize("content", [MAIL, b"", b"\r\n", b" folded\r\n", bytes(range(256)) * 300])
def test_the_original_comes_back(content: bytes) -> None:
    opened = open_mail(sealed(content), KEY)
    assert opened.content == content
    assert opened.marked and opened.readable_on_the_way


@pytest.mark.parametrize("size", [1, 4_096, 1_000_000, 4_000_000])
def test_a_sealed_mail_has_at_most_1_4_times_its_size(size: int) -> None:
    """Armor in lines of 64 makes 1.375 of it; keys, trace and the outer fields 3 kB."""
    content = random.Random(size).randbytes(size)
    assert len(sealed(content)) <= 1.4 * size + 4_096


def test_the_outside_tells_owner_and_time_only() -> None:
    outside = sealed()
    head, _, _ = outside.partition(b"\r\n\r\n")
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert names == [
        b"From", b"To", b"Subject", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type",
    ]  # fmt: skip
    for hidden in (b"eve", b"example.net", b"192.0.2.7", b"secret", b"dawn"):
        assert hidden not in outside
    assert b"Subject: [...]\r\n" in outside and b"To: alice@acme.example\r\n" in outside
    assert all(len(line) <= 200 for line in outside.split(b"\r\n"))


def test_randomness_and_time_are_arguments() -> None:
    def outer(data: bytes) -> bytes:
        return data.partition(b"-----BEGIN")[0]

    assert outer(sealed(seed=5)) == outer(sealed(seed=5)) != outer(sealed(seed=6))
    assert b"Date: Sun, 17 Mar 2030 17:46:40" in outer(sealed())


def test_the_trace_says_how_the_mail_came() -> None:
    trace = open_mail(sealed(), KEY).trace
    assert trace.startswith(
        b"Blackthorn-Readable-On-The-Way: yes; received in the clear by acme.example;"
    )
    assert b"Return-Path: <eve@example.net>\r\n" in trace
    assert b"Received: from mx.example.net ([192.0.2.7])\r\n by acme.example with ESMTPS;" in trace


PUBLIC, SIGN = signer(make_key(random.Random(3).randbytes))
READER = Reader("alice@acme.example", key_fingerprint(PUBLIC))
OWN = replace(ENVELOPE, own=True)


def test_a_mail_of_the_servers_own_is_told_from_a_mail_that_came() -> None:
    notice = sign_notice(MAIL, READER.address, PUBLIC, SIGN)
    own = open_mail(sealed(notice, OWN), KEY, READER)
    assert own.content == MAIL and own.own and not own.marked and not own.readable_on_the_way
    assert own.trace.startswith(b"Blackthorn-Readable-On-The-Way: no; written by acme.example;")
    assert not open_mail(sealed(notice, OWN), KEY).own


def test_what_looks_like_the_servers_own_needs_its_signature() -> None:
    """A colleague seals whatever they like: block, field and all."""
    notice = sign_notice(MAIL, READER.address, PUBLIC, SIGN)
    key, sign = signer(make_key(random.Random(4).randbytes))
    for forged in (
        MAIL,
        sign_notice(MAIL, READER.address, key, sign),
        sign_notice(MAIL, "bob@acme.example", PUBLIC, SIGN),
        notice + b"more",
        notice.replace(b"dawn", b"dusk") if b"dawn" in notice else notice[:-3] + b"x\r\n",
        b"X: y\r\n" + notice,
        notice.replace(b"key=", b"key=A", 1),
    ):
        opened = open_mail(sealed(forged, OWN), KEY, READER)
        assert opened.content == forged and not opened.own and opened.readable_on_the_way
    assert not open_mail(sealed(notice), KEY, READER).own  # as it would come from outside


@pytest.mark.parametrize("sender", ["postmaster@acme.example", "a>\r\nno; written by x"])
def test_a_stranger_cannot_pass_a_mail_off_as_the_servers_own(sender: str) -> None:
    block = trace_block(replace(ENVELOPE, own=True, sender="postmaster@acme.example"))
    forged = block + b"From: postmaster@acme.example\r\nSubject: hello\r\n\r\nPay at once.\r\n"
    envelope = replace(ENVELOPE, sender=sender, helo="localhost", peer="127.0.0.1")
    opened = open_mail(sealed(forged, envelope), KEY, READER)
    assert opened.content == forged and opened.marked
    assert not opened.own and opened.readable_on_the_way


@pytest.mark.parametrize("evil", ["a\r\nBcc: x", "a\nb", "a>b", "\x1b[0m", "\u202e", "x" * 5_000])
def test_a_peer_cannot_write_fields_into_the_trace(evil: str) -> None:
    envelope = Envelope("acme.example", "alice@acme.example", evil, evil, evil, False, NOW)
    block = trace_block(envelope)
    lines = block.split(b"\r\n")
    assert len(lines) == 6 and lines[-1] == b"" and b"\n" not in b"".join(lines)
    assert len(block) < 2_000
    assert open_mail(sealed(envelope=envelope), KEY).content == MAIL


def test_a_colleague_cannot_write_the_block_of_the_sealing_server() -> None:
    """Their mail is stored behind a line that the server writes, and judged by its signature."""
    forged = sealed(b"From: boss@acme.example\r\n\r\nPay at once.\r\n")
    opened = open_mail(BY_SENDER + forged, KEY, READER)
    assert opened.by_sender and not opened.trace and not opened.marked
    assert open_mail(forged, KEY, READER).trace
