"""Header fields of a mail as lines to show (RFC 5322, RFC 2047, RFC 6532)."""

import re
from collections.abc import Iterator
from typing import Final

from blackthorn.mail import limits
from blackthorn.mail.mime.fields import Field, first
from blackthorn.mail.render.text import decode_header, safe_line

_SPECIAL: Final = re.compile(r"[<>@,;:\\\"\[\]]")
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[^",<>]++|.', re.DOTALL)
"""A quote without an end reaches to the field's, so that no other quote is looked at twice."""


def header_line(fields: list[Field], name: bytes) -> str:
    """The first field of a lower-case name, on one line; "" if absent."""
    return safe_line(decode_header(first(fields, name)))


def address_line(fields: list[Field], name: bytes) -> str:
    """All fields of a name that holds addresses.

    A name that looks like an address stands in quotes, so that it is not taken for the address, and
    a long one is cut, so that the address is not.
    """
    values = [value for key, value in fields if key == name]
    joined = b", ".join(values)[: limits.MAX_MAIL_HEADER_BYTES]
    return safe_line(", ".join(text for text in map(_mailbox, _split(joined)) if text))


def _split(value: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Phrase and address of each entry of a list, by commas outside quotes and brackets."""
    phrase: list[bytes] = []
    address: list[bytes] | None = None
    closed = False
    for found in _TOKENS.finditer(value):
        token = found[0]
        if token == b"<" and address is None:
            address = []
        elif token == b">" and address is not None:
            closed = True
        elif token == b"," and (address is None or closed):
            yield b"".join(phrase), b"".join(address or ())
            phrase, address, closed = [], None, False
        elif address is not None and not closed:
            address.append(token)
        else:
            phrase.append(token)
    yield b"".join(phrase), b"".join(address or ())


def _mailbox(entry: tuple[bytes, bytes]) -> str:
    phrase, address = entry[0].strip(), entry[1].strip()
    if not address:
        return decode_header(phrase)
    quoted = len(phrase) > 1 and phrase.startswith(b'"') and phrase.endswith(b'"')
    name = decode_header(re.sub(rb"\\(.)", rb"\1", phrase[1:-1]) if quoted else phrase).strip()
    name = safe_line(name, limits.MAX_RENDERED_NAME_CHARS)
    if _SPECIAL.search(name):
        name = '"' + name.replace('"', "'") + '"'
    return f"{name} <{decode_header(address)}>".lstrip()
