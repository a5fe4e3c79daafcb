"""The right edge of a log: some hundred bytes to append and compute roots while replaying."""

from collections.abc import Sequence

from blackthorn.errors import VerificationError
from blackthorn.tlog.merkle import EMPTY_ROOT, HASH_SIZE, node_hash


class Frontier:
    """Roots of the full subtrees of a log of `size` leaves, largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Raises `VerificationError` (T1, T2) for an impossible edge."""
        if size < 0 or size.bit_count() != len(peaks):
            raise VerificationError("T2", "the size of a log does not match its edge")
        if any(len(peak) != HASH_SIZE for peak in peaks):
            raise VerificationError("T1", f"a hash of a log's edge does not have {HASH_SIZE} bytes")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """With the size, the constructor's arguments."""
        return tuple(self._peaks)

    def append(self, digest: bytes) -> None:
        """Add a leaf by its 32-byte hash."""
        place = self.size
        while place & 1:
            digest = node_hash(self._peaks.pop(), digest)
            place >>= 1
        self._peaks.append(digest)
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        digest = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            digest = node_hash(peak, digest)
        return digest
