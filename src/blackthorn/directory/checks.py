"""Checks of the server's answers about the newest epoch and about users.

Each function returns the verified thing, or raises `VerificationError` with the broken rule's
number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from blackthorn.crypto import vrf
from blackthorn.directory import limits
from blackthorn.directory.commitment import LABEL_BYTES, OPENING_BYTES, Value, commit, decode_value
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import Head, decode_entry
from blackthorn.directory.head_times import Fall
from blackthorn.directory.lookup import Answer, EpochPart
from blackthorn.directory.proof import RequestedLeaf, decode_map_proof
from blackthorn.errors import VerificationError
from blackthorn.tlog import verify
from blackthorn.tlog.merkle import leaf_hash

INDEX_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Terms:
    """The trusted policy and configuration, and the checker's time in Unix milliseconds.

    `max_age_s` bounds the age of the quorum's cosignatures; None: no bound. `falls` are those of
    the time that a replay of the log has found.
    """

    policy: verify.Policy
    config: DirectoryConfig
    now_ms: int
    max_age_s: int | None
    falls: tuple[Fall, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The newest checkpoint accepted by a client."""

    size: int
    root: bytes
    note: bytes
    epoch: int
    unix_ms: int


def ledger_time_ms(unix_ms: int, quorum_time: int) -> int:
    """The earlier of the head's and the quorum's time; `quorum_time` 0 is no quorum."""
    return min(unix_ms, quorum_time * 1000) if quorum_time else unix_ms


@dataclass(frozen=True, slots=True)
class VerifiedEpoch:
    """A verified epoch. `quorum_time` is in Unix seconds, 0 without witnesses."""

    accepted: Accepted
    head: Head
    quorum_time: int

    @property
    def time_ms(self) -> int:
        """The ledger's time, Unix milliseconds: the earlier of head's and quorum's."""
        return ledger_time_ms(self.head.unix_ms, self.quorum_time)


@dataclass(frozen=True, slots=True)
class Present:
    """A user in the map; `index` is their place there, where it was verified."""

    version: int
    value: Value
    index: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """A user who is not in the map."""


@dataclass(frozen=True, slots=True)
class Gossip:
    """A peer's newest checkpoint, as sent inside messages."""

    size: int
    root: bytes

    def encode(self) -> bytes:
        """40 bytes: size u64 ‖ root[32]."""
        return self.size.to_bytes(8, "big") + self.root


def decode_gossip(data: bytes) -> Gossip:
    """The gossip in 40 bytes. Raises `VerificationError` (D22)."""
    if len(data) != 40:
        raise VerificationError("D22", f"a gossiped checkpoint has {len(data)} bytes, not 40")
    return Gossip(int.from_bytes(data[:8], "big"), data[8:])


def verify_epoch(
    part: EpochPart, consistency: Sequence[bytes], last: Accepted | None, terms: Terms
) -> VerifiedEpoch:
    """The newest epoch, which continues the last accepted one.

    Raises `VerificationError`: N and T rules of the note, then D15, D10, D11, D9, D12, D13, D14.
    """
    verified = verify.verify_checkpoint(part.checkpoint, terms.policy)
    checkpoint = verified.checkpoint
    if checkpoint.origin != terms.config.origin:
        raise VerificationError("D15", f"the checkpoint is of the log {checkpoint.origin}")
    if last is not None:
        _check_continues(last, checkpoint.size, checkpoint.root, consistency)
    epoch = _epoch(part, checkpoint, verified.quorum_time)
    head = epoch.head
    rises = last is None or _rises(head, last, terms.falls)
    if last is not None and checkpoint.size > last.size and not rises:
        raise VerificationError("D12", "the epoch or its time does not rise")
    if head.config != terms.config.digest:
        raise VerificationError("D13", "the head is of another configuration")
    _check_time(head, verified.quorum_time, terms)
    return epoch


def _rises(head: Head, last: Accepted, falls: Iterable[Fall]) -> bool:
    """Whether epoch and time rise, the time from that of the last fall between the two heads."""
    least_ms = last.unix_ms + 1
    for fall in falls:
        if last.epoch < fall.epoch <= head.epoch:
            least_ms = fall.unix_ms
    return head.epoch > last.epoch and head.unix_ms >= least_ms


def _check_continues(last: Accepted, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    if size < last.size:
        raise VerificationError("D10", f"a checkpoint of {size} entries after one of {last.size}")
    try:
        verify.verify_consistency(last.size, last.root, size, root, proof)
    except VerificationError as error:
        text = f"the checkpoint of {size} entries does not continue that of {last.size}: {error}"
        raise VerificationError("D11", text) from error


def check_head_time(unix_ms: int, bound_ms: int) -> None:
    """Raises D38 for a head ahead of its witnesses: it would shorten the delays of resets."""
    if unix_ms - bound_ms > limits.MAX_HEAD_AHEAD_SECONDS * 1000:
        raise VerificationError("D38", "the time of the head is ahead of those who cosigned it")


def _check_time(head: Head, quorum_time: int, terms: Terms) -> None:
    check_head_time(head.unix_ms, quorum_time * 1000 if quorum_time else terms.now_ms)
    age_ms = terms.now_ms - ledger_time_ms(head.unix_ms, quorum_time)
    if terms.max_age_s is not None and age_ms > terms.max_age_s * 1000:
        raise VerificationError("D14", "nothing newer was cosigned for too long")


def open_epoch(part: EpochPart, config: DirectoryConfig) -> VerifiedEpoch:
    """An epoch signed by the configured log, without witnesses. Raises N, T rules and D9."""
    checkpoint, _ = verify.open_checkpoint(part.checkpoint, verify.parse_vkey(config.log_vkey))
    return _epoch(part, checkpoint, 0)


def _epoch(part: EpochPart, checkpoint: verify.Checkpoint, quorum_time: int) -> VerifiedEpoch:
    head = decode_entry(part.head)
    size, root = checkpoint.size, checkpoint.root
    if not isinstance(head, Head) or not size:
        raise VerificationError("D9", "the last entry of the checkpoint is not a head")
    try:
        verify.verify_inclusion(leaf_hash(part.head), size - 1, size, part.proof, root)
    except VerificationError as error:
        raise VerificationError("D9", f"the head is not the last entry: {error}") from error
    accepted = Accepted(size, root, part.checkpoint, head.epoch, head.unix_ms)
    return VerifiedEpoch(accepted, head, quorum_time)


def index_of(label: str, vrf_proof: bytes, config: DirectoryConfig) -> bytes:
    """A user's place in the map, 32 bytes. Raises `VerificationError` (D17)."""
    try:
        if len(label.encode()) > LABEL_BYTES:
            raise VerificationError("D17", "nobody in the map has a label of that length")
        return vrf.verify(config.vrf_key, vrf_proof, label.encode())[:INDEX_BYTES]
    except (vrf.VrfError, UnicodeEncodeError) as error:
        raise VerificationError("D17", f"the VRF proof does not hold: {error}") from error


def verify_answer(
    answer: Answer, label: str, epoch: VerifiedEpoch, config: DirectoryConfig
) -> Present | Absent:
    """The verified entry of `label` in the map. Raises D16, D17, D18, D5, D6, D7, D8."""
    if answer.label != label:
        raise VerificationError("D16", "the answer is for somebody else")
    index = index_of(label, answer.vrf_proof, config)
    proof = decode_map_proof(answer.map_proof)
    found = isinstance(proof.end, RequestedLeaf)
    commitment, verified = _committed(answer, found)
    if proof.root(index, commitment) != epoch.head.map_root:
        raise VerificationError("D8", "the proof does not lead to the root of the map")
    return replace(verified, index=index) if isinstance(verified, Present) else verified


def _committed(answer: Answer, found: bool) -> tuple[bytes, Present | Absent]:
    present = (bool(answer.value), bool(answer.opening), answer.version > 0)
    if present != (found, found, found):
        raise VerificationError("D18", "the answer and its proof do not speak of the same thing")
    if not found:
        return b"", Absent()
    if len(answer.opening) != OPENING_BYTES or answer.version >= 2**32:
        raise VerificationError("D18", "the opening or the version cannot be")
    value = decode_value(answer.value)
    commitment = commit(answer.opening, answer.label, answer.version, answer.value)
    return commitment, Present(answer.version, value)


def check_history(before: Present, found: Present | Absent) -> Present:
    """The map's present entry of a user, if it may follow the earlier one.

    Raises `VerificationError`: D36 for a missing or earlier state, D37 for an entry with more
    changes than the chain has new statements: one was added and removed.
    """
    if isinstance(found, Absent):
        raise VerificationError("D36", "the map had this user and has no entry of them now")
    versions = found.version - before.version
    statements = found.value.seq - before.value.seq
    if versions < 0 or statements < 0 or (not versions and found.value != before.value):
        raise VerificationError("D36", "the map shows an earlier state of this user, or another")
    if versions > statements:
        raise VerificationError(
            "D37", f"{versions} changes of the entry with {statements} statements of its chain"
        )
    return found
