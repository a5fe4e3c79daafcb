"""The port to what an enterprise knows of its users and devices: read-only, and quick.

Reads answer from the last durable commit. Writes go through `ports.writer`.
"""

from dataclasses import dataclass
from typing import Protocol

from blackthorn.ids import Address, DeviceId


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """One activated device. `number` is its row, the short name that parcels are stored under."""

    number: int
    id: DeviceId
    identity_key: bytes
    address: Address


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One user. `certificate` is the OpenPGP certificate made at activation, or None before."""

    number: int
    address: Address
    pin: str
    certificate: bytes | None
    devices: tuple[DeviceRecord, ...]


class Enterprise(Protocol):
    """Who exists."""

    def device(self, device: DeviceId) -> DeviceRecord | None:
        """The device of that id, or None when no such device was activated."""
        ...

    def user(self, address: Address) -> UserRecord | None:
        """The user of that normalised address, or None."""
        ...
