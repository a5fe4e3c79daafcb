"""The frames of sealed mail: listing, fetching, and the notice of new mail."""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import Exchange, Frame, Uint64


class ListMail(Exchange, tag=40, frozen=True):
    """Device to server: sealed mail of my user with a uid above `after`, oldest first."""

    after: Uint64


class MailEntry(Struct, array_like=True, frozen=True, gc=False):
    """One sealed mail on the server."""

    uid: Uint64
    size: Uint64
    received_ms: Uint64


class MailListing(Exchange, tag=41, frozen=True):
    """Server to device. `more` says that a further ListMail will find more."""

    entries: Annotated[list[MailEntry], Meta(max_length=link_limits.MAX_MAIL_LISTING)]
    more: bool


class FetchMail(Exchange, tag=42, frozen=True):
    """Device to server: the sealed bytes of one mail from `offset` on."""

    uid: Uint64
    offset: Uint64


class MailChunk(Exchange, tag=43, frozen=True):
    """Server to device. `total` is 0 when the mail is not there (any more)."""

    uid: Uint64
    offset: Uint64
    total: Uint64
    data: Annotated[bytes, Meta(max_length=link_limits.MAX_MAIL_CHUNK_BYTES)]


class MailArrived(Frame, tag=44, frozen=True):
    """Server to a device that has resumed: there is new mail, up to this uid."""

    uid: Uint64


MailFrame = ListMail | MailListing | FetchMail | MailChunk | MailArrived
