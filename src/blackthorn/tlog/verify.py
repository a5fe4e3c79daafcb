"""The log's checks for devices, which import no other module of tlog.

Only here does a note become a `VerifiedCheckpoint`: the log and all its known witnesses signed it,
and they are a quorum.
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
    """A checkpoint that a policy accepts.

    `times` maps the policy's witness names to their cosigning times, Unix seconds. `quorum_time` is
    the latest time since which a quorum has cosigned, by clocks that the operator does not control;
    0 if the policy needs no witness.
    """

    checkpoint: Checkpoint
    note: bytes
    times: dict[str, int]
    quorum_time: int


def verify_checkpoint(note: bytes, policy: Policy) -> VerifiedCheckpoint:
    """The checkpoint of a note that the policy accepts. Raises N and T rules.

    A false line of a known witness refuses the note; lines of unknown keys are ignored.
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
        raise VerificationError("T32", "the witnesses of the checkpoint are not a quorum")
    return VerifiedCheckpoint(checkpoint, note, times, quorum_time)
