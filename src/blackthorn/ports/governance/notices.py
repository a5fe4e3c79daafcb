"""The port to the notices of exits and directives.

A notice is named by its case and step: the exit's step, 0 for a directive.
"""

from dataclasses import dataclass

from blackthorn.ids import Address
from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class Addressee:
    """A user to notify: row, address, market (ISO 3166-1 alpha-2) and language tag."""

    number: int
    address: Address
    market: str
    language: str


@dataclass(frozen=True, slots=True)
class NoticeState:
    """A user's state of a notice."""

    notified: bool = False
    """The notice was stored, or the user is unreachable."""
    read: bool = False
    """A device of the user reported it read."""
    knows_case: bool = False
    """The user had a notice of this case."""


@dataclass(frozen=True, slots=True)
class AddresseePage:
    """Addressees, and the row to continue after; None at the end."""

    people: list[Addressee]
    after: int | None


class FindAddressee(Query[Addressee | None]):
    address: Address


class FindUnnotified(Query[AddresseePage]):
    """Users among the next `limit` of the market behind row `after` who lack the notice.

    `only_known`: only those who had another notice of the case.
    """

    case: str
    seq: int
    market: str
    after: int
    limit: int
    only_known: bool = False


class FindUnnotifiedOf(Query[list[Addressee]]):
    """Users among these addresses who lack the notice; unknown ones are skipped."""

    case: str
    seq: int
    addresses: tuple[Address, ...]


class FindNoticeState(Query[NoticeState]):
    case: str
    seq: int
    user: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A user and the directives whose notices they have not read."""

    person: Addressee
    directives: list[str]


class FindUnread(Query[Unread | None]):
    """A user's unread directives, 16 at most."""

    address: Address


class ListUndisclosedCases(Query[set[str]]):
    """Cases of which the ledger shows commitments only; asked at the start."""


class NoteNotice(Command[None]):
    """Record when the notice was stored, None: the user is unreachable. The first stays."""

    case: str
    seq: int
    user: int
    sent_ms: int | None


class NoteNoticeRead(Command[None]):
    """Record that the notice was read; the first time stays."""

    case: str
    seq: int
    user: int
    now_ms: int
