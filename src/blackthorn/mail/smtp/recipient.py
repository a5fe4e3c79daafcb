"""Addresses to which mail leaves, and who a mail says has written it.

Recipients elsewhere may have local parts that no user here can have (RFC 5321, 4.1.2; RFC 6531);
their domain is a host name in ASCII.
"""

import re
from typing import Final

from blackthorn.errors import DecodeError, LimitError
from blackthorn.ids import Address
from blackthorn.mail import limits
from blackthorn.mail.mime.fields import Field
from blackthorn.wire.address import parse_address, parse_domain

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LOCAL: Final = re.compile(rf'{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])+"')
_ANGLE: Final = re.compile(rb"<([^<>\s]*)>\s*$")
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*+("?)', re.DOTALL)
"""A quoted string, or a quote without an end and all behind it, so that none is looked at twice."""


def parse_recipient(text: str) -> tuple[str, str]:
    """The address, its local part as it stands, and its domain in lower case.

    Raises DecodeError, or LimitError above MAX_PATH_BYTES.
    """
    if len(text.encode("utf-8", "replace")) > limits.MAX_PATH_BYTES:
        raise LimitError("the address is too long")
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or not text.isprintable():
        raise DecodeError("not an address such as alice@acme.example")
    domain = parse_domain(domain)
    return f"{local}@{domain}", domain


def parse_author(fields: list[Field]) -> Address:
    """The one address of the one From field (RFC 5322, 3.6.2). Raises DecodeError."""
    values = [value for name, value in fields if name == b"from"]
    if len(values) != 1:
        raise DecodeError("the mail needs one From field, with the sender's address")
    found = _ANGLE.search(values[0])
    text = found[1] if found else values[0].strip()
    name = _without_quoted(values[0][: found.start()]) if found else b""
    if b"<" in name or (b"@" in name and b"," in name):
        raise DecodeError("the From field names more than one address")
    try:
        return parse_address(text.decode("ascii"))
    except UnicodeDecodeError:
        raise DecodeError("the From field's address may hold ASCII letters only") from None


def _without_quoted(text: bytes) -> bytes:
    """A display name without its quoted strings and encoded words, in which an @ says nothing."""
    text = _QUOTED.sub(lambda found: b"" if found[1] else found[0], text)
    return re.sub(rb"=\?[^?\s]*\?[^?\s]*\?[^?\s]*\?=", b"", text)
