"""The port to the store of activation codes and the devices that they activate.

What a command is given has been decided by `server.accounts.enrolment`; it refuses only what
another command has changed meanwhile. All may raise DiskError and DamageError.
"""

from dataclasses import dataclass

from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports.ledger import Change, NewDevice
from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A stored activation code: whose it is, what it takes to check it, how it stands.

    `expires_ms` is Unix time in milliseconds; `tries` were begun and not proven. `used_seq` is the
    place in the user's chain of the first statement of the device that used it.
    """

    nameplate: str
    address: Address
    verifier: Verifier
    expires_ms: int
    tries: int
    used_by: DeviceId | None
    used_seq: int | None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A stored device: its row's number, and whose it is. Not `fresh`: it was stored before.

    `seq` is the place in the user's chain of the first statement that came with it. `removed` are
    devices that the user had without a chain, from before there were any.
    """

    number: int
    fresh: bool
    device: DeviceId
    address: Address
    pin: str
    seq: int
    removed: tuple[DeviceId, ...] = ()


class FindCode(Query[OpenCode | None]):
    """The code of that nameplate as last made durable, or None."""

    nameplate: str


class CountTry(Command[OpenCode | None]):
    """Count one try of a code that is live; the code as it stood before.

    A code that is expired or burnt is returned unchanged; None when there is none.
    """

    nameplate: str
    now_ms: int


class EnrolDevice(Command[Enrolled]):
    """Store the device with all that it brings, and mark the code as used by it.

    `seq` is as in `Enrolled`. `change` is None when the device was stored before: then, as when
    the change is found stored, only that device is answered, and nothing changes but the tries.
    `room` bounds the one-time key packages. Raises ConflictError when the chain has gone on or the
    code is used, ForbiddenError when the user may not have the device, AbsentError when the code
    or the device is gone.
    """

    nameplate: str
    device: NewDevice
    seq: int
    now_ms: int
    change: Change | None
    key_packages: tuple[bytes, ...] = ()
    last_resort: bytes | None = None
    room: int = 0


class PurgeCodes(Command[int]):
    """Delete at most `limit` codes that have expired; how many were."""

    now_ms: int
    limit: int


@dataclass(frozen=True, slots=True)
class OrphanStep:
    """What a `PurgeOrphans` has done: how many parcels went, and where to go on, or None."""

    removed: int
    after: int | None


class PurgeOrphans(Command[OrphanStep]):
    """Look at the mailboxes of at most `devices` rows above `after`, in their order.

    Of those whose device is gone, delete at most `parcels`: they were on their way when it was
    removed.
    """

    after: int
    devices: int
    parcels: int
