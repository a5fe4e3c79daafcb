"""The TLS presentation codec: canonical, bounded, and one exception type."""

import random

import pytest

from blackthorn.wire import limits
from blackthorn.wire.tls import (
    Reader,
    TLSDecodeError,
    opaque,
    optional,
    u8,
    u16,
    u32,
    u64,
    varint,
    vector,
)


@pytest.mark.parametrize("value", [0, 1, 63, 64, 16383, 16384, 2**30 - 1])
def test_varint_round_trip(value: int) -> None:
    reader = Reader(varint(value))
    assert reader.varint() == value
    reader.finish()


@pytest.mark.parametrize("data", ["4000", "403f", "80003fff", "80000000", "c0000000", "40", "8000"])
def test_varint_that_is_not_shortest_or_not_whole(data: str) -> None:
    with pytest.raises(TLSDecodeError):
        Reader(bytes.fromhex(data)).varint()


def test_varint_too_large() -> None:
    with pytest.raises(ValueError, match="longer"):
        varint(2**30)


def test_round_trip() -> None:
    data = u8(1) + u16(2) + u32(3) + u64(4) + opaque(b"five") + vector([u16(6), u16(7)])
    data += optional(None) + optional(u8(8))
    reader = Reader(data)
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 2, 3, 4)
    assert reader.opaque() == b"five"
    assert reader.u16s() == (6, 7)
    assert reader.optional(Reader.u8) is None
    assert reader.optional(Reader.u8) == 8
    reader.finish()


def test_vector_items_must_fit() -> None:
    with pytest.raises(TLSDecodeError):
        Reader(opaque(b"\x00\x01\x02")).vector(Reader.u16)
    with pytest.raises(TLSDecodeError):
        Reader(opaque(b"\x00\x01\x02")).u16s()


def test_vector_items_are_bounded() -> None:
    most = bytes(limits.TLS_MAX_ITEMS)
    assert len(Reader(opaque(most)).vector(Reader.u8)) == len(most)
    with pytest.raises(TLSDecodeError):
        Reader(opaque(most + b"\x00")).vector(Reader.u8)
    with pytest.raises(TLSDecodeError):
        Reader(opaque(bytes(2) * (limits.TLS_MAX_ITEMS + 1))).u16s()


def test_optional_and_tail() -> None:
    with pytest.raises(TLSDecodeError):
        Reader(b"\x02").optional(Reader.u8)
    with pytest.raises(TLSDecodeError):
        Reader(b"\x00").finish()


def test_random_bytes_raise_one_type() -> None:
    seeded = random.Random(6)
    for _ in range(5000):
        reader = Reader(seeded.randbytes(seeded.randrange(12)))
        try:
            reader.vector(Reader.opaque)
            reader.optional(Reader.u64)
            reader.finish()
        except TLSDecodeError:
            continue
