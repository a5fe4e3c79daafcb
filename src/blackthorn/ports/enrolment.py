"""The port to the store of users, activation codes and the devices that they activate.

The methods that take a `transaction` are run inside a job of `ports.writer`: what they did is
durable when the job is done, or was never done. What they are given has been decided by
`server.enrolment` and `server.users`; they refuse only what another job has changed meanwhile.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation import DeviceKeys, Verifier


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A stored activation code: what it takes to check it, and how it stands.

    `expires_ms` is Unix time in milliseconds; `tries` were begun and not proven.
    """

    nameplate: str
    verifier: Verifier
    expires_ms: int
    tries: int
    used_by: DeviceId | None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A stored device: its row's number, and whose it is. Not `fresh`: it was stored before."""

    number: int
    fresh: bool
    device: DeviceId
    address: Address
    pin: str


class EnrolmentStore(Protocol):
    """Codes and the devices that they activate."""

    def code(self, nameplate: str) -> OpenCode | None:
        """The code of that nameplate as last made durable, or None."""
        ...

    def count_try(self, transaction: Any, nameplate: str, now_ms: int) -> OpenCode | None:
        """Count one try of a code that is live, and return the code as it stood before.

        A code that is expired or burnt is returned unchanged; None when there is none.
        """
        ...

    def enrol(
        self, transaction: Any, nameplate: str, keys: DeviceKeys, now_ms: int
    ) -> Enrolled | str:
        """Store the device with all its keys and mark the code as used by it.

        The same device again changes nothing. A string says why the device was refused.
        """
        ...

    def purge(self, transaction: Any, now_ms: int) -> int:
        """Delete the codes that have expired; how many."""
        ...

    def forget(self, address: Address) -> None:
        """Read the user afresh next time: a job has changed him."""
        ...
