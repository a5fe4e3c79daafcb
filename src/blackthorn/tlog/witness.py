"""The witness protocol (c2sp.org/tlog-witness, v1.1), both sides, without the network.

A log sends `add-checkpoint`; `judge` decides with the specification's order and statuses. Its
caller must, in one transaction, read the last cosigned state, judge, store the new one, then
cosign.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits as tlog_limits
from blackthorn.tlog.checkpoint import Checkpoint, parse_checkpoint, parse_decimal, verify_log
from blackthorn.tlog.cosignature import verify_line
from blackthorn.tlog.merkle import EMPTY_ROOT
from blackthorn.tlog.merkle_proofs import verify_consistency
from blackthorn.tlog.proof import parse_hashes
from blackthorn.wire import limits as wire_limits
from blackthorn.wire import note as notes
from blackthorn.wire.note import VerifierKey, encode_base64

TEXT: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"
"""Media types of a witness's answers; SIZE marks its size."""


class WitnessRefusal(VerificationError):  # noqa: N818 - an answer on the wire, named as one
    """A refused request, with its HTTP answer."""

    def __init__(self, status: int, rule: str, text: str, size: int | None = None) -> None:
        super().__init__(rule, text)
        self.status = status
        self.body = f"{text if size is None else size}\n".encode()
        self.content_type = TEXT if size is None else SIZE


@dataclass(frozen=True)
class AddCheckpoint:
    """A request: the witness's size as the log knows it, the proof from there, a note."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes

    @property
    def origin(self) -> str:
        """The unverified log name: the first line of the note."""
        return self.note.partition(b"\n")[0].decode("utf-8", "replace")


def format_add_checkpoint(request: AddCheckpoint) -> bytes:
    """Raises as `parse_add_checkpoint`."""
    lines = [f"old {request.old_size}", *(encode_base64(digest) for digest in request.proof), ""]
    body = "".join(f"{line}\n" for line in lines).encode() + request.note
    parse_add_checkpoint(body)
    return body


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """The request with its note unparsed. Raises `WitnessRefusal` (W1 to W4)."""
    if len(body) > tlog_limits.MAX_ADD_CHECKPOINT_BYTES:
        raise WitnessRefusal(400, "W1", "the request is too large")
    head, divider, note = body.partition(b"\n\n")
    if not divider or not note or not head.startswith(b"old "):
        raise WitnessRefusal(400, "W2", "the request is not: old size, hashes, checkpoint")
    lines = head.split(b"\n")
    try:
        old_size = parse_decimal(lines[0][4:].decode("ascii", "replace"), "W3")
        proof = parse_hashes(lines[1:], "W4", "W4")
    except VerificationError as error:
        raise WitnessRefusal(
            400, error.rule, "a size or hash of the request is malformed"
        ) from error
    return AddCheckpoint(old_size, proof, note)


def judge(
    request: AddCheckpoint, log: VerifierKey | None, known: tuple[int, bytes] | None
) -> Checkpoint:
    """The checkpoint to store and cosign. Raises `WitnessRefusal` (W5 to W13).

    `log` is the key of the origin's log, None if unknown; `known` the last cosigned size and root.
    """
    checkpoint = _signed_checkpoint(request.note, log)
    known_size, known_root = known or (0, EMPTY_ROOT)
    old, new = request.old_size, checkpoint.size
    if old > new:
        raise WitnessRefusal(400, "W8", "the old size is larger than the checkpoint's")
    if old != known_size:
        raise WitnessRefusal(409, "W9", "the witness is at another size", known_size)
    if new == 0 and checkpoint.root != EMPTY_ROOT:
        raise WitnessRefusal(422, "W10", "the root of an empty tree is wrong")
    if old == 0 and request.proof:
        raise WitnessRefusal(422, "W11", "a proof from size 0 must be empty")
    if old == new and checkpoint.root != known_root:
        raise WitnessRefusal(422, "W12", "the log has shown another root of this size")
    try:
        verify_consistency(old, known_root, new, checkpoint.root, request.proof)
    except VerificationError as error:
        raise WitnessRefusal(422, "W13", "the consistency proof does not verify") from error
    return checkpoint


def _signed_checkpoint(data: bytes, log: VerifierKey | None) -> Checkpoint:
    """Raises W5, W6, W7."""
    try:
        note = notes.parse_note(data)
        origin = parse_checkpoint(note.text).origin
    except VerificationError as error:
        raise WitnessRefusal(400, "W5", f"the checkpoint is malformed: {error}") from error
    if log is None or log.name != origin:
        raise WitnessRefusal(404, "W6", "the witness does not know this log")
    try:
        return verify_log(note, [log])
    except VerificationError as error:
        raise WitnessRefusal(403, "W7", f"the log did not sign it: {error}") from error


def format_cosignatures(lines: Iterable[str]) -> bytes:
    """The answer of a witness that agrees."""
    return "".join(f"{line}\n" for line in lines).encode()


def parse_cosignatures(body: bytes, witness: VerifierKey, checkpoint: Checkpoint) -> str:
    """The witness's own line in its answer, verified. Raises W15, W16 and N rules."""
    if len(body) > tlog_limits.MAX_WITNESS_ANSWER_BYTES:
        raise VerificationError("W15", "the answer of a witness is too large")
    lines = notes.decode_utf8(body).split("\n")
    if len(lines) < 2 or lines.pop() or len(lines) > wire_limits.MAX_NOTE_SIGNATURES:
        raise VerificationError("W15", "the answer of a witness is not signature lines")
    parsed = [notes.parse_signature_line(line) for line in lines]
    own = [line for line in parsed if (line.name, line.key_id) == (witness.name, witness.key_id)]
    if len(own) != 1:
        raise VerificationError("W16", "the witness's answer does not have one line of its own")
    try:
        verify_line(own[0], witness, checkpoint)
    except VerificationError as error:
        raise VerificationError("W16", "the cosignature in the answer does not hold") from error
    return notes.signature_line(own[0])


def parse_conflict(content_type: str, body: bytes) -> int:
    """The size of a witness from its answer 409. Raises W14."""
    size = body.decode("ascii", "replace")
    if content_type.partition(";")[0].strip().lower() != SIZE or not size.endswith("\n"):
        raise VerificationError("W14", "the witness did not say at which size it is")
    return parse_decimal(size[:-1], "W14")
