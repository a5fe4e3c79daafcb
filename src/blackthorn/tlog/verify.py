"""The log's checks for devices, which import this module of tlog and no other.

A note becomes a `VerifiedCheckpoint` here and nowhere else: the log signed it, every witness
that the policy knows and that is named under it signed it too, and they are a quorum.
"""

from dataclasses import dataclass

from blackthorn.errors import VerificationError
from blackthorn.tlog.checkpoint import Checkpoint as Checkpoint
from blackthorn.tlog.checkpoint import only_line, verify_log
from blackthorn.tlog.checkpoint import open_checkpoint as open_checkpoint
from blackthorn.tlog.cosignature import verify_line
from blackthorn.tlog.merkle import leaf_hash as leaf_hash
from blackthorn.tlog.merkle_proofs import verify_consistency as verify_consistency
from blackthorn.tlog.merkle_proofs import verify_inclusion as verify_inclusion
from blackthorn.tlog.policy import NO_QUORUM as NO_QUORUM
from blackthorn.tlog.policy import Policy as Policy
from blackthorn.tlog.policy import parse_policy as parse_policy
from blackthorn.wire.note import COSIGNATURE_V1, parse_note
from blackthorn.wire.note import format_vkey as format_vkey
from blackthorn.wire.note import parse_vkey as parse_vkey


@dataclass(frozen=True)
class VerifiedCheckpoint:
    """A checkpoint that a policy accepts, as `verify_checkpoint` returns it.

    `times` are the names of the witnesses, as the policy calls them, and when they cosigned,
    in Unix seconds. `quorum_time` is the latest time since when witnesses that are a quorum
    have cosigned: the age of the checkpoint by clocks that are not the operator's. It is 0
    when the policy asks for no witness.
    """

    checkpoint: Checkpoint
    note: bytes
    times: dict[str, int]
    quorum_time: int


def verify_checkpoint(note: bytes, policy: Policy) -> VerifiedCheckpoint:
    """The checkpoint of a note that the policy accepts; raises N and T rules.

    A line of a known witness that does not hold refuses the note, even if the quorum stands
    without it; lines of unknown keys are passed over.
    """
    parsed = parse_note(note)
    checkpoint = verify_log(parsed, [log.key for log in policy.logs])
    times: dict[str, int] = {}
    for witness in policy.witnesses:
        line = only_line(parsed, witness.key)
        if line is not None and witness.key.algorithm == COSIGNATURE_V1:
            times[witness.name] = verify_line(line, witness.key, checkpoint)
    quorum_time = policy.quorum_time(times)
    if quorum_time is None:
        raise VerificationError("T32", "the witnesses of the checkpoint are no quorum")
    return VerifiedCheckpoint(checkpoint, note, times, quorum_time)
