"""Sends the outbox of one process: due rows, and the server's answers.

Its state is in memory and only saves work. Each process sends the rows that it enqueued; the
receiving process also sends rows left by others.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Final

from blackthorn.device.conversations import key_packages, noted
from blackthorn.device.core import anchors, members
from blackthorn.device.core.prepared import PreparedPosting, decode_prepared, outdated
from blackthorn.device.core.unit_of_work import UnitOfWork, generation
from blackthorn.device.operations import limits, outbox, postings, table
from blackthorn.device.operations.claims import ClaimRequest, LookUpFirst
from blackthorn.device.operations.frames import send_frames
from blackthorn.device.operations.healing import settle_members
from blackthorn.device.operations.mail_uploads import MailAnswer, MailUploads
from blackthorn.device.operations.operation import (
    AlarmScope,
    NothingToDo,
    Operation,
    Step,
    Waiting,
    finish,
)
from blackthorn.device.transparency import alarms, copies, directory_client
from blackthorn.device.transparency.ledger_state import is_silent
from blackthorn.device.transparency.lookup_queue import reached
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.mls.errors import MLSError
from blackthorn.ports.device_store import OutboxRecord
from blackthorn.wire.dates import rfc3339

Frames = list[f.AnyFrame]

RETRY_MS: Final = 30_000
RETRY_MOST_MS: Final = 3_600_000
"""Delay after a temporary refusal: the first, doubled each time; the longest."""

AGAIN_MS: Final = 3_000
"""Delay before an operation is prepared again for a changed chain or ledger."""

SECOND_AGAIN_MS: Final = 6 * 3_600_000
"""Delay before a Commit that came second is tried again though the first has not come."""

MAX_SLOW_MS: Final = 3_600_000
"""The longest time for which a server can make this device wait."""

ASKED: Final = "you have begun more conversations than the server allows at once; it waits"

REQUESTS: Final = (f.SubmitStatement, f.SubmitMail, f.FindCertificates)
"""Steps that are sent as they are, and answered."""

SLOW: Final = "this device has sent more than the server takes at once; it waits"

COPIED: Final = (
    "another copy of this device was used: all that waits is read first; see blackthorn alarms"
)

SILENT: Final = (
    "the ledger has shown nothing new for a day, so that a lost device may still be listed: check "
    "this device's clock and connection, and tell the administrator; the text waits"
)


class Sender:
    """Sends the outbox; `directory` looks up the recipients first."""

    def __init__(
        self,
        unit: Callable[[int], AbstractContextManager[UnitOfWork]],
        directory: directory_client.DirectoryClient,
    ) -> None:
        self.blocked: set[int] = set()
        """Rows that wait until the user accepts an alarm."""
        self.uploads = MailUploads()
        self._unit = unit
        self._directory = directory
        self._receives = False
        self._targets: set[bytes] = set()
        """Targets of the operations that this process enqueued."""
        self._not_before: dict[int, int] = {}
        """Row → earliest time of the next attempt, Unix milliseconds."""
        self._second: dict[int, tuple[int, int]] = {}
        """Rows whose Commit lost a race → generation and time; they wait for the next generation.

        After SECOND_AGAIN_MS they are sent again: the first may never come.
        """
        self.disconnected()

    def disconnected(self) -> None:
        """The link has ended; unanswered postings will be sent again."""
        self.uploads.disconnected()
        self._slow_until_ms = 0
        self._sent: set[bytes] = set()
        self._claiming: set[int] = set()
        self._began: dict[int, int] = {}
        """Rows that claim key packages → when their users were first to be looked up."""
        self._newest_found = 0
        self._pauses: dict[int, int] = {}
        """Row → pause after its next temporary refusal, milliseconds."""

    def connected(self, unit: UnitOfWork) -> None:
        self._not_before.clear()
        oldest_ms = unit.now_ms - limits.OUTCOME_SECONDS * 1000
        unit.records.outbox.forget_outcomes_before(oldest_ms)
        self._newest_found = max((row.number for row in unit.records.outbox.all()), default=0)

    def take_charge(self, targets: Iterable[bytes]) -> None:
        """Send operations of these targets: this process enqueued them."""
        self._targets.update(targets)

    def retry_now(self) -> None:
        """Retry delayed operations: their reason may no longer apply."""
        self._not_before.clear()

    def awaits_answer(self, unit: UnitOfWork) -> bool:
        """Whether an operation in the outbox was sent and not answered."""
        rows = unit.records.outbox.all()
        sent = any(row.posting in self._sent for row in rows if row.posting is not None)
        return sent or bool(self._claiming & {row.number for row in rows})

    def due(self, unit: UnitOfWork, *, receives: bool) -> tuple[Frames, Frames]:
        """Requests that must be answered first, and postings in the order of each target."""
        ready: list[f.Posting] = []
        requests: Frames = []
        held_back: set[bytes] = set()
        self._receives = receives
        for row in _with_new(unit):
            if row.target in held_back or not self._in_charge(row, unit.now_ms, receives):
                held_back.add(row.target)
                continue
            prepared = self._advance(unit, row, requests)
            second = prepared is None and row.number in self._second
            if second and table.operation_of(row).gives_way:
                continue
            if prepared is None or prepared.sort != "text":  # the next waits for the answer
                held_back.add(row.target)
            slow = unit.now_ms < self._slow_until_ms
            if prepared is not None and prepared.posting.id not in self._sent and not slow:
                self._sent.add(prepared.posting.id)
                ready.append(prepared.posting)
        return requests, send_frames(ready)

    def _in_charge(self, row: OutboxRecord, now_ms: int, receives: bool) -> bool:
        """Whether this process sends the row: it enqueued it, or another process left it."""
        age_ms = now_ms - row.created_ms
        old = row.number <= self._newest_found or age_ms >= limits.OUTBOX_HANDOVER_SECONDS * 1000
        return row.target in self._targets or (receives and old)

    def _advance(
        self, unit: UnitOfWork, row: OutboxRecord, requests: Frames
    ) -> PreparedPosting | None:
        """The row's posting, prepared if needed; None when it has to wait."""
        if not reached(self._not_before.get(row.number, 0), unit.now_ms, RETRY_MOST_MS):
            return None
        second, since_ms = self._second.get(row.number, (-1, 0))
        if second == generation(unit.records) and unit.now_ms - since_ms < SECOND_AGAIN_MS:
            return None
        if row.prepared is not None and row.posting in self._sent:
            return decode_prepared(row.prepared)
        operation = table.operation_of(row)
        if reason := operation.hold(unit):
            self._wait(unit, row, reason, AGAIN_MS)
            return None
        if row.prepared is not None and not outdated(unit, row):
            return decode_prepared(row.prepared)
        if not self._looked_up(unit, row, operation.lookups(unit)):
            return None
        if self._is_blocked(unit, row, operation.alarm_scope(unit)):
            return None
        self.blocked.discard(row.number)
        if operation.is_sealed and copies.holds(unit):
            self._wait(unit, row, COPIED, AGAIN_MS)
            return None
        if operation.is_text and is_silent(unit):
            self._directory.time_is_new(unit)  # which looks again
            self._wait(unit, row, SILENT, AGAIN_MS)
            return None
        if self._directory.pushes.changed and self._hurries(unit, operation):
            return None
        if operation.waits(unit) or (operation.is_dated and not self._directory.time_is_new(unit)):
            return None
        try:
            with unit.attempt():
                step: Step | None = postings.before_sealing(unit, row, operation)
                step = operation.prepare(unit, row) if step is None else step
        except (UserError, MLSError) as error:
            outbox.fail(unit, row, str(error))
            return None
        match step:
            case PreparedPosting():
                return step
            case NothingToDo():
                finish(unit, row.number)
            case Waiting():
                self._wait_for_lookups(unit, row, operation, step)
            case ClaimRequest() if row.number not in self._claiming:
                requests += self._claim(unit, row, operation, step)
            case LookUpFirst(addresses, text):
                self._directory.want(addresses)
                waiting = unit.records.outbox.get(row.number)
                self._wait(unit, waiting or row, text, AGAIN_MS)
            case step if isinstance(step, REQUESTS) and row.number not in self._claiming:
                self._claiming.add(row.number)
                self.uploads.requested(step)
                requests.append(step)
        return None

    def _hurries(self, unit: UnitOfWork, operation: Operation) -> bool:
        """Whether people for whom it is to be sealed have changed and are yet to be looked up."""
        with suppress(UserError):  # which preparing it raises again
            conversation = operation.sealed_in(unit)
            leaves = [] if conversation is None else conversation.group.members
            found = self._directory.pushes.changed.intersection(members.addresses(leaves))
            self._directory.pushes.hurry(unit, found)
            return bool(found)
        return False

    def _looked_up(self, unit: UnitOfWork, row: OutboxRecord, users: list[Address]) -> bool:
        """Whether all of them were looked up since the row was enqueued, or lately.

        Lately: the clock was set back since.
        """
        ahead = row.created_ms > unit.now_ms
        since_ms = unit.now_ms - directory_client.FRESH_MS if ahead else row.created_ms
        chains = ((user, unit.records.directory.chain(user)) for user in users)
        old = [u for u, known in chains if known is None or known.checked_ms < since_ms]
        self._directory.want(old)
        return not old

    def _wait_for_lookups(
        self, unit: UnitOfWork, row: OutboxRecord, operation: Operation, step: Waiting
    ) -> None:
        """Look users up, and wish for the Commit that ends what is noted."""
        if row.problem != step.problem:
            unit.records.outbox.update(replace(row, problem=step.problem))
        self._directory.queue.want_since(unit, step.look_up)
        conversation = operation.sealed_in(unit)
        if not self._receives or conversation is None:
            return  # only the process that receives knows that everything was delivered
        if noted.in_conversation(unit, conversation.record.id):
            self.take_charge(settle_members.enqueue(unit, conversation))

    def _is_blocked(self, unit: UnitOfWork, row: OutboxRecord, scope: AlarmScope) -> bool:
        """Whether an open alarm blocks the row until the user accepts it."""
        found = alarms.stops(unit.records, scope.users, in_group=scope.in_group)
        if found:
            self.blocked.add(row.number)
            alarm, meaning = found[0], alarms.KINDS[found[0].code].meaning
            self._wait(unit, row, f"alarm {alarm.number} stops it: {meaning}: {alarm.text}")
        return bool(found)

    def _claim(
        self, unit: UnitOfWork, row: OutboxRecord, operation: Operation, request: ClaimRequest
    ) -> Frames:
        """Claim key packages once all affected users were looked up."""
        asked = request.addresses[: link_limits.MAX_CLAIM_ADDRESSES]
        if not self._may_claim(unit, row, operation, asked):
            return []
        if not self._directory.all_fresh(unit, request.known):
            return []
        self._claiming.add(row.number)
        return [f.ClaimKeyPackages(row.number, asked, list(request.devices))]

    def _may_claim(
        self, unit: UnitOfWork, row: OutboxRecord, operation: Operation, addresses: list[str]
    ) -> bool:
        """Whether all users are in the ledger, by lookups at most one epoch older than the claim.

        An older one does not show who has changed devices, and would leave them out.
        """
        users, in_group = operation.alarm_scope(unit)
        if self._is_blocked(unit, row, AlarmScope(users | {alarms.LEDGER, *addresses}, in_group)):
            return False
        epoch_ms = anchors.pinned(unit.records.settings).config.epoch_ms
        began_ms = min(self._began.get(row.number, unit.now_ms), unit.now_ms)
        self._began[row.number] = began_ms
        since_ms = began_ms - epoch_ms
        known = {a: self._directory.fresh(unit, a, since_ms) for a in addresses}
        absent = sorted(a for a, found in known.items() if found is not None and not found.present)
        if absent:
            reason = f"there is no user {', '.join(absent)} here, which the ledger proves"
            outbox.fail(unit, row, reason)
            return False
        if all(found is not None for found in known.values()):
            return True
        reason = self._directory.why_not(unit, addresses)
        if reason:
            soon = any(address in self._directory.pending for address in addresses)
            self._wait(unit, row, reason, AGAIN_MS if soon else RETRY_MS)
        return False

    def _wait(
        self, unit: UnitOfWork, row: OutboxRecord, text: str, wait_ms: int = RETRY_MS
    ) -> None:
        """Delay an operation and report the reason once."""
        self._not_before[row.number] = unit.now_ms + wait_ms
        if row.problem != text:
            unit.records.outbox.update(replace(row, problem=text))

    def refused(self, frame: f.Refused, now_ms: int) -> None:
        posting, code = frame.id, frame.code
        with self._unit(now_ms) as unit:
            row = unit.records.outbox.by_posting(posting)
            members = outbox.members_behind(unit, row) if row is not None else []
            waiting = outbox.refused(unit, row, code, frame.text) if row is not None else None
            if row is not None and waiting is not None:
                self._sent.discard(posting)
                if code == Code.EPOCH_TAKEN and not outbox.second_to_void(unit, row, frame.winner):
                    self._second[row.number] = generation(unit.records), now_ms
                elif code in outbox.RETRIED:
                    pause_ms = min(self._pauses.get(row.number, RETRY_MS), RETRY_MOST_MS)
                    self._pauses[row.number] = 2 * pause_ms
                    self._not_before[row.number] = now_ms + pause_ms
                elif waiting.problem == outbox.GONE:
                    self._not_before[row.number] = now_ms + AGAIN_MS
                    self._directory.want(members)

    def fanout_unknown(self, frame: f.FanoutUnknown, now_ms: int) -> Frames:
        """The server has dropped fan-out lists: send them and the postings again."""
        lists: dict[bytes, list[bytes]] = {}
        again: list[f.Posting] = []
        with self._unit(now_ms) as unit:
            for posting in frame.postings:
                row = unit.records.outbox.by_posting(posting)
                if row is None or row.prepared is None:
                    continue
                if outdated(unit, row):
                    self._sent.discard(posting)
                    continue
                prepared = decode_prepared(row.prepared)
                lists |= postings.fanouts(unit, prepared)
                again.append(prepared.posting)
        known: Frames = [f.Fanout(name, lists[name]) for name in frame.fanouts if name in lists]
        return known + send_frames(again)

    def slow_down(self, frame: f.SlowDown, now_ms: int) -> None:
        """The server stores nothing more of this device for a while: send these again after it."""
        wait_ms = min(frame.retry_ms, MAX_SLOW_MS)
        self._slow_until_ms = max(self._slow_until_ms, now_ms + wait_ms)
        text = f"{SLOW} until {rfc3339(self._slow_until_ms)}"
        with self._unit(now_ms) as unit:
            for posting in frame.postings:
                self._sent.discard(posting)
                row = unit.records.outbox.by_posting(posting)
                if row is not None and row.problem != text:
                    unit.records.outbox.update(replace(row, problem=text))

    def mail_answered(self, frame: MailAnswer, now_ms: int) -> Frames:
        if frame.request not in self._claiming:
            return []
        with self._unit(now_ms) as unit:
            reaction = self.uploads.answered(unit, frame)
        if not reaction.goes_on:
            self._claiming.discard(frame.request)
            self._not_before[frame.request] = now_ms + min(reaction.wait_ms, MAX_SLOW_MS)
        return reaction.frames

    def claimed(self, frame: f.KeyPackages, now_ms: int) -> None:
        with self._unit(now_ms) as unit:
            row = unit.records.outbox.get(frame.request)
            if frame.retry_ms and row is not None:
                wait_ms = min(frame.retry_ms, MAX_SLOW_MS)
                self._wait(unit, row, f"{ASKED} until {rfc3339(now_ms + wait_ms)}", wait_ms)
            else:
                key_packages.check_claimed(unit, frame)
                outbox.claimed(unit, frame)
        self._claiming.discard(frame.request)

    def statement_stored(self, answer: f.StatementStored, now_ms: int) -> None:
        self._claiming.discard(answer.request)
        with self._unit(now_ms) as unit:
            if outbox.statement_stored(unit, answer):
                self._not_before[answer.request] = now_ms + AGAIN_MS


def _with_new(unit: UnitOfWork) -> Iterator[OutboxRecord]:
    """All rows, and those that are enqueued meanwhile."""
    last = 0
    while rows := [row for row in unit.records.outbox.all() if row.number > last]:
        yield from rows
        last = rows[-1].number
