"""The directory's checks for devices, which import this module of the directory and no other.

It only re-exports.
"""

from blackthorn.directory.audit import Replay, resume
from blackthorn.directory.checks import (
    Absent,
    Accepted,
    Gossip,
    Present,
    Terms,
    VerifiedEpoch,
    check_history,
    decode_gossip,
    ledger_time_ms,
    verify_answer,
    verify_epoch,
)
from blackthorn.directory.commitment import CLOSED, PENDING_RESET, Value, decode_value
from blackthorn.directory.config import DirectoryConfig, check_successor, decode_config
from blackthorn.directory.entries import ConfigEntry, Head, Mutation, Record, decode_entry
from blackthorn.directory.evidence.file import Evidence, decode_evidence, verify_evidence
from blackthorn.directory.evidence.users import ReplayedChain
from blackthorn.directory.lookup import Answer, EpochPart, Receipt
from blackthorn.directory.receipts import Observation, verify_config, verify_receipt, verify_record

__all__ = [
    "CLOSED",
    "PENDING_RESET",
    "Absent",
    "Accepted",
    "Answer",
    "ConfigEntry",
    "DirectoryConfig",
    "EpochPart",
    "Evidence",
    "Gossip",
    "Head",
    "Mutation",
    "Observation",
    "Present",
    "Receipt",
    "Record",
    "Replay",
    "ReplayedChain",
    "Terms",
    "Value",
    "VerifiedEpoch",
    "check_history",
    "check_successor",
    "decode_config",
    "decode_entry",
    "decode_evidence",
    "decode_gossip",
    "decode_value",
    "ledger_time_ms",
    "resume",
    "verify_answer",
    "verify_config",
    "verify_epoch",
    "verify_evidence",
    "verify_receipt",
    "verify_record",
]
