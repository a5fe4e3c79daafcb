"""The port to the queue of outbound mail: sealed mail and what is left to deliver of it.

Envelopes are opaque bytes here (`server.outbound.envelope`), wrapped like the mail.
"""

from dataclasses import dataclass

from blackthorn.ids import Address
from blackthorn.ports.mail import PiecedMail, SealedMail
from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class Route:
    """The recipients of one domain (lower case) and their envelope."""

    domain: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class DueDomain:
    """A domain with deliveries due; `at_once`: the administrator asked for one of them."""

    domain: str
    at_once: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is left of one mail for one domain. Times in Unix milliseconds, size in bytes."""

    number: int
    mail: int
    domain: str
    user: Address
    tries: int
    queued_ms: int
    size: int
    warned: bool
    dropped: bool
    envelope: bytes


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    """What an administrator sees of a delivery: no address."""

    mail: int
    domain: str
    tries: int
    queued_ms: int
    next_ms: int
    size: int
    dropped: bool


class QueueMail(Command[None]):
    """Store a mail of `mail.user` with its deliveries, due at once.

    Raises AbsentError for a deleted user or missing pieces; ConflictError when the user submitted a
    mail by `token` (16 bytes) before. `token` b"": none.
    """

    id: int
    mail: SealedMail | PiecedMail
    routes: tuple[Route, ...]
    queued_ms: int
    token: bytes


class PostponeDelivery(Command[None]):
    """Set a delivery's next attempt, its count of attempts and its envelope; no-op when gone."""

    number: int
    next_ms: int
    tries: int
    warned: bool
    envelope: bytes


class FinishDelivery(Command[None]):
    """Delete a delivery, and its mail with the last one; no-op when gone."""

    number: int


class RetryMail(Command[int]):
    """Make the mail's deliveries, or all, due at once; returns how many."""

    mail: int | None


class DropMail(Command[bool]):
    """Give the mail up: the server tells its sender. False when there is no such mail."""

    mail: int


class PurgeSubmissions(Command[int]):
    """Delete at most `limit` tokens from before `day`; returns how many."""

    day: int
    limit: int


class FindSubmission(Query[int | None]):
    """The id of the mail that the user submitted by `token`."""

    user: int
    token: bytes


class DueDomains(Query[list[DueDomain]]):
    """At most `limit` domains after `after` with deliveries due, in order."""

    now_ms: int
    after: str
    limit: int


class DueDeliveries(Query[list[Delivery]]):
    """At most `limit` due deliveries for `domain`, the longest due first."""

    domain: str
    now_ms: int
    limit: int


class ReadQueued(Query[bytes | None]):
    """The sealed bytes of a queued mail, whole; None when it is gone."""

    mail: int


class ListQueue(Query[list[QueuedDelivery]]):
    """At most `limit` deliveries by rising (queued_ms, mail, domain), from `skip` on."""

    skip: int
    limit: int


class CountQueue(Query[int]):
    """Deliveries in the queue."""
