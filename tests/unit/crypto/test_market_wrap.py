"""The market's layer: what goes in comes out from any offset, and nothing else comes out."""

import random

import pytest

from blackthorn.crypto.market_wrap import (
    CHUNK_BYTES,
    PREFIX_BYTES,
    WRAPPED_CHUNK_BYTES,
    WrapError,
    fingerprint,
    unwrap,
    unwrap_chunks,
    wrap,
    wrapped_size,
)
from blackthorn.crypto.secret import Secret
from blackthorn.errors import StorageError

KEY, OTHER = Secret(bytes(range(32))), Secret(bytes(32))
SIZES = [
    0,
    1,
    1024,
    CHUNK_BYTES - 1,
    CHUNK_BYTES,
    CHUNK_BYTES + 1,
    3 * CHUNK_BYTES,
    33 * CHUNK_BYTES,
]
SEED = 20151130


@pytest.fixture
def chance():
    print(f"seed {SEED}")
    return random.Random(SEED)


@pytest.mark.parametrize("size", SIZES)
def test_what_goes_in_comes_out(chance, size: int) -> None:
    data = chance.randbytes(size)
    wrapped = wrap(KEY, data, chance.randbytes(PREFIX_BYTES))
    assert len(wrapped) == wrapped_size(size)
    assert unwrap(KEY, wrapped) == data
    assert unwrap(KEY, wrap(KEY, memoryview(data), chance.randbytes(PREFIX_BYTES))) == data
    assert wrap(KEY, bytearray(data), chance.randbytes(PREFIX_BYTES)) != wrapped
    assert size < 64 or data[:64] not in wrapped


@pytest.mark.parametrize("size", SIZES)
def test_another_key_opens_nothing(chance, size: int) -> None:
    wrapped = wrap(KEY, chance.randbytes(size), chance.randbytes(PREFIX_BYTES))
    with pytest.raises(WrapError, match="does not open with this market's key") as refused:
        unwrap(OTHER, wrapped)
    assert isinstance(refused.value, StorageError)


def test_a_flipped_bit_anywhere_is_found(chance) -> None:
    wrapped = wrap(KEY, chance.randbytes(2 * CHUNK_BYTES + 5), chance.randbytes(PREFIX_BYTES))
    for _ in range(64):
        place = chance.randrange(len(wrapped))
        bad = bytearray(wrapped)
        bad[place] ^= 1 << chance.randrange(8)
        with pytest.raises(WrapError):
            unwrap(KEY, bytes(bad))


def test_shortened_lengthened_and_reordered_texts_are_found(chance) -> None:
    wrapped = wrap(KEY, chance.randbytes(3 * CHUNK_BYTES), chance.randbytes(PREFIX_BYTES))
    prefix, body = wrapped[:PREFIX_BYTES], wrapped[PREFIX_BYTES:]
    chunks = [body[n * WRAPPED_CHUNK_BYTES :][:WRAPPED_CHUNK_BYTES] for n in range(3)]
    for bad in (
        wrapped[:-WRAPPED_CHUNK_BYTES],
        wrapped[:-1],
        wrapped[:PREFIX_BYTES],
        b"",
        wrapped + chunks[2],
        prefix + chunks[1] + chunks[0] + chunks[2],
        prefix + chunks[0] + chunks[2],
    ):
        with pytest.raises(WrapError):
            unwrap(KEY, bad)


def test_a_chunk_opens_without_those_before_it_and_at_its_own_place_only(chance) -> None:
    data = chance.randbytes(2 * CHUNK_BYTES + 9)
    wrapped = wrap(KEY, data, chance.randbytes(PREFIX_BYTES))
    prefix, body = wrapped[:PREFIX_BYTES], wrapped[PREFIX_BYTES:]
    second = body[WRAPPED_CHUNK_BYTES:][:WRAPPED_CHUNK_BYTES]
    found = unwrap_chunks(KEY, prefix, second, 1, last=False)
    assert found == data[CHUNK_BYTES : 2 * CHUNK_BYTES]
    for first, last in ((0, False), (2, False), (1, True)):
        with pytest.raises(WrapError):
            unwrap_chunks(KEY, prefix, second, first, last=last)


def test_a_fingerprint_names_one_key() -> None:
    assert len(fingerprint(KEY)) == 32
    assert fingerprint(KEY) == fingerprint(Secret(KEY.expose())) != fingerprint(OTHER)
