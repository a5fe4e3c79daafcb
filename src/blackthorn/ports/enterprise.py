"""The port to what an enterprise knows of its users and devices.

Services do not ask these queries themselves: they go through `server.enterprise.EnterpriseCache`.
Queries raise DiskError and DamageError only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from blackthorn.ids import Address, DeviceId
from blackthorn.ports.store import Query


class Standing(StrEnum):
    """Whether a device is in force. A revoked device has no row, and so no standing."""

    LIVE = "live"
    PENDING = "pending"
    """Brought by a reset that has not become effective: it may look up and submit, no more."""


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """One activated device. `number` is its row, the short name that parcels are stored under."""

    number: int
    id: DeviceId
    identity_key: bytes
    address: Address
    standing: Standing = Standing.LIVE


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One user. `certificate` is that of the newest set_openpgp in their chain, or None.

    `devices` are all of their devices, those that are pending too.
    """

    number: int
    address: Address
    pin: str
    certificate: bytes | None
    devices: tuple[DeviceRecord, ...]

    @property
    def live(self) -> tuple[DeviceRecord, ...]:
        """The devices in force: those that others may add to a conversation."""
        return tuple(device for device in self.devices if device.standing is Standing.LIVE)


class DevicesById(Query[Mapping[DeviceId, DeviceRecord]]):
    """The devices of these ids, at most 256 of them; without those that do not exist."""

    ids: tuple[DeviceId, ...]


class UsersByAddress(Query[Mapping[Address, UserRecord]]):
    """The users of these normalised addresses, at most 256; without those that do not exist."""

    addresses: tuple[Address, ...]
