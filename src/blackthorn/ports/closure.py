"""The port to a market's closure as it is stored: how far it is, receipts, samples.

Every command is one bounded step, and raises ConflictError when the closure is not where its
caller saw it. So a step that is executed twice is done once.
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
    """How far a closure is. `counts` are persons by the names of `destroy`'s fields."""

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
    """A person of a closure as of now; `sample` is a wrapped mail of theirs, if wanted."""

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
    """Whether a page of users have receipts, and the row to go on behind; None at the end."""

    complete: bool
    after: int | None


class ListClosures(Query[list[Closure]]):
    """Every closure that was begun and not given up: one for each exit."""


class ReadStatement(Query[bytes]):
    """The statement as its hash is taken, empty before it is made."""

    exit: str


class HashStatement(Query[bytes]):
    """SHA-256 of the statement: it has 70 bytes for each person, too many for an event loop."""

    exit: str


class ListPersons(Query[list[Person]]):
    """At most `limit` behind the cursor: users of the market, and who moved away from it."""

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
    """How many persons of the exit have moved."""

    exit: str


class ListLeaves(Query[list[bytes]]):
    """The leaf hashes of at most `limit` receipts from place `start` on, in their order."""

    exit: str
    start: int
    limit: int


class FindReceipts(Query[list[StoredReceipt]]):
    """A person's receipts: one for each closure that concerned them."""

    address: Address


class ListSamples(Query[list[bytes]]):
    """The samples set apart, few and small."""

    exit: str


class RemembersPersons(Query[bool]):
    """Whether something is kept of persons of the exit."""

    exit: str


class BeginClosure(Command[None]):
    """A new closure, in the phase RECEIPTS."""

    exit: str
    market: str
    fingerprint: bytes
    now_ms: int


class AddReceipts(Command[None]):
    """Receipts behind those there are, and all counts with theirs; none: the phase is ROOT."""

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
    """Delete at most about `limit` rows of users behind the cursor; `following` when none is left.

    What was deleted is counted with it; activations and key packages are deleted too.
    """

    closure: Closure
    limit: int
    following: Phase


class NoteKeyDestroyed(Command[None]):
    """The key is destroyed: SWEEP."""

    closure: Closure
    destroyed_ms: int


class StoreStatement(Command[None]):
    """No sample opens, and this is the statement: DESTROYED."""

    closure: Closure
    statement: bytes = field(repr=False)


class DropClosure(Command[None]):
    """Delete at most `limit` receipts, then the rest. Only before anything is destroyed.

    `seq` is the exit's last decision that the caller knows; behind a newer one nothing is deleted.
    """

    closure: Closure
    seq: int
    limit: int


class ForgetPersons(Command[None]):
    """Delete at most `limit` of what is kept of persons, and of receipts, each."""

    exit: str
    limit: int
