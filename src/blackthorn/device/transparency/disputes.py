"""A new configuration of the ledger, or a fall of its time, is accepted only if the log has it.

A new configuration may add witnesses or change intervals, but must keep the keys and not lower the
rules or the reset delay (D31). The time falls by an entry of two officers alone (D41), and not
below what this device knew of witnesses before the fault. A replay of the log (`replay`) finds both
out; otherwise, or in a directory too large to replay, there is an alarm.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from blackthorn.device.core import anchors
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import limits
from blackthorn.device.transparency.alarms import (
    LEDGER,
    Fields,
    accept,
    evidence_of,
    open_alarms,
    raise_alarm,
)
from blackthorn.directory.verify import (
    Fall,
    Head,
    Replay,
    check_successor,
    decode_entry,
    decode_evidence,
)
from blackthorn.errors import VerificationError
from blackthorn.link import frames as f
from blackthorn.ports.device_store import AlarmRecord, CheckpointRecord, Records, Settings
from blackthorn.tlog.verify import open_checkpoint

_DISPUTED: Final = "ledger-disputed"
_FALLS: Final = "ledger-falls"
_BAD_EPOCH, _CONFIG, _BACK = "bad-epoch", "config-changed", "head-back"


class DisputedEpoch(Struct, frozen=True):
    """An epoch that is valid but for the configuration named by its head, or for its time.

    `before` are epoch and time of the head accepted before, if its time has fallen.
    """

    note: bytes
    head: bytes
    head_proof: list[bytes]
    size: int
    root: bytes
    users: int
    config: bytes
    before: tuple[int, int] | None = None

    def checkpoint(self) -> CheckpointRecord:
        """The checkpoint that a replay must reach."""
        return CheckpointRecord(self.size, self.root, self.note, 0, 0, 0, self.users)

    @property
    def alarm(self) -> tuple[str, str]:
        """Code and fact."""
        return (_CONFIG, self.config.hex()) if self.before is None else (_BAD_EPOCH, "D12")


def dispute(
    unit: UnitOfWork,
    part: f.EpochPart,
    error: VerificationError,
    before: tuple[int, int] | None = None,
) -> None:
    """Schedule a replay for an epoch refused for configuration or time alone, or raise an alarm.

    The note is signed by the log and a quorum, and the head is its last entry.
    """
    head = decode_entry(part.head)
    log = anchors.pinned(unit.records.settings).policy.log
    tree, _ = open_checkpoint(part.checkpoint, log)
    assert isinstance(head, Head)
    place = (tree.size, tree.root, head.users, head.config)
    found = DisputedEpoch(part.checkpoint, part.head, part.proof, *place, before)
    alarms = unit.records.directory.alarms()
    known_false = any((alarm.code, alarm.fact) == found.alarm for alarm in alarms)
    if head.users > limits.MAX_REPLAY_USERS or known_false:
        refuse(unit, found, str(error))
    else:
        unit.records.settings.put(_DISPUTED, msgspec.msgpack.encode(found))


def disputed(records: Records) -> DisputedEpoch | None:
    """The disputed epoch that a replay must check, if any."""
    data = records.settings.get(_DISPUTED)
    return msgspec.msgpack.decode(data, type=DisputedEpoch) if data else None


def adopt(unit: UnitOfWork, found: DisputedEpoch, replayed: Replay) -> Fall | None:
    """Pin the logged configuration if it may follow the pinned one; the fall of the time, if any.

    Raises VerificationError.
    """
    pinned, logged = anchors.pinned(unit.records.settings).config, replayed.config
    if logged is None or logged.digest != found.config:
        raise VerificationError("D30", "the log does not have the configuration of its head")
    check_successor(pinned, logged)
    fall = None if found.before is None else _fall(unit, found.before[0], replayed)
    _, policy = anchors.records(unit.records.settings)
    anchors.pin(unit.records.settings, logged.encode(), policy)
    unit.records.settings.put(_DISPUTED, b"")
    return fall


def _fall(unit: UnitOfWork, before: int, replayed: Replay) -> Fall:
    """The newest fall behind the epoch `before`. Raises VerificationError."""
    fall = next((one for one in reversed(replayed.falls) if one.epoch > before), None)
    if fall is None:
        raise VerificationError("D12", "no entry of officers lets the time fall")
    known = unit.records.directory.checkpoint_until(fall.after)
    if known is not None and known.quorum_s * 1000 > fall.unix_ms:
        raise VerificationError("D41", "the time falls below that of witnesses before the fault")
    return fall


def refuse(unit: UnitOfWork, found: DisputedEpoch, why: str) -> None:
    """Raise the alarm: the log does not contain what its head claims."""
    fields: Fields = {"note": found.note, "head": found.head, "head_proof": found.head_proof}
    if found.before is not None:
        fields |= {"before_epoch": found.before[0], "before_ms": found.before[1]}
    code, fact = found.alarm
    kind = _CONFIG if found.before is None else _BACK
    evidence = evidence_of(unit.records, kind, fields)
    raise_alarm(unit.records, code, LEDGER, why, unit.now_ms, evidence, fact=fact)
    unit.records.settings.put(_DISPUTED, b"")


def falls(settings: Settings) -> tuple[Fall, ...]:
    """The falls of the time that replays have found."""
    data = settings.get(_FALLS)
    return tuple(msgspec.msgpack.decode(data, type=list[Fall])) if data else ()


def keep_falls(records: Records, found: tuple[Fall, ...]) -> None:
    """Keep what a replay has found, and settle the alarms that it explains."""
    if not found:
        return
    records.settings.put(_FALLS, msgspec.msgpack.encode(found))
    for alarm in on_times(records):
        if _is_explained(alarm, found):
            accept(records, alarm.number)


def on_times(records: Records) -> list[AlarmRecord]:
    """The open alarms on a head that was ahead of the time, or whose time has fallen."""
    return [
        alarm
        for alarm in open_alarms(records)
        if alarm.code == _BAD_EPOCH and alarm.fact in ("D12", "D38") and alarm.evidence
    ]


def _is_explained(alarm: AlarmRecord, found: tuple[Fall, ...]) -> bool:
    """Whether the head was ahead of the time until a fall, or its time has fallen by one."""
    fields: Mapping[str, Any] = decode_evidence(alarm.evidence).fields
    epoch = decode_entry(fields["head"]).epoch
    if alarm.fact == "D38":
        return any(fall.covers(epoch) for fall in found)
    return any(fall.covers(fields["before_epoch"]) and fall.epoch <= epoch for fall in found)
