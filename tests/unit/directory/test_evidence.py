"""Evidence: each kind verifies from its file alone, and what shows nothing is refused."""

import hashlib
import json
from dataclasses import replace

import pytest

from blackthorn.directory.commitment import Value
from blackthorn.directory.evidence.file import KINDS, Evidence, decode_evidence, verify_evidence
from blackthorn.directory.evidence.users import ReplayedChain
from blackthorn.errors import VerificationError
from tests.support.small_directory import ALICE, BOB, NOBODY, SmallDirectory

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


def receipt_fields(receipt):
    return {
        "label": ALICE,
        "seq": receipt.seq,
        "version": receipt.version,
        "value": receipt.value,
        "opening": receipt.opening,
        "vrf_proof": receipt.vrf_proof,
        "mutation": receipt.mutation,
        "index": receipt.index,
        "proof": list(receipt.proof),
        "logged_head": receipt.head,
        "logged_head_index": receipt.head_index,
        "logged_head_proof": list(receipt.head_proof),
    }


def ahead_fields(**changes):
    """A head two hours ahead of the three witnesses who cosigned it."""
    made = SmallDirectory()
    late = replace(made.head(), **{"unix_ms": made.unix_ms + 7_200_000, **changes})
    made.publish(late)
    return {**epoch_fields(made), "policy": made.policy_text.encode(), "seen_ms": made.now_ms}


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
        "head-back": (
            {**base, "before_epoch": 1, "before_ms": 1},
            {"before_epoch": 0},
        ),
        "head-ahead": (ahead_fields(), {**base, "policy": world.policy_text.encode()}),
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
        "bad-receipt": (
            {**base, **receipt_fields(world.receipt(ALICE, 1)), "version": 2},
            {"version": 1},
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
    made.put(ALICE, Value(chained.head, chained.seq, 0))
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


def sentence_of(kind, world, fields):
    return verify_evidence(Evidence(kind, world.config.encode(), fields).encode(), replay)


WORD = "the owner of this file says"


@pytest.mark.parametrize(
    "kind",
    ["inconsistent", "rollback", "stale", "bad-epoch", "head-back", "bad-receipt", "bad-chain",
     "bad-answer"],
)  # fmt: skip
def test_what_nobody_signed_is_the_word_of_who_keeps_the_file(world, kind) -> None:
    """Anyone can write a false head, proof or chain beside an honest note: it accuses nobody."""
    fields, _ = examples(world)[kind]
    assert WORD in sentence_of(kind, world, fields).lower()


def test_what_the_log_signed_is_nobodys_word(world) -> None:
    for kind in ("fork", "head-ahead", "config-changed"):
        fields, _ = examples(world)[kind]
        config = replace(world.config, rules=2) if kind == "config-changed" else world.config
        assert WORD not in verify_evidence(Evidence(kind, config.encode(), fields).encode(), replay)


def test_a_log_that_signed_a_tree_without_a_head_is_convicted(world) -> None:
    world.set(ALICE)
    sentence = sentence_of("bad-epoch", world, epoch_fields(world))
    assert WORD not in sentence and "does not end in a head" in sentence


def test_a_log_that_signed_a_wrong_map_is_convicted_and_an_honest_one_is_not(world) -> None:
    honest, _ = examples(world)["bad-log"]
    assert WORD in sentence_of("bad-log", world, honest)
    world.publish(replace(world.head(), map_root=HEAD))
    fields = {"first": world.note(), "entries": list(world.entries)}
    sentence = sentence_of("bad-log", world, fields)
    assert WORD not in sentence and "entry 4 of the log" in sentence and "[D29]" in sentence


def test_D35_a_head_is_ahead_of_the_policys_witnesses_alone(world) -> None:
    fields = ahead_fields()
    for spoiled in ({"policy": b"quorum none\n"}, {"policy": b"\xff"}):
        with pytest.raises(VerificationError) as caught:
            sentence_of("head-ahead", world, {**fields, **spoiled})
        assert caught.value.rule == "D35"
    with pytest.raises(VerificationError) as caught:
        sentence_of("head-ahead", world, ahead_fields(unix_ms=world.unix_ms))
    assert caught.value.rule == "D35"


def test_a_head_without_witnesses_is_ahead_of_a_clock_by_the_keepers_word() -> None:
    made = SmallDirectory()
    text = f"log {made.signer.vkey}\nquorum none\n".encode()
    made.config = replace(made.config, policy_digest=hashlib.sha256(text).digest())
    made.publish()
    fields = {**epoch_fields(made), "policy": text, "seen_ms": 5}
    with pytest.raises(VerificationError):
        sentence_of("head-ahead", made, fields)
    made.publish(replace(made.head(), unix_ms=10**12))
    fields = {**epoch_fields(made), "policy": text, "seen_ms": 5}
    assert WORD in sentence_of("head-ahead", made, fields)


@pytest.mark.parametrize(
    "label", ["alice", "Alice@acme.example", "a@acme.example\x1b[2J", "a\nb@acme.example", "\ud800"]
)
def test_D34_a_label_that_is_no_address_is_never_printed(world, label) -> None:
    fields = {**epoch_fields(world), **answer_fields(world.answer(ALICE)), "label": label}
    with pytest.raises(VerificationError) as caught:
        sentence_of("bad-answer", world, fields)
    assert caught.value.rule == "D34"


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
