"""What the memory engine holds: plain dicts, one for each table that a port knows of."""

from dataclasses import dataclass, field


@dataclass
class User:
    address: str
    pin: str
    market: str = ""


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
    destroyed: set[str] = field(default_factory=set)
    """Markets whose keys were destroyed; the test sets it."""
