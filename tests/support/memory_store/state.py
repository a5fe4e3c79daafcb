"""What the memory engine holds: plain dicts, one for each table that a port knows of."""

from dataclasses import dataclass, field

from blackthorn.ports.cases import PendingDecision, StoredDecision
from blackthorn.ports.closure import Closure
from blackthorn.ports.exits import ExitPerson


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


@dataclass
class Parcel:
    sealed: bytes
    undecryptable_day: int | None = None


@dataclass
class Mail:
    received_ms: int
    market: str
    sealed: bytes


@dataclass
class State:
    """Add the tables of a port here; values are copied whole before each transaction."""

    users: dict[int, User] = field(default_factory=dict)
    devices: dict[int, Device] = field(default_factory=dict)
    certificates: dict[int, list[tuple[int, bytes | None]]] = field(default_factory=dict)
    """By user: (seq, certificate), oldest first."""
    parcels: dict[tuple[int, int], Parcel] = field(default_factory=dict)
    """By (device, seq)."""
    next_seq: int = 1
    commits: dict[tuple[bytes, int], tuple[bytes, int]] = field(default_factory=dict)
    """(handle, epoch) → (token, day)."""
    key_packages: dict[int, list[bytes]] = field(default_factory=dict)
    last_resort: dict[int, bytes] = field(default_factory=dict)
    mails: dict[tuple[int, int], Mail] = field(default_factory=dict)
    """By (user, uid)."""
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
    destroyed: set[str] = field(default_factory=set)
    """Markets whose keys were destroyed; the test sets it."""
