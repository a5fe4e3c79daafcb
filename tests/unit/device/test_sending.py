"""Postings in frames: whatever waits, the link takes every frame that it is put into."""

import pytest

from blackthorn.device.operations.frames import send_frames
from blackthorn.link import frames as f
from blackthorn.link import limits


def _postings(count: int, size: int) -> list[f.Posting]:
    parcel = f.Parcel(bytes(16), b"x" * size)
    return [f.Posting(number.to_bytes(16, "big"), [parcel]) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "size"), [(9_000, 1), (9_000, 400), (3, limits.MAX_PARCEL_BYTES)]
)
def test_every_frame_is_one_that_the_link_takes_and_the_order_stays(count: int, size: int) -> None:
    postings = _postings(count, size)
    arrived: list[f.Posting] = []
    for frame in send_frames(postings):
        decoded = f.decode(f.encode(frame))
        assert isinstance(decoded, f.Send)
        arrived += decoded.postings
    assert arrived == postings


def test_nothing_to_send_is_no_frame() -> None:
    assert send_frames([]) == []
