"""The port to the store of key packages. Devices are named by their row numbers.

Commands and queries raise DiskError and DamageError only.
"""

from collections.abc import Sequence

from blackthorn.ports.store import Command, Query


class PublishKeyPackages(Command[int]):
    """Store packages, up to `room` one-time ones in all; returns the stock as of `day`.

    A last-resort package replaces the earlier one. `not_after` and `last_resort_not_after` are the
    last Unix days on which they are handed out; 0: any. Deletes the device's earlier one-time
    packages: with `replace` all, else those that have expired.
    """

    device: int
    packages: Sequence[bytes]
    last_resort: bytes | None
    room: int
    not_after: int = 0
    last_resort_not_after: int = 0
    replace: bool = False
    day: int = 0


class ClaimKeyPackages(Command[list[list[bytes | None]]]):
    """For each device of each user a one-time package (deleted), else the last-resort one.

    The one that expires last comes first; none that has expired on the Unix day `day`. Of the
    devices in `spent` the last-resort one only, and unless they are in `known` also of those that
    have fewer than `reserved` left, and a last-resort one. The list ends before the user whose
    packages could exceed `max_bytes`.
    """

    users: Sequence[Sequence[int]]
    max_bytes: int
    day: int = 0
    spent: frozenset[int] = frozenset()
    known: frozenset[int] = frozenset()
    reserved: int = 0


class KeyPackageStock(Query[int]):
    """One-time key packages of the device that are unclaimed and have not expired on `day`."""

    device: int
    day: int = 0
