"""Mail addresses for access decisions: one strict form.

An ASCII dot-atom (RFC 5322, 3.2.3), `@`, and a host name of at least two labels (RFC 1123, 2.1), in
lower case. Quoted local parts, address literals, display names, comments and white space, which two
parsers could read differently, are refused.
"""

import re

from blackthorn.errors import DecodeError
from blackthorn.ids import Address
from blackthorn.wire import limits

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


def parse_domain(text: str) -> str:
    """The domain in lower case, at most 253 bytes. Raises DecodeError."""
    lowered = _lower_ascii(text)
    if len(lowered) > 253 or not _DOMAIN.fullmatch(lowered):
        raise DecodeError("the domain is not a host name such as acme.example")
    return lowered


def parse_address(text: str) -> Address:
    """The normalised address, at most 254 bytes. Raises DecodeError."""
    local_part, at, domain = _lower_ascii(text).partition("@")
    if not at or len(text) > limits.MAX_ADDRESS_BYTES:
        raise DecodeError("not an address such as alice@acme.example")
    if len(local_part) > limits.MAX_LOCAL_PART_BYTES or not _LOCAL_PART.fullmatch(local_part):
        raise DecodeError("the part before the @ may hold ASCII letters, digits, dots and dashes")
    return Address(f"{local_part}@{parse_domain(domain)}")


def domain_of(address: Address) -> str:
    return address.rpartition("@")[2]


def _lower_ascii(text: str) -> str:
    if not text.isascii():
        raise DecodeError("an address may hold ASCII letters only")
    return text.lower()
