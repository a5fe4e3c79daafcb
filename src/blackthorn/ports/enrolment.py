"""The port to the store of users, activation codes and the devices that they activate.

What a job is given has been decided by `server.accounts.enrolment`; it refuses only what another
job has changed meanwhile.
"""

from dataclasses import dataclass
from typing import Protocol

from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import DeviceKeys, Verifier
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.writer import Job


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


class EnrolmentStore(Protocol):
    """Codes and the devices that they activate. Writes come as jobs for the `Writer`."""

    def code(self, nameplate: str) -> OpenCode | None:
        """The code of that nameplate as last made durable, or None."""
        ...

    def count_try(self, nameplate: str, now_ms: int) -> Job[OpenCode | None]:
        """Count one try of a code that is live; the code as it stood before.

        A code that is expired or burnt is returned unchanged; None when there is none.
        """
        ...

    def enrol(
        self,
        nameplate: str,
        keys: DeviceKeys,
        standing: Standing,
        seq: int,
        now_ms: int,
        *,
        repeated: bool,
    ) -> Job[Enrolled | str]:
        """Store the device and mark the code as used by it; `seq` as in `Enrolled`.

        The same device again changes nothing but the tries; with `repeated`, only that device is
        answered. A string says why the device was refused, and nothing was written.
        """
        ...

    def purge(self, now_ms: int) -> Job[int]:
        """Delete the codes that have expired, and parcels for devices that are gone; how many."""
        ...

    def forget(self, address: Address) -> None:
        """Read the user and his devices afresh next time: a job has changed them."""
        ...
