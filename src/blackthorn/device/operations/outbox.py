"""Outbox: each operation is persisted before it is sent and deleted once the server accepts it.

A posting is sent unchanged until it is answered. Exceptions: a text of a past epoch is sealed again
so that removed members cannot read it, and a Commit that lost a race is prepared again.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device.conversations import commits, conversations, other_commits, void
from blackthorn.device.core import failures
from blackthorn.device.core import prepared as forms
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import notes
from blackthorn.device.operations import limits
from blackthorn.device.operations.operation import Operation, finish, name_of
from blackthorn.device.operations.redeliver import TARGET, Redeliver, of_left_out
from blackthorn.device.operations.table import operation_of
from blackthorn.ids import Address
from blackthorn.link.codes import Code
from blackthorn.link.frames import KeyPackages, LeftOut, StatementStored
from blackthorn.link.parcels import commit_digest, is_part
from blackthorn.ports.device_store import OutboxRecord

RETRIED: Final = (Code.MAILBOX_FULL, Code.STORAGE, Code.EPOCH_AHEAD)
"""Refusals after which the same posting is sent again.

An earlier copy may have been stored although its answer was lost, so nothing is undone.
"""

GONE: Final = "a member's device was removed"
_GONE_SINCE: Final = "gone-since"


def fail(unit: UnitOfWork, row: OutboxRecord, reason: str) -> None:
    """Give up an operation and store the reason for the user."""
    operation = operation_of(row)
    finish(unit, row.number, operation.history_line, reason)
    if operation.is_asked_for:
        failures.note(
            unit.records.settings, row.number, operation.failure_text(), reason, unit.now_ms
        )
    operation.given_up(unit, reason)


def claimed(unit: UnitOfWork, answer: KeyPackages) -> None:
    """Store claimed key packages with their row, or give up what cannot be done."""
    row = unit.records.outbox.get(answer.request)
    if row is None or row.prepared is not None:
        return None
    operation = operation_of(row)
    absent = set(answer.unknown) if operation.may_lack_packages else set()
    if set(answer.unknown) - absent:
        return fail(unit, row, f"there is no user {', '.join(sorted(answer.unknown))} here")
    before = forms.claim_of(row)
    total = before.with_answer(answer.claimed, [*answer.without, *absent])
    if not set(total.answered) - set(before.answered) & set(operation.claims(unit)):
        return fail(unit, row, "the server returned no key packages")
    return unit.records.outbox.update(replace(row, packages=forms.encode(total)))


def accepted(unit: UnitOfWork, posting: bytes, left_out: Sequence[LeftOut] = ()) -> None:
    """Complete the operation of a stored posting, and deliver it later to devices left out."""
    row = unit.records.outbox.by_posting(posting)
    if row is None or row.prepared is None:
        return
    operation, prepared = operation_of(row), forms.decode_prepared(row.prepared)
    devices = {device for entry in left_out for device in entry.devices}
    if devices and (later := operation.put_off(unit, row, devices)) is not None:
        unit.records.outbox.update(later)
        return
    _complete(unit, row, operation, prepared)
    if devices and not isinstance(operation, Redeliver):
        _redeliver(unit, operation, prepared, left_out)


def _redeliver(
    unit: UnitOfWork,
    operation: Operation,
    prepared: forms.PreparedPosting,
    left_out: Sequence[LeftOut],
) -> None:
    """Keep the posting for the devices that were left out; beyond the limits give up the oldest."""
    kept = of_left_out(unit, operation, prepared, left_out)
    if kept is None:
        return
    kept.enqueue(unit)
    of_all = name_of(TARGET, "")
    rows = [row for row in unit.records.outbox.all() if row.target.startswith(of_all)]
    size = sum(len(row.operation) for row in rows)
    while len(rows) > limits.MAX_REDELIVERIES or size > limits.MAX_REDELIVERY_BYTES:
        oldest = rows.pop(0)
        size -= len(oldest.operation)
        fail(unit, oldest, "too many messages wait for devices that cannot take them")


def _complete(
    unit: UnitOfWork, row: OutboxRecord, operation: Operation, prepared: forms.PreparedPosting
) -> None:
    if prepared.sort in forms.COMMITS:
        sealed = [parcel.sealed for parcel in prepared.posting.parcels]
        digest = commit_digest(sealed)
        commits.merge_own(unit, unit.open(prepared.conversation), digest)
        own = sealed[: 1 + is_part(sealed[0])]
        other_commits.keep_commit(unit, prepared.conversation, digest, own)
    if prepared.sort == forms.MOVE:
        conversations.succeed(unit, prepared.conversation, prepared.successor)
    if following := prepared.next():
        stored, posting = forms.encode(following), following.posting.id
        unit.records.outbox.update(replace(row, posting=posting, prepared=stored))
        return
    sort = prepared.after or prepared.sort
    if sort in forms.STEPS:
        unit.records.outbox.update(replace(row, posting=None, prepared=None))
        return
    finish(unit, row.number, operation.history_line)
    operation.accepted(unit)
    if sort == "creation":
        for other in unit.records.outbox.all():
            if other.target == row.target:
                made = prepared.conversation
                operation_of(other).conversation_created(unit, other, operation, made)


def refused(unit: UnitOfWork, row: OutboxRecord, code: str, text: str) -> OutboxRecord | None:
    """Undo a row's refused posting; the row that waits again, None when it is given up."""
    if row.prepared is None:
        return None
    operation, prepared = operation_of(row), forms.decode_prepared(row.prepared)
    if (later := operation.put_off(unit, row, ())) is not None:
        return _retried(unit, replace(later, problem=text))
    waited_ms = unit.now_ms - row.created_ms
    if code == Code.MAILBOX_FULL and waited_ms >= limits.REDELIVERY_DAYS * 24 * 3_600_000:
        _undo(unit, prepared, Code.RECIPIENT_UNKNOWN)  # an earlier copy may have been accepted
        fail(unit, row, f"their mailbox was full for {limits.REDELIVERY_DAYS} days")
        return None
    if code in RETRIED:
        return _retried(unit, replace(row, problem=text))
    if prepared.sort == "tree":  # all that it follows was accepted: who misses it asks
        accepted(unit, prepared.posting.id)
        return None
    _undo(unit, prepared, code)
    if code == Code.RECIPIENT_UNKNOWN and not operation.has_another_way(unit, prepared):
        if not _ledger_may_show(unit, row.number):
            fail(unit, row, GONE)
            return None
        text = GONE
    if code not in (Code.EPOCH_TAKEN, Code.RECIPIENT_UNKNOWN):
        fail(unit, row, f"the server refused it: {text}")
        return None
    packages = None if code == Code.RECIPIENT_UNKNOWN else row.packages
    row = replace(row, posting=None, prepared=None, packages=packages, problem=text)
    return _retried(unit, row)


def _retried(unit: UnitOfWork, row: OutboxRecord) -> OutboxRecord:
    unit.records.outbox.update(row)
    return row


def _undo(unit: UnitOfWork, prepared: forms.PreparedPosting, code: str) -> None:
    if prepared.sort == "creation" and code == Code.RECIPIENT_UNKNOWN:
        # An earlier copy may have been accepted before the device went: read what answers it.
        conversations.mark_stale(unit.open(prepared.conversation))
    elif prepared.sort == "creation":
        unit.drop(prepared.conversation)
    elif prepared.sort in forms.COMMITS:
        conversation = unit.open(prepared.conversation)
        conversation.group.discard_pending()
        if code == Code.EPOCH_TAKEN:
            notes.commit_taken(unit, conversation)


def _ledger_may_show(unit: UnitOfWork, number: int) -> bool:
    """Whether the ledger may still show the revocation that the server already knows.

    The next lookup then removes the device from the conversation.
    """
    settings, now_ms = unit.records.settings, unit.now_ms
    data = settings.get(_GONE_SINCE)
    since = msgspec.msgpack.decode(data, type=dict[int, int]) if data else {}
    since = {row: when for row, when in since.items() if unit.records.outbox.get(row)}
    first_ms = since.setdefault(number, now_ms)
    settings.put(_GONE_SINCE, msgspec.msgpack.encode(since))
    return now_ms - first_ms < limits.GONE_DEVICE_SECONDS * 1000


def second_to_void(unit: UnitOfWork, row: OutboxRecord, winner: bytes) -> bool:
    """Whether the Commit that came before this row's is void, so that the next handle is open."""
    if row.prepared is None or not winner:
        return False
    prepared = forms.decode_prepared(row.prepared)
    return void.accepted_first(unit, prepared.conversation, prepared.epoch, winner)


def statement_stored(unit: UnitOfWork, answer: StatementStored) -> bool:
    """Process the server's answer to a statement; whether its row still waits."""
    row = unit.records.outbox.get(answer.request)
    reason = operation_of(row).statement_stored(unit, row, answer) if row is not None else ""
    if row is not None and reason:
        fail(unit, row, reason)
    return unit.records.outbox.get(answer.request) is not None


def members_behind(unit: UnitOfWork, row: OutboxRecord) -> list[Address]:
    """The users in the conversation of a row's posting."""
    if row.prepared is None:
        return []
    record = unit.records.conversations.get(forms.decode_prepared(row.prepared).conversation)
    return addresses(unit.open(record.id).group.members) if record is not None else []


def retract_commit(unit: UnitOfWork, conversation: Conversation) -> None:
    """Another Commit was accepted first: prepare this device's own Commit again."""
    if conversation.group.pending is None:
        return
    for row in unit.records.outbox.all():
        if row.prepared is None:
            continue
        prepared = forms.decode_prepared(row.prepared)
        if prepared.sort in forms.COMMITS and prepared.conversation == conversation.record.id:
            why = "another change came first"
            unit.records.outbox.update(replace(row, posting=None, prepared=None, problem=why))
