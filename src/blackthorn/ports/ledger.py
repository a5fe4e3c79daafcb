"""The port to the store of the ledger: the log, the map's leaves, and the identity chains.

What a command is given has been verified by `server.ledger`; it refuses only what another command
has overtaken. Users are named by their addresses, devices by their ids; `place` is the index of an
entry in the log, and is None for what waits for the next epoch. Pages begin behind `after`.

Every command and query may raise DiskError and DamageError; others are named where they occur.
"""

from dataclasses import dataclass
from typing import Final

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.store import Command, Query

LOGGED_KINDS: Final = frozenset({"reset", "cancel"})
"""Kinds of statements of which it counts when the ledger logged them."""


@dataclass(frozen=True, slots=True)
class Label:
    """A user as the map names them: the 32-byte index, the VRF proof of it (80 bytes), the salt.

    Without the salt (32 bytes) no opening of theirs can be made again.
    """

    user: int
    address: Address
    index: bytes
    vrf_proof: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """One statement of a chain: its encoding, its hash (`head`), and what the map says with it.

    `kind` is the name of its body's type; `flags` are those of the map's value after it.
    """

    seq: int
    head: bytes
    kind: str
    flags: int
    statement: bytes
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One version of a user's leaf, and the entry of the log that made it."""

    user: int
    version: int
    head: bytes
    seq: int
    flags: int
    place: int


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device that a statement brings or changes; all of it is public."""

    id: DeviceId
    identity_key: bytes
    name: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Change:
    """What one submission changes, stored whole or not at all.

    The chain must stand at `after` statements, the last of hash `head`. `label` comes with the
    first ones; `certificate` belongs to the set_openpgp at `certificate_seq`. `devices` are added,
    `removed` deleted with all that waits for them, `renamed` take the place of another's row.
    """

    address: Address
    after: int
    head: bytes
    statements: tuple[StoredStatement, ...]
    label: Label | None = None
    certificate: bytes | None = None
    certificate_seq: int = 0
    devices: tuple[NewDevice, ...] = ()
    removed: tuple[DeviceId, ...] = ()
    renamed: tuple[tuple[DeviceId, NewDevice], ...] = ()
    activated_ms: int = 0


@dataclass(frozen=True, slots=True)
class WaitingStatement:
    """A statement that no entry has published: its row's number, and whose it is.

    `version` is that of the user's newest leaf, 0 when they have none.
    """

    number: int
    label: Label
    version: int
    statement: StoredStatement


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A typed entry that waits: the number of its row, its kind and its body."""

    number: int
    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The end of one epoch: size and 32-byte root of the log, and the signed note.

    While `published` is False the note has the log's signature alone and waits for witnesses.
    The notes of older epochs are not kept: empty.
    """

    size: int
    root: bytes
    note: bytes
    published: bool


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch adds, stored whole: entries from `start` on, leaves, the pending note.

    `published` names the statements that each leaf publishes: (user, first seq, last seq, place);
    `records` the rows of the typed entries that are among `entries`.
    """

    start: int
    entries: tuple[bytes, ...]
    leaves: tuple[Leaf, ...]
    published: tuple[tuple[int, int, int, int], ...]
    records: tuple[int, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class LoggedStatement:
    """A published reset or cancel: its leaf, the leaf's entry, and the head that ends its epoch."""

    seq: int
    leaf: Leaf
    mutation: bytes
    end: int
    head: bytes


@dataclass(frozen=True, slots=True)
class StoredChain:
    """Statements of a chain, published or not, in order.

    `heads` are, of each reset and cancel that has an entry, its seq and the head of that epoch.
    `reset_waits` says whether the user has a device that is pending; `pin` is the user's.
    """

    statements: tuple[StoredStatement, ...]
    heads: tuple[tuple[int, bytes], ...]
    reset_waits: bool
    pin: str


@dataclass(frozen=True, slots=True)
class PublishedChain:
    """A chain as far as an epoch has published it; `more` when statements did not fit.

    `logged` are all published resets and cancels, `certificate` that of the newest set_openpgp.
    """

    label: Label
    statements: tuple[bytes, ...]
    more: bool
    logged: tuple[LoggedStatement, ...]
    certificate: bytes | None


class ReadEntries(Query[list[bytes]]):
    """At most `count` entries from `start` on; they end with the one that reaches `max_bytes`."""

    start: int
    count: int
    max_bytes: int


class ReadCheckpoints(Query[list[Checkpoint]]):
    """The newest published and, behind it, the pending one, as far as there are such."""


class ReadRoots(Query[list[tuple[int, bytes]]]):
    """Size and root at the end of at most `limit` epochs, in order."""

    after: int
    limit: int


class NewestConfig(Query[bytes | None]):
    """The newest entry that holds a configuration."""


class AppendEpoch(Command[None]):
    """Store the epoch, pending. Raises ConflictError: one is pending, or one has this size."""

    epoch: Epoch


class PublishEpoch(Command[None]):
    """The note of that size has its quorum: it is published, older notes are dropped.

    Raises AbsentError when there is no such epoch.
    """

    size: int
    note: bytes


class ReadEvidence(Query[list[bytes]]):
    """Notes of ours that this log does not have: it was set back to an older state."""


class KeepEvidence(Command[None]):
    """Keep such a note."""

    note: bytes
    now_ms: int


class NewestLeaves(Query[list[tuple[Label, Leaf]]]):
    """The newest leaves of at most `limit` users of rows above `after`, in this order."""

    after: int
    limit: int


class LeavesBetween(Query[list[tuple[Address, Leaf]]]):
    """At most `limit` leaves that entries from `start` to before `end` made, and whose they are."""

    start: int
    end: int
    limit: int


class WaitingStatements(Query[list[WaitingStatement]]):
    """At most `limit` statements that wait for an epoch, in their order."""

    after: int
    limit: int


class WaitingRecords(Query[list[WaitingRecord]]):
    """At most `limit` typed entries that wait, oldest first."""

    after: int
    limit: int


class AddRecord(Command[None]):
    """A typed entry for the next epoch."""

    kind: int
    body: bytes


class DropStatements(Command[None]):
    """Forget the unpublished statements of the user from `seq` on: they came too late."""

    address: Address
    seq: int


class FindLeaves(Query[list[tuple[Label | None, Leaf | None]]]):
    """Of each user (at most MAX_LOOKUP_ADDRESSES) the label and the newest leaf.

    Leaves are those of the first `size` entries. Without a chain there is no label.
    """

    addresses: tuple[Address, ...]
    size: int


class ReadChain(Query[StoredChain | None]):
    """The statements of a chain with a seq above `after`; None when there is no such user."""

    address: Address
    after: int


class ReadPublishedChain(Query[PublishedChain | None]):
    """The chain in the first `size` entries; None when none of it is there.

    Of the statements those above `after`, as many as fit in `max_bytes`, one at least. Raises
    DamageError when a published reset or cancel has no entry.
    """

    address: Address
    after: int
    size: int
    max_bytes: int


class ReadResets(Query[list[tuple[int, Address, DeviceId]]]):
    """At most `limit` devices that are pending: number of the row, whose they are, id."""

    after: int
    limit: int


class StoreChange(Command[bool]):
    """Store the change; False when it is stored already.

    Raises ConflictError when the chain does not stand where the change continues it, ForbiddenError
    when the devices do not allow it, AbsentError when there is no such user.
    """

    change: Change


class RemoveDevice(Command[None]):
    """The device of a reset that was cancelled goes."""

    address: Address
    device: DeviceId


class SettleReset(Command[list[DeviceId]]):
    """A reset is effective: its device is live, all others of the user go; which those were.

    Certificates of statements before `seq`, the reset's, are deleted. Raises AbsentError when there
    is no such user.
    """

    address: Address
    seq: int
    device: DeviceId


class ForgetCertificates(Command[None]):
    """Delete certificates of each (user, seq) older than the newest at or below this seq."""

    published: tuple[tuple[int, int], ...]
