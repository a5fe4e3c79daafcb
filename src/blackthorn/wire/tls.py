"""TLS presentation language (RFC 8446, 3) with RFC 9420's variable-length vectors (2.1.2).

Integers, vectors and optionals, both ways; `Reader` raises only `TLSDecodeError`.
"""

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

from blackthorn.errors import DecodeError
from blackthorn.wire import limits

T = TypeVar("T")

_VARINT_MAX = 2**30 - 1


class TLSDecodeError(DecodeError):
    """The bytes are no valid TLS presentation."""


class LengthFormError(TLSDecodeError):
    """A vector's length is not in its shortest form."""


class PresenceError(TLSDecodeError):
    """An optional value starts with neither 0 nor 1."""


class TrailingBytesError(TLSDecodeError):
    """Bytes follow the end of the value."""


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Big-endian, as all integers."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def varint(value: int) -> bytes:
    """A length header of one, two or four bytes, the shortest that holds it (2.1.2)."""
    if value < 0x40:
        return value.to_bytes(1, "big")
    if value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if value <= _VARINT_MAX:
        return (value | 0x8000_0000).to_bytes(4, "big")
    raise ValueError("a vector cannot be longer than 2**30 - 1 bytes")


def opaque(data: bytes) -> bytes:
    """`opaque data<V>`."""
    return varint(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """`T items<V>` of encoded items."""
    return opaque(b"".join(items))


def optional(item: bytes | None) -> bytes:
    """`optional<T>` of an encoded item."""
    return b"\x00" if item is None else b"\x01" + item


class Reader:
    """Reads `data` from the front; checks every length before use."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end

    def _take(self, size: int) -> int:
        start = self.position
        if size > self.end - start:
            raise TLSDecodeError("the bytes end before the value does")
        self.position = start + size
        return start

    def take(self, size: int) -> bytes:
        start = self._take(size)
        return self.data[start : self.position]

    def u8(self) -> int:
        return self.data[self._take(1)]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def varint(self) -> int:
        """A length header; only its shortest form is valid (2.1.2)."""
        first = self.u8()
        prefix = first >> 6
        if prefix == 0:
            return first
        if prefix == 1:
            value = (first & 0x3F) << 8 | self.u8()
            shortest = value >= 0x40
        elif prefix == 2:
            value = (first & 0x3F) << 24 | int.from_bytes(self.take(3), "big")
            shortest = value >= 0x4000
        else:
            raise LengthFormError("a vector length starts with the invalid prefix 11")
        if not shortest:
            raise LengthFormError("a vector length is not in its shortest form")
        return value

    def opaque(self) -> bytes:
        """An `opaque<V>`."""
        return self.take(self.varint())

    def vector(self, read: Callable[["Reader"], T]) -> list[T]:
        """The items of a `T<V>`, at most TLS_MAX_ITEMS."""
        size = self.varint()
        start = self._take(size)
        inner = Reader(self.data, start, start + size)
        items: list[T] = []
        while inner.position < inner.end:
            if len(items) == limits.TLS_MAX_ITEMS:
                raise TLSDecodeError("a vector has too many items")
            items.append(read(inner))
        return items

    def u16s(self) -> tuple[int, ...]:
        """A `uint16 items<V>`."""
        data = self.opaque()
        count, odd = divmod(len(data), 2)
        if odd or count > limits.TLS_MAX_ITEMS:
            raise TLSDecodeError("a vector of two-byte integers is odd or too long")
        return struct.unpack(f">{count}H", data)

    def optional(self, read: Callable[["Reader"], T]) -> T | None:
        """An `optional<T>`."""
        present = self.u8()
        if present > 1:
            raise PresenceError("an optional starts with neither 0 nor 1")
        return read(self) if present else None

    def rest(self) -> bytes:
        return self.take(self.end - self.position)

    def finish(self) -> None:
        """Raises `TrailingBytesError` for remaining bytes."""
        if self.position != self.end:
            raise TrailingBytesError("bytes follow the end of the value")
