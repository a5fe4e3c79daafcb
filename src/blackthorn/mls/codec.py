"""Decodes bytes from outside as one whole value, or raises `MalformedMessage`."""

from collections.abc import Callable
from typing import TypeVar

from blackthorn.mls.errors import MalformedMessage
from blackthorn.mls.rules import Rule
from blackthorn.wire import tls

T = TypeVar("T")

_RULES: dict[type[tls.TLSDecodeError], Rule] = {
    tls.LengthFormError: Rule.SHORTEST_LENGTH,
    tls.PresenceError: Rule.PRESENCE,
    tls.TrailingBytesError: Rule.NOTHING_FOLLOWS,
}


def _malformed(what: str, error: tls.TLSDecodeError) -> MalformedMessage:
    return MalformedMessage(f"{what}: {error}", _RULES.get(type(error), Rule.SYNTAX))


def decode(read: Callable[[tls.Reader], T], data: bytes, what: str) -> T:
    """Decode all of `data`, allowing no trailing bytes. Raises `MalformedMessage`."""
    reader = tls.Reader(data)
    try:
        value = read(reader)
        reader.finish()
    except tls.TLSDecodeError as error:
        raise _malformed(what, error) from error
    return value


def decode_padded(read: Callable[[tls.Reader], T], data: bytes, what: str) -> T:
    """Decode `data` up to its padding, which must be zeros (RFC 9420, 6.3.1)."""
    reader = tls.Reader(data)
    try:
        value = read(reader)
    except tls.TLSDecodeError as error:
        raise _malformed(what, error) from error
    padding = reader.rest()
    if padding.count(0) != len(padding):
        raise MalformedMessage(f"{what}: the padding is not zero", Rule.PADDING_ZERO)
    return value
