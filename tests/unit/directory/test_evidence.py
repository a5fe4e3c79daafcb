"""Evidence: each kind verifies from its file alone, and what shows nothing is refused."""

import hashlib
import json
from dataclasses import replace

import pytest

from blackthorn.directory.commitment import Value
from blackthorn.directory.evidence import KINDS, Evidence, decode_evidence, verify_evidence
from blackthorn.directory.evidence_kinds import ReplayedChain
from blackthorn.errors import VerificationError
from tests.unit.directory.small_directory import ALICE, BOB, NOBODY, SmallDirectory

HEAD = bytes([4]) * 32
DEVICE, KEY = bytes([6]) * 16, bytes([8]) * 32


def replay(label, statements, config):
    """A chain whose head is the hash of its statements; one that says `bad` breaks a rule."""
    if b"bad" in statements:
        raise VerificationError("I1", "bad")
    head = hashlib.sha256(b"".join(statements)).digest()
    return ReplayedChain(head, len(statements), {DEVICE: KEY})


@pytest.fixture
def world():
    made = SmallDirectory()
    made.set(ALICE)
    made.set(BOB)
    made.publish()
    return made


def forked() -> SmallDirectory:
    other = SmallDirectory()
    other.set(BOB)
    other.set(ALICE)
    other.publish()
    return other


def epoch_fields(world):
    part = world.part()
    return {"note": part.checkpoint, "head": part.head, "head_proof": list(part.proof)}


def answer_fields(answer):
    names = ("label", "vrf_proof", "version", "value", "opening", "map_proof")
    return {name: getattr(answer, name) for name in names}


def chain_of(world, statements):
    """The newest epoch commits to that chain of Alice's."""
    chained = replay(ALICE, statements, None)
    row = world.rows[ALICE]
    world.set(ALICE)
    row[-1].value = Value(chained.head, chained.seq, 0)
    return chained


def examples(world):
    """A file of each kind that shows what it claims, and one of its fields that spoils it."""
    base = epoch_fields(world)
    good = answer_fields(world.answer(ALICE))
    longer = SmallDirectory()
    longer.set(ALICE)
    longer.publish()
    longer.publish()
    longer.publish()
    return {
        "fork": ({"first": world.note(), "second": forked().note()}, {"second": world.note()}),
        "inconsistent": (
            {"first": world.note(), "second": longer.note(), "proof": []},
            {"second": forked().note()},
        ),
        "rollback": (
            {"first": longer.note(), "second": world.note()},
            {"second": longer.note()},
        ),
        "stale": ({"first": world.note(), "seen_ms": 5}, {"first": b"x"}),
        "bad-epoch": ({**base, "head": b"x"}, {"head": base["head"]}),
        "bad-answer": ({**base, **good, "opening": bytes(16)}, good),
        "config-changed": (base, None),
        "unknown-statement": (
            {**base, **good, "own_head": HEAD, "own_seq": 1},
            {"own_head": world.rows[ALICE][-1].value.head},
        ),
        "bad-history": (
            {
                **base,
                **answer_fields(world.answer(NOBODY)),
                "before_version": 1,
                "before_value": Value(HEAD, 1, 0).encode(),
            },
            {**good, "before_value": world.rows[ALICE][-1].value.encode()},
        ),
        "bad-chain": ({**base, **good, "statements": [b"bad"]}, None),
        "false-leaf": (None, None),
        "bad-log": (
            {"first": world.note(), "entries": [*world.entries[:2], world.entries[3]]},
            {"entries": list(world.entries)},
        ),
    }


def test_every_kind_has_an_example(world) -> None:
    assert set(examples(world)) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"config-changed", "false-leaf"}))
def test_D35_evidence_shows_what_it_claims_and_no_more(world, kind) -> None:
    fields, spoiled = examples(world)[kind]
    evidence = Evidence(kind, world.config.encode(), fields)
    sentence = verify_evidence(evidence.encode(), replay)
    assert str(world.signer.vkey) in sentence and decode_evidence(evidence.encode()) == evidence
    if spoiled is not None:
        weak = Evidence(kind, world.config.encode(), {**fields, **spoiled})
        with pytest.raises(VerificationError) as caught:
            verify_evidence(weak.encode(), replay)
        assert caught.value.rule in ("D35", "N4", "N1"), caught.value


def test_D35_another_configuration(world) -> None:
    fields = epoch_fields(world)
    same = Evidence("config-changed", world.config.encode(), fields)
    with pytest.raises(VerificationError) as caught:
        verify_evidence(same.encode(), replay)
    assert caught.value.rule == "D35"
    known = replace(world.config, reset_delay_ms=world.config.reset_delay_ms + 1)
    assert "another configuration" in verify_evidence(
        Evidence("config-changed", known.encode(), fields).encode(), replay
    )


def test_D35_a_device_that_the_chain_does_not_have(world) -> None:
    chained = replay(ALICE, [b"one"], world.config)
    made = SmallDirectory(seed=9)
    made.chance.randbytes = lambda size, own=made.chance.randbytes: (
        chained.head if size == 32 and made.rows.get(ALICE) == [] else own(size)
    )
    made.set(ALICE)
    made.publish()
    fields = {
        **epoch_fields(made), **answer_fields(made.answer(ALICE)), "statements": [b"one"],
        "device": DEVICE, "key": bytes(32),
    }  # fmt: skip
    assert "no live device" in verify_evidence(
        Evidence("false-leaf", made.config.encode(), fields).encode(), replay
    )
    for spoiled in ({"key": KEY}, {"statements": [b"two"]}):
        weak = Evidence("false-leaf", made.config.encode(), {**fields, **spoiled})
        with pytest.raises(VerificationError) as caught:
            verify_evidence(weak.encode(), replay)
        assert caught.value.rule == "D35"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"kind": "rumour"},
        {"kind": None},
        {"first": 1},
        {"first": "not base64!"},
        {"more": 1},
        {"config": None},
    ],
)
def test_D34_a_file_that_is_no_evidence(world, change) -> None:
    fields = {"first": world.note(), "second": world.note()}
    document = json.loads(Evidence("fork", world.config.encode(), fields).encode())
    for data in (json.dumps({**document, **change}).encode(), b"[]", b"{", b"[" * 100_000):
        with pytest.raises(VerificationError) as caught:
            verify_evidence(data, replay)
        assert caught.value.rule == "D34"


def test_nobody_makes_evidence_against_a_log_without_its_key(world) -> None:
    other = SmallDirectory(seed=8)
    fields = {"first": world.note(), "second": forked().note()}
    with pytest.raises(VerificationError):
        verify_evidence(Evidence("fork", other.config.encode(), fields).encode(), replay)
