"""The right edge of a log: enough to append to it and to know its root, and nothing else.

For readers that replay a log once: a few hundred bytes instead of all hashes.
"""

from collections.abc import Sequence

from blackthorn.errors import VerificationError
from blackthorn.tlog.merkle import EMPTY_ROOT, HASH_SIZE, node_hash


class Frontier:
    """The roots of the full subtrees that a log of `size` leaves is made of, largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Raises `VerificationError` (T1, T2) when such a log cannot be."""
        if size < 0 or size.bit_count() != len(peaks):
            raise VerificationError("T2", "the edge of a log has other subtrees than its size says")
        if any(len(peak) != HASH_SIZE for peak in peaks):
            raise VerificationError("T1", f"a hash in the edge of a log has not {HASH_SIZE} bytes")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The hashes that, with the size, make this edge again."""
        return tuple(self._peaks)

    def append(self, digest: bytes) -> None:
        """A further leaf, by its 32-byte hash."""
        place = self.size
        while place & 1:
            digest = node_hash(self._peaks.pop(), digest)
            place >>= 1
        self._peaks.append(digest)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root of the log."""
        if not self._peaks:
            return EMPTY_ROOT
        digest = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            digest = node_hash(peak, digest)
        return digest
