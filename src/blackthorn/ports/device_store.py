"""The port to a device's own store: records and the transaction over them.

The store keeps opaque bytes; only `device/` knows MLS states and operations. A `transaction` is
durable when its block ends and rolled back when it raises; processes on one home take turns.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.ports.device_groups import CommitOrders, Groups, Leaves, NotedChanges
from blackthorn.ports.device_healing import Healing, LostTexts
from blackthorn.ports.device_history import ALL_LINES as ALL_LINES
from blackthorn.ports.device_history import History as History
from blackthorn.ports.device_history import HistoryQuery as HistoryQuery
from blackthorn.ports.device_history import HistoryRecord as HistoryRecord
from blackthorn.ports.device_history import Place as Place
from blackthorn.ports.device_letters import Letters
from blackthorn.ports.outside.keys import OutsideKeys


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """One MLS group; `state` is its whole MLS state until that lies in `Groups`, then empty.

    `kind` is "direct" or "group"; `name` the group's name, or the other user's address; `standing`
    "active", or "removed" once this device was removed; `sent` counts this device's messages.
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
class OutboxRecord:
    """An outgoing operation. Operations of one `target` are sent in order.

    `operation` is its stored form; `packages` the key packages claimed for it; `prepared` its
    posting, sent unchanged until it is answered. `problem` is the reason of a delay, in words.
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
class OutcomeRecord:
    """What became of the operation of that number in the outbox, at `at_ms` Unix milliseconds.

    `message` is the id of its line in the history, or empty; `error` is empty when it was done.
    """

    number: int
    message: bytes
    error: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class UndecryptableRecord:
    """A parcel that could not be decrypted: its place on the server, the reason, the first try.

    `holder` is the device, user or conversation that it names, or empty.
    """

    digest: bytes
    seq: int
    reason: str
    since_ms: int
    moment: int = 0
    holder: bytes = b""


@dataclass(frozen=True, slots=True)
class MailRecord:
    """One e-mail of the index, as `mail list` shows it.

    `tried` is one more than the number of keys that did not open it, 0 for one that was opened. It
    is 1 where none could be tried now.
    """

    uid: int
    size: int
    received_ms: int
    sender: str
    subject: str
    date: str
    readable: bool
    junk: bool = False
    tried: int = 0


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """The verified state of one user: the ledger's entry and their identity chain.

    `version`, `head`, `seq` and `flags` are those of the entry. `statements` are the encoded ones
    with length prefixes; `logged` tells when the ledger logged resets and cancels. `checked_ms` is
    the device's time of the last check, `checked_size` the size of its checkpoint, `as_of_ms` the
    ledger's time then, `devices` the 16-byte ids of the devices live then. `verified_ms` is when
    the person compared safety numbers, else 0. `present` is False for a user unknown to the ledger.
    `compatible` is the certificate for other programs, which may have signed the user's mail.
    `place` has the first 8 bytes of their index in the map, or nothing when it is not known,
    `asked` the moment (`device.core.moments`) when the last verified lookup was begun.
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
    place: bytes = b""
    asked: int = 0
    compatible: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """An accepted checkpoint of a map of `users` users.

    `quorum_s` is when witnesses cosigned it, in Unix seconds.
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
    """An alarm and its evidence: a file that anyone can verify, or empty.

    `code` is one of `device.transparency.alarms`; `address` is empty for the ledger itself; alarms
    of one `fact` are the same. `accepted`: the person chose to go on. `ended_ms`: when its cause
    ended, or 0. The store sets `number`.
    """

    code: str
    address: str
    text: str
    at_ms: int
    evidence: bytes = field(repr=False)
    accepted: bool = False
    number: int = 0
    fact: str = ""
    ended_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the person is still to see to it."""
        return not self.accepted and not self.ended_ms


@dataclass(frozen=True, slots=True)
class MailKeyRecord:
    """One OpenPGP key of the user, on all their devices. The newest seals, all decrypt."""

    fingerprint: str
    secret: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    since_ms: int


class Settings(Protocol):
    """Named values: identity of this device and address of its server."""

    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, value: bytes) -> None: ...


class KeyPackagePrivates(Protocol):
    """Private halves of published key packages by KeyPackageRef; and the uses of one-time keys.

    `met` records a one-time key's use and returns the first one; `first_use` only reads it.
    """

    def add(self, reference: bytes, private: bytes, last_resort: bool, created_ms: int) -> None: ...
    def find(self, reference: bytes) -> tuple[bytes, bool] | None: ...
    def remove(self, reference: bytes) -> None: ...
    def count(self) -> int: ...
    def forget_before(self, created_ms: int, last_resort: bool) -> None: ...
    def met(self, key: bytes, what: bytes, now_ms: int) -> bytes: ...
    def first_use(self, key: bytes) -> bytes | None: ...
    def forget_met_before(self, time_ms: int) -> None: ...


class Conversations(Protocol):
    """MLS groups and the envelope keys by which their parcels are found."""

    def put(self, record: ConversationRecord) -> None: ...
    def get(self, conversation: bytes) -> ConversationRecord | None: ...
    def named(self, kind: str, name: str) -> list[ConversationRecord]: ...
    def standing(self, conversation: bytes) -> str | None: ...
    def standings(self, kind: str, name: str) -> list[tuple[bytes, str]]: ...
    def all(self) -> list[ConversationRecord]: ...
    def count(self) -> int: ...
    def remove(self, conversation: bytes) -> None: ...
    def put_envelope_key(self, conversation: bytes, epoch: int, key: bytes) -> None: ...
    def envelope_keys(self) -> list[tuple[bytes, int, bytes]]: ...


class Peers(Protocol):
    """Devices not yet found in a chain, and the message counts of each device.

    Pairs are of a device id and an address. A device is *unknown* while its user's chain, as stored
    here, lacks it; the ledger is asked.
    """

    def found(self, address: str, devices: Iterable[bytes]) -> bool: ...
    def ask_for(self, devices: Iterable[tuple[bytes, str]], now_ms: int, most: int) -> None: ...
    def to_ask(self) -> list[str]: ...
    def set_asked(self, addresses: Iterable[str]) -> None: ...
    def ask_again(self) -> bool: ...
    def forget_unknown_devices_before(self, time_ms: int) -> None: ...
    def tally(self, conversation: bytes, device: bytes) -> int | None: ...
    def tallies(self, conversation: bytes, most: int) -> list[tuple[bytes, int]]: ...
    def set_tally(self, conversation: bytes, device: bytes, highest: int) -> None: ...
    def add_gaps(
        self, conversation: bytes, device: bytes, counters: Iterable[int], due_ms: int
    ) -> None: ...
    def close_gap(self, conversation: bytes, device: bytes, counter: int) -> None: ...
    def count_gaps(self) -> int: ...
    def gaps_to_ask(self, most: int) -> list[tuple[bytes, bytes, int]]: ...
    def forget_counts(self, conversation: bytes) -> None: ...


class Outbox(Protocol):
    """Operations to send, oldest first."""

    def add(self, target: bytes, operation: bytes, created_ms: int) -> int: ...
    def get(self, number: int) -> OutboxRecord | None: ...
    def by_posting(self, posting: bytes) -> OutboxRecord | None: ...
    def all(self) -> list[OutboxRecord]: ...
    def update(self, record: OutboxRecord) -> None: ...
    def finish(self, outcome: OutcomeRecord, keep: int) -> None: ...
    def outcome(self, number: int) -> OutcomeRecord | None: ...
    def forget_outcomes_before(self, time_ms: int) -> None: ...


class Parcels(Protocol):
    """SHA-256 digests of parcels: those decrypted and saved, and undecryptable ones.

    Beside them parts, by kind, name and place, of what is larger than a parcel and not yet whole.
    """

    def seen(self, digest: bytes) -> bool: ...
    def seen_one(self, beginning: bytes) -> bool: ...
    def mark_seen(self, digest: bytes, now_ms: int) -> None: ...
    def forget_seen_before(self, time_ms: int) -> None: ...
    def set_aside(self, record: UndecryptableRecord) -> None: ...
    def undecryptable(self, digest: bytes) -> UndecryptableRecord | None: ...
    def all_undecryptable(self) -> list[UndecryptableRecord]: ...
    def keep_undecryptable(self, most: int) -> int: ...
    def forget_undecryptable_before(self, time_ms: int) -> None: ...
    def parts(self, kind: str, name: bytes) -> dict[int, bytes]: ...
    def put_part(self, kind: str, name: bytes, place: int, sealed: bytes, now_ms: int) -> None: ...
    def keep_parts(self, kind: str, most: int) -> None: ...
    def forget_parts(self, kind: str, name: bytes) -> None: ...
    def forget_parts_before(self, time_ms: int) -> None: ...


class Mail(Protocol):
    """The index of the e-mail that the server keeps for this user."""

    def put(self, record: MailRecord) -> None: ...
    def remove(self, uid: int) -> None: ...
    def all(self) -> list[MailRecord]: ...


class Directory(Protocol):
    """Verified state of the ledger and its users, and the alarms."""

    def chain(self, address: str) -> ChainRecord | None: ...
    def put_chain(self, record: ChainRecord) -> None: ...
    def chains(self) -> list[ChainRecord]: ...
    def devices(self, address: str) -> bytes | None: ...
    def places(self) -> list[tuple[str, bytes, int]]: ...
    def asked(self, address: str) -> int: ...
    def newest(self) -> CheckpointRecord | None: ...
    def checkpoint(self, size: int) -> CheckpointRecord | None: ...
    def checkpoint_until(self, epoch: int) -> CheckpointRecord | None: ...
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


class Hellos(Protocol):
    """The hellos of this vault, by number and SHA-256 digest.

    `since` is the number of the newest one that had been answered when it was sent.
    """

    def add(self, number: int, digest: bytes, since: int) -> None: ...
    def since(self, number: int) -> int | None: ...
    def known(self, number: int, digest: bytes) -> bool: ...
    def newest(self) -> tuple[int, bytes] | None: ...
    def forget_before(self, number: int) -> None: ...


class Records(Protocol):
    """Everything in one store, valid inside one transaction."""

    settings: Settings
    key_packages: KeyPackagePrivates
    conversations: Conversations
    groups: Groups
    commit_orders: CommitOrders
    healing: Healing
    lost: LostTexts
    peers: Peers
    noted: NotedChanges
    history: History
    outbox: Outbox
    parcels: Parcels
    mail: Mail
    directory: Directory
    mail_keys: MailKeys
    outside_keys: OutsideKeys
    leaves: Leaves
    hellos: Hellos
    letters: Letters

    def attempt(self) -> AbstractContextManager[None]:
        """A nested part of the transaction, rolled back alone when its block raises."""


class DeviceStore(Protocol):
    def transaction(self) -> AbstractContextManager[Records]:
        """One durable change, all or nothing; other processes' transactions come first.

        Raises StorageError when the store cannot be read or made durable.
        """
