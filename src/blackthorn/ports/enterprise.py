"""The port to users and devices; services use `server.enterprise.EnterpriseCache` instead.

Queries raise DiskError and DamageError only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.store import Command, Query


class Standing(StrEnum):
    """Whether a device is in force. A revoked device has no row."""

    LIVE = "live"
    PENDING = "pending"
    """Added by a reset that is not effective yet: it may only look up and submit."""


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """One activated device; `number` is its row, the key of its parcels."""

    number: int
    id: DeviceId
    identity_key: bytes
    address: Address
    standing: Standing = Standing.LIVE


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user: `certificate` of the newest set_openpgp; `devices` include pending ones.

    `compatible` is the certificate for other programs, empty without; with `copies` mail is sealed
    to it as well.
    """

    number: int
    address: Address
    pin: str
    certificate: bytes | None
    devices: tuple[DeviceRecord, ...]
    compatible: bytes = b""
    copies: bool = False

    @property
    def live(self) -> tuple[DeviceRecord, ...]:
        """The devices that others may add to a conversation."""
        return tuple(device for device in self.devices if device.standing is Standing.LIVE)


class DevicesById(Query[Mapping[DeviceId, DeviceRecord]]):
    """The existing devices of these ids, at most 256."""

    ids: tuple[DeviceId, ...]


class UsersByAddress(Query[Mapping[Address, UserRecord]]):
    """The existing users of these normalised addresses, at most 256."""

    addresses: tuple[Address, ...]


class KeepHello(Command[bytes]):
    """Keep a device's hello unless one of a higher number is kept; returns the one before, or b"".

    Raises DiskError and DamageError only. `device` is its row.
    """

    device: int
    number: int
    hello: bytes
