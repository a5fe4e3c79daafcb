"""Checkpoints and cosignatures: what the log and its witnesses signed, and nothing else."""

import base64
from dataclasses import replace

import pytest

from blackthorn.crypto.signatures import ED25519 as SCHEME
from blackthorn.tlog import limits
from blackthorn.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, verify_log
from blackthorn.tlog.cosignature import Cosigner, add_lines, cosigned_message, verify_line
from blackthorn.tlog.merkle import EMPTY_ROOT
from blackthorn.tlog.policy import Policy, PolicyLog, PolicyWitness
from blackthorn.tlog.verify import verify_checkpoint
from blackthorn.wire.note import (
    COSIGNATURE_V1,
    Note,
    SignatureLine,
    VerifierKey,
    format_note,
    parse_note,
    parse_signature_line,
    signature_line,
)
from tests.support.tlog_world import (
    LOG,
    NOON,
    ORIGIN,
    OTHER_LOG,
    WITNESSES,
    checkpoint,
    cosigned,
    policy,
    refuses,
    seed_of,
)

POINT = checkpoint()
NOTE = LOG.sign(POINT)
ROOT = base64.b64encode(POINT.root).decode()


def signed(text: str, *lines: SignatureLine) -> bytes:
    """A note of any text that the log signed, with more lines."""
    own = SignatureLine(ORIGIN, LOG.vkey.key_id, SCHEME.sign(seed_of(1), text.encode()))
    return format_note(Note(text, (own, *lines)))


def with_signature(note: bytes, key: VerifierKey, signature: bytes) -> bytes:
    """The note with another signature by a key."""
    return add_lines(note, [signature_line(SignatureLine(key.name, key.key_id, signature))])


def test_a_checkpoint_is_three_lines() -> None:
    assert POINT.text == f"{ORIGIN}\n300\n{ROOT}\n"
    assert parse_checkpoint(POINT.text) == POINT
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert parse_checkpoint(empty.text) == empty
    assert parse_checkpoint(f"{ORIGIN}\n{limits.MAX_TREE_SIZE}\n{ROOT}\n").size == 2**63 - 1


def test_the_log_signs_and_everybody_verifies() -> None:
    opened, note = open_checkpoint(NOTE, LOG.vkey)
    assert opened == POINT
    assert [line.name for line in note.signatures] == [ORIGIN]


def test_a_log_signs_for_no_other() -> None:
    with pytest.raises(ValueError):
        OTHER_LOG.sign(POINT)


def test_a_witness_signs_a_time_and_the_checkpoint() -> None:
    assert cosigned_message(POINT, NOON).decode() == f"cosignature/v1\ntime {NOON}\n{POINT.text}"
    line = parse_signature_line(WITNESSES[0].cosign(POINT, NOON))
    assert len(line.signature) == 72
    assert verify_line(line, WITNESSES[0].vkey, POINT) == NOON


@pytest.mark.parametrize("time", [0, limits.MAX_COSIGNATURE_SECONDS])
def test_the_first_and_the_last_time(time: int) -> None:
    line = parse_signature_line(WITNESSES[0].cosign(POINT, time))
    assert verify_line(line, WITNESSES[0].vkey, POINT) == time


@pytest.mark.parametrize("time", [-1, limits.MAX_COSIGNATURE_SECONDS + 1])
def test_no_witness_signs_a_time_that_cannot_be(time: int) -> None:
    with pytest.raises(ValueError):
        WITNESSES[0].cosign(POINT, time)


def test_a_second_line_of_a_key_takes_the_place_of_the_first() -> None:
    note = cosigned(POINT)
    again = add_lines(note, [WITNESSES[1].cosign(POINT, NOON + 600)])
    assert len(parse_note(again).signatures) == len(parse_note(note).signatures)
    assert verify_checkpoint(again, policy(3)).times["W1"] == NOON + 600


def test_a_cosigned_checkpoint_is_verified() -> None:
    verified = verify_checkpoint(cosigned(POINT), policy(2))
    assert verified.checkpoint == POINT
    assert verified.note == cosigned(POINT)
    assert verified.times == {"W0": NOON, "W1": NOON + 1, "W2": NOON + 2}
    # Two of the three cosigned at this second or later.
    assert verified.quorum_time == NOON + 1


@pytest.mark.parametrize(("threshold", "quorum_time"), [(1, NOON + 2), (2, NOON + 1), (3, NOON)])
def test_the_quorum_is_as_old_as_its_oldest_needed_witness(
    threshold: int, quorum_time: int
) -> None:
    assert verify_checkpoint(cosigned(POINT), policy(threshold)).quorum_time == quorum_time


def test_without_a_quorum_the_log_alone_is_believed() -> None:
    lone = Policy((PolicyLog(LOG.vkey),), (), (), "none")
    verified = verify_checkpoint(NOTE, lone)
    assert (verified.times, verified.quorum_time) == ({}, 0)


def test_lines_of_unknown_keys_are_passed_over() -> None:
    stranger = Cosigner("stranger.example", seed_of(99))
    line = parse_signature_line(stranger.cosign(checkpoint(200), NOON))
    note = parse_note(cosigned(POINT))
    twice = format_note(Note(note.text, (line, *note.signatures, line)))
    assert len(verify_checkpoint(twice, policy(3)).times) == 3


def test_a_name_of_a_known_key_with_another_id_is_unknown() -> None:
    posing = Cosigner(WITNESSES[0].vkey.name, seed_of(98))
    note = add_lines(NOTE, [posing.cosign(POINT, NOON)])
    with refuses("T32"):
        verify_checkpoint(note, policy(1))


def test_either_key_of_a_log_that_changes_keys_will_do() -> None:
    later = VerifierKey(ORIGIN, LOG.vkey.algorithm, SCHEME.public_key(seed_of(3)))
    assert verify_log(parse_note(NOTE), [later, LOG.vkey]) == POINT


def test_an_unknown_kind_of_witness_never_counts() -> None:
    strange = VerifierKey("witness.example/pq", 0x06, bytes(1312))
    line = SignatureLine(strange.name, strange.key_id, bytes(8 + 2420))
    known = Policy((PolicyLog(LOG.vkey),), (PolicyWitness("pq", strange),), (), "pq")
    with refuses("T32"):
        verify_checkpoint(signed(POINT.text, line), known)


@pytest.mark.parametrize(
    "text",
    [
        "\n",
        f"{ORIGIN}\n300\n",
        f"{ORIGIN}\n300\n{ROOT}\n\n",
        f"{ORIGIN}\n300\n{ROOT}\nextension\n",
    ],
)
def test_T11_not_three_lines(text: str) -> None:
    with refuses("T11"):
        open_checkpoint(signed(text), LOG.vkey)


@pytest.mark.parametrize(
    "size", ["", "-1", "+1", "0300", "3e2", " 300", "300 ", "٣", "0x1", str(2**63), "9" * 400]
)
def test_T12_a_size_that_is_none(size: str) -> None:
    with refuses("T12"):
        open_checkpoint(signed(f"{ORIGIN}\n{size}\n{ROOT}\n"), LOG.vkey)


def test_T12_a_size_that_cannot_be() -> None:
    with refuses("T12"):
        Checkpoint(ORIGIN, -1, EMPTY_ROOT)


@pytest.mark.parametrize("root", ["", ROOT[:-1], f"{ROOT} ", ROOT[:40], ROOT.replace("=", "-")])
def test_T13_a_root_that_is_none(root: str) -> None:
    with refuses("T13"):
        open_checkpoint(signed(f"{ORIGIN}\n300\n{root}\n"), LOG.vkey)
    with refuses("T13"):
        Checkpoint(ORIGIN, 1, b"short")


def test_T14_another_log() -> None:
    other = OTHER_LOG.sign(Checkpoint(OTHER_LOG.vkey.name, 300, POINT.root))
    with refuses("T14"):
        open_checkpoint(other, LOG.vkey)
    with refuses("T14"):
        verify_checkpoint(other, policy(1))
    with refuses("T14"):
        verify_checkpoint(cosigned(POINT), Policy((), policy(1).witnesses, (), "W0"))


def test_T14_the_log_signs_another_origin() -> None:
    with refuses("T14"):
        open_checkpoint(signed(f"elsewhere.example\n300\n{ROOT}\n"), LOG.vkey)


def test_T15_the_log_did_not_sign() -> None:
    note = parse_note(cosigned(POINT))
    only_witnesses = format_note(Note(note.text, note.signatures[1:]))
    with refuses("T15"):
        open_checkpoint(only_witnesses, LOG.vkey)
    with refuses("T15"):
        verify_checkpoint(only_witnesses, policy(1))


def test_T15_a_key_of_an_unknown_kind_signs_nothing() -> None:
    strange = VerifierKey(ORIGIN, 0x06, bytes(1312))
    line = SignatureLine(ORIGIN, strange.key_id, bytes(2420))
    with refuses("T15"):
        open_checkpoint(signed(POINT.text, line), strange)


def test_T16_a_known_key_twice() -> None:
    note = parse_note(cosigned(POINT))
    log_line, witness_line = note.signatures[:2]
    for line in (log_line, witness_line):
        twice = format_note(Note(note.text, (*note.signatures, line)))
        with refuses("T16"):
            verify_checkpoint(twice, policy(1))
        with refuses("T16"):
            add_lines(twice, [])


def test_T17_a_signature_of_the_log_that_does_not_hold() -> None:
    (line,) = parse_note(NOTE).signatures
    for place in range(64):
        flipped = bytearray(line.signature)
        flipped[place] ^= 1
        with refuses("T17"):
            open_checkpoint(with_signature(NOTE, LOG.vkey, bytes(flipped)), LOG.vkey)
    for wrong in (line.signature[:-1], line.signature + b"\x00", b"x"):
        with refuses("T17"):
            open_checkpoint(with_signature(NOTE, LOG.vkey, wrong), LOG.vkey)


def test_T17_the_signature_of_another_size() -> None:
    (line,) = parse_note(LOG.sign(checkpoint(200))).signatures
    with refuses("T17"):
        open_checkpoint(format_note(Note(POINT.text, (line,))), LOG.vkey)


@pytest.mark.parametrize("blob", [b"x", bytes(71), bytes(73), b"\x80" + bytes(71)])
def test_T18_no_time_and_signature(blob: bytes) -> None:
    note = with_signature(cosigned(POINT), WITNESSES[2].vkey, blob)
    with refuses("T18"):
        verify_checkpoint(note, policy(1))


def test_T19_a_cosignature_that_does_not_hold_refuses_the_note() -> None:
    """Also when the others are a quorum: somebody has tampered with the note."""
    line = parse_note(cosigned(POINT)).signatures[3]
    for place in range(72):
        wrong = bytearray(line.signature)
        wrong[place] ^= 1
        with refuses("T19"):
            verify_checkpoint(
                with_signature(cosigned(POINT), WITNESSES[2].vkey, bytes(wrong)), policy(1)
            )


def test_T19_a_cosignature_of_another_checkpoint() -> None:
    stale = WITNESSES[0].cosign(checkpoint(200), NOON)
    with refuses("T19"):
        verify_checkpoint(add_lines(cosigned(POINT), [stale]), policy(1))


def test_T19_a_cosignature_of_another_witness() -> None:
    line = parse_signature_line(WITNESSES[0].cosign(POINT, NOON))
    with refuses("T19"):
        verify_line(line, WITNESSES[1].vkey, POINT)
    # What is signed does not name the witness: the line must.
    renamed = replace(line, name="witness.example/other")
    with refuses("T19"):
        verify_line(renamed, WITNESSES[0].vkey, POINT)


def test_T19_a_signature_of_the_log_is_no_cosignature() -> None:
    as_witness = VerifierKey(ORIGIN, COSIGNATURE_V1, LOG.vkey.public)
    (line,) = parse_note(NOTE).signatures
    blob = NOON.to_bytes(8, "big") + line.signature
    with refuses("T19"):
        verify_line(SignatureLine(ORIGIN, as_witness.key_id, blob), as_witness, POINT)


@pytest.mark.parametrize("present", [0, 1])
def test_T32_too_few_witnesses(present: int) -> None:
    with refuses("T32"):
        verify_checkpoint(cosigned(POINT, WITNESSES[:present]), policy(2))
