"""Sample e-mails for SMTP: plain, with an attachment, hostile, and sealed."""

from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import localtime, make_msgid

from blackthorn.crypto.openpgp_seal import parse_certificate, seal

SENDER = "carla@outside.example"

_NONE: Mapping[str, str] = {}


def _message(recipient: str, subject: str, body: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Carla Outside <{SENDER}>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain="outside.example")
    message.set_content(body)
    return message


def plain_mail(recipient: str, subject: str, body: str) -> bytes:
    return bytes(_message(recipient, subject, body))


def mail_with_attachment(recipient: str, subject: str, body: str, file_name: str) -> bytes:
    """A text with a picture of all 256 byte values."""
    message = _message(recipient, subject, body)
    content = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64
    message.add_attachment(content, maintype="image", subtype="png", filename=file_name)
    return bytes(message)


def hostile_mail(recipient: str, subject: str, body: str, file_name: str) -> bytes:
    """A mail that is legal enough to be accepted but hostile to parsers and terminals.

    Terminal escapes and a right-to-left override in text and file name, a path as a file name, an
    unknown charset, a hidden line break in the subject, thirty nested multiparts with unclosed and
    overlapping boundaries, a deeply nested sender, remote content.
    """
    escapes = "\x1b]0;owned\x07\x1b[2J\x1b[31m\u202e"
    head = [
        f"From: {'(' * 60}{')' * 60} <{SENDER}>",
        f"To: {recipient}",
        f"Subject: =?utf-8?q?{subject}=0D=0ABcc=3A_all=40{recipient.partition('@')[2]}?=",
        "Message-ID: <[>",
        "Date: Thu, 99 Foo 2026 99:99:99 +9999",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="b"',
        "",
    ]
    nest: list[str] = []
    for depth in range(30):
        outer, inner = "b" * (depth + 1), "b" * (depth + 2)
        nest += [f"--{outer}", f'Content-Type: multipart/mixed; boundary="{inner}"', ""]
    innermost = "b" * 31
    leaves = [
        f"--{innermost}",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 8bit",
        "",
        f"{body} {escapes} end",
        f"--{innermost}",
        'Content-Type: text/html; charset="x-no-such-charset"',
        "",
        '<img src="https://tracker.outside.example/seen"><script>alert(1)</script>',
        f"--{innermost}",
        'Content-Type: application/octet-stream; name="\x1b[2J"',
        f'Content-Disposition: attachment; filename="../../../etc/{file_name}"',
        "Content-Transfer-Encoding: base64",
        "",
        "!!!! not base64 at all ====",
        "--b--",
    ]
    return "\r\n".join(head + nest + leaves).encode() + b"\r\n"


WITH_FILE = {"attached": mail_with_attachment, "hostile": hostile_mail}
"""Kind → function that makes such a mail."""


def sealed_mail(
    recipient: str, body: str, certificate: bytes, now: int, protected: Mapping[str, str] = _NONE
) -> bytes:
    """A mail sealed by its sender (PGP/MIME, RFC 3156, 4); `protected` fields stand in the seal."""
    inner = EmailMessage()
    for name, value in protected.items():
        inner[name] = value
    inner.set_content(body)
    armored = seal(bytes(inner), parse_certificate(certificate), now=now)
    message = _message(recipient, "...", "")
    message.clear_content()
    kind = b'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="sealed"'
    parts = (
        b"--sealed\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n",
        b"--sealed\nContent-Type: application/octet-stream\n\n" + armored.strip() + b"\n",
        b"--sealed--\n",
    )
    # Behind the fields: `email` would write an empty multipart of its own.
    return bytes(message).rstrip() + b"\nContent-Type: " + kind + b"\n\n" + b"\n".join(parts)
