"""The Autocrypt header field (Autocrypt Level 1, 2.1): written for own mail, read of others'.

What a header says is as trustworthy as the sender's address, which anyone can forge: it is the last
source of a certificate (`device.mail.outside_keys`).
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import DecodeError
from blackthorn.ids import Address
from blackthorn.mail import limits
from blackthorn.wire.address import parse_address

_LINE: Final = 76
_KNOWN: Final = ("addr", "prefer-encrypt", "keydata")
_ATTRIBUTE: Final = re.compile(r"\s*(_?[A-Za-z0-9-]+)\s*=\s*([^;]*)")


@dataclass(frozen=True, slots=True)
class Autocrypt:
    """A parsed field: whose certificate it is, and the certificate, binary and unchecked."""

    address: Address
    certificate: bytes = field(repr=False)


def autocrypt_field(address: Address, certificate: bytes) -> str:
    """The value of the field `Autocrypt` for own mail, folded with CRLF and one space.

    Asks for sealed answers (`prefer-encrypt=mutual`). `certificate` is binary: the one for other
    programs if there is one.
    """
    text = base64.b64encode(certificate).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\r\n ".join([f"addr={address}; prefer-encrypt=mutual; keydata=", *lines])


def parse_autocrypt(value: str, sender: str) -> Autocrypt | None:
    """What a field says, or None when it is malformed, too large, or not of the mail's `sender`.

    The caller passes the field only when the mail has exactly one for this sender, as Level 1 asks.
    """
    if len(value) > limits.MAX_AUTOCRYPT_CHARS:
        return None
    found: dict[str, str] = {}
    for part in value.split(";"):
        attribute = _ATTRIBUTE.fullmatch(part)
        name = attribute[1].lower() if attribute else ""
        if attribute is None or name in found:
            return None
        if name not in _KNOWN and not name.startswith("_"):
            return None  # a critical attribute that is not known
        found[name] = attribute[2].strip()
    try:
        address = parse_address(found.get("addr", ""))
        if address != parse_address(sender):
            return None
        data = base64.b64decode("".join(found.get("keydata", "").split()), validate=True)
    except (DecodeError, binascii.Error, ValueError):
        return None
    return Autocrypt(address, data) if data else None
