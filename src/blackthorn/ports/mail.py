"""The port to sealed mail; plain mail has no type here. Uids rise and are never reused."""

from dataclasses import dataclass

from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class SealedMail:
    """One sealed mail for the user of row `user`.

    `compatible`: the copy that is sealed to the certificate for other programs.
    """

    user: int
    sealed: bytes | bytearray
    compatible: bool = False


@dataclass(frozen=True, slots=True)
class MailPiece:
    """The bytes from `start` on of a large mail for the user; `mail` is its random number."""

    user: int
    mail: int
    start: int
    sealed: bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class PiecedMail:
    """A mail of `size` bytes for the user, of which all pieces are stored."""

    user: int
    mail: int
    size: int
    compatible: bool = False


@dataclass(frozen=True, slots=True)
class MailHead:
    """A stored mail without its bytes; `size` in bytes, time in Unix milliseconds."""

    uid: int
    size: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class MailPart:
    """Some bytes of a mail of `size` bytes."""

    size: int
    data: bytes


class StoreMail(Command[list[int]]):
    """Store all or none; returns uids in order.

    Raises AbsentError for a deleted user, or when pieces of a mail are missing.
    """

    mails: tuple[SealedMail | PiecedMail, ...]
    received_ms: int


class StorePieces(Command[None]):
    """Store pieces of mails that `StoreMail` will name. Raises AbsentError for a deleted user.

    The first piece of a mail, from 0 on, comes first.
    """

    pieces: tuple[MailPiece, ...]


class RemovePieces(Command[int]):
    """Delete at most `limit` pieces of mails never stored, but of none of `keep`.

    Returns how many rows went: fewer than `limit` when no more are left.
    """

    keep: frozenset[int]
    limit: int


class DeleteMail(Command[int | None]):
    """Delete one mail of the user, with the copy for other programs that was stored next to it.

    Returns how many sealed bytes are free then; None when there is no such mail. The pieces of a
    large mail wait for `RemovePieces`.
    """

    user: int
    uid: int


class CountMail(Query[int]):
    """Mails of the user, without copies for other programs."""

    user: int


class ListMail(Query[list[MailHead]]):
    """At most `limit` mails of the user with a uid above `after`, oldest first.

    Either those that devices open, or the copies for other programs.
    """

    user: int
    after: int
    limit: int
    compatible: bool = False


class ReadMail(Query[MailPart | None]):
    """At most `length` bytes of a mail from `offset` on; None when there is no such mail."""

    user: int
    uid: int
    offset: int
    length: int


class UsedByMail(Query[int]):
    """Bytes of all sealed mail of the user."""

    user: int
