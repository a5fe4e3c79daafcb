"""What goes: wishes are written down first, then prepared, sent, and crossed off when accepted.

The posting that was saved is sent unchanged until it is answered, with two exceptions: a text
whose conversation has moved on before it left this device is sealed anew, so that nobody who
was removed meanwhile can read it; and a Commit that came second is made again. Statements for
the user's own chain go the same way (`chain_changes`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device import limits as device_limits
from blackthorn.device.conversations import content, conversations, self_group
from blackthorn.device.core.group_metadata import DIRECT, GROUP
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import failures
from blackthorn.device.operations import limits as operations_limits
from blackthorn.device.operations.outgoing import (
    ChangeGroup,
    Claimed,
    CreateGroup,
    Outcome,
    OutgoingOperation,
    Prepared,
    SendText,
    ShareSelf,
    decode_claimed,
    decode_operation,
    decode_prepared,
    encode,
)
from blackthorn.device.operations.preparation import check_members, draft_id, wanted_addresses
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.link.codes import Code
from blackthorn.link.frames import KeyPackages
from blackthorn.ports.device_store import HistoryRecord, OutboxRecord

LATER = (Code.MAILBOX_FULL, Code.STORAGE, Code.EPOCH_AHEAD)
"""Refusals after which the same posting is tried again, unchanged.

They say nothing about an earlier copy whose answer was lost: it may be durable, and others may
have joined or moved on by it. So what it was made of is never undone for them.
"""

GONE: Final = "a member's device does not exist any more"
_GONE_SINCE: Final = "gone-since"


# --- Wishes -------------------------------------------------------------------------------


def send_text(unit: UnitOfWork, kind: str, name: str, text: str) -> int:
    """Wish to send a text; the number of its row. Raises UserError."""
    if not text.strip():
        raise UserError("there is no text to send")
    if len(text.encode("utf-8", "surrogatepass")) > device_limits.MAX_MESSAGE_BYTES:
        raise UserError(f"the text is longer than {device_limits.MAX_MESSAGE_BYTES} bytes")
    conversation = b""
    if kind == DIRECT and name == unit.me.address:
        raise UserError("that is your own address")
    if kind == GROUP and not _group_waits(unit, name):
        record = conversations.group_named(unit, name).record
        conversation, name = record.id, record.name
    salt = unit.random(content.SALT_BYTES)
    text = text.encode("utf-8", "replace").decode()
    operation = SendText(kind, name, salt, text, unit.now_ms, draft_id(salt), group=conversation)
    unit.records.history.add(
        HistoryRecord(
            message=operation.message,
            conversation=conversation,
            kind=kind,
            name=name,
            sender=unit.me.address,
            sort="text",
            text=text,
            sent_ms=unit.now_ms,
            received_ms=unit.now_ms,
            standing="waiting",
            shown=True,
        )
    )
    return _add(unit, operation)


def _group_waits(unit: UnitOfWork, name: str) -> bool:
    """Whether a group of that name is still to be made."""
    operations = (decode_operation(row.operation) for row in unit.records.outbox.all())
    return any(isinstance(each, CreateGroup) and each.name == name for each in operations)


def create_group(unit: UnitOfWork, name: str, addresses: Sequence[Address]) -> int:
    """Wish to make a group; the number of its row. Raises UserError."""
    name = name.strip()
    if not 0 < len(name.encode()) <= device_limits.MAX_GROUP_NAME_BYTES or not name.isprintable():
        raise UserError(
            f"a group's name has 1 to {device_limits.MAX_GROUP_NAME_BYTES} printable bytes"
        )
    others = [each for each in dict.fromkeys(addresses) if each != unit.me.address]
    if not others:
        raise UserError("a group needs somebody besides you")
    known = unit.records.conversations.named(GROUP, name)
    if _group_waits(unit, name) or any(r.standing == conversations.ACTIVE for r in known):
        raise UserError(f"you are in a group named {name} already")
    return _add(unit, CreateGroup(name, list(others)))


def change_group(
    unit: UnitOfWork, name: str, add: Sequence[Address] = (), remove: Sequence[Address] = ()
) -> int:
    """Wish to add users to a group, or to remove them; the row's number. Raises UserError."""
    conversation = conversations.group_named(unit, name)
    if unit.me.address in (*add, *remove):
        raise UserError("you cannot add or remove yourself")
    check_members(unit, conversation, remove)
    record = conversation.record
    return _add(unit, ChangeGroup(record.name, record.id, list(add), list(remove)))


def _add(unit: UnitOfWork, operation: OutgoingOperation) -> int:
    return unit.records.outbox.add(operation.target, encode(operation), unit.now_ms)


# --- Answers ------------------------------------------------------------------------------


def claimed(unit: UnitOfWork, answer: KeyPackages) -> Outcome | None:
    """Keep the key packages of a claim with the row that asked; an Outcome when it is hopeless."""
    row = unit.records.outbox.get(answer.request)
    if row is None or row.prepared is not None:
        return None
    operation = decode_operation(row.operation)
    if answer.unknown:
        return fail(unit, row, f"there is no user {', '.join(sorted(answer.unknown))} here")
    without = sorted(set(answer.without) - {unit.me.address})
    if without:
        return fail(unit, row, f"{', '.join(without)} has no activated device yet")
    so_far = decode_claimed(row.packages) or Claimed([], [])
    wanted = set(wanted_addresses(unit, operation))
    fresh = [each for each in answer.claimed if each.address not in so_far.answered]
    answered = {each.address for each in fresh} | set(answer.without)
    if not answered & wanted:
        return fail(unit, row, "the server gave no key packages")
    total = Claimed(so_far.packages + fresh, sorted({*so_far.answered, *answered}))
    unit.records.outbox.update(replace(row, packages=encode(total)))
    return None


def accepted(unit: UnitOfWork, posting: bytes) -> Outcome | None:
    """A posting is durable: what it was for is done. None when nobody waits for it."""
    row = unit.records.outbox.by_posting(posting)
    if row is None or row.prepared is None:
        return None
    operation, prepared = decode_operation(row.operation), decode_prepared(row.prepared)
    if prepared.commits:
        conversations.merge_own(unit, unit.open(prepared.conversation))
    if prepared.sort == "clearing":
        unit.records.outbox.update(replace(row, posting=None, prepared=None))
        return None
    unit.records.outbox.remove(row.number)
    if isinstance(operation, CreateGroup):
        _settle_group(unit, operation.name, prepared.conversation)
    if isinstance(operation, ShareSelf):
        self_group.shared(unit, operation.digest)
    message = b""
    if isinstance(operation, SendText):
        message = operation.message
        unit.records.history.set_standing(message, "accepted")
    return Outcome(row.number, message)


def _settle_group(unit: UnitOfWork, name: str, group: bytes) -> None:
    """The texts that waited for a group of that name to be made are for the one made now."""
    for row in unit.records.outbox.all():
        operation = decode_operation(row.operation)
        if isinstance(operation, SendText) and (operation.kind, operation.name) == (GROUP, name):
            settled = (
                operation if operation.group else msgspec.structs.replace(operation, group=group)
            )
            unit.records.outbox.update(replace(row, operation=encode(settled)))


def refused(unit: UnitOfWork, posting: bytes, code: str, text: str) -> Outcome | None:
    """A posting was not stored: undo it, and say whether it may still be done."""
    row = unit.records.outbox.by_posting(posting)
    if row is None or row.prepared is None:
        return None
    operation, prepared = decode_operation(row.operation), decode_prepared(row.prepared)
    if code in LATER:
        unit.records.outbox.update(replace(row, problem=text))
        return Outcome(row.number, error=text, final=False)
    _undo(unit, prepared, code)
    if code == Code.RECIPIENT_UNKNOWN and not _another_way(unit, operation, prepared):
        if not _ledger_may_tell(unit, row.number):
            return fail(unit, row, GONE)
        text = GONE
    if code not in (Code.EPOCH_TAKEN, Code.RECIPIENT_UNKNOWN):
        return fail(unit, row, f"the server refused it: {text}")
    packages = None if code == Code.RECIPIENT_UNKNOWN else row.packages
    unit.records.outbox.update(
        replace(row, posting=None, prepared=None, packages=packages, problem=text)
    )
    return Outcome(row.number, error=text, final=False)


def _ledger_may_tell(unit: UnitOfWork, number: int) -> bool:
    """Whether the ledger may still come to show what the server knows: that a device is revoked.

    Then whoever looks its user up takes it out of the conversation, and the wish can be done.
    """
    settings, now_ms = unit.records.settings, unit.now_ms
    data = settings.get(_GONE_SINCE)
    since = msgspec.msgpack.decode(data, type=dict[int, int]) if data else {}
    since = {each: when for each, when in since.items() if unit.records.outbox.get(each)}
    first_ms = since.setdefault(number, now_ms)
    settings.put(_GONE_SINCE, msgspec.msgpack.encode(since))
    return now_ms - first_ms < operations_limits.GONE_DEVICE_SECONDS * 1000


def members_behind(unit: UnitOfWork, row: OutboxRecord) -> list[Address]:
    """The users in the conversation that a row's posting is for."""
    if row.prepared is None:
        return []
    record = unit.records.conversations.get(decode_prepared(row.prepared).conversation)
    return addresses(unit.open(record.id).group.members) if record is not None else []


def _undo(unit: UnitOfWork, prepared: Prepared, code: str) -> None:
    if prepared.sort == "creation" and code == Code.RECIPIENT_UNKNOWN:
        # An earlier copy may have been accepted before the device went: read what answers it.
        conversations.mark_stale(unit.open(prepared.conversation))
    elif prepared.sort == "creation":
        unit.drop(prepared.conversation)
    elif prepared.commits:
        unit.open(prepared.conversation).group.discard_pending()


def _another_way(unit: UnitOfWork, operation: OutgoingOperation, prepared: Prepared) -> bool:
    """A text to a person goes to the devices he has now; a new thing is made of new claims."""
    if prepared.sort == "text":
        conversation = unit.open(prepared.conversation)
        if conversation.record.kind != DIRECT:
            return False
        conversations.mark_stale(conversation)
    return not prepared.commits


def retract_commit(unit: UnitOfWork, conversation: Conversation) -> None:
    """Another's Commit came first: this device's own for that epoch is made again."""
    if conversation.group.pending is None:
        return
    for row in unit.records.outbox.all():
        if row.prepared is None:
            continue
        prepared = decode_prepared(row.prepared)
        if prepared.commits and prepared.conversation == conversation.record.id:
            reason = "another change came first"
            undone = replace(row, posting=None, prepared=None, problem=reason)
            unit.records.outbox.update(undone)


def fail(unit: UnitOfWork, row: OutboxRecord, reason: str) -> Outcome:
    """Give up on a wish, visibly: why is kept until its person has seen it."""
    operation = decode_operation(row.operation)
    unit.records.outbox.remove(row.number)
    failures.note(unit.records.settings, row.number, operation, reason, unit.now_ms)
    message = b""
    if isinstance(operation, SendText):
        message = operation.message
        unit.records.history.set_standing(message, "failed")
    return Outcome(row.number, message, reason)


def outdated(unit: UnitOfWork, row: OutboxRecord) -> bool:
    """Whether a prepared text is of an epoch that is past, and is to be sealed anew."""
    if row.prepared is None:
        return False
    prepared = decode_prepared(row.prepared)
    record = unit.records.conversations.get(prepared.conversation)
    return prepared.sort == "text" and (record is None or record.epoch != prepared.epoch)
