"""The port to the store of the ledger: the log, the map's leaves, and the identity chains.

`server.ledger` has verified what a command holds; a command refuses only on a concurrent change.
Users are named by address, devices by id; `place` is an entry's index in the log, None before
publication. Pages begin behind `after`. All may raise DiskError and DamageError.
"""

from dataclasses import dataclass
from typing import Final

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.store import Command, Query

LOGGED_KINDS: Final = frozenset({"reset", "cancel"})
"""Kinds of statements whose time of logging counts."""


@dataclass(frozen=True, slots=True)
class Label:
    """A user in the map: 32-byte index, VRF proof (80 bytes), salt (32 bytes).

    Without the salt no commitment of theirs can be opened again.
    """

    user: int
    address: Address
    index: bytes
    vrf_proof: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """One statement: encoding, hash (`head`), its body's type and the map's flags after it."""

    seq: int
    head: bytes
    kind: str
    flags: int
    statement: bytes
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One version of a user's leaf, made by the log's entry at `place`."""

    user: int
    version: int
    head: bytes
    seq: int
    flags: int
    place: int


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device that a statement adds or changes; all public."""

    id: DeviceId
    identity_key: bytes
    name: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class NewCompatible:
    """The certificate for other programs as of statement `seq`; empty: there is none any more."""

    seq: int
    certificate: bytes
    copies: bool


@dataclass(frozen=True, slots=True)
class Change:
    """The effect of one submission, stored whole or not at all.

    The chain must stand at `after` statements, the last of hash `head`. `label` comes with the
    first ones; `certificate` belongs to the set_openpgp at `certificate_seq`. `compatible` is
    what the statements have made of the certificate for other programs. `removed` devices lose
    their parcels; `renamed` replace another's row.
    """

    address: Address
    after: int
    head: bytes
    statements: tuple[StoredStatement, ...]
    label: Label | None = None
    certificate: bytes | None = None
    certificate_seq: int = 0
    compatible: NewCompatible | None = None
    devices: tuple[NewDevice, ...] = ()
    removed: tuple[DeviceId, ...] = ()
    renamed: tuple[tuple[DeviceId, NewDevice], ...] = ()
    activated_ms: int = 0


@dataclass(frozen=True, slots=True)
class WaitingStatement:
    """An unpublished statement by row; `version` is the user's newest leaf's, or 0."""

    number: int
    label: Label
    version: int
    statement: StoredStatement


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A typed entry that waits for the next epoch, by row."""

    number: int
    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The end of one epoch: size and 32-byte root of the log, and the signed note.

    Before it is `published` the note lacks cosignatures; notes of older epochs are empty.
    """

    size: int
    root: bytes
    note: bytes
    published: bool


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch, stored whole: entries from `start` on, leaves, the pending note.

    `published` has each leaf's statements: (user, first seq, last seq, place); `records` the rows
    of the typed entries among `entries`.
    """

    start: int
    entries: tuple[bytes, ...]
    leaves: tuple[Leaf, ...]
    published: tuple[tuple[int, int, int, int], ...]
    records: tuple[int, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class LoggedStatement:
    """A published reset or cancel: its leaf, that leaf's entry, the head at its epoch's end."""

    seq: int
    leaf: Leaf
    mutation: bytes
    end: int
    head: bytes


@dataclass(frozen=True, slots=True)
class StoredChain:
    """Statements of a chain, published or not, in order; `pin` is the user's.

    `heads`: (seq, epoch head) of each logged reset and cancel. `reset_waits`: a device is pending.
    """

    statements: tuple[StoredStatement, ...]
    heads: tuple[tuple[int, bytes], ...]
    reset_waits: bool
    pin: str


@dataclass(frozen=True, slots=True)
class PublishedChain:
    """The published part of a chain; `more` when statements did not fit.

    `logged` are all published resets and cancels, `certificate` that of the newest set_openpgp,
    `compatible` the one for other programs, empty without.
    """

    label: Label
    statements: tuple[bytes, ...]
    more: bool
    logged: tuple[LoggedStatement, ...]
    certificate: bytes | None
    compatible: bytes = b""


class ReadEntries(Query[list[bytes]]):
    """At most `count` entries from `start` on, up to the one that reaches `max_bytes`."""

    start: int
    count: int
    max_bytes: int


class ReadCheckpoints(Query[list[Checkpoint]]):
    """The newest published checkpoint, then the pending one, if they exist."""


class ReadRoots(Query[list[tuple[int, bytes]]]):
    """Size and root at the end of at most `limit` epochs, in order."""

    after: int
    limit: int


class NewestConfig(Query[bytes | None]):
    """The newest entry that holds a configuration."""


class AppendEpoch(Command[None]):
    """Store a pending epoch. Raises ConflictError: one is pending, or has this size."""

    epoch: Epoch


class PublishEpoch(Command[None]):
    """The note has its quorum: publish it and drop older notes. Raises AbsentError."""

    size: int
    note: bytes


class ReadEvidence(Query[list[bytes]]):
    """Our notes that this log lacks: proof that it was rolled back."""


class KeepEvidence(Command[None]):
    """Store such a note."""

    note: bytes
    now_ms: int


class NewestLeaves(Query[list[tuple[Label, Leaf]]]):
    """The newest leaves of at most `limit` users by row."""

    after: int
    limit: int


class LeavesBetween(Query[list[tuple[Address, Leaf]]]):
    """At most `limit` leaves of the entries in [`start`, `end`), with their users."""

    start: int
    end: int
    limit: int


class ChangedPlaces(Query[list[bytes]]):
    """At most `limit` map indices (32 bytes) of leaves changed by the entries [`start`, `end`)."""

    start: int
    end: int
    limit: int


class WaitingStatements(Query[list[WaitingStatement]]):
    """At most `limit` unpublished statements, in order."""

    after: int
    limit: int


class WaitingRecords(Query[list[WaitingRecord]]):
    """At most `limit` unpublished typed entries, oldest first."""

    after: int
    limit: int


class AddRecord(Command[None]):
    """A typed entry for the next epoch."""

    kind: int
    body: bytes


class DropStatements(Command[None]):
    """Delete the user's unpublished statements from `seq` on."""

    address: Address
    seq: int


class FindLeaves(Query[list[tuple[Label | None, Leaf | None]]]):
    """Label and newest leaf, in the first `size` entries, of at most MAX_LOOKUP_ADDRESSES users.

    A user without a chain has no label.
    """

    addresses: tuple[Address, ...]
    size: int


class ReadChain(Query[StoredChain | None]):
    """The chain's statements with a seq above `after`; None for an unknown user."""

    address: Address
    after: int


class ReadPublishedChain(Query[PublishedChain | None]):
    """The chain in the first `size` entries; None if nothing of it is there.

    Statements above `after`, at least one, up to `max_bytes`. Raises DamageError when a published
    reset or cancel has no entry.
    """

    address: Address
    after: int
    size: int
    max_bytes: int


class ReadResets(Query[list[tuple[int, Address, DeviceId]]]):
    """At most `limit` pending devices: row, user, id."""

    after: int
    limit: int


class StoreChange(Command[bool]):
    """Store the change; False when it is stored already.

    Raises ConflictError when the chain has gone on, ForbiddenError when the devices do not allow
    it, AbsentError without such a user.
    """

    change: Change


class RemoveDevice(Command[None]):
    """Delete the device of a cancelled reset."""

    address: Address
    device: DeviceId


class SettleReset(Command[list[DeviceId]]):
    """A reset takes effect: its device is live; delete and return the user's others.

    Certificates of statements before the reset's `seq` are deleted. Raises AbsentError without such
    a user.
    """

    address: Address
    seq: int
    device: DeviceId


class ForgetCertificates(Command[None]):
    """Delete each (user, seq)'s certificates older than the newest up to seq."""

    published: tuple[tuple[int, int], ...]
