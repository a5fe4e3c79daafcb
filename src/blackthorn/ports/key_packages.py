"""The port to the store of key packages. Devices are named by their row numbers.

Commands and queries raise DiskError and DamageError only.
"""

from collections.abc import Sequence

from blackthorn.ports.store import Command, Query


class PublishKeyPackages(Command[int]):
    """Store packages, up to `room` one-time ones in all; returns the stock.

    A last-resort package replaces the earlier one.
    """

    device: int
    packages: Sequence[bytes]
    last_resort: bytes | None
    room: int


class ClaimKeyPackages(Command[list[list[bytes | None]]]):
    """For each device of each user the oldest one-time package (deleted), else the last-resort one.

    The list ends before the user whose packages could exceed `max_bytes`.
    """

    users: Sequence[Sequence[int]]
    max_bytes: int


class KeyPackageStock(Query[int]):
    """One-time key packages of the device that are unclaimed."""

    device: int
