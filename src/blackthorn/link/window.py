"""The window: what was delivered to a device and is not yet acknowledged, bounded."""

from collections.abc import Iterable

from blackthorn.link import limits


class Window:
    """Unacknowledged parcels of one link, by seq, with their sizes in bytes."""

    __slots__ = ("_sizes", "bytes")

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def room(self) -> int:
        """Parcels that may be delivered now."""
        if self.bytes >= limits.MAX_UNACKNOWLEDGED_BYTES:
            return 0
        return limits.MAX_UNACKNOWLEDGED_PARCELS - len(self._sizes)

    def add(self, seq: int, size: int) -> None:
        """Note a delivered parcel of `size` bytes."""
        self._sizes[seq] = size
        self.bytes += size

    def settle(self, seqs: Iterable[int]) -> list[tuple[int, int]]:
        """Take out what is acknowledged or set aside; (seq, size) of those that were in it.

        Others are passed by: a device may answer what an earlier connection delivered.
        """
        settled: list[tuple[int, int]] = []
        for seq in seqs:
            size = self._sizes.pop(seq, None)
            if size is not None:
                self.bytes -= size
                settled.append((seq, size))
        return settled
