"""The scanner: every bound with its reply, and time that grows with the bytes and no faster."""

from collections.abc import Callable
from contextlib import suppress
from time import process_time

import pytest

from blackthorn.mail import limits
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.scan import normalise, remove_dots, scan

MIB = 1024 * 1024
MULTIPART = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def nested(levels: int) -> bytes:
    """A multipart within a multipart, and so on."""
    head = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    return b"".join(head % (level, level) for level in range(levels)) + b"\r\nx\r\n"


@pytest.mark.parametrize(
    ("mail", "reply"),
    [
        (b"x" * (limits.MAX_MAIL_BYTES + 1), "552 5.3.4"),
        (b"\n" * (limits.MAX_MAIL_BYTES // 2 + 1), "552 5.3.4"),
        (b"\r\n\r\n" + b"x" * (limits.MAX_MAIL_LINE_BYTES + 1), "552 5.3.4"),
        (b"\r\n\r\n" + b"x" * (limits.MAX_MAIL_LINE_BYTES + 1) + b"\r\n", "552 5.3.4"),
        (b"A: b\r\n" * (limits.MAX_MAIL_HEADER_FIELDS + 1), "554 5.6.0"),
        (b"A: b\r\n" + b" c\r\n" * limits.MAX_MAIL_HEADER_LINES, "554 5.6.0"),
        (b"A: b\r\n" + (b" " + b"c" * 990 + b"\r\n") * 104, "552 5.3.4"),
        (b"Subject:" + b" =?utf-8?q?a?=" * (limits.MAX_ENCODED_WORDS + 1), "554 5.6.0"),
        (b"Content-Type: text/plain" + b"; a=b" * 65, "554 5.6.0"),
        (b"Content-Disposition: inline" + b"; a=b" * 65, "554 5.6.0"),
        (b"X: y\r\nContent-Type: a/b\r\nContent-Type: a/b" + b"; a=b" * 65, "554 5.6.0"),
        (MULTIPART + b"--b\r\n\r\n" * limits.MAX_MIME_PARTS, "554 5.6.0"),
        (nested(limits.MAX_MIME_DEPTH + 1), "554 5.6.0"),
        (b"Content-Type: message/rfc822\r\n\r\n" * (limits.MAX_MIME_DEPTH + 1), "554 5.6.0"),
        (MULTIPART + b"--x\r\n" * (limits.MAX_MIME_DASH_LINES + 1), "554 5.6.0"),
        (b"Received: by x\r\n" * (limits.MAX_HOPS + 1), "554 5.4.6"),
        (b"Subject: a\0b\r\n\r\n", "550 5.6.11"),
        (b"Subject: a\r\n\r\none\rtwo", "550 5.6.11"),
        (b"Subject: a\r\n\r\none\r\r\ntwo", "550 5.6.11"),
    ],
)
def test_beyond_a_bound_is_refused_by_its_reply(mail: bytes, reply: str) -> None:
    with pytest.raises(MailRefusedError) as refused:
        scan(mail)
    assert refused.value.reply.startswith(reply + " ")
    assert len(refused.value.reply) < 100


@pytest.mark.parametrize(
    "mail",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"\r\n\r\n" + b"x" * limits.MAX_MAIL_LINE_BYTES,
        b"\r\n\r\n" + (b"x" * limits.MAX_MAIL_LINE_BYTES + b"\r\n") * 3,
        b"A: b\r\n" * limits.MAX_MAIL_HEADER_FIELDS,
        b"Subject:" + b" =?utf-8?q?a?=" * limits.MAX_ENCODED_WORDS,
        b"Content-Type: text/plain" + b"; a=b" * limits.MAX_MIME_PARAMETERS,
        MULTIPART + b"--b\r\n\r\n" * (limits.MAX_MIME_PARTS - 1),
        nested(limits.MAX_MIME_DEPTH),
        b"Received: by x\r\n" * limits.MAX_HOPS,
        "Subject: été\r\n\r\nça".encode(),
        bytes(range(14, 256)) * 10,
    ],
)
def test_up_to_a_bound_is_kept_byte_for_byte(mail: bytes) -> None:
    assert scan(mail) == mail


def test_lone_line_feeds_become_line_ends() -> None:
    assert scan(b"A: b\nC: d\r\n\ne\n") == b"A: b\r\nC: d\r\n\r\ne\r\n"
    assert normalise(b"\n\n\r\n") == b"\r\n\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (b"", b""),
        (b"..\r\n", b".\r\n"),
        (b".a\r\n...b\r\n", b"a\r\n..b\r\n"),
        (b"a.\r\n b..\r\n", b"a.\r\n b..\r\n"),
        (b"a\n..b\n.c\n...d", b"a\n.b\n.c\n..d"),
        (b"a\r\n..b\n..c", b"a\r\n.b\n.c"),
    ],
)
def test_doubled_dots_are_removed(sent: bytes, meant: bytes) -> None:
    assert remove_dots(sent) == meant


def attempt(function: Callable[[bytes], object], data: bytes) -> float:
    """CPU seconds that `function` takes, refusing or not: the best of three."""
    best = 10.0
    for _ in range(3):
        start = process_time()
        with suppress(MailRefusedError):
            function(data)
        best = min(best, process_time() - start)
    return best


ADVERSARIAL = {
    "line feeds": b"\n" * MIB,
    "line ends": b"\r\n" * (MIB // 2),
    "dashes": MULTIPART + b"\r\n--" * (MIB // 4),
    "near delimiters": MULTIPART + b"--bx\r\n" * (MIB // 6),
    "delimiters": MULTIPART + b"--b\r\n" * (MIB // 5),
    "fields": b"a:b\r\n" * (MIB // 5),
    "folds": b"a:\r\n" + b" \r\n" * (MIB // 3),
    "semicolons": b"Content-Type: a/b" + b";" * 60_000,
    "escapes": b'Content-Type: a/b; c="' + b'\\"' * 30_000,
    "equals": b"Content-Type: a/b;" + b"=" * 60_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 4_000,
    "headers in parts": MULTIPART + (b"--b\r\n" + b"x:y\r\n" * 900 + b"\r\n") * 230,
    "deep, then dashes": nested(45) + b"\r\n--b" * (MIB // 5),
    "one boundary, nested": (MULTIPART + b"--b\r\n") * (MIB // 50),
    "attached messages": b"Content-Type: message/rfc822\r\n\r\n" * (MIB // 32),
    "one long line": b"a" * MIB,
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_of_malice_takes_little_time(name: str) -> None:
    """Fault 36: about 50 ms for 1 MB; twice that, since cores are shared."""
    assert attempt(scan, ADVERSARIAL[name]) < 0.1
    assert attempt(remove_dots, ADVERSARIAL[name]) < 0.1
