"""The witness protocol as a dialogue: what a log asks, and the status that it is answered."""

from dataclasses import replace

import pytest

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.tlog.cosignature import add_lines
from blackthorn.tlog.merkle import EMPTY_ROOT, MerkleLog
from blackthorn.tlog.verify import verify_checkpoint
from blackthorn.tlog.witness import (
    AddCheckpoint,
    WitnessRefusal,
    format_add_checkpoint,
    format_cosignatures,
    judge,
    parse_add_checkpoint,
    parse_conflict,
    parse_cosignatures,
)
from blackthorn.wire.note import Note, SignatureLine, format_note, parse_note, signature_line
from tests.support.tlog_world import (
    LOG,
    NOON,
    ORIGIN,
    OTHER_LOG,
    TREE,
    WITNESSES,
    checkpoint,
    entries,
    policy,
    refuses,
)

Known = tuple[int, bytes] | None
AT_200 = (200, TREE.root(200))
NOTE = LOG.sign(checkpoint())


def ask(old: int, new: int = 300, tree: MerkleLog = TREE) -> AddCheckpoint:
    """The honest request of a log that believes the witness is at `old`."""
    note = LOG.sign(checkpoint(new, tree))
    return AddCheckpoint(old, tuple(tree.consistency_proof(old, new)), note)


def refused(status: int, rule: str, request: AddCheckpoint, known: Known) -> WitnessRefusal:
    """The refusal of a request, with this status and rule."""
    with pytest.raises(WitnessRefusal) as caught:
        judge(request, LOG.vkey, known)
    refusal = caught.value
    assert (refusal.status, refusal.rule) == (status, rule)
    if status != 409:
        assert refusal.content_type == "text/plain; charset=utf-8"
        assert refusal.body.endswith(b"\n")
    return refusal


def test_a_request_reads_and_writes() -> None:
    for request in (ask(0), ask(200), ask(300), AddCheckpoint(7, (bytes(32),) * 63, b"note")):
        assert parse_add_checkpoint(format_add_checkpoint(request)) == request
    body = format_add_checkpoint(ask(0))
    assert body == b"old 0\n\n" + NOTE
    assert ask(0).origin == ORIGIN


def test_a_log_grows_under_the_eyes_of_a_witness() -> None:
    known: Known = None
    for size in (0, 1, 7, 8, 200, 200, 256, 300):
        old = 0 if known is None else known[0]
        body = format_add_checkpoint(ask(old, size))
        agreed = judge(parse_add_checkpoint(body), LOG.vkey, known)
        assert agreed == checkpoint(size)
        known = (agreed.size, agreed.root)


def test_a_first_checkpoint_may_have_any_size() -> None:
    assert judge(ask(0), LOG.vkey, None) == checkpoint()


def test_the_log_takes_the_line_of_the_witness() -> None:
    note = NOTE
    for number, witness in enumerate(WITNESSES):
        line = witness.cosign(judge(ask(0), LOG.vkey, None), NOON + number)
        answer = format_cosignatures([line])
        note = add_lines(note, [parse_cosignatures(answer, witness.vkey, checkpoint())])
    assert verify_checkpoint(note, policy(3)).quorum_time == NOON


def test_lines_of_other_keys_in_an_answer_are_passed_over() -> None:
    lines = [witness.cosign(checkpoint(), NOON) for witness in WITNESSES]
    answer = format_cosignatures(lines)
    assert parse_cosignatures(answer, WITNESSES[1].vkey, checkpoint()) == lines[1]


def test_a_log_that_lost_its_way_is_told_the_size() -> None:
    refusal = refused(409, "W9", ask(0), AT_200)
    assert (refusal.content_type, refusal.body) == ("text/x.tlog.size", b"200\n")
    size = parse_conflict(refusal.content_type, refusal.body)
    assert parse_conflict("Text/x.tlog.size; charset=utf-8", b"200\n") == size
    assert judge(ask(size), LOG.vkey, AT_200) == checkpoint()


def test_W1_a_large_request() -> None:
    with refuses("W1"):
        parse_add_checkpoint(b"old 0\n\n" + b"x" * limits.MAX_ADD_CHECKPOINT_BYTES)


@pytest.mark.parametrize(
    "body", [b"", b"\n\n", b"old 0\n", b"old 0\n\n", b"new 0\n\nnote", b"old\n\nnote", NOTE]
)
def test_W2_no_request(body: bytes) -> None:
    with refuses("W2"):
        parse_add_checkpoint(body)


@pytest.mark.parametrize("size", [b"", b"-1", b"01", b"1 ", b"0x1", b"9" * 20, b"\xff", b"1\r"])
def test_W3_an_old_size_that_is_none(size: bytes) -> None:
    with refuses("W3"):
        parse_add_checkpoint(b"old " + size + b"\n\n" + NOTE)


@pytest.mark.parametrize(
    "lines",
    [
        b"AAAA\n",
        b"x\n",
        b"\xff\n",
        b"A" * 43 + b"\n",
        b"A" * 43 + b"=\r\n",
        (b"A" * 43 + b"=\n") * 64,
    ],
)
def test_W4_hashes_that_are_none_or_too_many(lines: bytes) -> None:
    with refuses("W4"):
        parse_add_checkpoint(b"old 0\n" + lines + b"\n" + NOTE)


def test_every_unreadable_request_is_status_400() -> None:
    for body in (b"", b"old x\n\nnote", b"old 0\nx\n\nnote", bytes(100_000)):
        with pytest.raises(WitnessRefusal) as caught:
            parse_add_checkpoint(body)
        assert caught.value.status == 400


@pytest.mark.parametrize(
    "note",
    [
        b"note",
        NOTE[:-1],
        NOTE.replace(b"\n300\n", b"\n0300\n"),
        NOTE.replace(b"\n300\n", b"\n300\nmore\n"),
        NOTE.replace("—".encode(), b"-"),
    ],
)
def test_W5_a_malformed_checkpoint(note: bytes) -> None:
    refused(400, "W5", replace(ask(0), note=note), None)
    with refuses("W5"):
        judge(replace(ask(0), note=note), None, None)


def test_W6_an_unknown_log() -> None:
    other = OTHER_LOG.sign(Checkpoint(OTHER_LOG.vkey.name, 300, TREE.root()))
    refused(404, "W6", replace(ask(0), note=other), None)
    with refuses("W6"):
        judge(ask(0), None, None)


def test_W7_a_log_that_did_not_sign() -> None:
    note = parse_note(add_lines(NOTE, [WITNESSES[0].cosign(checkpoint(), NOON)]))
    unsigned = format_note(Note(note.text, note.signatures[1:]))
    refused(403, "W7", replace(ask(0), note=unsigned), None)
    twice = NOTE + NOTE.partition(b"\n\n")[2]
    refused(403, "W7", replace(ask(0), note=twice), None)
    moved = NOTE.replace(b"\n300\n", b"\n301\n")
    refused(403, "W7", replace(ask(0), note=moved), None)


def test_W8_an_old_size_beyond_the_checkpoint() -> None:
    refused(400, "W8", replace(ask(200), old_size=301), (301, bytes(32)))
    # Also when the witness is elsewhere: the specification asks for this check first.
    refused(400, "W8", replace(ask(200), old_size=301), AT_200)


def test_W9_a_witness_at_another_size() -> None:
    assert refused(409, "W9", ask(150), AT_200).body == b"200\n"
    assert refused(409, "W9", ask(200), None).body == b"0\n"
    # The witness never goes back, and a wrong proof does not change the answer.
    assert refused(409, "W9", ask(0, 100), AT_200).body == b"200\n"
    assert refused(409, "W9", replace(ask(150), proof=()), AT_200).body == b"200\n"


def test_W10_an_empty_tree_with_entries() -> None:
    false = LOG.sign(Checkpoint(ORIGIN, 0, TREE.root(1)))
    refused(422, "W10", AddCheckpoint(0, (), false), None)
    refused(422, "W10", AddCheckpoint(0, (), false), (0, EMPTY_ROOT))


def test_W11_a_proof_from_nothing() -> None:
    refused(422, "W11", replace(ask(0), proof=(bytes(32),)), None)


def test_W12_a_fork_at_the_size_that_was_cosigned() -> None:
    fork = MerkleLog([b"another", *entries(300)[1:]])
    refused(422, "W12", ask(300, 300, fork), (300, TREE.root()))


def test_W13_a_fork_that_grew() -> None:
    fork = MerkleLog([b"another", *entries(300)[1:]])
    refused(422, "W13", ask(200, 300, fork), AT_200)
    honest = ask(200)
    refused(422, "W13", replace(honest, proof=honest.proof[:-1]), AT_200)
    refused(422, "W13", replace(honest, proof=()), AT_200)
    refused(422, "W13", replace(ask(300), proof=(bytes(32),)), (300, TREE.root()))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"200\n"),
        ("text/x.tlog.size", b"200"),
        ("text/x.tlog.size", b"0200\n"),
        ("text/x.tlog.size", b"200\n\n"),
        ("text/x.tlog.size", b"\xff\n"),
        ("", b""),
    ],
)
def test_W14_a_conflict_without_a_size(content_type: str, body: bytes) -> None:
    with refuses("W14"):
        parse_conflict(content_type, body)


@pytest.mark.parametrize("body", [b"", b"\xe2\x80\x94 a AQIDBAU=", b"x" * (64 * 1024 + 1)])
def test_W15_no_lines(body: bytes) -> None:
    with refuses("W15"):
        parse_cosignatures(body, WITNESSES[0].vkey, checkpoint())


def test_W15_too_large_lines() -> None:
    line = signature_line(SignatureLine("witness.example/pq", bytes(4), bytes(5_000)))
    own = WITNESSES[0].cosign(checkpoint(), NOON)
    assert parse_cosignatures(format_cosignatures([line, own]), WITNESSES[0].vkey, checkpoint())
    with refuses("W15"):
        parse_cosignatures(
            format_cosignatures([*[line] * 10, own]), WITNESSES[0].vkey, checkpoint()
        )


def test_W15_too_many_lines() -> None:
    line = WITNESSES[0].cosign(checkpoint(), NOON)
    with refuses("W15"):
        parse_cosignatures(format_cosignatures([line] * 65), WITNESSES[0].vkey, checkpoint())


def test_W16_no_cosignature_of_the_witness() -> None:
    one, two = (witness.cosign(checkpoint(), NOON) for witness in WITNESSES[:2])
    stale = WITNESSES[0].cosign(checkpoint(200), NOON)
    for lines in ([two], [stale], [one, one], [one, stale]):
        with refuses("W16"):
            parse_cosignatures(format_cosignatures(lines), WITNESSES[0].vkey, checkpoint())


def test_a_line_that_is_none_breaks_a_rule_of_notes() -> None:
    with refuses("N6"):
        parse_cosignatures(b"hello\n", WITNESSES[0].vkey, checkpoint())
    with refuses("N2"):
        parse_cosignatures(b"\xff\n", WITNESSES[0].vkey, checkpoint())


def test_a_refusal_is_a_verification_error() -> None:
    assert issubclass(WitnessRefusal, VerificationError)
