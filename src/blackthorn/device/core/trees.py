"""The ratchet tree of a large group, which follows its Welcome in sealed parts.

    tree part parcel     = 04 ‖ nonce[16] ‖ tag[8] ‖ AES-256-GCM(seal key, nonce, place[1] ‖ piece)
    GroupInfo, type FB10 = 01 ‖ key[64] ‖ SHA-256(piece)[32] for each piece

The key is of one Commit, tag key and seal key as in an envelope. A part is kept only if a Welcome
that waits here names its hash, so that nobody's part displaces another; the tree that the parts
make is checked by the hash in the group's context (RFC 9420, 12.4.3.1).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import limits
from blackthorn.device.core.envelope import KEY_BYTES, EnvelopeError, EnvelopeKey
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.errors import InvalidWelcome
from blackthorn.mls.extension import Extension, Extensions, find

TREE: Final = 0x04
_VERSION: Final = b"\x01"
_HASH_BYTES: Final = 32
_KIND: Final = "tree"
_EXPECTED: Final = "expected-trees"


@dataclass(frozen=True, slots=True)
class TreeParts:
    """What a Welcome says of the tree that follows it."""

    key: Secret
    hashes: list[bytes]

    @property
    def name(self) -> bytes:
        return hashlib.sha256(self.key.expose()).digest()

    @property
    def envelope(self) -> EnvelopeKey:
        return EnvelopeKey((b"", 0), self.key)

    def open(self, parcel: bytes) -> tuple[int, bytes]:
        """The place of a part and the piece of the tree in it. Raises EnvelopeError."""
        opened = self.envelope.open(parcel)
        place, piece = opened[0] if opened else len(self.hashes), opened[1:]
        if place >= len(self.hashes) or self.hashes[place] != _hash(piece):
            raise EnvelopeError("the part is not of the tree that the Welcome names")
        return place, piece

    def encode(self) -> bytes:
        return _VERSION + self.key.expose() + b"".join(self.hashes)


class MissingTreeError(InvalidWelcome):
    """Parts of the group's tree are still to come: the Welcome waits for them."""

    def __init__(self, tree: TreeParts) -> None:
        super().__init__("the list of the group's members has not come yet")
        self.tree = tree


class DetachedTree:
    """Takes the tree out of a Welcome that is being made; `parcels` are its parts then."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self.parcels: list[bytes] = []

    def __call__(self, tree: bytes) -> Extension:
        size = limits.MAX_TREE_PART_BYTES
        pieces = [tree[start : start + size] for start in range(0, len(tree), size)]
        made = TreeParts(Secret(self._random(KEY_BYTES)), [_hash(piece) for piece in pieces])
        self.parcels = [
            made.envelope.seal(bytes([place]) + piece, self._random, TREE)
            for place, piece in enumerate(pieces)
        ]
        return Extension(APPLICATION_EXTENSION, made.encode())


def _hash(piece: bytes) -> bytes:
    return hashlib.sha256(piece).digest()


def read(extensions: Extensions) -> TreeParts:
    """What a GroupInfo says of its tree. Raises InvalidWelcome."""
    tree = _decode(find(extensions, APPLICATION_EXTENSION) or b"")
    if tree is None:
        raise InvalidWelcome("the Welcome does not say where the group's tree is")
    return tree


def _decode(data: bytes) -> TreeParts | None:
    key, hashes = data[1 : 1 + KEY_BYTES], data[1 + KEY_BYTES :]
    count, rest = divmod(len(hashes), _HASH_BYTES)
    if data[:1] != _VERSION or rest or not 0 < count <= limits.MAX_TREE_PARTS:
        return None
    places = range(0, len(hashes), _HASH_BYTES)
    return TreeParts(Secret(key), [hashes[at : at + _HASH_BYTES] for at in places])


def is_tree_part(parcel: bytes) -> bool:
    return parcel[:1] == bytes([TREE])


class Finder:
    """Finds the tree of a Welcome that has none."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._tree: TreeParts | None = None

    def __call__(self, extensions: Extensions) -> bytes:
        """Raises MissingTreeError, InvalidWelcome."""
        tree = self._tree = read(extensions)
        pieces = self._unit.records.parcels.parts(_KIND, tree.name)
        if len(pieces) < len(tree.hashes):
            raise MissingTreeError(tree)
        return b"".join(pieces[place] for place in range(len(tree.hashes)))

    def joined(self) -> None:
        """The Welcome was taken: forget the parts."""
        if self._tree is not None:
            self._unit.records.parcels.forget_parts(_KIND, self._tree.name)
            expected = [tree for tree in _expected(self._unit) if tree != self._tree]
            _put(self._unit, expected)


def expect(unit: UnitOfWork, tree: TreeParts) -> None:
    """Keep the parts of this tree; those that came before can be opened now."""
    known = _expected(unit)
    if tree not in known:
        _put(unit, [*known, tree][-limits.MAX_EXPECTED_TREES :])
        unit.bump()


def take(unit: UnitOfWork, parcel: bytes) -> None:
    """Keep a part of a tree; with the last one its Welcome can be taken. Raises EnvelopeError."""
    parcels = unit.records.parcels
    for tree in _expected(unit):
        if not tree.envelope.matches(parcel):
            continue
        place, piece = tree.open(parcel)
        parcels.put_part(_KIND, tree.name, place, piece, unit.now_ms)
        parcels.keep_parts(_KIND, limits.MAX_WAITING_TREE_PARTS)
        if len(parcels.parts(_KIND, tree.name)) == len(tree.hashes):
            unit.bump()
        return
    raise EnvelopeError("the part of a tree came before its Welcome")


def _expected(unit: UnitOfWork) -> list[TreeParts]:
    data = unit.records.settings.get(_EXPECTED)
    stored = msgspec.msgpack.decode(data, type=list[bytes]) if data else []
    return [tree for tree in map(_decode, stored) if tree is not None]


def _put(unit: UnitOfWork, trees: list[TreeParts]) -> None:
    stored = msgspec.msgpack.encode([tree.encode() for tree in trees])
    unit.records.settings.put(_EXPECTED, stored)
