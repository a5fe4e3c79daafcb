"""Proofs in the map: the siblings from the root down, and the end of the path.

    proof = kind u8 ‖ depth u8 ‖ present[⌈depth/8⌉] ‖ siblings[32] … ‖ (other index, commitment)

`present` has one bit per sibling, the root's first; an absent sibling has no bytes.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.wire import limits

HASH_BYTES: Final = 32
ABSENT: Final = bytes(HASH_BYTES)
"""Hash of an absent child."""

_FOUND, _OTHER, _VACANT = 1, 2, 3


def leaf_hash(index: bytes, commitment: bytes) -> bytes:
    """SHA256(02 ‖ index ‖ commitment)."""
    return hashlib.sha256(b"\x02" + index + commitment).digest()


@dataclass(frozen=True, slots=True)
class RequestedLeaf:
    """The path ends in the requested leaf."""


@dataclass(frozen=True, slots=True)
class OtherLeaf:
    """The path ends in another user's leaf: the requested one is absent."""

    index: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Vacant:
    """The path ends without a leaf: the requested one is absent."""


@dataclass(frozen=True, slots=True)
class MapProof:
    """Siblings from the root down, at most 255, and the end of the path."""

    siblings: tuple[bytes, ...]
    end: RequestedLeaf | OtherLeaf | Vacant

    def root(self, index: bytes, commitment: bytes = b"") -> bytes:
        """The map's root by this path of `index`. Raises `VerificationError` (D7)."""
        match self.end:
            case RequestedLeaf():
                digest = leaf_hash(index, commitment)
            case OtherLeaf(other, other_commitment):
                _check_other(other, index, len(self.siblings))
                digest = leaf_hash(other, other_commitment)
            case Vacant():
                digest = ABSENT
        path = int.from_bytes(index, "big")
        for depth in range(len(self.siblings) - 1, -1, -1):
            sibling = self.siblings[depth]
            right = path >> (255 - depth) & 1
            pair = sibling + digest if right else digest + sibling
            digest = hashlib.sha256(b"\x03" + pair).digest()
        return digest

    def encode(self) -> bytes:
        depth = len(self.siblings)
        bits = "".join("0" if sibling == ABSENT else "1" for sibling in self.siblings)
        size = -(-depth // 8)
        present = int(bits.ljust(8 * size, "0") or "0", 2).to_bytes(size, "big")
        hashes = b"".join(sibling for sibling in self.siblings if sibling != ABSENT)
        match self.end:
            case RequestedLeaf():
                kind, rest = _FOUND, b""
            case OtherLeaf(index, commitment):
                kind, rest = _OTHER, index + commitment
            case Vacant():
                kind, rest = _VACANT, b""
        return bytes((kind, depth)) + present + hashes + rest


def _check_other(other: bytes, index: bytes, depth: int) -> None:
    differ = int.from_bytes(other, "big") ^ int.from_bytes(index, "big")
    if not differ or 256 - differ.bit_length() < depth:
        raise VerificationError("D7", "the other leaf does not lie on the path that was asked for")


def decode_map_proof(data: bytes) -> MapProof:
    """The proof in `data`. Raises `VerificationError` (D6)."""
    if not 2 <= len(data) <= limits.MAX_MAP_PROOF_BYTES:
        raise VerificationError("D6", f"a proof in the map has {len(data)} bytes")
    kind, depth = data[0], data[1]
    size = -(-depth // 8)
    present = int.from_bytes(data[2 : 2 + size], "big")
    if len(data) < 2 + size or present & ((1 << (8 * size - depth)) - 1):
        raise VerificationError("D6", "a proof in the map has a bit too many or too few")
    at = 2 + size
    siblings = []
    for place in range(depth):
        if present >> (8 * size - 1 - place) & 1:
            siblings.append(data[at : at + HASH_BYTES])
            at += HASH_BYTES
            if len(siblings[-1]) != HASH_BYTES or siblings[-1] == ABSENT:
                raise VerificationError("D6", "a sibling in the map is cut short or absent")
        else:
            siblings.append(ABSENT)
    return MapProof(tuple(siblings), _end(kind, data[at:]))


def _end(kind: int, rest: bytes) -> RequestedLeaf | OtherLeaf | Vacant:
    if kind == _OTHER and len(rest) == 2 * HASH_BYTES:
        return OtherLeaf(rest[:HASH_BYTES], rest[HASH_BYTES:])
    if kind == _FOUND and not rest:
        return RequestedLeaf()
    if kind == _VACANT and not rest:
        return Vacant()
    raise VerificationError("D6", "a proof in the map ends in none of the three ways")
