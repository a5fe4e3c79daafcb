"""The Merkle tree of a log (RFC 6962, 2.1; RFC 9162, 2.1), in memory, for the log itself.

Row k of hashes has the roots of all full subtrees of 2**k leaves, in order. Appending is amortised
constant; roots and proofs read O(log n) hashes. `tlog.verify` checks proofs.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of a zero byte and the entry."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of a one byte and both children."""
    return _sha256(b"\x01" + left + right).digest()


class MerkleLog:
    """An append-only tree. Raises `ValueError` for wrong sizes and indices."""

    __slots__ = ("_rows", "size")

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._rows: list[bytearray] = [bytearray()]
        self.extend(entries)

    @classmethod
    def from_leaf_hashes(cls, hashes: bytes) -> "MerkleLog":
        """From leaf hashes of 32 bytes each, such as level 0 tiles."""
        if len(hashes) % HASH_SIZE:
            raise ValueError("leaf hashes have 32 bytes each")
        log = cls()
        log._add(bytearray(hashes))
        return log

    def append(self, entry: bytes) -> int:
        """Append an entry; its index."""
        return self.append_hash(_sha256(b"\x00" + entry).digest())

    def append_hash(self, digest: bytes) -> int:
        """Append a 32-byte leaf hash; its index."""
        if len(digest) != HASH_SIZE:
            raise ValueError("a leaf hash has 32 bytes")
        index = place = self.size
        rows = self._rows
        height = 0
        rows[0] += digest
        while place & 1:
            digest = _sha256(b"\x01" + rows[height][-64:]).digest()
            place >>= 1
            height += 1
            if height == len(rows):
                rows.append(bytearray())
            rows[height] += digest
        self.size = index + 1
        return index

    def extend(self, entries: Iterable[bytes]) -> None:
        """Append many entries, faster than one by one."""
        self._add(bytearray().join([_sha256(b"\x00" + entry).digest() for entry in entries]))

    def _add(self, digests: bytearray) -> None:
        row = self._rows[0]
        row += digests
        self.size = len(row) // HASH_SIZE
        height = 0
        while len(row) >= 2 * HASH_SIZE:
            height += 1
            if height == len(self._rows):
                self._rows.append(bytearray())
            above = self._rows[height]
            end = len(row) // (2 * HASH_SIZE) * (2 * HASH_SIZE)
            pairs = (row[at : at + 64] for at in range(2 * len(above), end, 64))
            above += b"".join([_sha256(b"\x01" + pair).digest() for pair in pairs])
            row = above

    def hashes(self, height: int, start: int, end: int) -> bytes:
        """Roots of full subtrees `start` to `end` (exclusive) of 2**height leaves."""
        if not 0 <= start <= end <= self.size >> height:
            raise ValueError("the log does not have these subtrees")
        if start == end:
            return b""
        return bytes(self._rows[height][start * HASH_SIZE : end * HASH_SIZE])

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` entries, of all by default."""
        if size is None:
            size = self.size
        if not 0 <= size <= self.size:
            raise ValueError("the log is not that large")
        return self.subtree(0, size) if size else EMPTY_ROOT

    def subtree(self, start: int, end: int) -> bytes:
        """The root over entries `start` to `end` (exclusive).

        `start` is a multiple of the least power of two that is not below `end - start`.
        """
        count = end - start
        if not 0 <= start < end <= self.size or start % (1 << (count - 1).bit_length()):
            raise ValueError("the log has no such subtree")
        digest = b""
        for height in range(count.bit_length()):
            if count >> height & 1:
                at = ((end >> height) - 1) * HASH_SIZE
                node = bytes(self._rows[height][at : at + HASH_SIZE])
                digest = node_hash(node, digest) if digest else node
        return digest

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """The hashes from leaf `index` to the root of `size` (RFC 6962, 2.1.1)."""
        if size is None:
            size = self.size
        if not 0 <= index < size <= self.size:
            raise ValueError("the log has no such entry at that size")
        proof = []
        for height in range((size - 1).bit_length()):
            sibling = (index >> height) ^ 1
            start = sibling << height
            if start + (1 << height) <= size:
                at = sibling * HASH_SIZE
                proof.append(bytes(self._rows[height][at : at + HASH_SIZE]))
            elif start < size:
                proof.append(self.subtree(start, size))
        return proof

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """The hashes that prove `old`'s tree a prefix of `new`'s (RFC 6962, 2.1.2)."""
        if new is None:
            new = self.size
        if not 0 <= old <= new <= self.size:
            raise ValueError("the log is not that large")
        if old in (0, new):
            return []
        start, end, whole = 0, new, True
        proof = []
        while old != end:
            half = start + (1 << (end - start - 1).bit_length() - 1)
            if old <= half:
                proof.append(self.subtree(half, end))
                end = half
            else:
                proof.append(self.subtree(start, half))
                start, whole = half, False
        if not whole:
            proof.append(self.subtree(start, end))
        return proof[::-1]
