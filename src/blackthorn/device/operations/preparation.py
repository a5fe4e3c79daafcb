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

from blackthorn.device.conversations import content, conversations, self_group
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import DIRECT, GROUP, SELF, GroupMetadata
from blackthorn.device.core.members import addresses, identify
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import chain_changes
from blackthorn.device.operations.outgoing import (
    ChangeChain,
    ChangeGroup,
    Claimed,
    CreateGroup,
    CreateSelf,
    KeepMembers,
    OutgoingOperation,
    Prepared,
    SendText,
    ShareSelf,
    decode_claimed,
    decode_operation,
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


def prepare(unit: UnitOfWork, row: OutboxRecord) -> Step:
    """The posting for an intent, or the statement, saved with the row. Raises HopelessError."""
    operation = decode_operation(row.operation)
    try:
        match operation:
            case SendText():
                return _text(unit, row, operation)
            case CreateGroup():
                return _creation(unit, row, operation)
            case ChangeGroup():
                return _change(unit, row, operation)
            case KeepMembers():
                return _keep_members(unit, row, operation)
            case CreateSelf():
                return _create_self(unit, row, operation)
            case ShareSelf():
                return _share_self(unit, row, operation)
            case ChangeChain():
                made = chain_changes.make_next(unit, row, operation)
                return Nothing() if made is None else made
    except HopelessError:
        raise
    except (UserError, MLSError) as error:
        raise HopelessError(str(error)) from None


def wanted_addresses(unit: UnitOfWork, operation: OutgoingOperation) -> list[str]:
    """The users whose key packages an intent needs."""
    match operation:
        case SendText(kind=kind, name=name):
            return [name, unit.me.address] if kind == DIRECT else []
        case CreateGroup(addresses=wanted):
            return [*wanted, unit.me.address]
        case ChangeGroup(add=wanted):
            return list(wanted)
        case KeepMembers() | CreateSelf():
            return [unit.me.address]
        case ShareSelf() | ChangeChain():
            return []


def _unclaimed(unit: UnitOfWork, row: OutboxRecord, operation: OutgoingOperation) -> list[str]:
    claimed = decode_claimed(row.packages)
    answered = set() if claimed is None else set(claimed.answered)
    return [each for each in wanted_addresses(unit, operation) if each not in answered]


def _packages(row: OutboxRecord) -> Claimed:
    return decode_claimed(row.packages) or Claimed([], [])


# --- Texts --------------------------------------------------------------------------------


def _text(unit: UnitOfWork, row: OutboxRecord, operation: SendText) -> Prepared | Needs:
    found = _conversation_of(unit, operation)
    if found is not None:
        clearing = _clear(unit, row, operation, found)
        return _seal_text(unit, row, operation, found, None) if clearing is None else clearing
    missing = _unclaimed(unit, row, operation)
    if missing:
        return Needs(missing)
    facts = GroupMetadata(DIRECT, "", unit.now_ms)
    claimed = _packages(row).packages
    packages = conversations.verify_claimed(unit, claimed, {operation.name, unit.me.address})
    if not any(identify(each.credential).address == operation.name for each in packages):
        raise HopelessError(f"{operation.name} has no activated device yet")
    conversation, welcome = conversations.create(unit, facts, operation.name, packages)
    return _seal_text(unit, row, operation, conversation, welcome)


def _conversation_of(unit: UnitOfWork, operation: SendText) -> Conversation | None:
    """Where the text goes: to the group that was meant and no other, or to the person.

    To a person it goes where it was sealed for before, as long as that can be written in.
    """
    if operation.kind == GROUP:
        return _group_of(unit, operation)
    if operation.conversation:
        record = unit.records.conversations.get(operation.conversation)
        if record is not None and record.standing == conversations.ACTIVE:
            before = unit.open(operation.conversation)
            if conversations.reaches(unit, before, operation.name):
                return before
    return conversations.direct_with(unit, Address(operation.name))


def _group_of(unit: UnitOfWork, operation: SendText) -> Conversation:
    if not operation.group:
        raise HopelessError("the group was not made")
    record = unit.records.conversations.get(operation.group)
    if record is None:
        raise HopelessError("the group does not exist any more")
    if record.standing != conversations.ACTIVE:
        raise HopelessError("you were removed from that group")
    return unit.open(operation.group)


def _seal_text(
    unit: UnitOfWork,
    row: OutboxRecord,
    operation: SendText,
    conversation: Conversation,
    welcome: bytes | None,
) -> Prepared:
    group, record = conversation.group, conversation.record
    again = operation.conversation == record.id
    count = operation.count if again else record.sent + 1
    body = content.encode(
        content.TextContent(operation.salt, operation.text, operation.sent_ms, count)
    )
    recipients = conversations.other_devices(unit, group)
    if not recipients:
        raise HopelessError("nobody else is in this conversation")
    message = content.message_id(body, unit.me.address, record.id, operation.salt)
    sealed = _seal(unit, conversation, body)
    if not again:
        conversation.record = replace(record, sent=count)
        unit.records.history.rename(operation.message, message, record.id)
    settled = msgspec.structs.replace(
        operation, message=message, conversation=record.id, count=count
    )
    parcels = [(recipients, sealed)]
    if welcome is not None:
        parcels.insert(0, (recipients, envelope.seal_welcome(welcome)))
    sort = "text" if welcome is None else "creation"
    prepared = _posting(unit, conversation, sort, parcels)
    _save(unit, row, settled, prepared)
    return prepared


def _seal(unit: UnitOfWork, conversation: Conversation, body: bytes) -> bytes:
    """A message of the conversation, with what this device has seen of the ledger."""
    said = gossip.saying(unit.records, conversation.record.id, unit.now_ms)
    message = conversation.group.encrypt(body, random=unit.random, authenticated_data=said)
    return unit.envelope_key(conversation).seal(message, unit.random)


# --- Groups -------------------------------------------------------------------------------


def _creation(unit: UnitOfWork, row: OutboxRecord, operation: CreateGroup) -> Prepared | Needs:
    missing = _unclaimed(unit, row, operation)
    if missing:
        return Needs(missing)
    facts = GroupMetadata(GROUP, operation.name, unit.now_ms)
    asked = {*operation.addresses, unit.me.address}
    packages = conversations.verify_claimed(unit, _packages(row).packages, asked)
    conversation, welcome = conversations.create(unit, facts, operation.name, packages)
    recipients = conversations.other_devices(unit, conversation.group)
    parcels = [(recipients, envelope.seal_welcome(welcome))]
    prepared = _posting(unit, conversation, "creation", parcels)
    _save(unit, row, operation, prepared)
    return prepared


def _change(
    unit: UnitOfWork, row: OutboxRecord, operation: ChangeGroup
) -> Prepared | Needs | Nothing:
    """A Commit at the present epoch."""
    conversation = _active(unit, operation.conversation)
    group = conversation.group
    present = set(conversations.other_devices(unit, group))
    missing = _unclaimed(unit, row, operation)
    if missing:
        return Needs(missing, known=addresses(group.members))
    packages = conversations.verify_claimed(unit, _packages(row).packages, set(operation.add))
    added = [p for p in packages if identify(p.credential).device not in present]
    removed = conversations.indices_of(group, operation.remove, operation.remove_devices)
    if not added and not removed:
        if operation.add and not row.problem:  # else another's change came first, to the same end
            raise HopelessError(f"{', '.join(operation.add)}: in the group already")
        return Nothing()
    gone = conversations.gone_devices(unit, group)
    made = _commit(unit, row, operation, conversation, added, gone, "commit", removed)
    return Nothing() if made is None else made


def _active(unit: UnitOfWork, conversation: bytes) -> Conversation:
    found = unit.open(conversation)
    if found.record.standing != conversations.ACTIVE:
        raise HopelessError("you were removed from that group")
    return found


def _commit(
    unit: UnitOfWork,
    row: OutboxRecord,
    operation: OutgoingOperation,
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
    members = [each for each in conversations.other_devices(unit, group) if each not in gone]
    leaving = sorted({*removed, *conversations.indices_of(group, (), set(gone))})
    key = unit.envelope_key(conversation)
    handle = group.export(ORDER_LABEL, b"", HANDLE_BYTES)
    made = group.commit(
        add=added, remove=leaving, random=unit.random, now=unit.now, validate=unit.validate
    )
    parcels = [(members, key.seal(made.commit, unit.random))] if members else []
    if made.welcome is not None:
        joining = [identify(each.credential).device for each in added]
        parcels.append((joining, envelope.seal_welcome(made.welcome)))
    if not parcels:
        conversations.merge_own(unit, conversation)
        return None
    # The handle is of this epoch alone, so the number that stands beside it says nothing.
    order = Order(handle, 0, unit.random(ID_BYTES))
    prepared = _posting(unit, conversation, sort, parcels, order)
    _save(unit, row, operation, prepared)
    return prepared


def _clear(
    unit: UnitOfWork, row: OutboxRecord, operation: OutgoingOperation, conversation: Conversation
) -> Prepared | None:
    """A Commit that takes devices out which are gone, before something is said; None if none is."""
    gone = conversations.gone_devices(unit, conversation.group)
    return _commit(unit, row, operation, conversation, [], gone, "clearing") if gone else None


# --- The user's own devices ---------------------------------------------------------------


def _keep_members(
    unit: UnitOfWork, row: OutboxRecord, operation: KeepMembers
) -> Prepared | Needs | Nothing:
    record = unit.records.conversations.get(operation.conversation)
    if record is None or record.standing != conversations.ACTIVE:
        return Nothing()
    conversation = unit.open(operation.conversation)
    group = conversation.group
    gone = conversations.gone_devices(unit, group)
    missing = conversations.missing_devices(unit, group)
    if missing and _unclaimed(unit, row, operation):
        return Needs([unit.me.address], missing, addresses(group.members))
    packages = conversations.verify_claimed(unit, _packages(row).packages, {unit.me.address})
    added = [each for each in packages if identify(each.credential).device in missing]
    if not added and not gone:
        return Nothing()
    made = _commit(unit, row, operation, conversation, added, gone, "commit")
    return Nothing() if made is None else made


def _create_self(
    unit: UnitOfWork, row: OutboxRecord, operation: CreateSelf
) -> Prepared | Needs | Nothing:
    if self_group.present(unit) is not None:
        return Nothing()
    if _unclaimed(unit, row, operation):
        return Needs([unit.me.address])
    packages = conversations.verify_claimed(unit, _packages(row).packages, {unit.me.address})
    if not packages:
        return Nothing()
    facts = GroupMetadata(SELF, "", unit.now_ms)
    conversation, welcome = conversations.create(unit, facts, "", packages)
    recipients = conversations.other_devices(unit, conversation.group)
    parcels = [(recipients, envelope.seal_welcome(welcome))]
    prepared = _posting(unit, conversation, "creation", parcels)
    _save(unit, row, operation, prepared)
    return prepared


def _share_self(unit: UnitOfWork, row: OutboxRecord, operation: ShareSelf) -> Prepared | Nothing:
    """What one's own devices must know, never in an epoch that a revoked one can read."""
    conversation = self_group.present(unit)
    if conversation is None:
        return Nothing()
    clearing = _clear(unit, row, operation, conversation)
    if clearing is not None:
        return clearing
    group = conversation.group
    recipients = conversations.other_devices(unit, group)
    if not recipients:
        return Nothing()
    snapshot = self_group.snapshot(unit)
    body = self_group.encode(snapshot, operation.salt, unit.now_ms)
    parcels = [(recipients, _seal(unit, conversation, body))]
    prepared = _posting(unit, conversation, "text", parcels)
    settled = msgspec.structs.replace(operation, digest=self_group.digest(unit, group, snapshot))
    _save(unit, row, settled, prepared)
    return prepared


# --- Postings -----------------------------------------------------------------------------


def _posting(
    unit: UnitOfWork,
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
    posting = Posting(unit.random(ID_BYTES), packed, order)
    group = conversation.group
    return Prepared(posting, list(lists.values()), group.group_id, group.epoch, sort)


def _save(
    unit: UnitOfWork, row: OutboxRecord, operation: OutgoingOperation, prepared: Prepared
) -> None:
    unit.records.outbox.update(
        replace(
            row,
            operation=encode(operation),
            posting=prepared.posting.id,
            prepared=encode(prepared),
            problem="",
        )
    )


def draft_id(salt: bytes) -> bytes:
    """The id of a text in the history until it is sealed for its conversation."""
    return b"\x00" + hashlib.sha256(salt).digest()[:31]


def check_members(unit: UnitOfWork, conversation: Conversation, remove: Iterable[str]) -> None:
    """Raises UserError when one of these users is not in the group."""
    present = addresses(conversation.group.members)
    for address in remove:
        if address not in present:
            raise UserError(f"{address} is not in the group")
