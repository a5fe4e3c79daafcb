"""The window: a bound on delivered and unacknowledged parcels."""

from collections.abc import Iterable

from blackthorn.link import limits


class Window:
    """Unacknowledged parcels of one link, by seq, with their sizes in bytes and their marks.

    A mark has 16 bits and means nothing here.
    """

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

    def add(self, seq: int, size: int, mark: int = 0) -> None:
        """A parcel of `size` bytes was delivered."""
        self._sizes[seq] = size << 16 | mark
        self.bytes += size

    def settle(self, seqs: Iterable[int]) -> list[tuple[int, int, int]]:
        """Remove answered parcels; returns (seq, size, mark) of those that were in the window.

        Others are ignored: an earlier connection may have delivered them.
        """
        settled: list[tuple[int, int, int]] = []
        for seq in seqs:
            marked = self._sizes.pop(seq, None)
            if marked is not None:
                size = marked >> 16
                self.bytes -= size
                settled.append((seq, size, marked & 0xFFFF))
        return settled
