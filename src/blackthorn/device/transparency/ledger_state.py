"""Verify and store epochs and answers of the ledger, or raise an alarm.

Works inside a unit of work, without network; the checks are in `directory.verify`.
"""

from dataclasses import dataclass, replace
from typing import Final

import msgspec

from blackthorn.device import limits as device_limits
from blackthorn.device.core import anchors, verified_chains
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import alarms, chain_news, departures, disputes
from blackthorn.device.transparency import limits as transparency_limits
from blackthorn.directory import verify
from blackthorn.errors import VerificationError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.link import frames as f
from blackthorn.ports.device_store import ChainRecord, CheckpointRecord, Settings
from blackthorn.tlog.verify import NO_QUORUM

PLACE_BYTES: Final = 8
"""Of a user's index in the map, by which the server names changed entries."""

_STALE: Final = "D14"
_AHEAD: Final = "D38"
_TERMS: Final = "D13"
_RISES: Final = "D12"
_WITNESSED: Final = "ledger-clock"
"""The setting with the ledger's time, Unix milliseconds."""
_ADVANCED: Final = "ledger-clock-advanced"
"""The setting with this device's time when the ledger's last went on."""
_STALE_SEEN: Final = "ledger-stale-epoch"
"""The setting with the newest epoch that only this device's clock called too old."""
_CLAIMED: Final = "ledger-clock-claimed"
"""The setting with the ledger's time as the server gave it before the first checkpoint."""


class StaleError(VerificationError):
    """The newest checkpoint and this device's clock disagree; the clock may be wrong: no alarm."""


@dataclass(frozen=True, slots=True)
class AcceptedEpoch:
    """An accepted epoch, and the server's proof of it.

    `moment` is when the lookup was begun (`device.core.moments`), 0 if the epoch is too old for its
    answers to show who is live now.
    """

    epoch: verify.VerifiedEpoch
    part: f.EpochPart
    moment: int = 0

    def fields(self) -> alarms.Fields:
        return epoch_fields(self.part)


def epoch_fields(part: f.EpochPart) -> alarms.Fields:
    return {"note": part.checkpoint, "head": part.head, "head_proof": part.proof}


def accept_epoch(unit: UnitOfWork, frame: f.LookedUp, moment: int = 0) -> AcceptedEpoch:
    """Verify and store the newest epoch, for which a lookup begun at `moment` asked.

    Raises VerificationError after raising the alarm; without an alarm when it only disagrees with
    the clock (StaleError), or has a new configuration or an earlier time, which a replay checks.
    """
    trusted = anchors.pinned(unit.records.settings)
    last = unit.records.directory.newest()
    part = verify.EpochPart(frame.epoch.checkpoint, frame.epoch.head, tuple(frame.epoch.proof))
    age, falls = transparency_limits.DIRECTORY_STALE_SECONDS, disputes.falls(unit.records.settings)
    terms = verify.Terms(trusted.policy, trusted.config, _wall_ms(unit), age, falls)
    try:
        epoch = verify.verify_epoch(part, frame.consistency, accepted_of(last), terms)
    except VerificationError as error:
        if error.rule == _STALE:
            _note_stale(unit, part, last)
            raise StaleError(error.rule, "the newest state of the ledger is too old") from error
        if error.rule == _AHEAD and trusted.policy.quorum == NO_QUORUM:
            _note_stale(unit, part, last)
            # Without witnesses the time of the head is the server's word against this clock.
            raise StaleError(error.rule, "this device's clock is behind the server's") from error
        before = _fallen_from(part, last) if error.rule == _RISES else None
        if error.rule == _TERMS or before is not None:
            disputes.dispute(unit, frame.epoch, error, before)
        else:
            _alarm_epoch(unit, error, frame, last)
        raise
    accepted = epoch.accepted
    times = (accepted.epoch, accepted.unix_ms, epoch.quorum_time)
    record = CheckpointRecord(accepted.size, accepted.root, accepted.note, *times, epoch.head.users)
    unit.records.directory.put_checkpoint(record, device_limits.KEPT_CHECKPOINTS)
    accept_time(unit, record)
    return AcceptedEpoch(epoch, frame.epoch, 0 if too_old(unit) else moment)


def _fallen_from(part: verify.EpochPart, last: CheckpointRecord | None) -> tuple[int, int] | None:
    """Epoch and time of the last head, if the new one is of a later epoch: its time has fallen."""
    head = verify.decode_entry(part.head)
    if last is None or not isinstance(head, verify.Head) or head.epoch <= last.epoch:
        return None
    return last.epoch, last.unix_ms


def set_back(unit: UnitOfWork, found_ms: int) -> None:
    """The log has let the ledger's time fall: nothing is dated by that of before."""
    if found_ms < _witnessed_ms(unit):
        unit.records.settings.put(_WITNESSED, found_ms.to_bytes(8, "big"))
        unit.records.settings.put(_ADVANCED, unit.now_ms.to_bytes(8, "big"))


def _note_stale(unit: UnitOfWork, part: verify.EpochPart, last: CheckpointRecord | None) -> None:
    """To a wrong clock the ledger is not silent: each newer epoch counts, if all else held."""
    head = verify.decode_entry(part.head)
    seen = int.from_bytes(unit.records.settings.get(_STALE_SEEN) or b"", "big")
    known = max(seen, last.epoch if last is not None else 0)
    if isinstance(head, verify.Head) and head.epoch > known:
        unit.records.settings.put(_STALE_SEEN, head.epoch.to_bytes(8, "big"))
        unit.records.settings.put(_ADVANCED, unit.now_ms.to_bytes(8, "big"))


def clock_is_wrong(unit: UnitOfWork) -> bool:
    """Whether no lookup counts by this device's clock: by it the ledger is too old, or yet to be.

    The ledger goes on, so that the clock and not the server's silence is the reason.
    """
    newest = unit.records.directory.newest()
    if newest is None:
        return False
    seen = int.from_bytes(unit.records.settings.get(_STALE_SEEN) or b"", "big")
    ahead_ms = verified_chains.ledger_ms(newest) - unit.now_ms
    return seen > newest.epoch or ahead_ms > transparency_limits.LOOKUP_FRESH_SECONDS * 1000


def accept_time(unit: UnitOfWork, checkpoint: CheckpointRecord) -> None:
    """Move the ledger's time on to that of an accepted checkpoint."""
    found_ms = checkpoint.quorum_s * 1000 or checkpoint.unix_ms
    if found_ms > _witnessed_ms(unit):
        unit.records.settings.put(_WITNESSED, found_ms.to_bytes(8, "big"))
        unit.records.settings.put(_ADVANCED, unit.now_ms.to_bytes(8, "big"))


def claim_time(settings: Settings, claimed_ms: int) -> None:
    """Store the time that the server gives a new device, 0 for none; a checkpoint replaces it."""
    if claimed_ms:
        settings.put(_CLAIMED, claimed_ms.to_bytes(8, "big"))


def accepted_of(record: CheckpointRecord | None) -> verify.Accepted | None:
    if record is None:
        return None
    return verify.Accepted(record.size, record.root, record.note, record.epoch, record.unix_ms)


def clock_ms(unit: UnitOfWork) -> int:
    """The ledger's time, Unix milliseconds: all that this device signs is dated so.

    When a quorum cosigned the newest accepted checkpoint; without witnesses, its head's time. It
    goes back only with the log (`set_back`). Before the first checkpoint it is the server's word at
    the activation, or else this device's clock.
    """
    return _witnessed_ms(unit) or _claimed_ms(unit) or unit.now_ms


def _claimed_ms(unit: UnitOfWork) -> int:
    return int.from_bytes(unit.records.settings.get(_CLAIMED) or b"", "big")


def _witnessed_ms(unit: UnitOfWork) -> int:
    return int.from_bytes(unit.records.settings.get(_WITNESSED) or b"", "big")


def _wall_ms(unit: UnitOfWork) -> int:
    """This device's clock, never behind the ledger's: by it the age of a checkpoint is judged."""
    return max(unit.now_ms, _witnessed_ms(unit))


def is_silent(unit: UnitOfWork) -> bool:
    """Whether for a day no epoch was verified that takes the ledger's time on."""
    since = unit.records.settings.get(_ADVANCED)
    age_ms = unit.now_ms - int.from_bytes(since or b"", "big")
    return since is not None and age_ms > transparency_limits.SILENT_LEDGER_SECONDS * 1000


def too_old(unit: UnitOfWork) -> bool:
    """Whether the newest accepted checkpoint is too old for a first contact.

    Also true when it is too far ahead of a clock that was set back.
    """
    newest = unit.records.directory.newest()
    if newest is None:
        return True
    now_ms = _wall_ms(unit)
    oldest_ms = min(verified_chains.ledger_ms(newest), unit.now_ms)
    return now_ms - oldest_ms > transparency_limits.LOOKUP_FRESH_SECONDS * 1000


def _alarm_epoch(
    unit: UnitOfWork, error: VerificationError, frame: f.LookedUp, last: CheckpointRecord | None
) -> None:
    note = frame.epoch.checkpoint
    code, kind = "bad-epoch", "bad-epoch"
    fields = epoch_fields(frame.epoch)
    if error.rule == "D10" and last is not None:
        code = kind = "rollback"
        fields = {"first": last.note, "second": note}
    elif error.rule == "D11" and last is not None:
        code = "split-view"
        kind, fields = _two_notes(last, note, list(frame.consistency))
    elif error.rule == "D12" and last is not None:
        kind = "head-back"
        fields |= {"before_epoch": last.epoch, "before_ms": last.unix_ms}
    elif error.rule == _AHEAD:
        kind = "head-ahead"
        _, policy = anchors.records(unit.records.settings)
        fields |= {"policy": policy.encode(), "seen_ms": _wall_ms(unit)}
    evidence = alarms.evidence_of(unit.records, kind, fields)
    if error.rule == "T32":
        code, evidence = "unwitnessed", alarms.NO_EVIDENCE
    alarms.raise_alarm(
        unit.records, code, alarms.LEDGER, str(error), unit.now_ms, evidence, fact=str(error.rule)
    )


def _two_notes(
    last: CheckpointRecord, note: bytes, proof: list[bytes]
) -> tuple[str, alarms.Fields]:
    fields: alarms.Fields = {"first": last.note, "second": note}
    if note.split(b"\n", 2)[1] == str(last.size).encode():
        return "fork", fields
    return "inconsistent", {**fields, "proof": proof}


def accept_answer(
    unit: UnitOfWork, answer: f.Answer, latest: AcceptedEpoch
) -> verify.Present | verify.Absent:
    """Verify the answer for one user. Raises VerificationError after raising the alarm.

    Absence is stored here; presence once its chain is verified (`accept_chain`), or at once when
    the chain is known.
    """
    claim = verify.Answer(*msgspec.structs.astuple(answer))
    trusted = anchors.pinned(unit.records.settings)
    known = unit.records.directory.chain(answer.address)
    before = _before(known)
    try:
        found = verify.verify_answer(claim, answer.address, latest.epoch, trusted.config)
        if before is not None or isinstance(found, verify.Present):
            verify.check_history(before or NOTHING_BEFORE, found)
    except VerificationError as error:
        _alarm_answer(unit, error, answer, latest, before)
        raise
    if isinstance(found, verify.Absent):
        verified_ms = known.verified_ms if known is not None else 0
        absent = ChainRecord(
            answer.address, 0, b"", 0, 0, b"", b"", b"", unit.now_ms, verified_ms, present=False
        )
        size = latest.epoch.accepted.size
        unit.chains.keep(replace(absent, checked_size=size, asked=latest.moment))
        if unit.records.peers.found(answer.address, []):
            unit.bump()
    elif known is not None and known.present and known.head == found.value.head:
        _looked_again(unit, known, found, latest)
    return found


def _looked_again(
    unit: UnitOfWork, known: ChainRecord, found: verify.Present, latest: AcceptedEpoch
) -> None:
    """The chain is unchanged, but a reset may have become effective."""
    chain = unit.chains.of(known.address)
    record = replace(
        known,
        version=found.version,
        checked_ms=unit.now_ms,
        checked_size=latest.epoch.accepted.size,
        as_of_ms=max(known.as_of_ms, latest.epoch.time_ms),
        place=found.index[:PLACE_BYTES],
        asked=max(known.asked, latest.moment),
    )
    unit.chains.keep(record)
    later = unit.chains.of(known.address)
    if later is not None:
        looked_up(unit, later)
    if chain is not None and later is not None and chain.resets != later.resets:
        keep_chain(unit, chain, later, record)
        unit.bump()


def looked_up(unit: UnitOfWork, chain: VerifiedChain) -> None:
    """Retry parcels that waited for a lookup of a device, live or former, of this chain."""
    former = [gone.device.id for gone in chain.former]
    if unit.records.peers.found(chain.label, [*(device.id for device in chain.devices), *former]):
        unit.bump()


def keep_chain(
    unit: UnitOfWork, before: VerifiedChain | None, chain: VerifiedChain, record: ChainRecord
) -> None:
    """Store a chain and report its changes; a reset ends the verification of the person."""
    chain_news.tell_news(unit, before, chain, record)
    departures.note(unit, before, chain)
    if before is not None and before.last_reset != chain.last_reset:
        record = replace(record, verified_ms=0)
    unit.chains.keep(record, chain)
    unit.records.noted.add_former(gone.device.id for gone in chain.former)


NOTHING_BEFORE: Final = verify.Present(0, verify.Value(bytes(32), 0, 0))
"""The map's entry before a user's first statement."""


def _before(known: ChainRecord | None) -> verify.Present | None:
    if known is None or not known.present:
        return None
    return verify.Present(known.version, verify.Value(known.head, known.seq, known.flags))


_HISTORY_CODES: Final = {"D36": "vanished", "D37": "swapped"}


def _alarm_answer(
    unit: UnitOfWork,
    error: VerificationError,
    answer: f.Answer,
    latest: AcceptedEpoch,
    before: verify.Present | None,
) -> None:
    code = _HISTORY_CODES.get(error.rule, "bad-answer")
    fields = latest.fields() | answer_fields(answer)
    kind = "bad-answer"
    if code != "bad-answer":
        last, kind = before or NOTHING_BEFORE, "bad-history"
        value = last.value.encode() if last.version else b""
        fields |= {"before_version": last.version, "before_value": value}
    evidence = alarms.evidence_of(unit.records, kind, fields)
    text, fact = str(error), f"{error.rule} {answer.version}"
    alarms.raise_alarm(unit.records, code, answer.address, text, unit.now_ms, evidence, fact=fact)


def answer_fields(answer: f.Answer) -> alarms.Fields:
    fields = msgspec.structs.asdict(answer)
    return {"label": fields.pop("address"), **fields}
