"""Canonical forms of header fields and bodies (RFC 6376, 3.4), in linear time.

A body is taken in pieces, so that a thread that hashes a large one lets others run. dkimpy's forms
are the tests' oracle: its patterns take quadratic time on long runs of blanks.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from blackthorn.mail.authentication import limits
from blackthorn.mail.authentication.fields import RawField

_BLANKS: Final = re.compile(rb"[ \t]+")
_GAP: Final = re.compile(rb"[ \t\r\n]*")


def relaxed_field(field: RawField) -> bytes:
    """One field with its CRLF (3.4.2)."""
    value = _BLANKS.sub(b" ", field.value.replace(b"\r\n", b"")).strip(b" ")
    return field.name + b":" + value + b"\r\n"


def canonical_field(field: RawField, relaxed: bool) -> bytes:
    """One field with its CRLF, in either form."""
    return relaxed_field(field) if relaxed else field.raw


def body_hash(body: bytes, relaxed: bool) -> tuple[bytes, int]:
    """SHA-256 of the canonical body, and its size."""
    digest, size = hashlib.sha256(), 0
    for piece in canonical_body(body, relaxed):
        digest.update(piece)
        size += len(piece)
    return digest.digest(), size


def canonical_body(body: bytes, relaxed: bool) -> Iterator[bytes]:
    """The body (3.4.3, 3.4.4), in pieces of about BODY_PIECE_BYTES."""
    ends = b""  # line ends that are of the body only if something follows
    empty = True
    for piece in _pieces(body):
        form = _relaxed(piece) if relaxed else piece
        text = form.rstrip(b"\r\n")
        if text:
            yield ends + text
            ends, empty = form[len(text) :], False
        else:
            ends += form
    if not (relaxed and empty):
        yield b"\r\n"


def _pieces(body: bytes) -> Iterator[bytes]:
    """Cut before a character of text, so that blanks and line ends that belong together stay so.

    What stands for the end of the last line is added when it is missing.
    """
    start = 0
    while start < len(body):
        found = _GAP.match(body, start + limits.BODY_PIECE_BYTES)
        end = len(body) if found is None else found.end()
        last = end == len(body) and not body.endswith(b"\r\n")
        yield body[start:end] + b"\r\n" if last else body[start:end]
        start = end


def _relaxed(piece: bytes) -> bytes:
    if b" " not in piece and b"\t" not in piece:
        return piece
    return _BLANKS.sub(b" ", piece).replace(b" \r\n", b"\r\n")


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
