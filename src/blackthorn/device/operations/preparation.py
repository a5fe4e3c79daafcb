"""From what a person wants to the posting that does it: the only place where postings are made.

Each step is taken inside a turn, so that the posting and the MLS state it came from are saved
together, before anything is sent. A message goes out with its conversation's Welcome, and a
Commit with the Welcome of those it adds, as one posting: all of it is accepted, or none.

Nothing is sealed for a device that its user's chain does not have any more: before a message such
devices are taken out by a Commit of its own, and each other Commit takes them out too.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from blackthorn.device.account import chain_changes
from blackthorn.device.conversations import content, conversations, envelope, self_group
from blackthorn.device.conversations.group_metadata import DIRECT, GROUP, SELF, Facts
from blackthorn.device.conversations.members import addresses, identify
from blackthorn.device.core.unit_of_work import Conversation, Turn
from blackthorn.device.operations.outgoing import (
    ChangeChain,
    ChangeGroup,
    Claimed,
    CreateGroup,
    CreateSelf,
    Intent,
    KeepMembers,
    Prepared,
    SendText,
    ShareSelf,
    decode_claimed,
    decode_intent,
    encode,
)
from blackthorn.device.transparency import gossip
from blackthorn.errors import UserError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import limits
from blackthorn.link.fanout import fanout_id
from blackthorn.link.frames import Order, Parcel, Posting, SubmitStatement
from blackthorn.mls.errors import MLSError
from blackthorn.mls.framing.key_package import VerifiedKeyPackage
from blackthorn.ports.device_store import OutboxRecord

ORDER_LABEL: Final = "blackthorn order"
HANDLE_BYTES: Final = 32
ID_BYTES: Final = 16


class HopelessError(UserError):
    """What was wanted cannot be done, now or later; the text says why."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Key packages of these users must be claimed first, or of these devices of theirs only.

    `known` are users of whom the ledger must be asked before, if that is long ago: whoever is
    added to a group with a device that is gone could not join it.
    """

    addresses: list[str]
    devices: list[DeviceId] = field(default_factory=list)
    known: list[Address] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing (left) to do."""


Step = Prepared | SubmitStatement | Needs | Nothing


def prepare(turn: Turn, row: OutboxRecord) -> Step:
    """The posting for an intent, or the statement, saved with the row. Raises HopelessError."""
    intent = decode_intent(row.intent)
    try:
        match intent:
            case SendText():
                return _text(turn, row, intent)
            case CreateGroup():
                return _creation(turn, row, intent)
            case ChangeGroup():
                return _change(turn, row, intent)
            case KeepMembers():
                return _keep_members(turn, row, intent)
            case CreateSelf():
                return _create_self(turn, row, intent)
            case ShareSelf():
                return _share_self(turn, row, intent)
            case ChangeChain():
                made = chain_changes.make_next(turn, row, intent)
                return Nothing() if made is None else made
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
        case KeepMembers() | CreateSelf():
            return [turn.me.address]
        case ShareSelf() | ChangeChain():
            return []


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
        clearing = _clear(turn, row, intent, found)
        return _seal_text(turn, row, intent, found, None) if clearing is None else clearing
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
            before = turn.open(intent.conversation)
            if conversations.reaches(turn, before, intent.name):
                return before
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
    sealed = _seal(turn, conversation, body)
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


def _seal(turn: Turn, conversation: Conversation, body: bytes) -> bytes:
    """A message of the conversation, with what this device has seen of the ledger."""
    said = gossip.saying(turn.records, conversation.record.id, turn.now_ms)
    message = conversation.group.encrypt(body, random=turn.random, authenticated_data=said)
    return turn.envelope_key(conversation).seal(message, turn.random)


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
    """A Commit at the present epoch."""
    conversation = _active(turn, intent.conversation)
    group = conversation.group
    present = set(conversations.other_devices(turn, group))
    missing = _unclaimed(turn, row, intent)
    if missing:
        return Needs(missing, known=addresses(group.members))
    packages = conversations.verify_claimed(turn, _packages(row).packages, set(intent.add))
    added = [p for p in packages if identify(p.credential).device not in present]
    removed = conversations.indices_of(group, intent.remove, intent.remove_devices)
    if not added and not removed:
        if intent.add and not row.problem:  # else another's change came first, to the same end
            raise HopelessError(f"{', '.join(intent.add)}: in the group already")
        return Nothing()
    gone = conversations.gone_devices(turn, group)
    made = _commit(turn, row, intent, conversation, added, gone, "commit", removed)
    return Nothing() if made is None else made


def _active(turn: Turn, conversation: bytes) -> Conversation:
    found = turn.open(conversation)
    if found.record.standing != conversations.ACTIVE:
        raise HopelessError("you were removed from that group")
    return found


def _commit(
    turn: Turn,
    row: OutboxRecord,
    intent: Intent,
    conversation: Conversation,
    added: Sequence[VerifiedKeyPackage],
    gone: Sequence[DeviceId],
    sort: str,
    removed: Sequence[int] = (),
) -> Prepared | None:
    """A Commit that adds and removes: the old members' parcel first, then the new ones'.

    `gone` devices are removed too, and the server knows them no more: they are told nothing. When
    nobody is left to be told, the Commit is merged at once, and None given back.
    """
    group = conversation.group
    members = [each for each in conversations.other_devices(turn, group) if each not in gone]
    leaving = sorted({*removed, *conversations.indices_of(group, (), set(gone))})
    key = turn.envelope_key(conversation)
    handle = group.export(ORDER_LABEL, b"", HANDLE_BYTES)
    made = group.commit(
        add=added, remove=leaving, random=turn.random, now=turn.now, validate=turn.validate
    )
    parcels = [(members, key.seal(made.commit, turn.random))] if members else []
    if made.welcome is not None:
        joining = [identify(each.credential).device for each in added]
        parcels.append((joining, envelope.seal_welcome(made.welcome)))
    if not parcels:
        conversations.merge_own(turn, conversation)
        return None
    # The handle is of this epoch alone, so the number that stands beside it says nothing.
    order = Order(handle, 0, turn.random(ID_BYTES))
    prepared = _posting(turn, conversation, sort, parcels, order)
    _save(turn, row, intent, prepared)
    return prepared


def _clear(
    turn: Turn, row: OutboxRecord, intent: Intent, conversation: Conversation
) -> Prepared | None:
    """A Commit that takes devices out which are gone, before something is said; None if none is."""
    gone = conversations.gone_devices(turn, conversation.group)
    return _commit(turn, row, intent, conversation, [], gone, "clearing") if gone else None


# --- The user's own devices ---------------------------------------------------------------


def _keep_members(turn: Turn, row: OutboxRecord, intent: KeepMembers) -> Prepared | Needs | Nothing:
    record = turn.records.conversations.get(intent.conversation)
    if record is None or record.standing != conversations.ACTIVE:
        return Nothing()
    conversation = turn.open(intent.conversation)
    group = conversation.group
    gone = conversations.gone_devices(turn, group)
    missing = conversations.missing_devices(turn, group)
    if missing and _unclaimed(turn, row, intent):
        return Needs([turn.me.address], missing, addresses(group.members))
    packages = conversations.verify_claimed(turn, _packages(row).packages, {turn.me.address})
    added = [each for each in packages if identify(each.credential).device in missing]
    if not added and not gone:
        return Nothing()
    made = _commit(turn, row, intent, conversation, added, gone, "commit")
    return Nothing() if made is None else made


def _create_self(turn: Turn, row: OutboxRecord, intent: CreateSelf) -> Prepared | Needs | Nothing:
    if self_group.present(turn) is not None:
        return Nothing()
    if _unclaimed(turn, row, intent):
        return Needs([turn.me.address])
    packages = conversations.verify_claimed(turn, _packages(row).packages, {turn.me.address})
    if not packages:
        return Nothing()
    facts = Facts(SELF, "", turn.now_ms)
    conversation, welcome = conversations.create(turn, facts, "", packages)
    recipients = conversations.other_devices(turn, conversation.group)
    parcels = [(recipients, envelope.seal_welcome(welcome))]
    prepared = _posting(turn, conversation, "creation", parcels)
    _save(turn, row, intent, prepared)
    return prepared


def _share_self(turn: Turn, row: OutboxRecord, intent: ShareSelf) -> Prepared | Nothing:
    """What one's own devices must know, never in an epoch that a revoked one can read."""
    conversation = self_group.present(turn)
    if conversation is None:
        return Nothing()
    clearing = _clear(turn, row, intent, conversation)
    if clearing is not None:
        return clearing
    group = conversation.group
    recipients = conversations.other_devices(turn, group)
    if not recipients:
        return Nothing()
    snapshot = self_group.snapshot(turn)
    body = self_group.encode(snapshot, intent.salt, turn.now_ms)
    parcels = [(recipients, _seal(turn, conversation, body))]
    prepared = _posting(turn, conversation, "text", parcels)
    settled = msgspec.structs.replace(intent, digest=self_group.digest(turn, group, snapshot))
    _save(turn, row, settled, prepared)
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
