"""Canonical forms of header fields and bodies (RFC 6376, 3.4), in linear time.

dkimpy's forms are the tests' oracle: its patterns take quadratic time on long runs of blanks.
"""

import re
from typing import Final

from blackthorn.mail.authentication.fields import RawField

_BLANKS: Final = re.compile(rb"[ \t]+")


def relaxed_field(field: RawField) -> bytes:
    """One field with its CRLF (3.4.2)."""
    value = _BLANKS.sub(b" ", field.value.replace(b"\r\n", b"")).strip(b" ")
    return field.name + b":" + value + b"\r\n"


def canonical_field(field: RawField, relaxed: bool) -> bytes:
    """One field with its CRLF, in either form."""
    return relaxed_field(field) if relaxed else field.raw


def canonical_body(body: bytes, relaxed: bool) -> bytes:
    """The body (3.4.3, 3.4.4)."""
    if relaxed:
        body = _BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n")
        body = body.removesuffix(b" ")
    body = body.rstrip(b"\r\n")
    return body + b"\r\n" if body or not relaxed else b""


def without_signature(field: RawField) -> RawField:
    """A signature's field with the value of its b= tag taken out (3.5)."""
    colon = field.raw.index(b":") + 1
    pieces = field.raw[colon:].split(b";")
    for number, piece in enumerate(pieces):
        name, equals, value = piece.partition(b"=")
        if equals and name.strip() == b"b":
            end = b"\r\n" if number == len(pieces) - 1 and value.endswith(b"\r\n") else b""
            pieces[number] = name + equals + end
    return RawField(field.name, field.raw[:colon] + b";".join(pieces))
