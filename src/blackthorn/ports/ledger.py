"""The port to the store of the ledger: the log, the map's leaves, and the identity chains.

Reads answer from the last durable commit, writes come as jobs for the `Writer`. What a job is
given has been verified by `server.ledger.ledger`; a job refuses only what another job has
overtaken. Users are named by their addresses, devices by their ids; `place` is the index of an
entry in the log, and is None for what waits for the next epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.writer import Job


@dataclass(frozen=True, slots=True)
class Label:
    """A user as the map names him: his 32-byte index, the VRF proof of it (80 bytes), his salt.

    Without the salt (32 bytes) no opening of his can be made again.
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
    """What one submission changes, stored as one or not at all.

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
class Settlement:
    """A reset that has become effective: its device is live, all others of the user are gone.

    Certificates of statements before `seq`, the reset's, are deleted.
    """

    address: Address
    seq: int
    device: DeviceId


@dataclass(frozen=True, slots=True)
class WaitingUser:
    """A user whose chain has statements that no entry has published, oldest first.

    `version` is that of his newest leaf, 0 when he has none.
    """

    label: Label
    version: int
    statements: tuple[StoredStatement, ...]


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
    """What one epoch adds, stored as one: entries from `start` on, leaves, the pending note.

    `published` names the statements that each leaf publishes: (user, first seq, last seq, place);
    `records` the rows of the typed entries that are among `entries`.
    """

    start: int
    entries: tuple[bytes, ...]
    leaves: tuple[Leaf, ...]
    published: tuple[tuple[int, int, int, int], ...]
    records: tuple[int, ...]
    checkpoint: Checkpoint


class LedgerStore(Protocol):
    """The ledger's rows. Every read raises StorageError when the database fails."""

    # --- The log --------------------------------------------------------------------------

    def entries(self, start: int, count: int, max_bytes: int) -> list[bytes]:
        """At most `count` entries from `start` on; it ends with the one that brings the bytes to
        `max_bytes`."""
        ...

    def checkpoints(self) -> list[Checkpoint]:
        """The newest published and, behind it, the pending one, as far as there are such."""
        ...

    def roots(self) -> list[tuple[int, bytes]]:
        """Size and root at the end of every epoch, in order, for the search of damage."""
        ...

    def newest_config(self) -> bytes | None:
        """The newest entry that holds a configuration."""
        ...

    def epoch_end(self, place: int) -> int | None:
        """The size of the log at the end of the epoch that holds this entry."""
        ...

    def append(self, epoch: Epoch) -> Job[None]:
        """Store the epoch, pending."""
        ...

    def publish(self, size: int, note: bytes) -> Job[None]:
        """The note of that size has its quorum: it is published, older notes are dropped."""
        ...

    def evidence(self) -> list[bytes]:
        """Notes of ours that this log does not have: it was set back to an older state."""
        ...

    def keep_evidence(self, note: bytes, now_ms: int) -> Job[None]:
        """Keep such a note."""
        ...

    def newest_leaves(self, after: int, limit: int) -> list[tuple[Label, Leaf]]:
        """The newest leaves of at most `limit` users of rows above `after`, in this order."""
        ...

    def leaves(self, start: int, end: int) -> list[tuple[Address, Leaf]]:
        """The leaves that the entries `start` to `end` (not included) made, and whose they are."""
        ...

    # --- What waits -----------------------------------------------------------------------

    def waiting(self, limit: int) -> list[WaitingUser]:
        """Users with unpublished statements, in the order of these, at most `limit` statements."""
        ...

    def waiting_records(self, limit: int) -> list[WaitingRecord]:
        """Typed entries that wait, oldest first."""
        ...

    def add_record(self, kind: int, body: bytes) -> Job[None]:
        """A typed entry for the next epoch."""
        ...

    def drop(self, address: Address, seq: int) -> Job[None]:
        """Forget the unpublished statements of the user from `seq` on: they came too late."""
        ...

    # --- Chains ---------------------------------------------------------------------------

    def label(self, address: Address) -> Label | None:
        """The user as the map names him, or None when he has no chain."""
        ...

    def leaf(self, user: int, size: int) -> Leaf | None:
        """The user's newest leaf among the first `size` entries, or None."""
        ...

    def leaf_of(self, user: int, seq: int) -> Leaf | None:
        """The leaf whose newest statement is `seq`, or None."""
        ...

    def statements(self, address: Address, after: int) -> list[StoredStatement]:
        """The statements of the user's chain with a seq above `after`, published or not."""
        ...

    def certificate(self, user: int, seq: int) -> bytes | None:
        """The certificate of the newest set_openpgp with a seq not above `seq`."""
        ...

    def resets(self) -> list[tuple[Address, DeviceId]]:
        """The devices that are pending, and whose they are."""
        ...

    def fits(self, change: Change) -> Job[str | None]:
        """None when the change continues the chain; "" when it is stored already; or why not."""
        ...

    def change(self, change: Change) -> Job[str | None]:
        """Store the change if it `fits`, and answer like it."""
        ...

    def remove(self, address: Address, device: DeviceId) -> Job[None]:
        """The device of a reset that was cancelled goes."""
        ...

    def settle(self, settlement: Settlement) -> Job[list[DeviceId]]:
        """Let a reset be effective; the devices that are gone."""
        ...

    def forget_certificates(self, published: Sequence[tuple[int, int]]) -> Job[None]:
        """Delete certificates of each user older than the newest at or below this seq."""
        ...
