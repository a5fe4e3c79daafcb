"""The ratchet tree of a large group, which follows its Welcome in sealed parts.

    tree part parcel     = 04 ‖ nonce[16] ‖ tag[8] ‖ AES-256-GCM(seal key, nonce, place[1] ‖ piece)
    GroupInfo, type FB10 = 01 ‖ key[64] ‖ count[1] ‖ SHA-256(piece)[32] for each piece
                           ‖ (length[1] ‖ address) for some members

The key is of one Commit, tag key and seal key as in an envelope. A part is kept only if a Welcome
that waits here names its hash, so that nobody's part displaces another; the tree that the parts
make is checked by the hash in the group's context (RFC 9420, 12.4.3.1). If a part never comes, the
new device asks one of the members to add it again.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import msgspec

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import limits
from blackthorn.device.core.envelope import KEY_BYTES, EnvelopeError, EnvelopeKey
from blackthorn.device.core.unit_of_work import BRANCH_LABEL, UnitOfWork
from blackthorn.errors import DamageError, InputError
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.epoch.group_info import UnverifiedGroup
from blackthorn.mls.errors import InvalidWelcome
from blackthorn.mls.extension import Extension, Extensions, find
from blackthorn.mls.framing.welcome_types import GroupInfo
from blackthorn.wire.address import parse_address

TREE: Final = 0x04
_VERSION: Final = b"\x01"
_HASH_BYTES: Final = 32
_KIND: Final = "tree"
_EXPECTED: Final = "expected-trees"


@dataclass(frozen=True, slots=True)
class TreeParts:
    """What a Welcome says of the tree that follows it, and members to ask if it does not."""

    key: Secret
    hashes: list[bytes]
    users: list[str]

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
        hashes = bytes([len(self.hashes)]) + b"".join(self.hashes)
        users = b"".join(bytes([len(user)]) + user for user in map(str.encode, self.users))
        return _VERSION + self.key.expose() + hashes + users


class ExpectedTree(msgspec.Struct, frozen=True):
    """A tree that a Welcome waits for, with the conversation and epoch of that.

    `branch` is the epoch's label secret of BRANCH_LABEL, by which members know where this is.
    `turn` counts the members asked; the next one is at `next_ms`.
    """

    tree: bytes
    conversation: bytes
    epoch: int
    branch: bytes
    since_ms: int
    turn: int = 0
    next_ms: int = 0

    @property
    def parts(self) -> TreeParts:
        found = _decode(self.tree)
        if found is None:
            raise DamageError("the vault has a tree of another form")
        return found


class MissingTreeError(InvalidWelcome):
    """Parts of the group's tree are still to come: the Welcome waits for them."""

    def __init__(self, tree: TreeParts, group: UnverifiedGroup) -> None:
        super().__init__("the list of the group's members has not come yet")
        self.tree = tree
        self.group = group


class DetachedTree:
    """Takes the tree out of a Welcome that is being made; `parcels` are its parts then."""

    def __init__(self, random: Callable[[int], bytes], users: Collection[str]) -> None:
        self._random = random
        order = {user: random(8) for user in users}
        self._users = sorted(users, key=order.__getitem__)[: limits.MAX_TREE_USERS]
        self.parcels: list[bytes] = []

    def __call__(self, tree: bytes) -> Extension:
        size = limits.MAX_TREE_PART_BYTES
        pieces = [tree[start : start + size] for start in range(0, len(tree), size)]
        key, hashes = Secret(self._random(KEY_BYTES)), [_hash(piece) for piece in pieces]
        made = TreeParts(key, hashes, self._users)
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
    key, rest = data[1 : 1 + KEY_BYTES], data[1 + KEY_BYTES :]
    count = rest[0] if rest else 0
    hashes, users = rest[1 : 1 + count * _HASH_BYTES], rest[1 + count * _HASH_BYTES :]
    whole = len(hashes) == count * _HASH_BYTES and 0 < count <= limits.MAX_TREE_PARTS
    named = _users(users)
    if data[:1] != _VERSION or not whole or named is None:
        return None
    places = range(0, len(hashes), _HASH_BYTES)
    return TreeParts(Secret(key), [hashes[at : at + _HASH_BYTES] for at in places], named)


def _users(data: bytes) -> list[str] | None:
    found: list[str] = []
    while data:
        end = 1 + data[0]
        if len(data) < end or len(found) == limits.MAX_TREE_USERS:
            return None
        try:
            found.append(parse_address(data[1:end].decode()))
        except (InputError, UnicodeDecodeError):
            return None
        data = data[end:]
    return found


def is_tree_part(parcel: bytes) -> bool:
    return parcel[:1] == bytes([TREE])


class Finder:
    """Finds the tree of a Welcome that has none."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._info: GroupInfo | None = None

    def __call__(self, group: UnverifiedGroup) -> bytes:
        """Raises MissingTreeError, InvalidWelcome."""
        tree, self._info = read(group.info.extensions), group.info
        pieces = self._unit.records.parcels.parts(_KIND, tree.name)
        if len(pieces) < len(tree.hashes):
            raise MissingTreeError(tree, group)
        return b"".join(pieces[place] for place in range(len(tree.hashes)))

    def joined(self) -> None:
        """The Welcome was taken: forget the parts."""
        if self._info is not None:
            self._unit.records.parcels.forget_parts(_KIND, read(self._info.extensions).name)
            for one in expected(self._unit):
                if one.conversation == self._info.context.group_id:
                    forget(self._unit, one)


def expect(unit: UnitOfWork, error: MissingTreeError) -> None:
    """Keep the parts of this tree; those that came before can be opened now."""
    known, context = expected(unit), error.group.info.context
    branch = error.group.label_secret(BRANCH_LABEL).expose()
    tree = error.tree.encode()
    new = ExpectedTree(tree, context.group_id, context.epoch, branch, unit.now_ms)
    if all(one.tree != new.tree for one in known):
        _put(unit, [*known, new][-limits.MAX_EXPECTED_TREES :])
        unit.bump()


def take(unit: UnitOfWork, parcel: bytes) -> None:
    """Keep a part of a tree; with the last one its Welcome can be taken. Raises EnvelopeError."""
    parcels = unit.records.parcels
    for tree in (one.parts for one in expected(unit)):
        if not tree.envelope.matches(parcel):
            continue
        place, piece = tree.open(parcel)
        parcels.put_part(_KIND, tree.name, place, piece, unit.now_ms)
        parcels.keep_parts(_KIND, limits.MAX_WAITING_TREE_PARTS)
        if len(parcels.parts(_KIND, tree.name)) == len(tree.hashes):
            unit.bump()
        return
    raise EnvelopeError("the part of a tree came before its Welcome")


def expected(unit: UnitOfWork) -> list[ExpectedTree]:
    data = unit.records.settings.get(_EXPECTED)
    return msgspec.msgpack.decode(data, type=list[ExpectedTree]) if data else []


def asked(unit: UnitOfWork, asked_for: ExpectedTree, next_ms: int) -> None:
    """A member was asked to add this device again."""
    later = msgspec.structs.replace(asked_for, turn=asked_for.turn + 1, next_ms=next_ms)
    _put(unit, [later if one == asked_for else one for one in expected(unit)])


def forget(unit: UnitOfWork, gone: ExpectedTree) -> None:
    """Nobody waits for this tree any more."""
    unit.records.parcels.forget_parts(_KIND, gone.parts.name)
    _put(unit, [one for one in expected(unit) if one != gone])


def _put(unit: UnitOfWork, trees: list[ExpectedTree]) -> None:
    unit.records.settings.put(_EXPECTED, msgspec.msgpack.encode(trees))
