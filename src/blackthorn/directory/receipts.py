"""Checks of the server's receipts for single log entries: time and inclusion."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blackthorn.directory.checks import Accepted, VerifiedEpoch, index_of
from blackthorn.directory.commitment import OPENING_BYTES, commit, decode_value
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import Head, Mutation, decode_entry
from blackthorn.directory.head_times import Fall
from blackthorn.directory.lookup import Receipt
from blackthorn.errors import VerificationError
from blackthorn.tlog.merkle import leaf_hash
from blackthorn.tlog.verify import verify_inclusion


@dataclass(frozen=True, slots=True)
class Observation:
    """A user's version in the map at an accepted checkpoint, 0 for an absent one."""

    accepted: Accepted
    version: int


def verify_receipt(
    receipt: Receipt,
    label: str,
    epoch: VerifiedEpoch,
    config: DirectoryConfig,
    seen: Iterable[Observation] = (),
    falls: Sequence[Fall] = (),
) -> tuple[int, int]:
    """The statement's number and when the ledger logged it, in Unix milliseconds.

    `seen` are earlier verified versions: a version missing then must be logged behind that
    checkpoint, and later. Without any, only an auditor can tell. `falls` are those of the time that
    a replay of the log has found: heads that were ahead have another time than their place.

    Raises D17, D5, D19, D20, D21, D39, D40.
    """
    # 1. The entry is the user's, and its commitment opens to what the receipt says.
    mutation = _open(receipt, label, config)
    # 2. The head is the end of that entry's epoch.
    head = decode_entry(receipt.head)
    if not isinstance(head, Head) or head.epoch != mutation.epoch:
        raise VerificationError("D20", "the head of the receipt is not that of its epoch")
    if receipt.index >= receipt.head_index:
        raise VerificationError("D20", "the head of the receipt stands before its entry")
    # 3. Both are in the log.
    _check_logged(receipt.mutation, receipt.index, receipt.proof, epoch)
    _check_logged(receipt.head, receipt.head_index, receipt.head_proof, epoch)
    # 4. No past epoch was logged again, and nothing in the log that the map did not show.
    _check_place(head, receipt.head_index, epoch.accepted, falls)
    for observation in seen:
        _check_place(head, receipt.head_index, observation.accepted, falls)
        if (receipt.version > observation.version) != (receipt.index >= observation.accepted.size):
            raise VerificationError("D40", "the log and the map had this version at other times")
    return receipt.seq, head.unix_ms


def _open(receipt: Receipt, label: str, config: DirectoryConfig) -> Mutation:
    index = index_of(label, receipt.vrf_proof, config)
    value = decode_value(receipt.value)
    if len(receipt.opening) != OPENING_BYTES or not 0 < receipt.version < 2**32:
        raise VerificationError("D19", "the opening or the version of a receipt cannot be")
    entry = decode_entry(receipt.mutation)
    commitment = commit(receipt.opening, label, receipt.version, receipt.value)
    wanted = Mutation(entry.epoch, index, receipt.version, commitment)
    if entry != wanted or value.seq != receipt.seq:
        raise VerificationError("D19", "the entry of the receipt is another's, or says another")
    return wanted


def _check_place(head: Head, at: int, known: Accepted, falls: Sequence[Fall]) -> None:
    place, times = _order(at, known.size - 1), _order(head.unix_ms, known.unix_ms)
    if any(fall.covers(head.epoch) or fall.covers(known.epoch) for fall in falls):
        times = place
    if (_order(head.epoch, known.epoch), times) != (place, place):
        raise VerificationError(
            "D39", f"entry {at} has not the time of its place beside entry {known.size - 1}"
        )


def _order(one: int, other: int) -> int:
    return (one > other) - (one < other)


def _check_logged(entry: bytes, index: int, proof: Sequence[bytes], epoch: VerifiedEpoch) -> None:
    accepted = epoch.accepted
    try:
        verify_inclusion(leaf_hash(entry), index, accepted.size, proof, accepted.root)
    except VerificationError as error:
        raise VerificationError("D21", f"entry {index} is not in the log: {error}") from error
