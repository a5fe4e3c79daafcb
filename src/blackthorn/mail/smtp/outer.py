"""Completes the outer header of a submitted mail (RFC 6409, 8): no Bcc, and a date and an id."""

import re
from email.utils import formatdate
from typing import Final

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(?:[^\r\n]|\r\n[ \t])*\r\n")
_REMOVED: Final = (b"bcc", b"resent-bcc", b"return-path")


def completed(content: bytes, now: int, message_id: str) -> bytes:
    """The mail, CRLF, without Bcc; Date and Message-ID are added where they are missing.

    `now` in Unix seconds; `message_id` without angles.
    """
    header, blank, body = content.partition(b"\r\n\r\n")
    header += b"\r\n"
    names = {found[1].lower() for found in _FIELD.finditer(header)}
    kept = _FIELD.sub(lambda found: b"" if found[1].lower() in _REMOVED else found[0], header)
    if b"date" not in names:
        kept = f"Date: {formatdate(now)}\r\n".encode() + kept
    if b"message-id" not in names:
        kept = f"Message-ID: <{message_id}>\r\n".encode() + kept
    return kept[:-2] + blank + body
