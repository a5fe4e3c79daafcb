"""The port to a device's own store: records as they are kept, and the transaction over them.

The store keeps opaque bytes: what an MLS state or an operation means is for `device/` alone.
Everything happens inside a `transaction`, which is durable when its block ends and undone
when the block raises; the processes on one home have it one after the other.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """One MLS group. `state` is its whole MLS state; `epoch` its number, for lists.

    `kind` is "direct" or "group"; `name` the group's name, or the other person's address.
    `standing` is "active", or "removed" once this device was taken out of it. `sent` counts
    the messages that this device has sent in it.
    """

    id: bytes
    kind: str
    name: str
    created_ms: int
    standing: str
    epoch: int
    sent: int
    state: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """One line of a conversation. `number` is given by the store; 0 before that.

    `message` is the 32-byte message id. `sort` is "text", or "event" for what the program
    itself tells (a member was added). `standing` is "received", or for what this device sends
    "waiting", "accepted" or "failed". `conversation` is empty while a first message waits.
    """

    message: bytes
    conversation: bytes
    kind: str
    name: str
    sender: str
    sort: str
    text: str = field(repr=False)
    sent_ms: int
    received_ms: int
    standing: str
    shown: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """An outgoing operation. Rows of one `target` leave in their order.

    `operation` is its stored form; `packages` what was claimed for it; `prepared` the
    posting made of it, which is sent unchanged until it is answered. `problem` is why it
    waits, in words.
    """

    number: int
    target: bytes
    created_ms: int
    operation: bytes = field(repr=False)
    posting: bytes | None
    packages: bytes | None = field(repr=False)
    prepared: bytes | None = field(repr=False)
    problem: str


@dataclass(frozen=True, slots=True)
class UndecryptableRecord:
    """A parcel that could not be opened: where the server keeps it, and why it is there."""

    digest: bytes
    seq: int
    reason: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class MailRecord:
    """One e-mail of the index: what `mail list` shows of it without asking the server."""

    uid: int
    size: int
    received_ms: int
    sender: str
    subject: str
    date: str
    readable: bool


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """What this device has verified of one user: the ledger's entry and their identity chain.

    `version`, `head`, `seq` and `flags` are those of the entry. `statements` are the chain's
    encoded statements, one behind the other with their lengths; `logged` says when the ledger
    logged its resets and cancels. `checked_ms` is this device's time at the last look;
    `checked_size` the size of the checkpoint that it was at, and `as_of_ms` the ledger's time
    then; `devices` the ids, 16 bytes each, of those that were live then. `verified_ms` is when a
    person compared them, 0 when nobody did. `present` is False for a user whom the ledger does not
    have: then only the look itself counts.
    """

    address: str
    version: int
    head: bytes
    seq: int
    flags: int
    statements: bytes = field(repr=False)
    logged: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    checked_ms: int
    verified_ms: int = 0
    present: bool = True
    checked_size: int = 0
    as_of_ms: int = 0
    devices: bytes = b""


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """A checkpoint that was accepted. `quorum_s` is when witnesses cosigned it, Unix seconds.

    `users` is how many there are in the map.
    """

    size: int
    root: bytes
    note: bytes = field(repr=False)
    epoch: int
    unix_ms: int
    quorum_s: int
    users: int = 0


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """Something that must not be, and its evidence: a file that anyone can verify, or empty.

    `code` is one of `device.transparency.alarms`; `address` whom it is about, empty for the ledger
    itself. `fact` is what it is the same as when it comes again. `accepted` once the person has
    said to go on. `number` is given by the store.
    """

    code: str
    address: str
    text: str
    at_ms: int
    evidence: bytes = field(repr=False)
    accepted: bool = False
    number: int = 0
    fact: str = ""


@dataclass(frozen=True, slots=True)
class MailKeyRecord:
    """One OpenPGP key of the user, all of whose devices have it. The newest seals, all open."""

    fingerprint: str
    secret: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    since_ms: int


class Settings(Protocol):
    """Named values: who this device is and where its server is."""

    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, value: bytes) -> None: ...


class KeyPackagePrivates(Protocol):
    """The private halves of published key packages, by KeyPackageRef; and what was used once.

    `met` notes what a key that is good for one use was used for, and gives back what that was at
    the first time; `first_use` only looks.
    """

    def add(self, reference: bytes, private: bytes, last_resort: bool, created_ms: int) -> None: ...
    def find(self, reference: bytes) -> tuple[bytes, bool] | None: ...
    def remove(self, reference: bytes) -> None: ...
    def count(self) -> int: ...
    def forget_before(self, created_ms: int) -> None: ...
    def met(self, key: bytes, what: bytes, now_ms: int) -> bytes: ...
    def first_use(self, key: bytes) -> bytes | None: ...
    def forget_met_before(self, time_ms: int) -> None: ...


class Conversations(Protocol):
    """MLS groups and the envelope keys by which their parcels are found."""

    def put(self, record: ConversationRecord) -> None: ...
    def get(self, conversation: bytes) -> ConversationRecord | None: ...
    def named(self, kind: str, name: str) -> list[ConversationRecord]: ...
    def all(self) -> list[ConversationRecord]: ...
    def count(self) -> int: ...
    def remove(self, conversation: bytes) -> None: ...
    def put_envelope_key(self, conversation: bytes, epoch: int, key: bytes, keep: int) -> None: ...
    def envelope_keys(self) -> list[tuple[bytes, int, bytes]]: ...


class Peers(Protocol):
    """Devices that were met and not yet found in a chain, and the counts of what each device sent.

    Pairs are of a device id and an address. An *unknown* device is one in a leaf that the
    chain of its user, as this device has it, does not have; the ledger is to be asked.
    """

    def found(self, address: str, devices: Iterable[bytes]) -> bool: ...
    def ask_for(self, devices: Iterable[tuple[bytes, str]], now_ms: int, most: int) -> None: ...
    def to_ask(self) -> list[str]: ...
    def set_asked(self, addresses: Iterable[str]) -> None: ...
    def ask_again(self) -> bool: ...
    def forget_unknown_devices_before(self, time_ms: int) -> None: ...
    def tally(self, conversation: bytes, device: bytes) -> int | None: ...
    def set_tally(self, conversation: bytes, device: bytes, highest: int) -> None: ...
    def add_gaps(self, conversation: bytes, device: bytes, counters: Iterable[int]) -> None: ...
    def close_gap(self, conversation: bytes, device: bytes, counter: int) -> None: ...
    def count_gaps(self) -> int: ...
    def forget_counts(self, conversation: bytes) -> None: ...


class History(Protocol):
    """What a person sees."""

    def add(self, record: HistoryRecord) -> int: ...
    def known(self, message: bytes) -> bool: ...
    def set_standing(self, message: bytes, standing: str) -> None: ...
    def rename(self, message: bytes, renamed: bytes, conversation: bytes) -> None: ...
    def standing(self, message: bytes) -> str | None: ...
    def set_shown(self, numbers: Sequence[int]) -> None: ...
    def unshown(self, limit: int) -> list[HistoryRecord]: ...
    def latest(self, limit: int) -> list[HistoryRecord]: ...


class Outbox(Protocol):
    """What waits to be sent, oldest first."""

    def add(self, target: bytes, operation: bytes, created_ms: int) -> int: ...
    def get(self, number: int) -> OutboxRecord | None: ...
    def by_posting(self, posting: bytes) -> OutboxRecord | None: ...
    def all(self) -> list[OutboxRecord]: ...
    def update(self, record: OutboxRecord) -> None: ...
    def remove(self, number: int) -> None: ...


class Parcels(Protocol):
    """Digests (SHA-256) of parcels: those opened and saved, and undecryptable ones."""

    def seen(self, digest: bytes) -> bool: ...
    def mark_seen(self, digest: bytes, now_ms: int) -> None: ...
    def forget_seen_before(self, time_ms: int) -> None: ...
    def set_aside(self, record: UndecryptableRecord) -> None: ...
    def all_undecryptable(self) -> list[UndecryptableRecord]: ...
    def forget_undecryptable_before(self, time_ms: int) -> None: ...


class Mail(Protocol):
    """The index of the e-mail that the server keeps for this user."""

    def put(self, record: MailRecord) -> None: ...
    def get(self, uid: int) -> MailRecord | None: ...
    def all(self) -> list[MailRecord]: ...


class Directory(Protocol):
    """What was verified of the ledger and its users, and the alarms that came of it."""

    def chain(self, address: str) -> ChainRecord | None: ...
    def put_chain(self, record: ChainRecord) -> None: ...
    def chains(self) -> list[ChainRecord]: ...
    def devices(self, address: str) -> bytes | None: ...
    def newest(self) -> CheckpointRecord | None: ...
    def checkpoint(self, size: int) -> CheckpointRecord | None: ...
    def put_checkpoint(self, record: CheckpointRecord, keep: int) -> None: ...
    def alarms(self) -> list[AlarmRecord]: ...
    def add_alarm(self, record: AlarmRecord) -> int: ...
    def update_alarm(self, record: AlarmRecord) -> None: ...
    def entries(self) -> list[tuple[int, bytes]]: ...
    def add_entries(self, start: int, entries: bytes) -> None: ...
    def forget_entries(self, start: int) -> None: ...


class MailKeys(Protocol):
    """The user's OpenPGP keys, the newest first."""

    def put(self, record: MailKeyRecord) -> None: ...
    def all(self) -> list[MailKeyRecord]: ...


class Records(Protocol):
    """Everything in one store, valid inside one transaction."""

    settings: Settings
    key_packages: KeyPackagePrivates
    conversations: Conversations
    peers: Peers
    history: History
    outbox: Outbox
    parcels: Parcels
    mail: Mail
    directory: Directory
    mail_keys: MailKeys

    def attempt(self) -> AbstractContextManager[None]:
        """A part of the transaction that is undone alone when its block raises."""


class DeviceStore(Protocol):
    """The store itself."""

    def transaction(self) -> AbstractContextManager[Records]:
        """One durable change, all or nothing; waits for other processes' transactions.

        Raises StorageError when the store cannot be read or made durable.
        """
