"""The map against a second opinion, and any bytes at every door of the directory."""

import hashlib
import random

import pytest

from blackthorn.directory.audit import Replay, resume
from blackthorn.directory.checks import decode_gossip
from blackthorn.directory.commitment import decode_value
from blackthorn.directory.config import decode_config
from blackthorn.directory.entries import decode_entry
from blackthorn.directory.evidence.file import decode_evidence
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.directory.proof import RequestedLeaf, decode_map_proof
from blackthorn.directory.records import decode_record
from blackthorn.errors import VerificationError
from tests.support import runs
from tests.support.small_directory import ALICE, SmallDirectory


def seeded() -> random.Random:
    seed = runs.seed()
    return random.Random(seed)


def naive_root(leaves: list[tuple[str, bytes]], depth: int = 0) -> bytes:
    """The root over (bits of the index, leaf hash), by the definition and nothing else."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        return leaves[0][1]
    sides = [[each for each in leaves if each[0][depth] == bit] for bit in "01"]
    hashes = b"".join(naive_root(side, depth + 1) for side in sides)
    return hashlib.sha256(b"\x03" + hashes).digest()


def bits(index: bytes) -> str:
    return f"{int.from_bytes(index, 'big'):0256b}"


def test_the_tree_is_that_of_its_definition_and_its_proofs_lead_to_its_root() -> None:
    chance = seeded()
    for _ in range(60):
        tree, known = PrefixTree(), {}
        alike = chance.randbytes(32)
        for _ in range(chance.randrange(40)):
            index = chance.randbytes(32)
            if chance.random() < 0.3:  # neighbours that share a long path
                cut = chance.randrange(1, 31)
                index = alike[:cut] + index[cut:]
            if known and chance.random() < 0.2:
                index = chance.choice(list(known))
            known[index] = chance.randbytes(32)
            before = tree.root
            grown = tree.updated({index: known[index]})
            assert tree.root == before, "the tree before is as it was"
            tree = grown
        leaves = [
            (bits(i), hashlib.sha256(b"\x02" + i + c).digest()) for i, c in sorted(known.items())
        ]
        assert tree.root == naive_root(leaves) == PrefixTree.of(known.items()).root
        assert tree.users == len(known)
        for index in [*known, chance.randbytes(32), alike]:
            proof = decode_map_proof(tree.prove(index).encode())
            assert proof == tree.prove(index)
            assert isinstance(proof.end, RequestedLeaf) == (index in known)
            assert proof.root(index, known.get(index, b"")) == tree.root
            assert tree.get(index) == known.get(index)


def test_many_entries_at_once_make_the_tree_that_they_make_one_by_one() -> None:
    chance = seeded()
    for _ in range(200):
        alike = chance.randbytes(32)
        known: dict[bytes, bytes] = {}
        tree = PrefixTree()
        for _ in range(chance.randrange(1, 5)):
            more: dict[bytes, bytes] = {}
            for _ in range(chance.choice((0, 1, 2, 30))):
                cut = chance.choice((0, 0, 1, 30, 31))  # neighbours that share a long path
                index = alike[:cut] + chance.randbytes(32 - cut)
                if known and chance.random() < 0.3:
                    index = chance.choice(list(known))
                more[index] = chance.randbytes(32)
            before, one_by_one = tree.root, tree
            for index, commitment in more.items():
                one_by_one = one_by_one.updated({index: commitment})
            grown = tree.updated(more)
            assert tree.root == before, "the tree before is as it was"
            assert (grown.root, grown.users) == (one_by_one.root, one_by_one.users)
            known.update(more)
            tree = grown
        assert all(tree.get(index) == commitment for index, commitment in known.items())


def test_the_longest_path_that_a_proof_can_tell() -> None:
    """Two indices that part at their last bit but one; a hash that is not broken has none."""
    one, other = bytes(32), bytes(31) + b"\x02"
    tree = PrefixTree().updated({one: bytes([1]) * 32}).updated({other: bytes([2]) * 32})
    assert tree.root == PrefixTree.of([(one, bytes([1]) * 32), (other, bytes([2]) * 32)]).root
    for index in (one, other, bytes(31) + b"\x01", b"\x80" + bytes(31)):
        proof = decode_map_proof(tree.prove(index).encode())
        assert proof.root(index, tree.get(index) or b"") == tree.root
    assert len(tree.prove(one).siblings) == 255


DOORS = {
    "entry": decode_entry,
    "config": decode_config,
    "value": decode_value,
    "map proof": decode_map_proof,
    "gossip": decode_gossip,
    "evidence": decode_evidence,
    "saved replay": resume,
    "record": lambda data: decode_record(0x12, data),
    "replay": lambda data: Replay().feed(data),
}


def samples() -> dict[str, bytes]:
    world = SmallDirectory()
    world.set(ALICE)
    world.publish()
    replay = Replay()
    for entry in world.entries:
        replay.feed(entry)
    return {
        "entry": world.entries[1],
        "config": world.config.encode(),
        "value": world.rows[ALICE][-1].value.encode(),
        "map proof": world.answer(ALICE).map_proof,
        "saved replay": replay.save(),
        "replay": world.entries[0],
    }


@pytest.mark.parametrize("door", DOORS)
def test_any_bytes_are_refused_with_the_one_error(door) -> None:
    chance = seeded()
    sample = samples().get(door, b"")
    for _ in range(2_000):
        data = bytearray(sample or chance.randbytes(chance.randrange(120)))
        for _ in range(chance.randrange(1, 4)):
            if data and chance.random() < 0.7:
                data[chance.randrange(len(data))] = chance.randrange(256)
            elif chance.random() < 0.5:
                del data[chance.randrange(len(data) + 1) :]
            else:
                data += chance.randbytes(chance.randrange(9))
        try:
            DOORS[door](bytes(data))
        except VerificationError as error:
            assert error.rule
