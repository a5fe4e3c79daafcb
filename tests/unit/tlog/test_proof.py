"""Proofs of logging: one text that shows off line that an entry was logged and witnessed."""

import pytest

from blackthorn.tlog import limits
from blackthorn.tlog.merkle import leaf_hash
from blackthorn.tlog.proof import LogProof, format_proof, parse_proof, verify_proof
from tests.support.tlog_world import LOG, TREE, checkpoint, cosigned, entries, policy, refuses

NOTE = cosigned(checkpoint())
INDEX = 123
HASHES = tuple(TREE.inclusion_proof(INDEX))
PROOF = LogProof(INDEX, HASHES, NOTE, b"opening")
TEXT = format_proof(PROOF)
LEAF = leaf_hash(entries(300)[INDEX])
HEAD, INDEX_LINE = b"c2sp.org/tlog-proof@v1\n", b"index 123\n"


def test_a_proof_reads_and_writes() -> None:
    assert TEXT.startswith(HEAD + b"extra b3BlbmluZw==\n" + INDEX_LINE)
    assert TEXT.endswith(b"\n\n" + NOTE)
    for proof in (PROOF, LogProof(0, (), NOTE), LogProof(2**63 - 1, (bytes(32),) * 63, b"x")):
        assert parse_proof(format_proof(proof)) == proof


def test_a_proof_verifies() -> None:
    assert verify_proof(parse_proof(TEXT), LEAF, policy()).checkpoint == checkpoint()


def test_a_proof_of_another_entry_does_not() -> None:
    with refuses("T5"):
        verify_proof(PROOF, leaf_hash(b"another"), policy())
    with refuses("T3"):
        verify_proof(LogProof(300, HASHES, NOTE), LEAF, policy())
    with refuses("T4"):
        verify_proof(LogProof(INDEX, HASHES[:-1], NOTE), LEAF, policy())
    with refuses("T32"):
        verify_proof(LogProof(INDEX, HASHES, LOG.sign(checkpoint())), LEAF, policy())


def test_nothing_vouches_for_the_extra_data() -> None:
    """Whoever reads it must check it against something that is signed."""
    other = parse_proof(TEXT.replace(b"b3BlbmluZw==", b"b3RoZXI="))
    assert other.extra == b"other"
    verify_proof(other, LEAF, policy())


def test_T39_a_large_proof() -> None:
    with refuses("T39"):
        parse_proof(TEXT + b"x" * limits.MAX_TLOG_PROOF_BYTES)


@pytest.mark.parametrize("text", [b"", b"\n", b"c2sp.org/tlog-proof@v2\n", b" " + TEXT])
def test_T40_another_format(text: bytes) -> None:
    with refuses("T40"):
        parse_proof(text)


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + INDEX_LINE,
        HEAD + INDEX_LINE + b"\n",
        HEAD + b"\n" + NOTE,
        HEAD + INDEX_LINE + INDEX_LINE + b"\n" + NOTE,
        HEAD + INDEX_LINE + b"extra YQ==\n\n" + NOTE,
        HEAD + b"extra YQ==\n\n" + NOTE,
        HEAD + b"extra YQ==\nextra YQ==\n" + INDEX_LINE + b"\n" + NOTE,
        HEAD + b"index\n\n" + NOTE,
        HEAD + INDEX_LINE + b"AAAA\n\n" + NOTE,
        HEAD + INDEX_LINE + b"\xff\n\n" + NOTE,
        TEXT.replace(b"\n", b"\r\n").replace(b"v1\r", b"v1"),
    ],
)
def test_T41_other_lines(text: bytes) -> None:
    with refuses("T41"):
        parse_proof(text)


@pytest.mark.parametrize("extra", [b"", b"YQ", b"YR==", b"YQ== ", b"\xc3\xa9"])
def test_T42_extra_data_that_is_none(extra: bytes) -> None:
    with refuses("T42"):
        parse_proof(HEAD + b"extra " + extra + b"\n" + INDEX_LINE + b"\n" + NOTE)


@pytest.mark.parametrize("size", [0, limits.MAX_TLOG_PROOF_EXTRA_BYTES + 1])
def test_T42_no_extra_data_or_too_much(size: int) -> None:
    with refuses("T42"):
        format_proof(LogProof(1, (), NOTE, bytes(size)))


@pytest.mark.parametrize("index", [b"", b"-1", b"01", b"1 ", b"1e1", b"9" * 20, b"\xd9\xa3"])
def test_T43_an_index_that_is_none(index: bytes) -> None:
    with refuses("T43"):
        parse_proof(HEAD + b"index " + index + b"\n\n" + NOTE)


def test_T44_too_many_hashes() -> None:
    with refuses("T44"):
        format_proof(LogProof(1, (bytes(32),) * 64, NOTE))
