"""The envelope: found by its tag, opened by its key, and nothing shown to anybody else."""

import os
import random
from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import envelope, limits
from blackthorn.device.core.envelope import (
    EnvelopeError,
    EnvelopeKey,
    UnknownEnvelopeError,
)
from blackthorn.link.limits import MAX_FRAME_BYTES, MAX_PARCEL_BYTES
from blackthorn.link.parcels import PART


def key(number: int) -> EnvelopeKey:
    return EnvelopeKey((b"group %d" % number, number), Secret(bytes([number]) * 64))


def test_the_key_whose_tag_fits_opens():
    keys = [key(number) for number in range(5)]
    parcel = keys[3].seal(b"an MLS message", os.urandom)
    assert envelope.welcome_of(parcel) is None
    assert envelope.open_group_parcel(parcel, keys) == ((b"group 3", 3), b"an MLS message")
    assert len(parcel) == len(b"an MLS message") + 41


def test_other_keys_do_not_know_it():
    parcel = key(1).seal(b"message", os.urandom)
    with pytest.raises(UnknownEnvelopeError):
        envelope.open_group_parcel(parcel, [key(2), key(3)])


def test_a_tag_that_fits_by_chance_does_not_end_the_search():
    class Lucky(EnvelopeKey):
        def matches(self, parcel: bytes) -> bool:
            return True

    lucky = Lucky((b"lucky", 0), Secret(b"\x09" * 64))
    parcel = key(1).seal(b"message", os.urandom)
    assert envelope.open_group_parcel(parcel, [lucky, key(1)])[1] == b"message"


def test_every_flipped_bit_is_refused():
    parcel = key(1).seal(b"message", os.urandom)
    for place in range(len(parcel)):
        for bit in range(8):
            altered = bytearray(parcel)
            altered[place] ^= 1 << bit
            with pytest.raises(EnvelopeError):
                if envelope.welcome_of(bytes(altered)) is not None:
                    raise EnvelopeError("taken for a Welcome, which MLS refuses")
                envelope.open_group_parcel(bytes(altered), [key(1)])


def test_a_parcel_shows_neither_group_nor_epoch_and_no_two_are_alike():
    one, two = (key(1).seal(b"the same message", os.urandom) for _ in range(2))
    assert b"group" not in one
    assert sum(a == b for a, b in zip(one, two, strict=True)) < len(one) // 3


def test_any_bytes_end_in_one_error():
    seed = 7
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(300):
        junk = chance.randbytes(chance.randrange(80))
        try:
            if envelope.welcome_of(junk) is None:
                envelope.open_group_parcel(junk, [key(1)])
        except EnvelopeError:
            continue
        assert junk[0] == envelope.WELCOME


def test_a_welcome_travels_as_it_is():
    assert envelope.welcome_of(envelope.seal_welcome(b"welcome")) == b"welcome"


# --- Messages in two parts ----------------------------------------------------------------


def halves(message: bytes) -> list[envelope.Part]:
    """The parts of a large message."""
    parcels = key(1).seal_all(message, os.urandom)
    assert [parcel[0] for parcel in parcels] == [PART, PART]
    assert all(len(parcel) <= MAX_PARCEL_BYTES for parcel in parcels)
    assert all(envelope.welcome_of(parcel) is None for parcel in parcels)
    opened = [envelope.open_group_parcel(parcel, [key(2), key(1)]) for parcel in parcels]
    assert {owner for owner, _ in opened} == {(b"group 1", 1)}
    return [envelope.read_part(data) for _, data in opened]


def test_what_fits_a_parcel_is_in_one_and_more_is_in_two() -> None:
    largest = bytes(limits.MAX_WHOLE_BYTES)
    (parcel,) = key(1).seal_all(largest, os.urandom)
    assert parcel[0] == envelope.GROUP and len(parcel) <= MAX_PARCEL_BYTES
    assert envelope.open_group_parcel(parcel, [key(1)])[1] == largest
    for size in (limits.MAX_WHOLE_BYTES + 1, limits.MAX_PARTED_BYTES):
        message = os.urandom(size)
        assert envelope.whole(*halves(message)) == message
    with pytest.raises(envelope.TooLargeError):
        key(1).seal_all(bytes(limits.MAX_PARTED_BYTES + 1), os.urandom)
    assert 2 * MAX_PARCEL_BYTES + 1 > MAX_FRAME_BYTES >= limits.MAX_PARTED_BYTES + 500


def test_parts_that_are_not_of_one_message_are_refused() -> None:
    first, second = halves(os.urandom(limits.MAX_WHOLE_BYTES + 1))
    other, _ = halves(os.urandom(limits.MAX_WHOLE_BYTES + 1))
    varied = replace(second, half=second.half[:-1] + bytes([second.half[-1] ^ 1]))
    for pair in ((second, first), (other, second), (first, varied), (first, first)):
        with pytest.raises(EnvelopeError):
            envelope.whole(*pair)


@pytest.mark.parametrize("opened", [b"", bytes(32), bytes(33), bytes(32) + b"\x02half"])
def test_what_is_no_part_is_refused(opened: bytes) -> None:
    with pytest.raises(EnvelopeError):
        envelope.read_part(opened)


def test_a_part_is_not_opened_as_a_whole_message_nor_the_other_way() -> None:
    """The first byte is sealed with the rest."""
    for kind, other in ((PART, envelope.GROUP), (envelope.GROUP, PART)):
        parcel = bytearray(key(1).seal(b"message", os.urandom, kind))
        parcel[0] = other
        with pytest.raises(EnvelopeError):
            envelope.open_group_parcel(bytes(parcel), [key(1)])
