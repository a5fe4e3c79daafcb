"""TLS presentation language (RFC 8446, 3) with RFC 9420's variable-length vectors (2.1.2).

What lives here: the bytes of integers, vectors and optionals, both ways. Never: what any of
them mean. `Reader` raises `TLSDecodeError` and nothing else, whatever the bytes.
"""

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

from blackthorn.errors import DecodeError
from blackthorn.wire import limits

T = TypeVar("T")

_VARINT_MAX = 2**30 - 1


class TLSDecodeError(DecodeError):
    """The bytes are not a valid TLS presentation of what was expected."""


class LengthFormError(TLSDecodeError):
    """A vector's length is not in its shortest form."""


class PresenceError(TLSDecodeError):
    """An optional value starts with neither 0 nor 1."""


class TrailingBytesError(TLSDecodeError):
    """Bytes follow the end of the value."""


def u8(value: int) -> bytes:
    """One byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Two bytes, big-endian."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Eight bytes, big-endian."""
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
    """`opaque data<V>`: the bytes behind their length."""
    return varint(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """`T items<V>`: already encoded items behind their total length in bytes."""
    return opaque(b"".join(items))


def optional(item: bytes | None) -> bytes:
    """`optional<T>`: a zero byte, or a one and the already encoded item."""
    return b"\x00" if item is None else b"\x01" + item


class Reader:
    """Reads from the front of `data`; every length is checked before it is used."""

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
        """Exactly `size` bytes."""
        start = self._take(size)
        return self.data[start : self.position]

    def u8(self) -> int:
        """An integer of one byte."""
        return self.data[self._take(1)]

    def u16(self) -> int:
        """An integer of two bytes."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """An integer of four bytes."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """An integer of eight bytes."""
        return int.from_bytes(self.take(8), "big")

    def varint(self) -> int:
        """A length header; the long form of a short number is refused (2.1.2)."""
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
        """The bytes of an `opaque<V>`."""
        return self.take(self.varint())

    def vector(self, read: Callable[["Reader"], T]) -> list[T]:
        """The items of a `T<V>`, each read by `read`; at most TLS_MAX_ITEMS of them."""
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
        """The items of a `uint16 items<V>`."""
        data = self.opaque()
        count, odd = divmod(len(data), 2)
        if odd or count > limits.TLS_MAX_ITEMS:
            raise TLSDecodeError("a vector of two-byte integers is odd or too long")
        return struct.unpack(f">{count}H", data)

    def optional(self, read: Callable[["Reader"], T]) -> T | None:
        """The item of an `optional<T>`, or None."""
        present = self.u8()
        if present > 1:
            raise PresenceError("an optional starts with neither 0 nor 1")
        return read(self) if present else None

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(self.end - self.position)

    def finish(self) -> None:
        """Raises `TLSDecodeError` when bytes are left."""
        if self.position != self.end:
            raise TrailingBytesError("bytes follow the end of the value")
