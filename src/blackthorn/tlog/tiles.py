"""Tiles and entry bundles (c2sp.org/tlog-tiles): paths and bytes of a log's immutable files.

A tile has up to 256 hashes of one row of the tree, a bundle up to 256 entries. The last of a row
may be partial, with its width in its path. Never here: files.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.merkle import HASH_SIZE, MerkleLog, leaf_hash

FULL: Final = limits.MAX_TILE_HASHES
HEIGHT: Final = 8
"""Rows of the tree from one level of tiles to the next: a full tile is a tree of 2**8 leaves."""

_MAX_LEVEL: Final = 63
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Tile:
    """Tile `index` of a level, or bundle `index` when `level` is None."""

    level: int | None
    index: int
    width: int = FULL

    @property
    def path(self) -> str:
        """Such as `tile/0/x001/234.p/5`."""
        level = "entries" if self.level is None else self.level
        digits = str(self.index)
        groups = f"{digits:0>{(len(digits) + 2) // 3 * 3}}"
        parts = [groups[at : at + 3] for at in range(0, len(groups), 3)]
        number = "".join(f"x{part}/" for part in parts[:-1]) + parts[-1]
        partial = "" if self.width == FULL else f".p/{self.width}"
        return f"tile/{level}/{number}{partial}"

    @property
    def height(self) -> int:
        """The row of its hashes; the leaves for a bundle."""
        return HEIGHT * (self.level or 0)

    @property
    def start(self) -> int:
        """The position of its first hash or entry."""
        return self.index * FULL


def parse_path(path: str) -> Tile:
    """Raises T33."""
    match = _PATH.fullmatch(path) if len(path) <= limits.MAX_TILE_PATH_CHARS else None
    if match is None:
        raise VerificationError("T33", "this is not the path of a tile")
    level = None if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(match["width"] or FULL))
    if tile.path != path or tile.width > FULL or (level or 0) > _MAX_LEVEL:
        raise VerificationError("T33", "the path of a tile is not canonical")
    return tile


def check_tile(tile: Tile, size: int) -> None:
    """Raises T34 unless a log of `size` entries has this tile, full or partial.

    Any width that the row has reached is valid: partial tiles of earlier sizes exist too.
    """
    hashes = size >> tile.height if tile.height < size.bit_length() else 0
    if tile.index < 0 or not 1 <= tile.width <= FULL or tile.start + tile.width > hashes:
        raise VerificationError("T34", "a log of this size does not have this tile")


def tiles_between(old_size: int, new_size: int) -> list[Tile]:
    """Tiles and bundles to add when a log grows from `old_size` to `new_size`."""
    tiles: list[Tile] = []
    level = 0
    while (count := new_size >> HEIGHT * level) > (before := old_size >> HEIGHT * level):
        for index in range(before // FULL, (count + FULL - 1) // FULL):
            width = min(FULL, count - index * FULL)
            tiles.append(Tile(level, index, width))
            if level == 0:
                tiles.append(Tile(None, index, width))
        level += 1
    return tiles


def tile_hashes(log: MerkleLog, tile: Tile) -> bytes:
    """The bytes of a tile. Raises T34."""
    check_tile(tile, log.size)
    return log.hashes(tile.height, tile.start, tile.start + tile.width)


def parse_tile(data: bytes, tile: Tile) -> list[bytes]:
    """Raises T35."""
    if len(data) != tile.width * HASH_SIZE:
        raise VerificationError("T35", "a tile does not have the bytes of its width")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Each entry behind its length. Raises T36, T37."""
    if not 1 <= len(entries) <= FULL:
        raise VerificationError("T36", "a bundle has no entry or more than 256")
    if any(len(entry) > limits.MAX_LOG_ENTRY_BYTES for entry in entries):
        raise VerificationError("T37", "an entry is too long for a bundle")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle(data: bytes, width: int = FULL) -> list[bytes]:
    """The `width` entries of a bundle. Raises T36."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    # An entry that is cut ends beyond the data.
    if len(entries) != width or at != len(data):
        raise VerificationError("T36", "a bundle does not have as many entries as its width")
    return entries


def check_bundle(entries: Sequence[bytes], hashes: Sequence[bytes]) -> None:
    """Raises T38 unless the entries have the hashes of the level 0 tile."""
    if [leaf_hash(entry) for entry in entries] != list(hashes):
        raise VerificationError("T38", "the entries of a bundle are not those of its tile")
