"""Our log before aics-tlog, and a log of theirs before us: notes, proofs, tiles."""

import itertools
import random
from pathlib import Path

import pytest

from blackthorn.errors import VerificationError
from blackthorn.tlog.cosignature import add_lines
from blackthorn.tlog.merkle import MerkleLog, leaf_hash
from blackthorn.tlog.policy import parse_policy
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
from blackthorn.tlog.verify import verify_checkpoint, verify_consistency, verify_inclusion
from tests.interop.ledger.peers import Peer, Refused
from tests.support import runs
from tests.support.tlog_world import (
    LOG,
    NOON,
    ORIGIN,
    TREE,
    WITNESSES,
    checkpoint,
    cosigned,
    entries,
    policy,
)

KEYS = {
    "log": str(LOG.vkey),
    "witnesses": [str(witness.vkey) for witness in WITNESSES],
    "origin": ORIGIN,
}


def texts(hashes: list[bytes]) -> list[str]:
    return [digest.hex() for digest in hashes]


def parsed(hashes: list[str]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in hashes]


def test_they_verify_our_cosigned_checkpoint(peer: Peer) -> None:
    reply = peer.ask("checkpoint", note=cosigned(checkpoint()).hex(), quorum=3, **KEYS)
    assert (reply["size"], reply["root"]) == (300, TREE.root().hex())
    names = [witness.vkey.name for witness in WITNESSES]
    assert reply["times"] == {name: NOON + number for number, name in enumerate(names)}


def test_they_refuse_what_we_refuse(peer: Peer) -> None:
    sound = cosigned(checkpoint())
    stale = WITNESSES[1].cosign(checkpoint(200), NOON)
    for note in (
        # Too few witnesses.
        cosigned(checkpoint(), WITNESSES[:2]),
        # A line that does not hold.
        add_lines(sound, [stale]),
        # Another size.
        sound.replace(b"\n300\n", b"\n301\n"),
        # The line of the log twice.
        sound + sound.split(b"\n\n")[1].split(b"\n")[0] + b"\n",
        # No line of the log.
        sound.replace(f"— {ORIGIN}".encode(), "— stranger".encode()),
    ):
        with pytest.raises(VerificationError):
            verify_checkpoint(note, policy(3))
        with pytest.raises(Refused):
            peer.ask("checkpoint", note=note.hex(), quorum=3, **KEYS)


def test_they_verify_our_proofs(peer: Peer) -> None:
    for size in (1, 2, 3, 8, 13, 256, 300):
        root = TREE.root(size).hex()
        for index in {0, size // 3, size // 2, size - 1}:
            claim = {"entry": entries(300)[index].hex(), "index": index, "size": size, "root": root}
            proof = texts(TREE.inclusion_proof(index, size))
            assert peer.ask("inclusion", proof=proof, **claim)["held"]
            assert not peer.ask("inclusion", proof=[*proof, root], **claim)["held"]
        for old in {0, 1, size // 3, size // 2, size - 1, size}:
            growth = {"old": old, "new": size, "new_root": root}
            proof = texts(TREE.consistency_proof(old, size))
            old_root = TREE.root(old).hex()
            assert peer.ask("consistency", proof=proof, old_root=old_root, **growth)["held"]
            assert not peer.ask("consistency", proof=proof, old_root="00" * 32, **growth)["held"]


@pytest.mark.parametrize("steps", [(1,), (300,), (3, 255, 257, 700), (70_000,), (65_535, 65_537)])
def test_they_audit_our_tiles(peer: Peer, tmp_path: Path, steps: tuple[int, ...]) -> None:
    log = MerkleLog()
    everything = [number.to_bytes(1 + number % 9, "little") for number in range(256)] * 300
    for size in steps:
        before = log.size
        log.extend(everything[before:size])
        for tile in tiles_between(before, size):
            part = everything[tile.start : tile.start + tile.width]
            path = tmp_path / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(format_bundle(part) if tile.level is None else tile_hashes(log, tile))
    size = log.size
    indices = sorted({0, size // 3, size // 2, size - 1})
    olds = sorted({1, size // 3, size // 2, size - 1, size} - {0})
    reply = peer.ask(
        "audit",
        folder=str(tmp_path),
        size=size,
        root=log.root().hex(),
        indices=indices,
        olds=olds,
    )
    assert reply["bundles"] == -(-size // 256)
    assert reply["entries"] == texts([everything[index] for index in indices])
    assert reply["inclusion"] == [texts(log.inclusion_proof(index)) for index in indices]
    assert reply["consistency"] == [texts(log.consistency_proof(old)) for old in olds]


def test_they_find_a_tile_that_was_changed(peer: Peer, tmp_path: Path) -> None:
    for tile in tiles_between(0, 300):
        path = tmp_path / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = entries(300)[tile.start : tile.start + tile.width]
        path.write_bytes(format_bundle(part) if tile.level is None else tile_hashes(TREE, tile))
    claim = {"folder": str(tmp_path), "size": 300, "root": TREE.root().hex()}
    peer.ask("audit", indices=[], olds=[], **claim)
    changed = tmp_path / Tile(0, 0).path
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    with pytest.raises(Refused, match="TileVerificationError"):
        peer.ask("audit", indices=[], olds=[], **claim)


def test_we_verify_a_log_of_theirs(peer: Peer) -> None:
    seed = runs.seed()
    seeded = random.Random(seed)
    own = [seeded.randbytes(seeded.randrange(50)) for _ in range(270)]
    reply = peer.ask(
        "log",
        origin="theirs.example/log",
        entries=texts(own),
        log=seeded.randbytes(32).hex(),
        witnesses=[seeded.randbytes(32).hex() for _ in range(2)],
        time=NOON,
    )
    lines = [f"log {reply['vkey']}\n"]
    lines += [f"witness w{n} {vkey}\n" for n, vkey in enumerate(reply["witnesses"])]
    trust = parse_policy("".join([*lines, "group both all w0 w1\n", "quorum both\n"]))
    verified = verify_checkpoint(bytes.fromhex(reply["note"]), trust)
    assert verified.times == {"w0": NOON, "w1": NOON + 1}
    size, root = verified.checkpoint.size, verified.checkpoint.root
    roots = parsed(reply["roots"])
    assert (size, root) == (270, roots[270])
    log = MerkleLog(own)
    assert [log.root(part) for part in range(size + 1)] == roots
    for index, proof in enumerate(reply["inclusion"]):
        assert parsed(proof) == log.inclusion_proof(index)
        verify_inclusion(leaf_hash(own[index]), index, size, parsed(proof), root)
    for old, proof in enumerate(reply["consistency"]):
        assert parsed(proof) == log.consistency_proof(old)
        verify_consistency(old, roots[old], size, root, parsed(proof))
    _their_tiles(log, own, {path: bytes.fromhex(data) for path, data in reply["tiles"].items()})


def _their_tiles(log: MerkleLog, own: list[bytes], tiles: dict[str, bytes]) -> None:
    """Their files are the ones that we would serve, byte for byte."""
    assert set(tiles) == {tile.path for tile in tiles_between(0, log.size)}
    for path, data in tiles.items():
        tile = parse_path(path)
        check_tile(tile, log.size)
        part = own[tile.start : tile.start + tile.width]
        if tile.level is None:
            assert parse_bundle(data, tile.width) == part
            hashes = tile_hashes(log, Tile(0, tile.index, tile.width))
            check_bundle(part, parse_tile(hashes, tile))
        else:
            assert data == tile_hashes(log, tile)


def test_both_find_the_same_proofs_for_every_pair_of_sizes(peer: Peer) -> None:
    for old, new in itertools.combinations(range(1, 20), 2):
        held = peer.ask(
            "consistency",
            old=old,
            new=new,
            old_root=TREE.root(old).hex(),
            new_root=TREE.root(new).hex(),
            proof=texts(TREE.consistency_proof(old, new)),
        )["held"]
        assert held
