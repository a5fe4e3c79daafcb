"""Frames of sealed mail."""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import Exchange, Frame, Uint64


class ListMail(Exchange, tag=40, frozen=True):
    """Device to server: its user's sealed mail with a uid above `after`, oldest first."""

    after: Uint64


class MailEntry(Struct, array_like=True, frozen=True, gc=False):
    """One sealed mail on the server."""

    uid: Uint64
    size: Uint64
    received_ms: Uint64


class MailListing(Exchange, tag=41, frozen=True):
    """Server to device. `more`: ask again.

    `used` bytes of `quota` are taken by the user's mail; both are 0 while there is enough room.
    """

    entries: Annotated[list[MailEntry], Meta(max_length=link_limits.MAX_MAIL_LISTING)]
    more: bool
    used: Uint64 = 0
    quota: Uint64 = 0


class FetchMail(Exchange, tag=42, frozen=True):
    """Device to server: the sealed bytes of one mail from `offset` on."""

    uid: Uint64
    offset: Uint64


class MailChunk(Exchange, tag=43, frozen=True):
    """Server to device. `total` is 0 for a missing mail."""

    uid: Uint64
    offset: Uint64
    total: Uint64
    data: Annotated[bytes, Meta(max_length=link_limits.MAX_MAIL_CHUNK_BYTES)]


class MailArrived(Frame, tag=44, frozen=True):
    """Server to a receiving device: there is new mail, up to this uid."""

    uid: Uint64


MailFrame = ListMail | MailListing | FetchMail | MailChunk | MailArrived
