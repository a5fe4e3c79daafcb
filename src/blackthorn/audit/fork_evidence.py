"""A witness's evidence of a fork: two signed notes of one log and size, with different roots.

It names the log by key and serves any log; `directory.evidence.file` is for directories.
"""

import json
from typing import Final

from blackthorn.directory import limits
from blackthorn.errors import VerificationError
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.wire.note import VerifierKey, decode_base64, encode_base64, format_vkey, parse_vkey

FORMAT: Final = "blackthorn-fork-v1"


def fork_evidence(log: VerifierKey, first: bytes, second: bytes) -> bytes:
    """The readable JSON file."""
    document = {
        "format": FORMAT,
        "log": format_vkey(log),
        "first": encode_base64(first),
        "second": encode_base64(second),
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def is_fork_evidence(data: bytes) -> bool:
    """Whether the file claims this format."""
    return f'"{FORMAT}"'.encode() in data[:200]


def verify_fork(data: bytes) -> str:
    """What the file proves, in a sentence. Raises VerificationError."""
    if len(data) > limits.MAX_EVIDENCE_BYTES:
        raise VerificationError("D34", "a file of evidence is too large")
    try:
        document = json.loads(data)
        log = parse_vkey(document["log"])
        notes = [decode_base64(document[name]) for name in ("first", "second")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationError("D34", "the file is not evidence of a fork") from error
    first, second = (open_checkpoint(note, log)[0] for note in notes)
    if first.size != second.size or first.root == second.root:
        raise VerificationError("D35", "the two checkpoints do not have one size and two roots")
    return (
        f"The log {log.name} has signed two different trees of {first.size} entries "
        f"(log key {format_vkey(log)})"
    )
