"""What the memory engine holds: plain dicts, one for each table that a port knows of."""

from dataclasses import dataclass, field

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.governance.cases import PendingDecision, StoredDecision
from blackthorn.ports.governance.closure import Closure
from blackthorn.ports.governance.exits import ExitPerson
from blackthorn.ports.ledger import Checkpoint, Label, Leaf, StoredStatement, WaitingRecord


@dataclass
class User:
    address: str
    pin: str
    market: str = ""
    language: str = "en"


@dataclass
class Device:
    id: bytes
    user: int
    identity_key: bytes
    standing: str = "live"
    hello_number: int = 0
    hello: bytes = b""


@dataclass
class Parcel:
    sealed: bytes
    sender: int = 0
    undecryptable_day: int | None = None


@dataclass
class Mail:
    received_ms: int
    market: str
    sealed: bytes
    compatible: bool = False


@dataclass
class Queued:
    """An outbound mail."""

    user: int
    queued_ms: int
    market: str
    sealed: bytes
    dropped: bool = False


@dataclass
class Delivered:
    """What is left of an outbound mail for one domain."""

    mail: int
    domain: str
    next_ms: int
    envelope: bytes
    tries: int = 0
    warned: bool = False


@dataclass
class Code:
    """An activation code; the password is no Secret here, which cannot be copied."""

    address: Address
    password: bytes
    public_key: bytes
    expires_ms: int
    used_by: DeviceId | None = None
    used_seq: int | None = None


@dataclass
class State:
    """Add the tables of a port here; values are copied whole before each transaction."""

    users: dict[int, User] = field(default_factory=dict)
    devices: dict[int, Device] = field(default_factory=dict)
    certificates: dict[int, list[tuple[int, bytes | None]]] = field(default_factory=dict)
    """By user: (seq, certificate), oldest first."""
    compatible: dict[int, list[tuple[int, bytes, bool]]] = field(default_factory=dict)
    """By user: (seq, certificate or nothing, copies), oldest first."""
    parcels: dict[tuple[int, int], Parcel] = field(default_factory=dict)
    missed: dict[int, list[bytes]] = field(default_factory=dict)
    """By (device, seq)."""
    commits: dict[tuple[bytes, int], tuple[bytes, int, bytes]] = field(default_factory=dict)
    """(handle, epoch) → (token, day)."""
    key_packages: dict[int, list[tuple[bytes, int]]] = field(default_factory=dict)
    last_resort: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    mails: dict[tuple[int, int], Mail] = field(default_factory=dict)
    """By (user, uid)."""
    pieces: dict[tuple[int, int], dict[int, bytes]] = field(default_factory=dict)
    """By (user, number of the mail): pieces by start."""
    queued: dict[int, Queued] = field(default_factory=dict)
    deliveries: dict[int, Delivered] = field(default_factory=dict)
    aliases: dict[str, list[int]] = field(default_factory=dict)
    """Name → users."""
    submissions: dict[tuple[int, bytes], tuple[int, int]] = field(default_factory=dict)
    """(user, token) → (day, mail)."""
    last_uid: dict[int, int] = field(default_factory=dict)
    exit_persons: dict[tuple[str, int], ExitPerson] = field(default_factory=dict)
    """By (exit, user)."""
    notices: dict[tuple[str, int, int], tuple[int | None, int | None]] = field(default_factory=dict)
    """(case, seq, user) → (sent, read), Unix ms."""
    decisions: list[StoredDecision] = field(default_factory=list)
    pending: dict[str, PendingDecision] = field(default_factory=dict)
    founders: set[int] = field(default_factory=set)
    entries: dict[int, bytes] = field(default_factory=dict)
    """Of the ledger, by place."""
    closures: dict[str, Closure] = field(default_factory=dict)
    receipts: dict[tuple[str, int], tuple[int, bytes, bytes]] = field(default_factory=dict)
    """(exit, place) → (user, receipt, leaf)."""
    samples: dict[str, list[bytes]] = field(default_factory=dict)
    statements: dict[str, bytes] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)
    chains: dict[tuple[int, int], tuple[int, StoredStatement]] = field(default_factory=dict)
    """(user, seq) → order of coming, statement."""
    epochs: dict[int, Checkpoint] = field(default_factory=dict)
    evidence: dict[bytes, int] = field(default_factory=dict)
    records: dict[int, WaitingRecord] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    """Numbers of rows that were given out, by table, so that none comes twice."""
    destroyed: set[str] = field(default_factory=set)
    """Markets whose keys were destroyed; the test sets it."""
