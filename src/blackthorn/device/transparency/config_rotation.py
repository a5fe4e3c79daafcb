"""A new configuration of the ledger is accepted only if the log contains it.

The new one may add witnesses or change intervals, but must keep the keys and not lower the rules or
the reset delay (D31). A replay of the log (`replay`) finds and pins it; otherwise, or in a
directory too large to replay, it raises an alarm.
"""

from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core import anchors
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import limits
from blackthorn.device.transparency.alarms import LEDGER, Fields, evidence_of, raise_alarm
from blackthorn.directory.verify import DirectoryConfig, Head, check_successor, decode_entry
from blackthorn.errors import VerificationError
from blackthorn.link import frames as f
from blackthorn.ports.device_store import CheckpointRecord, Records
from blackthorn.tlog.verify import open_checkpoint

_DISPUTED: Final = "ledger-disputed"
_CODE: Final = "config-changed"


class DisputedEpoch(Struct, frozen=True):
    """An epoch that is valid but for the configuration named by its head."""

    note: bytes
    head: bytes
    head_proof: list[bytes]
    size: int
    root: bytes
    users: int
    config: bytes

    def checkpoint(self) -> CheckpointRecord:
        """The checkpoint that a replay must reach."""
        return CheckpointRecord(self.size, self.root, self.note, 0, 0, 0, self.users)


def dispute(unit: UnitOfWork, part: f.EpochPart, error: VerificationError) -> None:
    """Schedule a replay for an epoch refused for its configuration alone, or raise the alarm.

    The note is signed by the log and a quorum, and the head is its last entry.
    """
    head = decode_entry(part.head)
    log = anchors.pinned(unit.records.settings).policy.log
    tree, _ = open_checkpoint(part.checkpoint, log)
    assert isinstance(head, Head)
    found = DisputedEpoch(
        part.checkpoint, part.head, part.proof, tree.size, tree.root, head.users, head.config
    )
    alarms, fact = unit.records.directory.alarms(), found.config.hex()
    known_false = any((alarm.code, alarm.fact) == (_CODE, fact) for alarm in alarms)
    if head.users > limits.MAX_REPLAY_USERS or known_false:
        refuse(unit, found, str(error))
    else:
        unit.records.settings.put(_DISPUTED, msgspec.msgpack.encode(found))


def disputed(records: Records) -> DisputedEpoch | None:
    """The disputed epoch that a replay must check, if any."""
    data = records.settings.get(_DISPUTED)
    return msgspec.msgpack.decode(data, type=DisputedEpoch) if data else None


def adopt(unit: UnitOfWork, found: DisputedEpoch, logged: DirectoryConfig | None) -> None:
    """Pin the logged configuration if it may follow the pinned one. Raises VerificationError."""
    pinned = anchors.pinned(unit.records.settings).config
    if logged is None or logged.digest != found.config:
        raise VerificationError("D30", "the log does not have the configuration of its head")
    check_successor(pinned, logged)
    _, policy = anchors.records(unit.records.settings)
    anchors.pin(unit.records.settings, logged.encode(), policy)
    unit.records.settings.put(_DISPUTED, b"")


def refuse(unit: UnitOfWork, found: DisputedEpoch, why: str) -> None:
    """Raise the alarm: the log does not contain the configuration that its head names."""
    fields: Fields = {"note": found.note, "head": found.head, "head_proof": found.head_proof}
    evidence = evidence_of(unit.records, _CODE, fields)
    raise_alarm(unit.records, _CODE, LEDGER, why, unit.now_ms, evidence, fact=found.config.hex())
    unit.records.settings.put(_DISPUTED, b"")
