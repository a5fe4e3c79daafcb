"""From what a person wants to the posting that does it: the only place where postings are made.

Each step is taken inside a turn, so that the posting and the MLS state it came from are saved
together, before anything is sent. A message goes out with its conversation's Welcome, and a
Commit with the Welcome of those it adds, as one posting: all of it is accepted, or none.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from blackthorn import limits
from blackthorn.device import content, conversations, envelope
from blackthorn.device.facts import DIRECT, GROUP, Facts
from blackthorn.device.intents import (
    ChangeGroup,
    Claimed,
    CreateGroup,
    Intent,
    Prepared,
    SendText,
    decode_claimed,
    decode_intent,
    encode,
)
from blackthorn.device.members import addresses, identify
from blackthorn.device.turn import Conversation, Turn
from blackthorn.errors import UserError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.fanout import fanout_id
from blackthorn.link.frames import Order, Parcel, Posting
from blackthorn.mls.errors import MLSError
from blackthorn.ports.device_store import OutboxRecord

ORDER_LABEL: Final = "blackthorn order"
HANDLE_BYTES: Final = 32
ID_BYTES: Final = 16


class HopelessError(UserError):
    """What was wanted cannot be done, now or later; the text says why."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Key packages of these users must be claimed first."""

    addresses: list[str]


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing (left) to do."""


def prepare(turn: Turn, row: OutboxRecord) -> Prepared | Needs | Nothing:
    """The posting for an intent, saved with the row. Raises HopelessError."""
    intent = decode_intent(row.intent)
    try:
        match intent:
            case SendText():
                return _text(turn, row, intent)
            case CreateGroup():
                return _creation(turn, row, intent)
            case ChangeGroup():
                return _change(turn, row, intent)
    except HopelessError:
        raise
    except (UserError, MLSError) as error:
        raise HopelessError(str(error)) from None


def wanted_addresses(turn: Turn, intent: Intent) -> list[str]:
    """The users whose key packages an intent needs."""
    match intent:
        case SendText(kind=kind, name=name):
            return [name, turn.me.address] if kind == DIRECT else []
        case CreateGroup(addresses=wanted):
            return [*wanted, turn.me.address]
        case ChangeGroup(add=wanted):
            return list(wanted)


def _unclaimed(turn: Turn, row: OutboxRecord, intent: Intent) -> list[str]:
    claimed = decode_claimed(row.packages)
    answered = set() if claimed is None else set(claimed.answered)
    return [each for each in wanted_addresses(turn, intent) if each not in answered]


def _packages(row: OutboxRecord) -> Claimed:
    return decode_claimed(row.packages) or Claimed([], [])


# --- Texts --------------------------------------------------------------------------------


def _text(turn: Turn, row: OutboxRecord, intent: SendText) -> Prepared | Needs:
    found = _conversation_of(turn, intent)
    if found is not None:
        return _seal_text(turn, row, intent, found, None)
    missing = _unclaimed(turn, row, intent)
    if missing:
        return Needs(missing)
    facts = Facts(DIRECT, "", turn.now_ms)
    claimed = _packages(row).packages
    packages = conversations.verify_claimed(turn, claimed, {intent.name, turn.me.address})
    if not any(identify(each.credential).address == intent.name for each in packages):
        raise HopelessError(f"{intent.name} has no activated device yet")
    conversation, welcome = conversations.create(turn, facts, intent.name, packages)
    return _seal_text(turn, row, intent, conversation, welcome)


def _conversation_of(turn: Turn, intent: SendText) -> Conversation | None:
    """Where the text goes: to the group that was meant and no other, or to the person.

    To a person it goes where it was sealed for before, as long as that can be written in.
    """
    if intent.kind == GROUP:
        return _group_of(turn, intent)
    if intent.conversation:
        record = turn.records.conversations.get(intent.conversation)
        if record is not None and record.standing == conversations.ACTIVE:
            return turn.open(intent.conversation)
    return conversations.direct_with(turn, Address(intent.name))


def _group_of(turn: Turn, intent: SendText) -> Conversation:
    if not intent.group:
        raise HopelessError("the group was not made")
    record = turn.records.conversations.get(intent.group)
    if record is None:
        raise HopelessError("the group does not exist any more")
    if record.standing != conversations.ACTIVE:
        raise HopelessError("you were removed from that group")
    return turn.open(intent.group)


def _seal_text(
    turn: Turn,
    row: OutboxRecord,
    intent: SendText,
    conversation: Conversation,
    welcome: bytes | None,
) -> Prepared:
    group, record = conversation.group, conversation.record
    again = intent.conversation == record.id
    count = intent.count if again else record.sent + 1
    body = content.encode(content.TextContent(intent.salt, intent.text, intent.sent_ms, count))
    recipients = conversations.other_devices(turn, group)
    if not recipients:
        raise HopelessError("nobody else is in this conversation")
    message = content.message_id(body, turn.me.address, record.id, intent.salt)
    sealed = turn.envelope_key(conversation).seal(
        group.encrypt(body, random=turn.random), turn.random
    )
    if not again:
        conversation.record = replace(record, sent=count)
        turn.records.history.rename(intent.message, message, record.id)
    settled = msgspec.structs.replace(intent, message=message, conversation=record.id, count=count)
    parcels = [(recipients, sealed)]
    if welcome is not None:
        parcels.insert(0, (recipients, envelope.seal_welcome(welcome)))
    sort = "text" if welcome is None else "creation"
    prepared = _posting(turn, conversation, sort, parcels)
    _save(turn, row, settled, prepared)
    return prepared


# --- Groups -------------------------------------------------------------------------------


def _creation(turn: Turn, row: OutboxRecord, intent: CreateGroup) -> Prepared | Needs:
    missing = _unclaimed(turn, row, intent)
    if missing:
        return Needs(missing)
    facts = Facts(GROUP, intent.name, turn.now_ms)
    asked = {*intent.addresses, turn.me.address}
    packages = conversations.verify_claimed(turn, _packages(row).packages, asked)
    conversation, welcome = conversations.create(turn, facts, intent.name, packages)
    recipients = conversations.other_devices(turn, conversation.group)
    parcels = [(recipients, envelope.seal_welcome(welcome))]
    prepared = _posting(turn, conversation, "creation", parcels)
    _save(turn, row, intent, prepared)
    return prepared


def _change(turn: Turn, row: OutboxRecord, intent: ChangeGroup) -> Prepared | Needs | Nothing:
    """A Commit at the present epoch; the old members' parcel first, then the new ones'."""
    conversation = turn.open(intent.conversation)
    group = conversation.group
    if conversation.record.standing != conversations.ACTIVE:
        raise HopelessError("you were removed from that group")
    present = set(conversations.other_devices(turn, group))
    missing = _unclaimed(turn, row, intent)
    if missing:
        return Needs(missing)
    packages = conversations.verify_claimed(turn, _packages(row).packages, set(intent.add))
    added = [p for p in packages if identify(p.credential).device not in present]
    removed = conversations.indices_of(group, intent.remove)
    if not added and not removed:
        if intent.add and not row.problem:  # else another's change came first, to the same end
            raise HopelessError(f"{', '.join(intent.add)}: in the group already")
        return Nothing()
    members = conversations.other_devices(turn, group)
    key = turn.envelope_key(conversation)
    handle = group.export(ORDER_LABEL, b"", HANDLE_BYTES)
    made = group.commit(
        add=added, remove=removed, random=turn.random, now=turn.now, validate=turn.validate
    )
    parcels = [(members, key.seal(made.commit, turn.random))] if members else []
    if made.welcome is not None:
        joining = [identify(each.credential).device for each in added]
        parcels.append((joining, envelope.seal_welcome(made.welcome)))
    # The handle is of this epoch alone, so the number that stands beside it says nothing.
    order = Order(handle, 0, turn.random(ID_BYTES))
    prepared = _posting(turn, conversation, "commit", parcels, order)
    _save(turn, row, intent, prepared)
    return prepared


# --- Postings -----------------------------------------------------------------------------


def _posting(
    turn: Turn,
    conversation: Conversation,
    sort: str,
    parcels: Iterable[tuple[list[DeviceId], bytes]],
    order: Order | None = None,
) -> Prepared:
    lists: dict[bytes, list[bytes]] = {}
    packed = []
    for recipients, sealed in parcels:
        if len(sealed) > limits.MAX_PARCEL_BYTES:
            raise HopelessError("this is larger than what can be sent at once")
        name = fanout_id(recipients)
        lists[name] = [bytes(each) for each in recipients]
        packed.append(Parcel(name, sealed))
    posting = Posting(turn.random(ID_BYTES), packed, order)
    group = conversation.group
    return Prepared(posting, list(lists.values()), group.group_id, group.epoch, sort)


def _save(turn: Turn, row: OutboxRecord, intent: Intent, prepared: Prepared) -> None:
    turn.records.outbox.update(
        replace(
            row,
            intent=encode(intent),
            posting=prepared.posting.id,
            prepared=encode(prepared),
            problem="",
        )
    )


def draft_id(salt: bytes) -> bytes:
    """The id of a text in the history until it is sealed for its conversation."""
    return b"\x00" + hashlib.sha256(salt).digest()[:31]


def check_members(turn: Turn, conversation: Conversation, remove: Iterable[str]) -> None:
    """Raises UserError when one of these users is not in the group."""
    present = addresses(conversation.group.members)
    for address in remove:
        if address not in present:
            raise UserError(f"{address} is not in the group")
