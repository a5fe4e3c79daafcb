"""Turn operations into postings, stored with the resulting MLS state before anything is sent.

A message and its conversation's Welcome, or a Commit and its Welcome, are one posting that is
accepted as a whole. Nothing is sealed while changes of the members are noted, nor for revoked
devices: a separate Commit ("clearing") removes them before a message, and every other Commit
removes them too.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device.conversations import (
    commits,
    conversations,
    former,
    left_out,
    lost,
    noted,
    renewal,
    void,
)
from blackthorn.device.core import envelope, group_metadata, trees
from blackthorn.device.core import limits as core_limits
from blackthorn.device.core.members import Identity, addresses, identify, indices_of
from blackthorn.device.core.prepared import MOVE, PreparedPosting, encode
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import limits as heal_limits
from blackthorn.device.healing import moving, notes, states
from blackthorn.device.healing.decisions import held
from blackthorn.device.healing.states import State
from blackthorn.device.operations import limits as operation_limits
from blackthorn.device.operations.claims import HopelessError
from blackthorn.device.operations.operation import Operation, Waiting
from blackthorn.device.transparency import gossip
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.ids import Address, DeviceId
from blackthorn.link import fanout, limits
from blackthorn.link.frames import Order, Parcel, Posting
from blackthorn.mls.framing.key_package import VerifiedKeyPackage
from blackthorn.mls.group.joining import divided_welcome
from blackthorn.ports.device_store import OutboxRecord

UNCONFIRMED: Final = "members were changed and are being looked up"
TOO_LARGE: Final = "this message is too large: send it in parts"
POSTING_OVERHEAD_BYTES: Final = 256
"""Size of a posting besides its parcels: ids, order, lengths."""
ORDER_LABEL: Final = "blackthorn order"
HANDLE_BYTES: Final = 32
ID_BYTES: Final = 16


def active(unit: UnitOfWork, conversation: bytes, absent: str) -> Conversation:
    """The conversation. Raises HopelessError: `absent`, or this device was removed."""
    conversation = moving.newest(unit, conversation)
    record = unit.records.conversations.get(conversation)
    if record is None:
        raise HopelessError(absent)
    if not states.is_member(record.standing):
        raise HopelessError("you were removed from that group")
    return unit.open(conversation)


def hold(unit: UnitOfWork, conversation: bytes) -> str:
    """Why nothing new is sealed in the conversation now, in words; "" when it is."""
    standing = unit.records.conversations.standing(conversation)
    if standing == State.STALE:
        conversation = moving.newest(unit, conversation)
        standing = unit.records.conversations.standing(conversation)
    if standing is None or standing == State.FOLLOWING:
        return ""
    return held(State(standing), notes.of(unit.records, conversation), unit.now_ms)


def followed(unit: UnitOfWork, conversation: bytes) -> Conversation | None:
    """The conversation, if this device may change its members."""
    standing = unit.records.conversations.standing(conversation)
    return unit.open(conversation) if standing == State.FOLLOWING else None


def creation(
    unit: UnitOfWork,
    row: OutboxRecord,
    operation: Operation,
    metadata: group_metadata.GroupMetadata,
    name: str,
    packages: Sequence[VerifiedKeyPackage],
) -> PreparedPosting:
    """Create and store a new conversation with the Welcome for its members."""
    users = {unit.me.address, *(identify(package.credential).address for package in packages)}
    tree = _detached(unit, 1 + len(packages), users)
    conversation, welcome = conversations.create(unit, metadata, name, packages, tree)
    check_size(conversation, 0)
    parcels = _welcomes(welcome, packages)
    posting = _posting(unit, conversation, "creation", parcels)
    return save(unit, row, operation, _followed_by(unit, posting, tree, packages))


def _detached(unit: UnitOfWork, members: int, users: Collection[str]) -> trees.DetachedTree | None:
    """What takes the ratchet tree out of the Welcome of a large group, of which it names users."""
    large = members > operation_limits.MAX_MEMBERS_WITH_TREE
    return trees.DetachedTree(unit.random, users) if large else None


def _welcomes(
    welcome: bytes, packages: Sequence[VerifiedKeyPackage]
) -> list[tuple[list[DeviceId], bytes]]:
    """Welcome parcels for these devices, several if one would be too large."""
    count = -(-len(welcome) // core_limits.MAX_WHOLE_BYTES)
    if count == 1:
        return [(_owners(packages), envelope.seal_welcome(welcome))]
    owner = {package.reference: identify(package.credential).device for package in packages}
    divided = divided_welcome(welcome, -(-len(packages) // count))
    return [
        ([owner[reference] for reference in references], envelope.seal_welcome(part))
        for references, part in divided
    ]


def _owners(packages: Sequence[VerifiedKeyPackage]) -> list[DeviceId]:
    return [identify(package.credential).device for package in packages]


def _followed_by(
    unit: UnitOfWork,
    prepared: PreparedPosting,
    tree: trees.DetachedTree | None,
    packages: Sequence[VerifiedKeyPackage],
) -> PreparedPosting:
    """The posting with those of the tree, if that is not in its Welcome. Raises HopelessError."""
    if tree is None or not tree.parcels:
        return prepared
    if len(tree.parcels) > core_limits.MAX_TREE_PARTS:
        raise HopelessError("the group is too large: its members' keys fit no Welcome")
    joining = _owners(packages)
    name = fanout.fanout_id(joining)
    parts = [Posting(unit.random(ID_BYTES), [Parcel(name, sealed)]) for sealed in tree.parcels]
    return msgspec.structs.replace(prepared, tree=parts, joining=[bytes(each) for each in joining])


def message(
    unit: UnitOfWork, conversation: Conversation, body: bytes, welcome: bytes | None = None
) -> PreparedPosting:
    """Seal a message with this device's gossip, behind the Welcome if there is one."""
    recipients = conversations.other_devices(unit, conversation.group)
    seen = gossip.outgoing(unit.records, conversation.record.id, unit.now_ms)
    encrypted = conversation.group.encrypt(body, random=unit.random, authenticated_data=seen)
    parcels = [(recipients, unit.envelope_key(conversation).seal(encrypted, unit.random))]
    if welcome is not None:
        parcels.insert(0, (recipients, envelope.seal_welcome(welcome)))
        return _posting(unit, conversation, "creation", parcels)
    return msgspec.structs.replace(_posting(unit, conversation, "text", parcels), fanouts=[])


def forwarded(
    unit: UnitOfWork, conversation: Conversation, parcels: Iterable[tuple[list[DeviceId], bytes]]
) -> PreparedPosting:
    """Parcels that were sealed before."""
    return _posting(unit, conversation, "given", parcels)


def fanouts(unit: UnitOfWork, prepared: PreparedPosting) -> dict[bytes, list[bytes]]:
    """The fan-out lists of a posting, by id; a text's is all of its epoch, which is the present."""
    if prepared.fanouts:
        return prepared.lists
    devices = conversations.other_devices(unit, unit.open(prepared.conversation).group)
    return {fanout.fanout_id(devices): [bytes(device) for device in devices]}


def before_sealing(
    unit: UnitOfWork, row: OutboxRecord, operation: Operation
) -> PreparedPosting | Waiting | None:
    """What comes before the operation is sealed: the gate of all operations; None: nothing.

    Whatever is noted is ended first, by an operation of its own (`settle_members`). Then a Commit
    removes revoked devices, or gives this device's leaf new keys if that must come first.
    """
    conversation = operation.sealed_in(unit)
    if conversation is None:
        return None
    found = noted.review(unit, conversation)
    if found.noted:
        return Waiting(UNCONFIRMED, found.ask)
    if found.notes.inviter is not None:
        return Waiting(_guest_of(unit, conversation, found.notes.inviter), found.ask)
    if operation.commits:
        pending = moving.is_pending(unit, conversation.record.id)
        return Waiting(moving.MOVING) if pending else None
    gone = conversations.gone_devices(unit, conversation.group)
    if not gone and not renewal.is_before_text(unit, conversation):
        return None
    return commit(unit, row, operation, conversation, [], gone, "clearing")


def _guest_of(unit: UnitOfWork, conversation: Conversation, inviter: Identity) -> str:
    name = conversation.record.name
    return (
        f"{former.words(unit, inviter)} added you to {name}: it waits until somebody of "
        f"{inviter.address} writes there, or you say yes: blackthorn group confirm {name}"
    )


def check_size(conversation: Conversation, added: int) -> None:
    """Raises HopelessError if the conversation would have too many devices."""
    if len(conversation.group.members) + added > limits.MAX_RECIPIENTS + 1:
        raise HopelessError(f"a group has at most {limits.MAX_RECIPIENTS + 1:,} devices")


def commit(
    unit: UnitOfWork,
    row: OutboxRecord,
    operation: Operation,
    conversation: Conversation,
    added: Sequence[VerifiedKeyPackage],
    gone: Sequence[DeviceId],
    sort: str,
    removed: Sequence[int] = (),
    *,
    progress: str = "",
) -> PreparedPosting | None:
    """A stored Commit: first the parcel for the old members, then the Welcome for the new ones.

    `gone` devices are removed and get no parcel, because the server does not know them. Without any
    recipient the Commit is merged at once, and the result is None. "additions" have no path.
    """
    group, path = conversation.group, sort != "additions"
    check_size(conversation, len(added))
    members = [device for device in conversations.other_devices(unit, group) if device not in gone]
    coming = {identify(package.credential).address for package in added}
    _note_cleared(unit, conversation, gone, removed, coming)
    leaving = sorted({*removed, *indices_of(group, (), set(gone))})
    key = unit.envelope_key(conversation)
    order = _order(unit, conversation)
    now = clock_ms(unit) // 1000
    users = set(addresses(group.members))
    tree = _detached(unit, len(group.members) + len(added), users)
    made = group.commit(
        add=added,
        remove=leaving,
        path=path,
        tree_apart=tree,
        authenticated_data=void.lost_before(unit, conversation),
        random=unit.random,
        now=now,
        validate=unit.validate,
    )
    try:
        sealed = key.seal_all(made.commit, unit.random) if members else []
    except envelope.TooLargeError as error:
        raise HopelessError(TOO_LARGE) from error
    parcels = [(members, parcel) for parcel in sealed]
    if made.welcome is not None:
        parcels += _welcomes(made.welcome, added)
    if not parcels:
        commits.merge_own(unit, conversation, b"")
        return None
    posting = _posting(unit, conversation, sort, parcels, order)
    return save(unit, row, operation, _followed_by(unit, posting, tree, added), progress)


def move(
    unit: UnitOfWork,
    row: OutboxRecord,
    operation: Operation,
    conversation: Conversation,
    packages: Sequence[VerifiedKeyPackage],
) -> PreparedPosting:
    """A stored Commit that announces a new group of the same devices, and that group's Welcome."""
    group, devices = conversation.group, conversations.other_devices(unit, conversation.group)
    tree = _detached(unit, len(group.members), set(addresses(group.members)))
    made, welcome = conversations.make_successor(unit, conversation, packages, tree)
    key, order = unit.envelope_key(conversation), _order(unit, conversation)
    commit = group.commit(
        random=unit.random,
        now=clock_ms(unit) // 1000,
        validate=unit.validate,
        authenticated_data=moving.announce(made),
    )
    try:
        sealed = key.seal_all(commit.commit, unit.random)
    except envelope.TooLargeError as error:
        raise HopelessError(TOO_LARGE) from error
    parcels = [(devices, parcel) for parcel in sealed] + _welcomes(welcome, packages)
    posting = _posting(unit, conversation, MOVE, parcels, order)
    posting = msgspec.structs.replace(posting, successor=made.serialise())
    return save(unit, row, operation, _followed_by(unit, posting, tree, packages))


def _order(unit: UnitOfWork, conversation: Conversation) -> Order:
    """The claim on the present epoch, which one Commit may end."""
    handle = conversation.group.export(ORDER_LABEL, void.context(unit, conversation), HANDLE_BYTES)
    # The handle is of this epoch alone, so the number that stands beside it says nothing.
    return Order(handle, 0, unit.random(ID_BYTES))


def digests(prepared: PreparedPosting, before: bytes = b"") -> bytes:
    """The beginnings of the digests of a message's parcels, the newest first, then those before."""
    made = envelope.digest(prepared.posting.parcels[-1].sealed)[: lost.DIGEST_BYTES]
    return (made + before)[: lost.DIGEST_BYTES * heal_limits.MAX_SEALINGS]


def _note_cleared(
    unit: UnitOfWork,
    conversation: Conversation,
    gone: Sequence[DeviceId],
    removed: Sequence[int],
    coming: Collection[Address],
) -> None:
    """Whose last device goes out because it is a former one comes back with those that they have.

    Not after a reset: then people decide.
    """
    if conversation.record.kind != group_metadata.GROUP:
        return
    members = [(one.index, identify(one.credential)) for one in conversation.group.members]
    decided = {one.address for index, one in members if index in removed or one.device not in gone}
    for _, one in members:
        entry = former.entry(unit, one) if one.address not in decided | set(coming) else None
        if entry is not None and entry.reason != "reset" and unit.chains.live(one.address):
            known, wait_ms = conversation.record.id, left_out.CLEARED_WAIT_MS
            left_out.note(unit, known, one.address, wait_ms, cleared=True)


def save(
    unit: UnitOfWork,
    row: OutboxRecord,
    operation: Operation,
    prepared: PreparedPosting,
    progress: str = "",
) -> PreparedPosting:
    """Store the posting with its row; it is sent unchanged until it is answered."""
    changed = replace(row, operation=encode(operation), posting=prepared.posting.id)
    unit.records.outbox.update(replace(changed, prepared=encode(prepared), problem=progress))
    return prepared


def _posting(
    unit: UnitOfWork,
    conversation: Conversation,
    sort: str,
    parcels: Iterable[tuple[list[DeviceId], bytes]],
    order: Order | None = None,
) -> PreparedPosting:
    lists: dict[bytes, list[bytes]] = {}
    packed, size = [], POSTING_OVERHEAD_BYTES
    for recipients, sealed in parcels:
        size += len(sealed)
        if len(sealed) > limits.MAX_PARCEL_BYTES or size > limits.MAX_FRAME_BYTES:
            raise HopelessError(TOO_LARGE)
        name = fanout.fanout_id(recipients)
        lists[name] = [bytes(device) for device in recipients]
        packed.append(Parcel(name, sealed))
    posting = Posting(unit.random(ID_BYTES), packed, order)
    group = conversation.group
    return PreparedPosting(posting, list(lists.values()), group.group_id, group.epoch, sort)
