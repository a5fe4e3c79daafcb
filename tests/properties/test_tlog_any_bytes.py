"""Any bytes at every door of the log: one value in its one form, or one kind of error.

And any tree against a second opinion: RFC 6962's own recursive definitions, written out here.
"""

import random
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from blackthorn.errors import VerificationError
from blackthorn.tlog.checkpoint import open_checkpoint, parse_checkpoint
from blackthorn.tlog.merkle import EMPTY_ROOT, MerkleLog, leaf_hash, node_hash
from blackthorn.tlog.merkle_proofs import verify_consistency, verify_inclusion
from blackthorn.tlog.policy import format_policy, parse_policy
from blackthorn.tlog.proof import LogProof, format_proof, parse_proof, verify_proof
from blackthorn.tlog.rules import RULES
from blackthorn.tlog.tiles import (
    Tile,
    format_bundle,
    parse_bundle,
    parse_path,
    parse_tile,
    tile_hashes,
)
from blackthorn.tlog.verify import verify_checkpoint
from blackthorn.tlog.witness import (
    SIZE,
    AddCheckpoint,
    format_add_checkpoint,
    format_cosignatures,
    judge,
    parse_add_checkpoint,
    parse_conflict,
    parse_cosignatures,
)
from blackthorn.wire.note import (
    format_note,
    parse_note,
    parse_signature_line,
    parse_vkey,
    signature_line,
)
from tests.support import runs
from tests.support.tlog_world import (
    LOG,
    NOON,
    TREE,
    WITNESSES,
    checkpoint,
    cosigned,
    entries,
    policy,
)
from tests.support.work import Work

RUNS = runs.many(1_500)
"""Inputs at each door."""

POINT = checkpoint()
NOTE = cosigned(POINT)
POLICY = policy(3)
PROOF = LogProof(123, tuple(TREE.inclusion_proof(123)), NOTE, b"opening")
REQUEST = AddCheckpoint(200, tuple(TREE.consistency_proof(200)), NOTE)
KNOWN = (200, TREE.root(200))
ANSWER = format_cosignatures([witness.cosign(POINT, NOON) for witness in WITNESSES])
BUNDLE = format_bundle(entries(300)[256:])
TILE = Tile(0, 1, 44)

PIECES = [
    b"\n", b"\n\n", b" ", b"\t", b"+", b"=", b"\r\n", b"\x00", b"\xff", b"\xc2\x85",
    b"\xe2\x80\xa8", "— ".encode(), b"0", b"9" * 19, b"-1", b"old ", b"index ", b"extra ", b"#",
    b"quorum none\n",
    b"group g all ", b"witness W0 ", b"log ", b"x001/", b".p/", b"tile/", b"AQIDBAU=", b"A" * 43,
    str(LOG.vkey).encode(), str(WITNESSES[0].vkey).encode(), NOTE, NOTE[:60],
]  # fmt: skip


def text(data: bytes) -> str:
    """Any bytes as a text; what is no UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Door:
    """Where bytes come in; `again` writes what came in, if there is one form for it."""

    name: str
    sound: bytes
    knock: Callable[[bytes], Any]
    again: Callable[[Any], bytes | str] | None = None


LEAF = leaf_hash(entries(300)[123])
WITNESS = WITNESSES[0].vkey
POLICY_TEXT = format_policy(POLICY).encode()
PROOF_TEXT = format_proof(PROOF)
REQUEST_TEXT = format_add_checkpoint(REQUEST)

DOORS = [
    Door("note", NOTE, parse_note, format_note),
    Door("line", NOTE.split(b"\n")[4], lambda d: parse_signature_line(text(d)), signature_line),
    Door("vkey", str(LOG.vkey).encode(), lambda d: parse_vkey(text(d)), str),
    Door("body", POINT.text.encode(), lambda d: parse_checkpoint(text(d)), lambda c: c.text),
    Door("log's note", NOTE, lambda d: open_checkpoint(d, LOG.vkey)),
    Door("checkpoint", NOTE, lambda d: verify_checkpoint(d, POLICY)),
    Door("policy", POLICY_TEXT, parse_policy),
    Door("policy's text", POLICY_TEXT, lambda d: parse_policy(text(d))),
    Door("proof", PROOF_TEXT, parse_proof, format_proof),
    Door("proved leaf", PROOF_TEXT, lambda d: verify_proof(parse_proof(d), LEAF, POLICY)),
    Door("request", REQUEST_TEXT, parse_add_checkpoint, format_add_checkpoint),
    Door("judge", REQUEST_TEXT, lambda d: judge(parse_add_checkpoint(d), LOG.vkey, KNOWN)),
    Door("answer", ANSWER, lambda d: parse_cosignatures(d, WITNESS, POINT)),
    Door("conflict", b"200\n", lambda d: parse_conflict(SIZE, d), lambda n: f"{n}\n"),
    Door("path", TILE.path.encode(), lambda d: parse_path(text(d)), lambda tile: tile.path),
    Door("tile", tile_hashes(TREE, TILE), lambda d: parse_tile(d, TILE), b"".join),
    Door("bundle", BUNDLE, lambda d: parse_bundle(d, 44), format_bundle),
]
"""Every decoder, and every function that verifies what somebody else sent."""


def mutate(seeded: random.Random, sound: bytes) -> bytes:
    """The sound input with a few cuts, flips and foreign pieces; now and then nothing but those."""
    data = sound if seeded.random() < 0.9 else b""
    for _ in range(seeded.randrange(1, 5)):
        place = seeded.randrange(len(data) + 1)
        end = min(len(data), place + seeded.choice((0, 0, 1, 1, 2, 44, 400)))
        kind = seeded.randrange(4)
        if kind == 0 and place < len(data):
            data = (
                data[:place] + bytes([data[place] ^ 1 << seeded.randrange(8)]) + data[place + 1 :]
            )
        elif kind == 1:
            data = data[:place] + seeded.choice(PIECES) + data[end:]
        elif kind == 2:
            data = data[:place] + seeded.randbytes(seeded.randrange(9)) + data[end:]
        else:
            again = seeded.randrange(len(data) + 1)
            data = data[:place] + data[again : again + 100] + data[end:]
    return data


def seeded_afresh() -> random.Random:
    seed = runs.seed()
    return random.Random(seed)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_any_bytes_are_taken_in_one_form_or_refused(door: Door) -> None:
    seeded = seeded_afresh()
    door.knock(door.sound)
    refused: set[str] = set()
    most = 0
    for _ in range(RUNS):
        data = mutate(seeded, door.sound)
        work = Work()
        try:
            with work:
                value = door.knock(data)
        except VerificationError as error:
            assert error.rule in RULES
            assert "\n" not in str(error)
            refused.add(error.rule)
            continue
        finally:
            most = max(most, work.calls)
        if door.again is not None:
            written = door.again(value)
            assert (written if isinstance(written, bytes) else written.encode()) == data
    assert refused
    assert most < 2_000


def test_nothing_but_the_sound_note_is_verified() -> None:
    """Whatever else is taken says the same thing: only lines of strangers may differ."""
    seeded = seeded_afresh()
    sound = verify_checkpoint(NOTE, POLICY)
    for _ in range(RUNS):
        data = mutate(seeded, NOTE)
        try:
            taken = verify_checkpoint(data, POLICY)
        except VerificationError:
            continue
        assert (taken.checkpoint, taken.times) == (sound.checkpoint, sound.times)


def test_a_policy_that_is_taken_is_written_and_read_again() -> None:
    seeded = seeded_afresh()
    written = 0
    for _ in range(RUNS):
        try:
            taken = parse_policy(mutate(seeded, format_policy(POLICY).encode()))
        except VerificationError:
            continue
        assert parse_policy(format_policy(taken)) == taken
        written += 1
    assert written


HEAVY = [
    piece * (2_000_000 // len(piece))
    for piece in (b"\n", "— a AQIDBAU=\n".encode(), b"+", b"a ", b"A", b"group g any a\n", bytes(2))
]
"""Megabytes of what might be quadratic."""


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_large_inputs_cost_no_more_than_their_bytes(door: Door) -> None:
    for heavy in HEAVY:
        for data in (heavy, door.sound + heavy, heavy + door.sound):
            tracemalloc.start()
            with Work() as work, suppress(VerificationError):
                door.knock(data)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert work.calls < 3 * len(data), f"{work.calls} calls for {data[:8]!r}"
            assert peak < 8 * len(data), f"{peak} bytes for {data[:8]!r}"


# --- RFC 6962, 2.1, as it is written ------------------------------------------------------


def split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def tree_hash(data: list[bytes]) -> bytes:
    """MTH(D[n])."""
    if not data:
        return EMPTY_ROOT
    if len(data) == 1:
        return leaf_hash(data[0])
    half = split(len(data))
    return node_hash(tree_hash(data[:half]), tree_hash(data[half:]))


def audit_path(index: int, data: list[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(data) == 1:
        return []
    half = split(len(data))
    if index < half:
        return [*audit_path(index, data[:half]), tree_hash(data[half:])]
    return [*audit_path(index - half, data[half:]), tree_hash(data[:half])]


def subproof(old: int, data: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b)."""
    if old == len(data):
        return [] if whole else [tree_hash(data)]
    half = split(len(data))
    if old <= half:
        return [*subproof(old, data[:half], whole), tree_hash(data[half:])]
    return [*subproof(old - half, data[half:], False), tree_hash(data[:half])]


def test_random_trees_agree_with_the_definitions() -> None:
    seeded = seeded_afresh()
    for _ in range(60):
        size = seeded.choice((seeded.randrange(1, 20), seeded.randrange(1, 400)))
        data = [seeded.randbytes(seeded.randrange(40)) for _ in range(size)]
        log = MerkleLog(data[: seeded.randrange(size + 1)])
        for entry in data[log.size :]:
            log.append(entry)
        assert log.root() == tree_hash(data)
        for _ in range(10):
            part = seeded.randrange(1, size + 1)
            index, old = seeded.randrange(part), seeded.randrange(1, part + 1)
            assert log.root(part) == tree_hash(data[:part])
            path = log.inclusion_proof(index, part)
            assert path == audit_path(index, data[:part])
            verify_inclusion(leaf_hash(data[index]), index, part, path, log.root(part))
            growth = log.consistency_proof(old, part)
            assert growth == subproof(old, data[:part], True)
            verify_consistency(old, log.root(old), part, log.root(part), growth)


def test_random_claims_are_refused() -> None:
    """Proofs of one thing, told of another: indices, sizes, roots and hashes exchanged."""
    seeded = seeded_afresh()
    log = MerkleLog(entries(200))
    for _ in range(3_000):
        size = seeded.randrange(2, 200)
        index, old = seeded.randrange(size), seeded.randrange(1, size)
        path, growth = log.inclusion_proof(index, size), log.consistency_proof(old, size)
        place = seeded.randrange(32)
        for proof in (path, growth):
            if proof:
                number = seeded.randrange(len(proof))
                wrong = bytearray(proof[number])
                wrong[place] ^= 1 << seeded.randrange(8)
                proof[number] = bytes(wrong)
            else:
                proof.append(seeded.randbytes(32))
        leaf = log.hashes(0, index, index + 1)
        with pytest.raises(VerificationError):
            verify_inclusion(leaf, index, size, path, log.root(size))
        with pytest.raises(VerificationError):
            verify_consistency(old, log.root(old), size, log.root(size), growth)
