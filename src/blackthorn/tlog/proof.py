"""Proofs of logging (c2sp.org/tlog-proof): an offline proof that a log has an entry.

A text with the entry's index, the hashes to the root and the cosigned checkpoint; the entry travels
separately. `extra` is not authenticated.
"""

from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.checkpoint import parse_decimal
from blackthorn.tlog.merkle import HASH_SIZE
from blackthorn.tlog.merkle_proofs import verify_inclusion
from blackthorn.tlog.policy import Policy
from blackthorn.tlog.verify import VerifiedCheckpoint, verify_checkpoint
from blackthorn.wire.note import decode_base64, encode_base64

_FORMAT: Final = b"c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class LogProof:
    """Unverified: index, hashes, note, and perhaps extra data."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None


def format_proof(proof: LogProof) -> bytes:
    """Raises as `parse_proof`."""
    lines = [_FORMAT.decode()]
    if proof.extra is not None:
        lines.append(f"extra {encode_base64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines += [encode_base64(digest) for digest in proof.hashes]
    data = "".join(f"{line}\n" for line in [*lines, ""]).encode() + proof.note
    parse_proof(data)
    return data


def parse_proof(data: bytes) -> LogProof:
    """The proof with its note unparsed. Raises T39 to T44."""
    if len(data) > limits.MAX_TLOG_PROOF_BYTES:
        raise VerificationError("T39", "a proof of logging is too large")
    head, divider, note = data.partition(b"\n\n")
    lines = head.split(b"\n")
    if lines.pop(0) != _FORMAT:
        raise VerificationError("T40", "a proof of logging does not start as one")
    if not divider or not note:
        raise VerificationError("T41", "a proof of logging has no checkpoint")
    extra = None
    if lines and lines[0].startswith(b"extra "):
        extra = _extra(lines.pop(0)[6:])
    if not lines or not lines[0].startswith(b"index "):
        raise VerificationError("T41", "a proof of logging has no index where it should")
    index = parse_decimal(_ascii(lines.pop(0)[6:], "T43"), "T43")
    return LogProof(index, parse_hashes(lines, "T41", "T44"), note, extra)


def verify_proof(proof: LogProof, leaf_hash: bytes, policy: Policy) -> VerifiedCheckpoint:
    """The accepted checkpoint of a log with this leaf at the index. Raises N and T rules."""
    verified = verify_checkpoint(proof.note, policy)
    checkpoint = verified.checkpoint
    verify_inclusion(leaf_hash, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return verified


def parse_hashes(lines: list[bytes], form: str, count: str) -> tuple[bytes, ...]:
    """Lines of 32 bytes in base64. Raises `count` for too many, else `form`."""
    if len(lines) > limits.MAX_PROOF_HASHES:
        raise VerificationError(count, "a proof has more than 63 hashes")
    hashes = tuple(decode_base64(_ascii(line, form), form) for line in lines)
    if any(len(digest) != HASH_SIZE for digest in hashes):
        raise VerificationError(form, "a line of a proof is not a hash of 32 bytes")
    return hashes


def _extra(encoded: bytes) -> bytes:
    extra = decode_base64(_ascii(encoded, "T42"), "T42")
    if not 1 <= len(extra) <= limits.MAX_TLOG_PROOF_EXTRA_BYTES:
        raise VerificationError("T42", "the extra data of a proof is empty or too large")
    return extra


def _ascii(data: bytes, rule: str) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise VerificationError(rule, "a line of a proof is not ASCII") from error
