"""Tiles and bundles: the paths of the specification, and which of them a log has."""

import pytest

from blackthorn.tlog import limits
from blackthorn.tlog.merkle import MerkleLog, leaf_hash
from blackthorn.tlog.tiles import (
    Tile,
    check_bundle,
    check_tile,
    format_bundle,
    parse_bundle,
    parse_path,
    parse_tile,
    tile_hashes,
    tiles_between,
)
from tests.support.tlog_world import entries, refuses

PATHS = [
    ("tile/0/000", Tile(0, 0)),
    ("tile/0/255.p/1", Tile(0, 255, 1)),
    ("tile/1/x001/x234/067", Tile(1, 1234067)),
    ("tile/1/x001/000.p/255", Tile(1, 1000, 255)),
    ("tile/63/999", Tile(63, 999)),
    ("tile/entries/000.p/7", Tile(None, 0, 7)),
    ("tile/entries/x999/999", Tile(None, 999_999)),
]


@pytest.mark.parametrize(("path", "tile"), PATHS)
def test_a_path_reads_and_writes(path: str, tile: Tile) -> None:
    assert parse_path(path) == tile
    assert tile.path == path


def test_the_longest_path_is_taken() -> None:
    tile = Tile(0, limits.MAX_TREE_SIZE // 256, 255)
    assert parse_path(tile.path) == tile


def test_the_tree_of_seventy_thousand_of_the_specification() -> None:
    added = tiles_between(0, 70_000)
    levels = {
        level: [tile.width for tile in added if tile.level == level] for level in (0, 1, 2, 3)
    }
    assert levels == {0: [256] * 273 + [112], 1: [256, 17], 2: [1], 3: []}
    bundles = [tile.width for tile in added if tile.level is None]
    assert bundles == levels[0]


def test_a_tree_of_256_has_a_partial_tile_above() -> None:
    assert tiles_between(0, 256) == [Tile(0, 0), Tile(None, 0), Tile(1, 0, 1)]


def test_what_is_added_is_what_the_log_did_not_have() -> None:
    assert tiles_between(300, 300) == []
    assert tiles_between(0, 0) == []
    assert tiles_between(255, 257) == [
        Tile(0, 0),
        Tile(None, 0),
        Tile(0, 1, 1),
        Tile(None, 1, 1),
        Tile(1, 0, 1),
    ]
    assert tiles_between(256, 300) == [Tile(0, 1, 44), Tile(None, 1, 44)]


def test_the_published_tiles_of_a_growing_log_are_enough_for_its_root() -> None:
    """Steps of different lengths; then the root from the tiles of the last size alone."""
    log = MerkleLog()
    served: dict[str, bytes] = {}
    for size in (1, 5, 255, 256, 257, 700, 66_000):
        before = log.size
        log.extend(entries(size)[before:])
        for tile in tiles_between(before, size):
            check_tile(tile, size)
            part = entries(size)[tile.start : tile.start + tile.width]
            data = format_bundle(part) if tile.level is None else tile_hashes(log, tile)
            assert served.setdefault(tile.path, data) == data
    leaves: list[bytes] = []
    for tile in tiles_between(0, log.size):
        if tile.level == 0:
            hashes = parse_tile(served[tile.path], tile)
            bundle = Tile(None, tile.index, tile.width)
            check_bundle(parse_bundle(served[bundle.path], tile.width), hashes)
            leaves += hashes
    assert MerkleLog.from_leaf_hashes(b"".join(leaves)).root() == log.root()


def test_a_full_tile_hashes_to_its_place_above() -> None:
    log = MerkleLog(entries(600))
    above = parse_tile(tile_hashes(log, Tile(1, 0, 2)), Tile(1, 0, 2))
    for index in range(2):
        assert MerkleLog.from_leaf_hashes(tile_hashes(log, Tile(0, index))).root() == (above[index])


def test_bundles_keep_entries() -> None:
    some = [b"", b"a", bytes(limits.MAX_LOG_ENTRY_BYTES)]
    assert parse_bundle(format_bundle(some), 3) == some
    assert parse_bundle(format_bundle(entries(256))) == entries(256)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0",
        "tile/0/1000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/data/000",
        "tile/entries/../000",
        "tile/0/" + "x001/" * 12 + "000",
    ],
)
def test_T33_no_path_in_its_one_form(path: str) -> None:
    with refuses("T33"):
        parse_path(path)


@pytest.mark.parametrize(
    "tile",
    [
        Tile(0, 2),
        Tile(0, 1, 45),
        Tile(0, 1),
        Tile(None, 1, 45),
        Tile(1, 0, 2),
        Tile(2, 0, 1),
        Tile(63, 0, 1),
        Tile(0, 0, 0),
        Tile(0, 0, 257),
        Tile(0, -1, 1),
    ],
)
def test_T34_a_tile_that_the_log_does_not_have(tile: Tile) -> None:
    with refuses("T34"):
        check_tile(tile, 300)
    with refuses("T34"):
        tile_hashes(MerkleLog(entries(300)), tile)


def test_a_partial_tile_of_an_earlier_size_is_there() -> None:
    for tile in (Tile(0, 0, 17), Tile(0, 0), Tile(0, 1, 44), Tile(None, 1, 3), Tile(1, 0, 1)):
        check_tile(tile, 300)
    with refuses("T34"):
        check_tile(Tile(0, 0, 1), 0)


@pytest.mark.parametrize("size", [0, 31, 32 * 17 - 1, 32 * 17 + 1, 32 * 18, 8192])
def test_T35_a_tile_of_another_size(size: int) -> None:
    with refuses("T35"):
        parse_tile(bytes(size), Tile(0, 0, 17))


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x00\x01", b"\x00\x01a", b"\x00\x01a\x00\x02b", b"\xff\xffa"]
)
def test_T36_a_bundle_that_is_cut(data: bytes) -> None:
    with refuses("T36"):
        parse_bundle(data, 2)


def test_T36_a_bundle_of_another_width() -> None:
    data = format_bundle([b"a", b"b", b"c"])
    for width in (1, 2, 4, 256):
        with refuses("T36"):
            parse_bundle(data, width)
    for wrong in (data + b"\x00", data + b"\x00\x00", data[:-1]):
        with refuses("T36"):
            parse_bundle(wrong, 3)
    for count in (0, 257):
        with refuses("T36"):
            format_bundle([b""] * count)


def test_T37_a_long_entry() -> None:
    with refuses("T37"):
        format_bundle([bytes(limits.MAX_LOG_ENTRY_BYTES + 1)])


def test_T38_entries_that_are_not_the_tile_s() -> None:
    some = entries(5)
    hashes = [leaf_hash(entry) for entry in some]
    check_bundle(some, hashes)
    for wrong in ([*some[:4], b"x"], some[:4], [some[1], some[0], *some[2:]]):
        with refuses("T38"):
            check_bundle(wrong, hashes)
