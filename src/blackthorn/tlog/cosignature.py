"""Cosignatures (c2sp.org/tlog-cosignature, Ed25519) of a checkpoint by a witness.

One says: at this time this is the largest consistent tree of this log that I have seen.
"""

from collections.abc import Iterable
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519 as SCHEME
from blackthorn.crypto.signatures import VerifyError
from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.wire import note as notes
from blackthorn.wire.note import Note, SignatureLine, VerifierKey

_TIME_SIZE: Final = 8
_SIZE: Final = _TIME_SIZE + 64


def cosigned_message(checkpoint: Checkpoint, timestamp_s: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp_s}\n{checkpoint.text}".encode()


class Cosigner:
    """Cosigns for one witness with its 32-byte Ed25519 seed.

    The signed message does not name the witness: never share a seed.
    """

    def __init__(self, name: str, private: Secret) -> None:
        self._private = private
        self.vkey = VerifierKey(name, notes.COSIGNATURE_V1, SCHEME.public_key(private))

    def cosign(self, checkpoint: Checkpoint, timestamp_s: int) -> str:
        """The signature line, without newline, at a Unix time."""
        if not 0 <= timestamp_s <= limits.MAX_COSIGNATURE_SECONDS:
            raise ValueError("the time of a cosignature is impossible")
        signature = SCHEME.sign(self._private, cosigned_message(checkpoint, timestamp_s))
        blob = timestamp_s.to_bytes(_TIME_SIZE, "big") + signature
        return notes.signature_line(SignatureLine(self.vkey.name, self.vkey.key_id, blob))


def verify_line(line: SignatureLine, key: VerifierKey, checkpoint: Checkpoint) -> int:
    """The Unix time of a cosignature by `key`. Raises T18, T19."""
    blob = line.signature
    if len(blob) != _SIZE:
        raise VerificationError("T18", "a cosignature is not a time and a signature")
    timestamp = int.from_bytes(blob[:_TIME_SIZE], "big")
    if timestamp > limits.MAX_COSIGNATURE_SECONDS:
        raise VerificationError("T18", "the time of a cosignature is impossible")
    if key.algorithm != notes.COSIGNATURE_V1 or (line.name, line.key_id) != (key.name, key.key_id):
        raise VerificationError("T19", "the cosignature is not by this witness")
    try:
        SCHEME.verify(key.public, blob[_TIME_SIZE:], cosigned_message(checkpoint, timestamp))
    except VerifyError as error:
        raise VerificationError("T19", "the signature of a witness does not hold") from error
    return timestamp


def add_lines(note: bytes, lines: Iterable[str]) -> bytes:
    """The note with more signature lines, replacing those of the same keys. Raises T16."""
    parsed = notes.parse_note(note)
    signatures = {(line.name, line.key_id): line for line in parsed.signatures}
    if len(signatures) != len(parsed.signatures):
        raise VerificationError("T16", "a key has several lines under one note")
    for text in lines:
        line = notes.parse_signature_line(text)
        signatures[line.name, line.key_id] = line
    return notes.format_note(Note(parsed.text, tuple(signatures.values())))
