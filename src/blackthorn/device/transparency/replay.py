"""Replay of the log: a device of a small directory audits it by itself.

From the last replay's end to the newest accepted checkpoint, the entries must hash to its root and
keep all rules of the map (`directory.audit`, D23 to D33); otherwise it raises an alarm. Replayed
entries are kept as evidence while they fit.

It runs hourly at most, on the user's request, and for an unknown configuration or a
fall of the time (`disputes`).
Progress is stored after each answer.
"""

from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core import anchors
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import alarms, disputes, ledger_state, limits
from blackthorn.directory.verify import Head, Replay, decode_entry
from blackthorn.errors import VerificationError
from blackthorn.governance.ledger_time import new_replay, resume
from blackthorn.link import frames as f
from blackthorn.ports.device_store import CheckpointRecord, Records
from blackthorn.tlog.verify import Checkpoint

Frames = list[f.AnyFrame]

_STATE: Final = "ledger-replay"
_DONE: Final = "ledger-replayed"
_entries: Final = msgspec.msgpack.Decoder(list[bytes])


class ReplayResult(Struct, frozen=True):
    """The end of a replay: when, how many entries, and a finding or ""."""

    at_ms: int
    size: int
    finding: str = ""


def replayed(records: Records) -> ReplayResult | None:
    data = records.settings.get(_DONE)
    return msgspec.msgpack.decode(data, type=ReplayResult) if data else None


class Replayer:
    """The replay of the log over one connection."""

    def __init__(self) -> None:
        self.wanted = False
        """Whether the user has asked for a replay that has not ended."""
        self.settled = False
        """Whether a disputed configuration was adopted or refused, and nobody was told yet."""
        self.progress = (0, 0)
        """Replayed entries, and all entries."""
        self._number = 0
        self.disconnected()

    def disconnected(self) -> None:
        """The connection has ended; the open question is dropped."""
        self._asked: tuple[int, int] | None = None
        self._target: CheckpointRecord | None = None
        self._disputed: disputes.DisputedEpoch | None = None
        self._replay = new_replay()
        self._broken: VerificationError | None = None
        self._unfed: list[bytes] = []
        """Entries from the broken rule on, for the evidence."""

    @property
    def busy(self) -> bool:
        """Whether a replay is running or the user waits for one."""
        return self.wanted or self._target is not None

    def ask(self, unit: UnitOfWork) -> Frames:
        """The next question, if a replay is due or running and none is open."""
        if self._asked is not None:
            waited_ms = unit.now_ms - self._asked[1]
            if 0 <= waited_ms < limits.REPLAY_ANSWER_SECONDS * 1000:
                return []
            if self._disputed is not None:
                disputes.refuse(unit, self._disputed, "the server does not show its log")
            self.disconnected()
        if self._target is None and not self._begin(unit):
            return []
        return self._next(unit)

    def _begin(self, unit: UnitOfWork) -> bool:
        newest, last = unit.records.directory.newest(), replayed(unit.records)
        self._disputed = disputes.disputed(unit.records)
        if self._disputed is not None:
            self._target, self._replay = self._disputed.checkpoint(), _load(unit.records)
            return True
        if newest is None or (newest.users > limits.MAX_REPLAY_USERS and not self.wanted):
            return False
        if not self.wanted and last is not None:
            age_ms = unit.now_ms - last.at_ms
            # A fall of the time may explain what an alarm tells, and sending waits for it.
            hasty = bool(disputes.on_times(unit.records))
            pause_s = limits.REPLAY_ANSWER_SECONDS if hasty else limits.REPLAY_SECONDS
            if 0 <= age_ms < pause_s * 1000 or newest.size <= last.size:
                return False
        self._target, self._replay = newest, _load(unit.records)
        if self._replay.size > newest.size:
            self._replay = new_replay()
        return True

    def _next(self, unit: UnitOfWork) -> Frames:
        target = self._target
        assert target is not None
        have = self._replay.size + len(self._unfed)
        self.progress = (have, target.size)
        if have >= target.size:
            self._end(unit, target)
            return []
        self._number += 1
        self._asked = (self._number, unit.now_ms)
        return [f.FetchEntries(self._number, have)]

    def entries(self, unit: UnitOfWork, frame: f.Entries) -> Frames:
        """Replay the next entries and store valid ones."""
        target, asked = self._target, self._asked
        have = self._replay.size + len(self._unfed)
        if target is None or asked is None or (frame.request, frame.start) != (asked[0], have):
            return []
        self._asked = None
        batch = frame.entries[: target.size - have]
        if not batch:
            self._nothing_given(unit, target, have)
            return []
        if self._broken is None:
            batch = self._feed(unit, batch, whole=have + len(batch) == target.size)
        self._unfed += batch
        return self._next(unit)

    def _feed(self, unit: UnitOfWork, batch: list[bytes], *, whole: bool) -> list[bytes]:
        """Replay up to the last head in the batch; the entries from a broken rule on."""
        end = len(batch) if whole else _behind_last_head(batch)
        start = self._replay.size
        for place, entry in enumerate(batch[:end]):
            try:
                self._replay.feed(entry)
            except VerificationError as error:
                self._broken = error
                _keep(unit.records, start, batch[:place])
                return batch[place:]
        _keep(unit.records, start, batch[:end])
        if isinstance(decode_entry(batch[end - 1]), Head):
            unit.records.settings.put(_STATE, self._replay.save())
        return []

    def _end(self, unit: UnitOfWork, target: CheckpointRecord) -> None:
        """Compare the replayed entries with the checkpoint and report the result."""
        broken = self._broken
        if broken is None:
            origin = anchors.pinned(unit.records.settings).config.origin
            try:
                self._replay.check_checkpoint(Checkpoint(origin, target.size, target.root))
                if self._disputed is not None:
                    fall = disputes.adopt(unit, self._disputed, self._replay)
                    if fall is not None:
                        ledger_state.set_back(unit, fall.unix_ms)
                disputes.keep_falls(unit.records, self._replay.falls)
            except VerificationError as error:
                broken = error
        if broken is not None and self._disputed is not None:
            disputes.refuse(unit, self._disputed, str(broken))
            self._start_anew(unit)
        elif broken is not None:
            self._found(unit, target, broken)
        self._note(unit, target.size, "" if broken is None else str(broken))

    def _found(self, unit: UnitOfWork, target: CheckpointRecord, error: VerificationError) -> None:
        records, fact = unit.records, f"{error.rule} {self._replay.size}"
        entries = _kept(records, self._replay.size)
        evidence = alarms.NO_EVIDENCE
        if entries is not None:
            fields: alarms.Fields = {"first": target.note, "entries": entries + self._unfed}
            evidence = alarms.evidence_of(records, "bad-log", fields)
        alarms.raise_alarm(
            records, "bad-log", alarms.LEDGER, str(error), unit.now_ms, evidence, fact=fact
        )
        self._start_anew(unit)

    def _start_anew(self, unit: UnitOfWork) -> None:
        unit.records.settings.put(_STATE, b"")
        unit.records.directory.forget_entries(0)

    def _nothing_given(self, unit: UnitOfWork, target: CheckpointRecord, have: int) -> None:
        text = f"the server gives no entries of the log from {have} on; {target.size} are published"
        if self._disputed is not None:
            disputes.refuse(unit, self._disputed, text)
        else:
            alarms.raise_alarm(
                unit.records, "withheld", alarms.LEDGER, text, unit.now_ms, fact="entries"
            )
        self._note(unit, have, text)

    def _note(self, unit: UnitOfWork, size: int, finding: str) -> None:
        self.wanted, self.settled = False, self._disputed is not None
        unit.records.settings.put(
            _DONE, msgspec.msgpack.encode(ReplayResult(unit.now_ms, size, finding))
        )
        self.disconnected()


def _load(records: Records) -> Replay:
    """The stored replay, or a new one when it is missing or damaged."""
    state, found = records.settings.get(_STATE), new_replay()
    if state:
        with suppress(VerificationError):
            found = resume(state)
    records.directory.forget_entries(found.size)
    return found


def _behind_last_head(entries: list[bytes]) -> int:
    """The end of the last complete epoch; all entries when there is none."""
    for end in range(len(entries), 0, -1):
        try:
            if isinstance(decode_entry(entries[end - 1]), Head):
                return end
        except VerificationError:
            continue
    return len(entries)


def _keep(records: Records, start: int, entries: list[bytes]) -> None:
    """Store entries as evidence, or none once they exceed the limit."""
    known = records.directory.entries()
    size = sum(len(entry) for _, entry in known) + sum(len(entry) for entry in entries)
    if size > limits.MAX_KEPT_LOG_BYTES:
        records.directory.forget_entries(0)
    elif entries and (start == 0 or known):
        records.directory.add_entries(start, msgspec.msgpack.encode(entries))


def _kept(records: Records, size: int) -> list[bytes] | None:
    entries: list[bytes] = []
    for start, data in records.directory.entries():
        if start != len(entries):
            return None
        entries += _entries.decode(data)
    return entries if len(entries) == size else None
