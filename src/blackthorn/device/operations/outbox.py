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
from blackthorn.device.conversations.group_metadata import DIRECT, GROUP
from blackthorn.device.conversations.members import addresses
from blackthorn.device.core.unit_of_work import Conversation, Turn
from blackthorn.device.operations import failures
from blackthorn.device.operations import limits as operations_limits
from blackthorn.device.operations.outgoing import (
    ChangeGroup,
    Claimed,
    CreateGroup,
    Intent,
    Outcome,
    Prepared,
    SendText,
    ShareSelf,
    decode_claimed,
    decode_intent,
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


def send_text(turn: Turn, kind: str, name: str, text: str) -> int:
    """Wish to send a text; the number of its row. Raises UserError."""
    if not text.strip():
        raise UserError("there is no text to send")
    if len(text.encode("utf-8", "surrogatepass")) > device_limits.MAX_MESSAGE_BYTES:
        raise UserError(f"the text is longer than {device_limits.MAX_MESSAGE_BYTES} bytes")
    conversation = b""
    if kind == DIRECT and name == turn.me.address:
        raise UserError("that is your own address")
    if kind == GROUP and not _group_waits(turn, name):
        record = conversations.group_named(turn, name).record
        conversation, name = record.id, record.name
    salt = turn.random(content.SALT_BYTES)
    text = text.encode("utf-8", "replace").decode()
    intent = SendText(kind, name, salt, text, turn.now_ms, draft_id(salt), group=conversation)
    turn.records.history.add(
        HistoryRecord(
            message=intent.message,
            conversation=conversation,
            kind=kind,
            name=name,
            sender=turn.me.address,
            sort="text",
            text=text,
            sent_ms=turn.now_ms,
            received_ms=turn.now_ms,
            standing="waiting",
            shown=True,
        )
    )
    return _add(turn, intent)


def _group_waits(turn: Turn, name: str) -> bool:
    """Whether a group of that name is still to be made."""
    intents = (decode_intent(row.intent) for row in turn.records.outbox.all())
    return any(isinstance(each, CreateGroup) and each.name == name for each in intents)


def create_group(turn: Turn, name: str, addresses: Sequence[Address]) -> int:
    """Wish to make a group; the number of its row. Raises UserError."""
    name = name.strip()
    if not 0 < len(name.encode()) <= device_limits.MAX_GROUP_NAME_BYTES or not name.isprintable():
        raise UserError(
            f"a group's name has 1 to {device_limits.MAX_GROUP_NAME_BYTES} printable bytes"
        )
    others = [each for each in dict.fromkeys(addresses) if each != turn.me.address]
    if not others:
        raise UserError("a group needs somebody besides you")
    known = turn.records.conversations.named(GROUP, name)
    if _group_waits(turn, name) or any(r.standing == conversations.ACTIVE for r in known):
        raise UserError(f"you are in a group named {name} already")
    return _add(turn, CreateGroup(name, list(others)))


def change_group(
    turn: Turn, name: str, add: Sequence[Address] = (), remove: Sequence[Address] = ()
) -> int:
    """Wish to add users to a group, or to remove them; the row's number. Raises UserError."""
    conversation = conversations.group_named(turn, name)
    if turn.me.address in (*add, *remove):
        raise UserError("you cannot add or remove yourself")
    check_members(turn, conversation, remove)
    record = conversation.record
    return _add(turn, ChangeGroup(record.name, record.id, list(add), list(remove)))


def _add(turn: Turn, intent: Intent) -> int:
    return turn.records.outbox.add(intent.target, encode(intent), turn.now_ms)


# --- Answers ------------------------------------------------------------------------------


def claimed(turn: Turn, answer: KeyPackages) -> Outcome | None:
    """Keep the key packages of a claim with the row that asked; an Outcome when it is hopeless."""
    row = turn.records.outbox.get(answer.request)
    if row is None or row.prepared is not None:
        return None
    intent = decode_intent(row.intent)
    if answer.unknown:
        return fail(turn, row, f"there is no user {', '.join(sorted(answer.unknown))} here")
    without = sorted(set(answer.without) - {turn.me.address})
    if without:
        return fail(turn, row, f"{', '.join(without)} has no activated device yet")
    so_far = decode_claimed(row.packages) or Claimed([], [])
    wanted = set(wanted_addresses(turn, intent))
    fresh = [each for each in answer.claimed if each.address not in so_far.answered]
    answered = {each.address for each in fresh} | set(answer.without)
    if not answered & wanted:
        return fail(turn, row, "the server gave no key packages")
    total = Claimed(so_far.packages + fresh, sorted({*so_far.answered, *answered}))
    turn.records.outbox.update(replace(row, packages=encode(total)))
    return None


def accepted(turn: Turn, posting: bytes) -> Outcome | None:
    """A posting is durable: what it was for is done. None when nobody waits for it."""
    row = turn.records.outbox.by_posting(posting)
    if row is None or row.prepared is None:
        return None
    intent, prepared = decode_intent(row.intent), decode_prepared(row.prepared)
    if prepared.commits:
        conversations.merge_own(turn, turn.open(prepared.conversation))
    if prepared.sort == "clearing":
        turn.records.outbox.update(replace(row, posting=None, prepared=None))
        return None
    turn.records.outbox.remove(row.number)
    if isinstance(intent, CreateGroup):
        _settle_group(turn, intent.name, prepared.conversation)
    if isinstance(intent, ShareSelf):
        self_group.shared(turn, intent.digest)
    message = b""
    if isinstance(intent, SendText):
        message = intent.message
        turn.records.history.set_standing(message, "accepted")
    return Outcome(row.number, message)


def _settle_group(turn: Turn, name: str, group: bytes) -> None:
    """The texts that waited for a group of that name to be made are for the one made now."""
    for row in turn.records.outbox.all():
        intent = decode_intent(row.intent)
        if isinstance(intent, SendText) and (intent.kind, intent.name) == (GROUP, name):
            settled = intent if intent.group else msgspec.structs.replace(intent, group=group)
            turn.records.outbox.update(replace(row, intent=encode(settled)))


def refused(turn: Turn, posting: bytes, code: str, text: str) -> Outcome | None:
    """A posting was not stored: undo it, and say whether it may still be done."""
    row = turn.records.outbox.by_posting(posting)
    if row is None or row.prepared is None:
        return None
    intent, prepared = decode_intent(row.intent), decode_prepared(row.prepared)
    if code in LATER:
        turn.records.outbox.update(replace(row, problem=text))
        return Outcome(row.number, error=text, final=False)
    _undo(turn, prepared, code)
    if code == Code.RECIPIENT_UNKNOWN and not _another_way(turn, intent, prepared):
        if not _ledger_may_tell(turn, row.number):
            return fail(turn, row, GONE)
        text = GONE
    if code not in (Code.EPOCH_TAKEN, Code.RECIPIENT_UNKNOWN):
        return fail(turn, row, f"the server refused it: {text}")
    packages = None if code == Code.RECIPIENT_UNKNOWN else row.packages
    turn.records.outbox.update(
        replace(row, posting=None, prepared=None, packages=packages, problem=text)
    )
    return Outcome(row.number, error=text, final=False)


def _ledger_may_tell(turn: Turn, number: int) -> bool:
    """Whether the ledger may still come to show what the server knows: that a device is revoked.

    Then whoever looks its user up takes it out of the conversation, and the wish can be done.
    """
    settings, now_ms = turn.records.settings, turn.now_ms
    data = settings.get(_GONE_SINCE)
    since = msgspec.msgpack.decode(data, type=dict[int, int]) if data else {}
    since = {each: when for each, when in since.items() if turn.records.outbox.get(each)}
    first_ms = since.setdefault(number, now_ms)
    settings.put(_GONE_SINCE, msgspec.msgpack.encode(since))
    return now_ms - first_ms < operations_limits.GONE_DEVICE_SECONDS * 1000


def members_behind(turn: Turn, row: OutboxRecord) -> list[Address]:
    """The users in the conversation that a row's posting is for."""
    if row.prepared is None:
        return []
    record = turn.records.conversations.get(decode_prepared(row.prepared).conversation)
    return addresses(turn.open(record.id).group.members) if record is not None else []


def _undo(turn: Turn, prepared: Prepared, code: str) -> None:
    if prepared.sort == "creation" and code == Code.RECIPIENT_UNKNOWN:
        # An earlier copy may have been accepted before the device went: read what answers it.
        conversations.mark_stale(turn.open(prepared.conversation))
    elif prepared.sort == "creation":
        turn.drop(prepared.conversation)
    elif prepared.commits:
        turn.open(prepared.conversation).group.discard_pending()


def _another_way(turn: Turn, intent: Intent, prepared: Prepared) -> bool:
    """A text to a person goes to the devices he has now; a new thing is made of new claims."""
    if prepared.sort == "text":
        conversation = turn.open(prepared.conversation)
        if conversation.record.kind != DIRECT:
            return False
        conversations.mark_stale(conversation)
    return not prepared.commits


def retract_commit(turn: Turn, conversation: Conversation) -> None:
    """Another's Commit came first: this device's own for that epoch is made again."""
    if conversation.group.pending is None:
        return
    for row in turn.records.outbox.all():
        if row.prepared is None:
            continue
        prepared = decode_prepared(row.prepared)
        if prepared.commits and prepared.conversation == conversation.record.id:
            reason = "another change came first"
            undone = replace(row, posting=None, prepared=None, problem=reason)
            turn.records.outbox.update(undone)


def fail(turn: Turn, row: OutboxRecord, reason: str) -> Outcome:
    """Give up on a wish, visibly: why is kept until its person has seen it."""
    intent = decode_intent(row.intent)
    turn.records.outbox.remove(row.number)
    failures.note(turn.records.settings, row.number, intent, reason, turn.now_ms)
    message = b""
    if isinstance(intent, SendText):
        message = intent.message
        turn.records.history.set_standing(message, "failed")
    return Outcome(row.number, message, reason)


def outdated(turn: Turn, row: OutboxRecord) -> bool:
    """Whether a prepared text is of an epoch that is past, and is to be sealed anew."""
    if row.prepared is None:
        return False
    prepared = decode_prepared(row.prepared)
    record = turn.records.conversations.get(prepared.conversation)
    return prepared.sort == "text" and (record is None or record.epoch != prepared.epoch)
