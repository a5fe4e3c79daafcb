"""The port to a market's closure as stored: its phase, receipts, samples.

A command is one bounded step and raises ConflictError when the closure has moved on since its
caller read it, so that a repeated step changes nothing.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from blackthorn.ids import Address
from blackthorn.ports.store import Command, Query


class Phase(StrEnum):
    """The step that comes next."""

    RECEIPTS = "receipts"
    """A receipt for each person; samples set apart."""
    ROOT = "root"
    """The tree over the receipts."""
    READY = "ready"
    """Nothing, until it is decided to destroy, or not to."""
    PURGE = "purge"
    """Sealed rows deleted and overwritten."""
    COMPACT = "compact"
    """The write-ahead log folded in and cut."""
    KEY = "key"
    """The market's key destroyed."""
    SWEEP = "sweep"
    """What came between the purge and the key's end deleted too."""
    PROBE = "probe"
    """The samples tried with every key that is left."""
    DESTROYED = "destroyed"
    """Nothing, until it is decided to close."""
    CLOSED = "closed"
    """Nothing any more: the statement is published."""
    DROP = "drop"
    """Given up before anything was destroyed: receipts and samples thrown away."""


@dataclass(frozen=True, slots=True)
class Closure:
    """State of a closure. `counts` are persons by the names of `destroy`'s fields."""

    exit: str
    market: str
    phase: Phase
    cursor: int
    begun_ms: int
    counts: dict[str, int]
    root: bytes | None
    fingerprint: bytes
    mails: int
    parcels: int
    destroyed_ms: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """A person of a closure as of now; `sample` is one of their wrapped mails, if requested."""

    number: int
    address: Address
    notified: bool
    read: bool
    exported: bool
    moved: bool
    forwarded: bool
    unreachable: bool
    mails: int
    parcels: int
    sample: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """A receipt to store: its leaf hash has 32 bytes."""

    user: int
    receipt: bytes = field(repr=False)
    leaf: bytes


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A person's receipt of an exit and its place in the tree."""

    exit: str
    place: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """Whether all users of a page have receipts; the row to continue after, None at the end."""

    complete: bool
    after: int | None


class ListClosures(Query[list[Closure]]):
    """Every closure that was begun and not given up, one per exit."""


class ReadStatement(Query[bytes]):
    """The statement as it is hashed; empty before it is made."""

    exit: str


class HashStatement(Query[bytes]):
    """SHA-256 of the statement: 70 bytes per person, too long for an event loop."""

    exit: str


class ListPersons(Query[list[Person]]):
    """At most `limit` behind the cursor: users of the market and those who moved away."""

    closure: Closure
    limit: int
    samples: bool


class ListAddresses(Query[list[Address]]):
    """At most `limit` users of a market, sorted by address, behind `after`."""

    market: str
    after: str
    limit: int


class CheckReceipts(Query[ReceiptCheck]):
    """Whether the next `limit` users of the closure's market behind row `after` have receipts."""

    exit: str
    market: str
    after: int
    limit: int


class CountMoved(Query[int]):
    """Persons of the exit who moved."""

    exit: str


class ListLeaves(Query[list[bytes]]):
    """Leaf hashes of at most `limit` receipts from place `start` on, in order."""

    exit: str
    start: int
    limit: int


class FindReceipts(Query[list[StoredReceipt]]):
    """A person's receipts, one per closure."""

    address: Address


class ListSamples(Query[list[bytes]]):
    """The samples, few and small."""

    exit: str


class RemembersPersons(Query[bool]):
    """Whether rows about persons of the exit remain."""

    exit: str


class BeginClosure(Command[None]):
    """A new closure, in the phase RECEIPTS."""

    exit: str
    market: str
    fingerprint: bytes
    now_ms: int


class AddReceipts(Command[None]):
    """Append receipts and set the counts; without receipts the phase becomes ROOT."""

    closure: Closure
    receipts: tuple[NewReceipt, ...]
    samples: tuple[bytes, ...]
    counts: dict[str, int]
    cursor: int


class SetRoot(Command[None]):
    """The tree is complete: READY."""

    closure: Closure
    root: bytes


class AdvanceClosure(Command[None]):
    """The next phase, from its beginning."""

    closure: Closure
    phase: Phase


class PurgeRows(Command[None]):
    """Delete about `limit` rows of users behind the cursor and count them; `following` at the end.

    Activations and key packages are deleted too.
    """

    closure: Closure
    limit: int
    following: Phase


class NoteKeyDestroyed(Command[None]):
    """The key is destroyed: SWEEP."""

    closure: Closure
    destroyed_ms: int


class StoreStatement(Command[None]):
    """No sample opens: store the statement; DESTROYED."""

    closure: Closure
    statement: bytes = field(repr=False)


class DropClosure(Command[None]):
    """Before the destruction only: delete at most `limit` receipts, then the rest.

    `seq` is the exit's last decision that the caller knows; after a newer one nothing is deleted.
    """

    closure: Closure
    seq: int
    limit: int


class ForgetPersons(Command[None]):
    """Delete at most `limit` rows about persons, and as many receipts."""

    exit: str
    limit: int
