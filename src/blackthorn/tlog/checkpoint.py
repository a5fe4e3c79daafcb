"""Checkpoints (c2sp.org/tlog-checkpoint): a log's signed size and root.

Exactly three lines: extension lines, not recommended and not auditable, are refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519 as SCHEME
from blackthorn.crypto.signatures import VerifyError
from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.merkle import HASH_SIZE
from blackthorn.wire import note as notes
from blackthorn.wire.note import Note, SignatureLine, VerifierKey

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """Unverified: origin of a log, size in entries, 32-byte root."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        notes.check_name(self.origin)
        if not 0 <= self.size <= limits.MAX_TREE_SIZE:
            raise VerificationError("T12", "the size of a checkpoint is impossible")
        if len(self.root) != HASH_SIZE:
            raise VerificationError("T13", "the root of a checkpoint does not have 32 bytes")

    @property
    def text(self) -> str:
        """The signed text."""
        return f"{self.origin}\n{self.size}\n{notes.encode_base64(self.root)}\n"


def parse_decimal(text: str, rule: str) -> int:
    """ASCII digits without leading zeros. Raises `rule`."""
    if _DECIMAL.fullmatch(text) is None or int(text) > limits.MAX_TREE_SIZE:
        raise VerificationError(rule, "a number is malformed or too large")
    return int(text)


def parse_checkpoint(text: str) -> Checkpoint:
    """Raises N7, T11, T12, T13."""
    lines = text.split("\n", 4)
    if len(lines) != 4 or lines[3]:
        raise VerificationError("T11", "a checkpoint is not three lines: origin, size, root")
    origin, size, root = lines[:3]
    return Checkpoint(origin, parse_decimal(size, "T12"), notes.decode_base64(root, "T13"))


class LogSigner:
    """Signs a log's checkpoints with its 32-byte Ed25519 seed."""

    def __init__(self, origin: str, private: Secret) -> None:
        self._private = private
        self.vkey = VerifierKey(origin, notes.ED25519, SCHEME.public_key(private))

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The note with the log's signature alone."""
        if checkpoint.origin != self.vkey.name:
            raise ValueError("a log signs its own checkpoints only")
        text = checkpoint.text
        signature = SCHEME.sign(self._private, text.encode())
        line = SignatureLine(self.vkey.name, self.vkey.key_id, signature)
        return notes.format_note(Note(text, (line,)))


def only_line(note: Note, key: VerifierKey) -> SignatureLine | None:
    """The line of `key`, if any. Raises T16 for several."""
    lines = note.lines_of(key)
    if len(lines) > 1:
        raise VerificationError("T16", "a known key has several lines under one note")
    return lines[0] if lines else None


def verify_log(note: Note, keys: Sequence[VerifierKey]) -> Checkpoint:
    """The checkpoint of a note signed by one of a log's keys. Raises T14 to T17.

    Every signature by one of the keys must hold.
    """
    checkpoint = parse_checkpoint(note.text)
    mine = [key for key in keys if key.name == checkpoint.origin]
    if not mine:
        raise VerificationError("T14", "the checkpoint is of another log")
    signed = False
    for key in mine:
        line = only_line(note, key)
        if line is None or key.algorithm != notes.ED25519:
            continue
        try:
            SCHEME.verify(key.public, line.signature, note.text.encode())
        except VerifyError as error:
            raise VerificationError("T17", "the signature of the log does not hold") from error
        signed = True
    if not signed:
        raise VerificationError("T15", "the log did not sign the checkpoint")
    return checkpoint


def open_checkpoint(note: bytes, log: VerifierKey) -> tuple[Checkpoint, Note]:
    """The checkpoint that `log` signed, and its note with other lines unverified."""
    parsed = notes.parse_note(note)
    return verify_log(parsed, [log]), parsed
