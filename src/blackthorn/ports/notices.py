"""The port to who was notified of an exit or a directive.

A notice is named by its case and step: the step of an exit that it tells of, 0 for a directive.
"""

from dataclasses import dataclass

from blackthorn.ids import Address
from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who may be notified: row, address, market (ISO 3166-1 alpha-2) and language tag."""

    number: int
    address: Address
    market: str
    language: str


@dataclass(frozen=True, slots=True)
class NoticeState:
    """What a user has had of a notice."""

    notified: bool = False
    """The notice was stored for the user, or the user was found unreachable."""
    read: bool = False
    """A device of the user has told that it was read."""
    knows_case: bool = False
    """The user had this notice or another one of the case."""


@dataclass(frozen=True, slots=True)
class AddresseePage:
    """Addressees, and the row number behind which to go on; None at the end."""

    people: list[Addressee]
    after: int | None


class FindAddressee(Query[Addressee | None]):
    """The user of that address."""

    address: Address


class FindUnnotified(Query[AddresseePage]):
    """Of the next `limit` users of the market behind row `after`: who still lacks the notice.

    `only_known`: of them only those who had another notice of the case before.
    """

    case: str
    seq: int
    market: str
    after: int
    limit: int
    only_known: bool = False


class FindUnnotifiedOf(Query[list[Addressee]]):
    """Of the users with these addresses: who still lacks the notice. Others are left out."""

    case: str
    seq: int
    addresses: tuple[Address, ...]


class FindNoticeState(Query[NoticeState]):
    """What a user has had of a notice."""

    case: str
    seq: int
    user: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A user, and the directives that they were notified of and have not read about."""

    person: Addressee
    directives: list[str]


class FindUnread(Query[Unread | None]):
    """The user of that address with their unread directives, 16 at most."""

    address: Address


class ListUndisclosedCases(Query[set[str]]):
    """The cases of which the ledger shows only commitments. For the start of a server."""


class NoteNotice(Command[None]):
    """Note that the notice was stored then; None: the user is unreachable. The first stays."""

    case: str
    seq: int
    user: int
    sent_ms: int | None


class NoteNoticeRead(Command[None]):
    """Note that the notice was read; the first time stays."""

    case: str
    seq: int
    user: int
    now_ms: int
