"""The interface of all kinds of outgoing operations.

An operation stays in the outbox until the server has accepted it or it is given up. Its Struct is
the stored form: tags and fields are an on-disk format.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from blackthorn.device.core.prepared import UNREADABLE, PreparedPosting, encode
from blackthorn.device.core.stored import decode
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import limits
from blackthorn.device.operations.claims import ClaimRequest, LookUpFirst
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.link.frames import (
    FindCertificates,
    StatementStored,
    SubmitMail,
    SubmitStatement,
)
from blackthorn.ports.device_store import OutboxRecord, OutcomeRecord, Records
from blackthorn.wire.address import domain_of


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """The operation is done, without a posting."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The operation waits, for the reason in `problem`.

    `look_up` are users to look up first, if they were not since the moment beside them.
    """

    problem: str
    look_up: Mapping[str, int] = field(default_factory=dict)


Step = (
    PreparedPosting
    | SubmitStatement
    | SubmitMail
    | FindCertificates
    | ClaimRequest
    | LookUpFirst
    | NothingToDo
    | Waiting
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an operation: `error` is empty when it was accepted.

    `message` is the id of a text; not `final`: it still waits, for the reason in `error`. `note`
    says for whose devices it was not kept.
    """

    number: int
    message: bytes = b""
    error: str = ""
    final: bool = True
    note: str = ""


def finish(unit: UnitOfWork, number: int, message: bytes = b"", error: str = "") -> None:
    """Delete an operation from the outbox and record its outcome, whichever process asks for it."""
    outcome = OutcomeRecord(number, message, error, unit.now_ms)
    unit.records.outbox.finish(outcome, limits.MAX_OUTCOMES)


def outcome_of(records: Records, number: int) -> Outcome:
    """What became of an operation, or why it still waits ("" when it was not tried yet)."""
    row = records.outbox.get(number)
    if row is not None:
        return Outcome(number, error=row.problem, final=False)
    found = records.outbox.outcome(number)
    if found is None:
        return Outcome(number, error="it was finished too long ago: see blackthorn history")
    line = records.history.get(found.message) if found.message and not found.error else None
    return Outcome(number, found.message, found.error, note=line.why if line is not None else "")


class AlarmScope(NamedTuple):
    """The users whose open alarms block an operation; `in_group`: it goes to a group."""

    users: frozenset[str] = frozenset()
    in_group: bool = False

    @classmethod
    def of(cls, unit: UnitOfWork, users: Iterable[str], *, in_group: bool) -> "AlarmScope":
        """These users without the device's own."""
        return cls(frozenset(map(str, users)) - {str(unit.me.address)}, in_group)


class FailureText(NamedTuple):
    """A failed operation in words: "not sent to", a name, the beginning of the message."""

    what: str
    name: str
    text: str = ""


class Operation(Struct, frozen=True):
    """One outgoing operation, with the defaults of most kinds."""

    @property
    def target(self) -> bytes:
        """Operations of one target are sent in the order in which they were enqueued."""
        raise NotImplementedError

    @property
    def history_line(self) -> bytes:
        """The id of the operation's line in the history, or b""."""
        return b""

    def alarm_scope(self, unit: UnitOfWork) -> AlarmScope:
        """By default no alarm blocks: removals, revocations and the user's own devices."""
        return AlarmScope()

    def claims(self, unit: UnitOfWork) -> list[str]:
        return []

    def enqueue(self, unit: UnitOfWork) -> int:
        """Store it in the outbox; the number of its row."""
        return unit.records.outbox.add(self.target, encode(self), unit.now_ms)

    @property
    def is_sealed(self) -> bool:
        """Whether it seals something in a conversation."""
        return True

    @property
    def is_dated(self) -> bool:
        """Whether preparing it signs the ledger's time, which must be new then."""
        return False

    @property
    def is_text(self) -> bool:
        """Whether people read it: it waits while the ledger is silent."""
        return False

    @property
    def gives_way(self) -> bool:
        """Whether texts may go while it waits for another Commit, which came first."""
        return False

    def waits(self, unit: UnitOfWork) -> bool:
        """Whether it is too early to try it again."""
        return False

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        """The existing conversation in which it is sealed, once nothing is noted there.

        Raises HopelessError.
        """
        return None

    def hold(self, unit: UnitOfWork) -> str:
        """Why its conversation holds it, in words; "" when it does not."""
        return ""

    def lookups(self, unit: UnitOfWork) -> list[Address]:
        """Users who are looked up after it was enqueued, before it is prepared."""
        return []

    @property
    def commits(self) -> bool:
        """Whether it is itself a Commit, which removes revoked devices too."""
        return False

    @property
    def may_lack_packages(self) -> bool:
        """Whether it is done without the users who have no key package."""
        return False

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> Step:
        """The next step, stored with the row. Raises UserError, MLSError: give it up."""
        raise NotImplementedError

    def accepted(self, unit: UnitOfWork) -> None:
        """The server has stored it."""

    def conversation_created(
        self, unit: UnitOfWork, row: OutboxRecord, creation: "Operation", conversation: bytes
    ) -> None:
        """An earlier operation, `creation`, has created this conversation."""

    def has_another_way(self, unit: UnitOfWork, prepared: PreparedPosting) -> bool:
        """Whether it can be prepared again after the server refused an unknown recipient."""
        return prepared.sort == "creation"

    def put_off(
        self, unit: UnitOfWork, row: OutboxRecord, devices: Collection[bytes]
    ) -> OutboxRecord | None:
        """The row with a later try, after a refusal or for `devices` that were left out; or None.

        None: it is refused or accepted as any other.
        """
        return None

    def statement_stored(self, unit: UnitOfWork, row: OutboxRecord, answer: StatementStored) -> str:
        """Process the answer to a statement; why the operation is given up, "" when it is not."""
        return ""

    def given_up(self, unit: UnitOfWork, reason: str) -> None:
        """It will never be done."""

    @property
    def is_asked_for(self) -> bool:
        """Whether the person asked for it, and is told when it is given up."""
        return True

    def failure_text(self) -> FailureText:
        raise NotImplementedError

    def covers(self, other: "Operation") -> bool:
        """Whether `other` need not be enqueued while this one waits."""
        return type(self) is type(other)


def name_of(kind: str, name: str) -> bytes:
    """The target of all operations on one conversation."""
    return f"{kind}:{name}".encode()


Kind = TypeVar("Kind", bound=Operation)


class _Tagged(Struct):
    type: str


def waiting(unit: UnitOfWork, kind: type[Kind]) -> Iterator[Kind]:
    """The operations of one kind in the outbox. Raises DamageError."""
    tagged, decoder = msgspec.msgpack.Decoder(_Tagged), msgspec.msgpack.Decoder(kind)
    tag: Any = kind.__struct_config__.tag
    for row in unit.records.outbox.all():
        if decode(tagged, row.operation, UNREADABLE).type == tag:
            yield decode(decoder, row.operation, UNREADABLE)


def check_domain(unit: UnitOfWork, addresses: Iterable[Address]) -> None:
    """Raises UserError for an address of another domain, to which no server sends."""
    here = domain_of(unit.me.address)
    for address in addresses:
        if domain_of(address) != here:
            near = difflib.get_close_matches(domain_of(address), [here], cutoff=0.8)
            local = address.rpartition("@")[0]
            hint = f"; did you mean {local}@{here}?" if near else ""
            raise UserError(
                f"{address} is not of {here}: messages stay within the organisation; others are "
                f"reached by `blackthorn mail send`{hint}"
            )
