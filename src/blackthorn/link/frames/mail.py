"""Frames of sealed mail."""

from typing import Annotated

from msgspec import Meta, Struct

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import AddressText, Day, Exchange, Frame, Id16, Uint64

AddressedText = Annotated[str, Meta(min_length=1, max_length=512)]
AppName = Annotated[str, Meta(max_length=40)]
Refusal = Annotated[str, Meta(max_length=512)]


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
    `count` is the number of all their mails, by which a device sees that some were deleted.
    """

    entries: Annotated[list[MailEntry], Meta(max_length=link_limits.MAX_MAIL_LISTING)]
    more: bool
    used: Uint64 = 0
    quota: Uint64 = 0
    count: Uint64 = 0


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


class SubmitMail(Exchange, tag=45, frozen=True):
    """Device to server: a sealed mail of `size` bytes is to be sent to these recipients.

    `token` is random and the same whenever this mail is offered again. Answered by
    `SubmissionState`, or by `MailSubmitted` if the server has the mail already.
    """

    token: Id16
    sender: AddressText
    recipients: Annotated[
        list[AddressedText], Meta(min_length=1, max_length=link_limits.MAX_MAIL_RECIPIENTS)
    ]
    size: Annotated[int, Meta(ge=1, le=link_limits.MAX_SUBMITTED_BYTES)]


class RefusedRecipient(Struct, array_like=True, frozen=True, gc=False):
    """A recipient who cannot get the mail, and why in words."""

    address: AddressedText
    reason: Refusal


class SubmitMailPiece(Exchange, tag=46, frozen=True):
    """Device to server: the bytes of an offered mail from `offset` on."""

    token: Id16
    offset: Uint64
    data: Annotated[bytes, Meta(min_length=1, max_length=link_limits.MAX_SUBMITTED_PIECE_BYTES)]


class SubmissionState(Exchange, tag=47, frozen=True):
    """Server to device: it has the bytes before `offset`, perhaps of an earlier link.

    `refused` only in the answer to `SubmitMail`: the mail goes to the others.
    """

    offset: Uint64
    refused: Annotated[list[RefusedRecipient], Meta(max_length=link_limits.MAX_MAIL_RECIPIENTS)]


class MailSubmitted(Exchange, tag=48, frozen=True):
    """Server to device: the mail is stored under the number `mail`, or it was not taken.

    With a `refusal` nothing was stored; `retry_ms` is when it may be tried again, 0 for never.
    """

    mail: Uint64
    refusal: Refusal = ""
    retry_ms: Uint64 = 0


class DeleteMail(Exchange, tag=49, frozen=True):
    """Device to server: delete one of its user's mails."""

    uid: Uint64


class MailDeleted(Exchange, tag=54, frozen=True):
    """Server to device: the mail is deleted; `found` is False when there was none."""

    found: bool


class FindCertificates(Exchange, tag=55, frozen=True):
    """Device to server: ask the domain of an address outside for its certificates (WKD)."""

    address: AddressText


class CertificatesFound(Exchange, tag=56, frozen=True):
    """Server to device: concatenated binary certificates, which the device checks; empty: none.

    `address` is the one that was asked for. With a `refusal` nothing is known: ask again later.
    """

    address: AddressText
    certificates: Annotated[bytes, Meta(max_length=link_limits.MAX_FOUND_CERTIFICATE_BYTES)]
    refusal: Annotated[str, Meta(max_length=512)] = ""


class AskAppPasswords(Exchange, tag=57, frozen=True):
    """Device to server: keep an app password of this name, or end one, or neither; list them.

    The device has made the password; `verifier` is Argon2id of it and `salt`, both empty for none.
    """

    keep: AppName = ""
    salt: Annotated[bytes, Meta(max_length=16)] = b""
    verifier: Annotated[bytes, Meta(max_length=32)] = b""
    revoke: AppName = ""


class AppPasswordEntry(Struct, array_like=True, frozen=True, gc=False):
    """One app password; `used_day` is a Unix day, 0 for never."""

    name: AppName
    created_ms: Uint64
    used_day: Day


class AppPasswordList(Exchange, tag=58, frozen=True):
    """Server to device: all app passwords of its user. With a `refusal` nothing was changed."""

    entries: Annotated[list[AppPasswordEntry], Meta(max_length=64)]
    refusal: Refusal = ""


MailFrame = (
    ListMail
    | MailListing
    | FetchMail
    | MailChunk
    | MailArrived
    | SubmitMail
    | SubmitMailPiece
    | SubmissionState
    | MailSubmitted
    | DeleteMail
    | MailDeleted
    | FindCertificates
    | CertificatesFound
    | AskAppPasswords
    | AppPasswordList
)
