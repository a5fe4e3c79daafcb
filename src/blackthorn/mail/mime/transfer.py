"""Removes a Content-Transfer-Encoding (RFC 2045, 6) as far as it goes, in linear time.

Damaged mail keeps what is undamaged: one foreign byte costs a few bytes, never the part.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from typing import Final

from blackthorn.mail import limits

IDENTITY: Final = (b"", b"7bit", b"8bit", b"binary")

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN: Final = bytes(set(range(256)) - set(_ALPHABET + b"="))
_ONE_FOREIGN: Final = re.compile(b"[^" + re.escape(_ALPHABET) + b"=]")
_BLANKS: Final = b" \t\r\n"
_TOKEN: Final = re.compile(rb"[\s\"']*([\w-]*)")
_WHOLE_LINE: Final = 60
"""Letters of a line that is not a block's last one; encoders write 60 to 76."""
_FOREIGN_SHARE: Final = 8
"""A line of base64 has at most one foreign byte in so many; other lines are footers."""


def encoding_name(value: bytes) -> bytes:
    """The lower-case name in a Content-Transfer-Encoding field, without quotes and comments."""
    found = _TOKEN.match(value.lower())
    name = found[1] if found else b""
    return b"x-uuencode" if name in (b"uuencode", b"x-uue", b"uue") else name


def decode_transfer(body: bytes, encoding: bytes) -> bytes:
    """The body without its encoding, by the name of `encoding_name`; other ones change nothing."""
    if encoding == b"base64":
        return decode_base64(body)
    if encoding == b"quoted-printable":
        return _quoted_printable(body)
    return body


def decode_base64(data: bytes) -> bytes:
    """Base64 (RFC 4648, 4) with foreign bytes, in one or more padded blocks.

    A foreign byte that took a letter's place costs three bytes. Lines of plain text are left out;
    a body of nothing but such is returned as it is.
    """
    packed = data.translate(None, _BLANKS)
    try:
        return base64.b64decode(packed, validate=True)
    except binascii.Error:
        pass
    if data.count(b"\n") > limits.MAX_BASE64_LINES:
        return b"".join(_blocks(packed.translate(None, _FOREIGN)))
    kept = _base64_lines(data)
    if not kept and packed:
        return data
    return b"".join(_blocks(b"".join(kept)))


def _base64_lines(data: bytes) -> list[bytes]:
    """The lines of base64; behind a line of text only whole ones, since a footer has words."""
    kept: list[bytes] = []
    footer = False
    for raw in data.split(b"\n"):
        line = raw.strip()
        if b" " in line and line.partition(b" ")[0].endswith(b"="):
            line = line.partition(b" ")[0]  # the end of a block, and words behind it
        foreign = len(line) - len(line.translate(None, _FOREIGN))
        if foreign > max(1, len(line) // _FOREIGN_SHARE) or b" " in line:
            footer = True
        elif line and (not footer or len(line) >= _WHOLE_LINE):
            kept.append(_repaired(line))
    return kept


def _repaired(line: bytes) -> bytes:
    """A line of the length that lines have keeps it: then a letter was replaced, not added."""
    clean = line.translate(None, _FOREIGN)
    if len(line) % 4 == 0 and len(clean) % 4 and len(line) >= _WHOLE_LINE:
        return _ONE_FOREIGN.sub(b"A", line)
    return clean


def _blocks(text: bytes) -> Iterator[bytes]:
    """Decode blocks that end by padding; padding where no block can end is a foreign byte."""
    *pieces, rest = text.split(b"=", limits.MAX_BASE64_BLOCKS)
    block: list[bytes] = []
    size = 0
    for piece in (*pieces, rest.replace(b"=", b"")):
        if size % 4 in (2, 3) and piece:
            yield _block(b"".join(block))
            block, size = [], 0
        block.append(piece)
        size += len(piece)
    yield _block(b"".join(block))


def _block(letters: bytes) -> bytes:
    whole = letters[:-1] if len(letters) % 4 == 1 else letters
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _quoted_printable(data: bytes) -> bytes:
    """Blanks before a line's end are transport's and are deleted (RFC 2045, 6.7, rule 3)."""
    if b" \r\n" in data or b"\t\r\n" in data or b" \n" in data or b"\t\n" in data:
        lines = data.split(b"\n")
        data = b"\n".join(
            line[:-1].rstrip(b" \t") + b"\r" if line.endswith(b"\r") else line.rstrip(b" \t")
            for line in lines
        )
    return quopri.decodestring(data)
