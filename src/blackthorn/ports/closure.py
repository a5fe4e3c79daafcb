"""The port to a market's closure as it is stored: how far it is, receipts, samples.

Every job is one bounded step, and does nothing but raise StorageError when the closure is not
where its caller saw it. So a step that is done twice is done once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from blackthorn.ids import Address
from blackthorn.ports.writer import Job


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
    """Whom a closure concerns, as he stands; `sample` is a wrapped mail of his, if wanted."""

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


class ClosureStore(Protocol):
    """Closures. Every read raises StorageError when the database fails."""

    def all(self) -> list[Closure]:
        """Every closure that was begun and not given up."""
        ...

    def statement(self, exit_id: str) -> bytes:
        """The statement as its hash is taken, empty before it is made."""
        ...

    def persons(self, closure: Closure, limit: int, samples: bool) -> list[Person]:
        """At most `limit` behind the cursor: users of the market, and who moved away from it."""
        ...

    def addresses(self, market: str) -> list[Address]:
        """The users of a market now, sorted."""
        ...

    def settled(self, closure: Closure) -> bool:
        """Whether nobody has come to the market or moved since the receipts were made."""
        ...

    def leaves(self, exit_id: str) -> list[bytes]:
        """The leaf hashes of all receipts in their order."""
        ...

    def receipt(self, exit_id: str, address: Address) -> tuple[int, bytes] | None:
        """A person's place and receipt."""
        ...

    def samples(self, exit_id: str) -> list[bytes]:
        """The samples set apart."""
        ...

    def begin(self, exit_id: str, market: str, fingerprint: bytes, now_ms: int) -> Job[None]:
        """A new closure, in the phase RECEIPTS."""
        ...

    def add(
        self,
        closure: Closure,
        receipts: Sequence[NewReceipt],
        samples: Sequence[bytes],
        counts: dict[str, int],
        cursor: int,
    ) -> Job[None]:
        """Receipts behind those there are, and all counts with theirs; none: the phase is ROOT."""
        ...

    def rooted(self, closure: Closure, root: bytes) -> Job[None]:
        """The tree stands: READY."""
        ...

    def advance(self, closure: Closure, phase: Phase) -> Job[None]:
        """The next phase, from its beginning."""
        ...

    def purge(self, closure: Closure, limit: int, after: Phase) -> Job[None]:
        """Delete at most about `limit` rows of users behind the cursor; `after` when none is left.

        What was deleted is counted with it; activations and key packages go too.
        """
        ...

    def destroyed(self, closure: Closure, destroyed_ms: int) -> Job[None]:
        """The key is gone: SWEEP."""
        ...

    def proved(self, closure: Closure, statement: bytes) -> Job[None]:
        """No sample opens, and this is the statement: DESTROYED."""
        ...

    def drop(self, closure: Closure, seq: int, limit: int) -> Job[None]:
        """Throw at most `limit` receipts away, then the rest. Only before anything is destroyed.

        `seq` is the exit's last decision that the caller knows; behind a newer one nothing is
        thrown away.
        """
        ...

    def remembers(self, exit_id: str) -> bool:
        """Whether something is kept of persons of the exit."""
        ...

    def forget(self, exit_id: str, limit: int) -> Job[None]:
        """Delete at most `limit` of what is kept of persons, and of receipts, each."""
        ...
