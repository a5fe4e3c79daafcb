"""The port to the store of activation codes and the devices that they activate.

`server.accounts.enrolment` has decided; a command refuses only on a concurrent change. All may
raise DiskError and DamageError.
"""

from dataclasses import dataclass
from typing import Final

from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports.ledger import Change, NewDevice
from blackthorn.ports.store import Command, Query

CODE_USED: Final = (
    "another device has used this code: ask the administrator for a new one, or add this device "
    "from one that you have, by `blackthorn device add` there"
)


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A stored activation code. `expires_ms` is Unix milliseconds.

    `used_seq` is the place in the user's chain of the first statement of the device that used it.
    """

    nameplate: str
    address: Address
    verifier: Verifier
    expires_ms: int
    used_by: DeviceId | None
    used_seq: int | None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A stored device; not `fresh` when it was stored before. `number` is its row.

    `seq` is the place in the user's chain of its first statement; `removed` are the devices that
    the user had before there were chains.
    """

    number: int
    fresh: bool
    device: DeviceId
    address: Address
    pin: str
    seq: int
    removed: tuple[DeviceId, ...] = ()


class FindCode(Query[OpenCode | None]):
    """The durable state of the code with this nameplate."""

    nameplate: str


class EnrolDevice(Command[Enrolled]):
    """Store the device and all its data, and mark the code as used.

    `seq` is as in `Enrolled`. A `change` that is None or stored already: only that device is
    accepted, and nothing changes. `room` bounds the one-time key packages, which are
    handed out until the Unix days `not_after` and `last_resort_not_after`; 0: for ever. Raises
    ConflictError when the chain has gone on or the code is used, ForbiddenError when the user may
    not have the device, AbsentError when the code or the device is gone.
    """

    nameplate: str
    device: NewDevice
    seq: int
    now_ms: int
    change: Change | None
    key_packages: tuple[bytes, ...] = ()
    last_resort: bytes | None = None
    room: int = 0
    not_after: int = 0
    last_resort_not_after: int = 0


class PurgeCodes(Command[int]):
    """Delete at most `limit` expired codes; returns the number."""

    now_ms: int
    limit: int


@dataclass(frozen=True, slots=True)
class OrphanStep:
    """Result of `PurgeOrphans`: parcels deleted, and the row to continue after, or None."""

    removed: int
    after: int | None


class PurgeOrphans(Command[OrphanStep]):
    """Of `devices` rows above `after`: delete at most `parcels` parcels of removed devices."""

    after: int
    devices: int
    parcels: int
