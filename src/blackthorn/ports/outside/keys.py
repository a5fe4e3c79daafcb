"""The port to the device's pinned certificates of people outside."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Source(StrEnum):
    """Where a certificate comes from."""

    NONE = ""
    AUTOCRYPT = "autocrypt"
    """The header of a mail that came from the address."""
    WKD = "wkd"
    """The web server of the address's domain."""
    PERSON = "person"
    """The person has accepted it."""


@dataclass(frozen=True, slots=True)
class OutsideKeyRecord:
    """What is known of the certificate of one address outside.

    `certificate` is pinned, empty while none is known; `since_ms` is when it was. `offered` is
    another one that waits for the person's decision. `asked_ms` is the last complete answer of the
    domain's web server, 0 for none. Times are Unix milliseconds, fingerprints small hex digits.
    """

    address: str
    source: str = Source.NONE
    fingerprint: str = ""
    certificate: bytes = field(default=b"", repr=False)
    since_ms: int = 0
    offered_source: str = Source.NONE
    offered_fingerprint: str = ""
    offered: bytes = field(default=b"", repr=False)
    offered_ms: int = 0
    asked_ms: int = 0


class OutsideKeys(Protocol):
    """By normalised address."""

    def of(self, address: str) -> OutsideKeyRecord | None: ...
    def put(self, record: OutsideKeyRecord) -> None: ...
    def all(self) -> list[OutsideKeyRecord]: ...
    def count(self) -> int: ...
    def forget(self, address: str) -> None: ...
    def forget_oldest(self, keep: int) -> None:
        """Forget addresses without a certificate beyond `keep`, those asked longest ago first."""
