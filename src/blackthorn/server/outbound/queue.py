"""The durable queue: a mail is in it before its sender is told so, and until all have it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from blackthorn.errors import (
    BlackthornError,
    ConflictError,
    DiskError,
    StorageError,
    UnavailableError,
)
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.mail import SealedMail
from blackthorn.ports.outbound.queue import (
    CountQueue,
    FindSubmission,
    PurgeSubmissions,
    QueueMail,
    Route,
)
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import Done, Reader, call_each, ignore, unless_failed
from blackthorn.server.counters import Counters
from blackthorn.server.mail.pieces import PieceWriter, Rows
from blackthorn.server.outbound import limits
from blackthorn.server.outbound.envelope import Envelope, Recipient, encode

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A checked, sealed mail of a user: recipients by domain. `token`: 16 bytes, or b""."""

    user: UserRecord
    sender: str
    recipients: dict[str, tuple[str, ...]]
    sealed: bytes | bytearray
    token: bytes = b""


def queue_id(number: int) -> str:
    """The id of a mail as people see it: 16 hex digits."""
    return f"{number:016x}"


@dataclass(kw_only=True, slots=True)
class OutboundQueue:
    """Stores outbound mail. `queued` gets the domains of each mail that is durable."""

    pieces: PieceWriter
    reader: Reader
    clock: Clock
    random: Randomness
    counters: Counters
    has_room: Callable[[int], bool]
    queued: Callable[[Sequence[str]], None] = ignore

    def accept(self, outgoing: Outgoing, done: Done[int]) -> None:
        """Store the mail; `done` gets its id once it is durable.

        The same token again is the same mail: its id, and nothing is stored. Errors: StorageError,
        AbsentError for a deleted user, UnavailableError when the queue is full.
        """
        if not self.has_room(len(outgoing.sealed)):
            done(DiskError("the disk is nearly full"))
            return
        if self.counters.outbound_waiting >= limits.MAX_QUEUED_DELIVERIES:
            done(UnavailableError("the queue of outbound mail is full; try again later"))
            return
        number = int.from_bytes(self.random(8)) >> 1
        routes = tuple(
            Route(domain, encode(Envelope(outgoing.sender, tuple(map(Recipient, addresses)))))
            for domain, addresses in outgoing.recipients.items()
        )
        now_ms, token, user = self.clock.wall_ms(), outgoing.token, outgoing.user.number

        def put(rows: Rows) -> QueueMail:
            return QueueMail(number, rows[0], routes, now_ms, token)

        def stored(result: BlackthornError | None) -> None:
            if isinstance(result, ConflictError):
                self._find(outgoing, done)
                return
            if isinstance(result, BlackthornError):
                self.counters.storage_failures += isinstance(result, StorageError)
                done(result)
                return
            self.counters.outbound_queued += 1
            self.counters.outbound_waiting += len(routes)
            call_each((partial(done, number), partial(self.queued, list(outgoing.recipients))))

        self.pieces.store([SealedMail(user, outgoing.sealed)], put, stored)

    def _find(self, outgoing: Outgoing, done: Done[int]) -> None:
        def found(number: int | None) -> None:
            if number is None:  # the token was purged in this moment
                done(UnavailableError("the mail cannot be taken now; try again"))
            else:
                done(number)

        self.find(outgoing.user, outgoing.token, unless_failed(done, found))

    def find(self, user: UserRecord, token: bytes, done: Done[int | None]) -> None:
        """The id of the mail that the user submitted by this token, or None."""
        self.reader.ask(FindSubmission(user.number, token), done)

    def count(self, done: Done[int]) -> None:
        """Count the deliveries that wait, at the start."""

        def counted(number: int) -> None:
            self.counters.outbound_waiting = number
            done(number)

        self.reader.ask(CountQueue(), unless_failed(done, counted))


def purge_command(now_ms: int) -> PurgeSubmissions:
    """The command that deletes old tokens; repeat it while it deletes as many as it may."""
    return PurgeSubmissions(now_ms // _DAY_MS - limits.SUBMISSION_DAYS, limits.PURGED_SUBMISSIONS)
