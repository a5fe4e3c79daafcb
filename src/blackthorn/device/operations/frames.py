"""Packs postings into frames."""

from collections.abc import Iterable
from typing import Final

from blackthorn.device.operations.postings import POSTING_OVERHEAD_BYTES
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits

SEND_FRAME_BYTES: Final = link_limits.MAX_FRAME_BYTES // 2
"""Sealed bytes after which a Send frame is full; one posting may be larger."""


def send_frames(postings: Iterable[f.Posting]) -> list[f.AnyFrame]:
    """The postings in order, in as few Send frames as size and number allow."""
    frames: list[f.AnyFrame] = []
    group: list[f.Posting] = []
    size = 0
    for posting in postings:
        length = sum(len(parcel.sealed) for parcel in posting.parcels) + POSTING_OVERHEAD_BYTES
        full = len(group) == link_limits.MAX_POSTINGS_PER_FRAME or size + length > SEND_FRAME_BYTES
        if group and full:
            frames.append(f.Send(group))
            group, size = [], 0
        group.append(posting)
        size += length
    if group:
        frames.append(f.Send(group))
    return frames
