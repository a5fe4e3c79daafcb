"""The port to the store of key packages. Devices are named by their row numbers.

Commands and queries raise DiskError and DamageError only.
"""

from collections.abc import Sequence

from blackthorn.ports.store import Command, Query


class PublishKeyPackages(Command[int]):
    """Store packages of the device, at most up to `room` one-time ones in all; the stock then.

    A last-resort package takes the place of the one before.
    """

    device: int
    packages: Sequence[bytes]
    last_resort: bytes | None
    room: int


class ClaimKeyPackages(Command[list[list[bytes | None]]]):
    """For each device of each user its oldest one-time package, else its last-resort one.

    One-time packages are deleted. The list ends before the user with whom the answer could pass
    `max_bytes`.
    """

    users: Sequence[Sequence[int]]
    max_bytes: int


class KeyPackageStock(Query[int]):
    """One-time key packages of the device that nobody has claimed."""

    device: int
