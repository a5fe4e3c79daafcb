"""The port to the store of key packages. Devices are named by their row numbers."""

from collections.abc import Sequence
from typing import Protocol

from blackthorn.ports.writer import Job


class KeyPackageStore(Protocol):
    """Key packages until they are claimed."""

    def stock(self, device: int) -> int:
        """One-time key packages of the device that nobody has claimed."""
        ...

    def publish(
        self, device: int, packages: Sequence[bytes], last_resort: bytes | None, room: int
    ) -> Job[int]:
        """Store packages, at most up to `room` one-time ones in all; the stock after it."""
        ...

    def claim(
        self, users: Sequence[Sequence[int]], max_bytes: int
    ) -> Job[list[list[bytes | None]]]:
        """For each device of each user its oldest one-time package, else its last-resort one.

        One-time packages are deleted. The list ends before the user with whom the answer
        could pass `max_bytes`.
        """
        ...
