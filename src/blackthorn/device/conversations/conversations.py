"""Conversations: create, join, find, and the rules for changes of their members.

A *direct* conversation is an MLS group of the devices of two people; a *group* has a name and any
members. If both people create a direct conversation at once, both are read, and both sides write in
the later one by its creator's clock, or the one with the greater group id. A creation time in the
future counts as the moment of joining.

All live devices of a user are in all of their conversations. The *self-group* connects their
devices alone (`device.conversations.self_group`) and is never shown.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from blackthorn.device.conversations import (
    key_packages,
    left_out,
    limits,
    rejoining,
    renewal,
    void,
)
from blackthorn.device.core import group_metadata, history
from blackthorn.device.core.group_metadata import DIRECT, GROUP, SELF
from blackthorn.device.core.members import (
    Identity,
    addresses,
    identify,
    identities,
)
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import notes
from blackthorn.device.healing.states import Event, State, is_member
from blackthorn.device.transparency import local_chain
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import InputError, UserError
from blackthorn.ids import Address, DeviceId
from blackthorn.mls import suites
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import InvalidCommit, InvalidWelcome
from blackthorn.mls.framing.key_package import (
    KeyPackagePrivate,
    VerifiedKeyPackage,
)
from blackthorn.mls.group.group import Group
from blackthorn.mls.group.joining import welcome_references
from blackthorn.ports.device_store import ConversationRecord

GROUP_ID_BYTES: Final = 32
MAX_CREATED_MS: Final = 2**53 - 1


def create(
    unit: UnitOfWork,
    metadata: group_metadata.GroupMetadata,
    name: str,
    packages: Sequence[VerifiedKeyPackage],
) -> tuple[Conversation, bytes]:
    """A new conversation with the owners of `packages`, and the Welcome for them.

    Its first Commit is merged at once: nobody else can commit yet.
    """
    now = clock_ms(unit) // 1000
    group = Group.create(
        suites.suite(suites.DEFAULT_SUITE),
        unit.random(GROUP_ID_BYTES),
        unit.me.credential(),
        unit.keys.identity,
        unit.keys.identity_public,
        random=unit.random,
        now=now,
        extensions=[metadata.extension()],
    )
    made = group.commit(add=packages, random=unit.random, now=now, validate=unit.validate)
    group.merge_pending()
    conversation = Conversation(_record(group, metadata, name), group)
    unit.adopt(conversation)
    renewal.committed(unit, conversation, unit.me.device)
    if made.welcome is None:
        raise InvalidCommit("a conversation needs somebody to talk with")
    return conversation, made.welcome


def _record(group: Group, metadata: group_metadata.GroupMetadata, name: str) -> ConversationRecord:
    following = State.FOLLOWING.value
    return ConversationRecord(
        group.group_id, metadata.kind, name, metadata.created_ms, following, group.epoch, 0, b""
    )


def join(unit: UnitOfWork, welcome: bytes) -> Conversation:
    """Join the conversation of a Welcome. Raises InputError when it must not be joined."""
    private, last_resort = _own_private(unit, welcome)
    validate = unit.gathering()
    group = Group.join(welcome, private, unit.keys.identity, validate=validate)
    if group.epoch > limits.MAX_EPOCH:
        raise InvalidWelcome("the Welcome is of an epoch that no conversation reaches")
    void.check_extensions(group)
    rejoining.check_package(private.package, group.group_id)
    metadata = group_metadata.read_group_metadata(group.group_context_extensions)
    name = _name(unit, metadata, group)
    metadata = replace(metadata, created_ms=_created_ms(unit, metadata, name))
    if unit.records.conversations.count() >= limits.MAX_CONVERSATIONS:
        raise InvalidWelcome("conversation limit reached")
    known = unit.records.conversations.get(group.group_id)
    if known is not None:
        rejoining.check(unit, known, group)
    inviter = None if group.inviter is None else identify(group.inviter.credential)
    validate.require_known(inviter=inviter)
    if rejoining.is_bound(private.package):
        unit.records.key_packages.remove(private.reference)  # a second Welcome is no alarm
    elif not last_resort:
        key_packages.used(unit, private.reference, welcome)
    unit.records.peers.forget_counts(group.group_id)
    conversation = Conversation(_record(group, metadata, name), group)
    if known is not None:
        conversation = rejoining.replace_by(unit, known, group)
    unit.adopt(conversation)
    renewal.joined(unit, conversation, private.package)
    if known is not None and is_member(known.standing):
        rejoining.tell_rejoined(unit, conversation)
    elif metadata.kind == GROUP:
        _tell_joined(unit, conversation)
    return conversation


def _created_ms(unit: UnitOfWork, metadata: group_metadata.GroupMetadata, name: str) -> int:
    """The creation time to store: not in the future, and above those that it replaces (H9)."""
    replaced = (
        [] if metadata.kind == GROUP else unit.records.conversations.named(metadata.kind, name)
    )
    older = [one.created_ms for one in replaced if one.created_ms < metadata.created_ms]
    return max([min(metadata.created_ms, unit.now_ms), *(one + 1 for one in older)])


def next_created_ms(unit: UnitOfWork, kind: str, name: str) -> int:
    """The creation time, in Unix milliseconds, of a conversation that replaces all known ones."""
    records = unit.records.conversations.named(kind, name)
    groups = [unit.open(one.id).group for one in records]
    stated = [
        group_metadata.read_group_metadata(group.group_context_extensions).created_ms
        for group in groups
    ]
    return min(max([clock_ms(unit), *(one + 1 for one in stated)]), MAX_CREATED_MS)


def _tell_joined(unit: UnitOfWork, conversation: Conversation) -> None:
    """Add an event with the inviter and all members."""
    group = conversation.group
    if group.inviter is None:
        return
    inviter = identify(group.inviter.credential).address
    others = [user for user in addresses(group.members) if user != unit.me.address]
    tell(unit, conversation, inviter, f"{inviter} added you; in the group: {', '.join(others)}")


def _own_private(unit: UnitOfWork, welcome: bytes) -> tuple[KeyPackagePrivate, bool]:
    references = welcome_references(welcome)
    for reference in references:
        found = unit.records.key_packages.find(reference)
        if found is not None:
            return KeyPackagePrivate.deserialise(found[0]), found[1]
    key_packages.check_used(unit, references, welcome)
    raise InvalidWelcome("the Welcome is for a key package that this device does not have")


def _name(unit: UnitOfWork, metadata: group_metadata.GroupMetadata, group: Group) -> str:
    """The name of a joined conversation. Raises InvalidWelcome for unexpected members."""
    if metadata.kind == GROUP:
        return metadata.name
    if metadata.kind == DIRECT:
        return _other_side(unit, group)
    if any(member.address != unit.me.address for member in identities(group.members)):
        raise InvalidWelcome("somebody else is in a group of one user's own devices")
    return ""


def _other_side(unit: UnitOfWork, group: Group) -> Address:
    others = {user for user in addresses(group.members) if user != unit.me.address}
    if len(others) != 1:
        raise InvalidWelcome("a direct conversation is between two people")
    (other,) = others
    if not _is_between_us(unit, group, other):
        raise InvalidWelcome("the Welcome is not for this device as it is named")
    return other


def _is_between_us(unit: UnitOfWork, group: Group, other: str) -> bool:
    """Whether the members are this device and otherwise only devices of its user and of `other`."""
    found = identities(group.members)
    return unit.me in found and {member.address for member in found} == {unit.me.address, other}


def direct_with(unit: UnitOfWork, address: Address) -> Conversation | None:
    """The direct conversation to write in, or None (see the module for the choice)."""
    found = unit.records.conversations.named(DIRECT, address)
    for record in sorted(found, key=lambda one: (one.created_ms, one.id), reverse=True):
        if is_member(record.standing) and reaches(unit, unit.open(record.id), address):
            return unit.open(record.id)
    return None


def reaches(unit: UnitOfWork, conversation: Conversation, address: str) -> bool:
    """Whether a direct conversation reaches that person and nobody else.

    After an identity reset all of their devices in it are gone; a new conversation is then created.
    """
    if not is_member(conversation.record.standing):
        return False
    if not _is_between_us(unit, conversation.group, address):
        return False
    gone = gone_devices(unit, conversation.group)
    members = identities(conversation.group.members)
    if any(member.address == address and member.device not in gone for member in members):
        return True
    mark_stale(conversation)
    return False


def group_named(unit: UnitOfWork, name: str) -> Conversation:
    """The active group of that name or hexadecimal id prefix. Raises UserError.

    A group's maker may name it after another's id, so only a whole id is certain.
    """
    records = unit.records.conversations.named(GROUP, name)
    if len(name) >= 8 and set(name) <= set("0123456789abcdef"):
        groups = [r for r in unit.records.conversations.all() if r.kind == GROUP]
        records += [r for r in groups if r.name != name and r.id.hex().startswith(name)]
        records = [r for r in groups if r.id.hex() == name] or records
    active = [record for record in records if is_member(record.standing)]
    if not active and records:
        raise UserError(f"you were removed from the group {name}")
    if not active:
        raise UserError(f"no such group: {name} (see blackthorn group list)")
    if len(active) > 1:
        ids = ", ".join(f"{record.id.hex()} ({record.name})" for record in active)
        raise UserError(f"several groups are meant by {name}; use the id of one: {ids}")
    return unit.open(active[0].id)


def other_devices(unit: UnitOfWork, group: Group) -> list[DeviceId]:
    """The recipients of a message in the group."""
    members = identities(group.members)
    return [member.device for member in members if member.device != unit.me.device]


def indices_of(group: Group, wanted: Collection[str], devices: Collection[bytes] = ()) -> list[int]:
    """The leaf indices of all devices of the `wanted` users and of these devices."""
    found = ((member.index, identify(member.credential)) for member in group.members)
    return [
        index
        for index, member in found
        if member.address in wanted or bytes(member.device) in devices
    ]


def gone_devices(unit: UnitOfWork, group: Group) -> list[DeviceId]:
    """Devices in the group that their users' known chains do not contain.

    Never this device, nor devices of users without a known chain.
    """
    own = local_chain.own(unit)
    mine = None if own is None else {device.id for device in own.devices}
    gone: list[DeviceId] = []
    for identity in identities(group.members):
        live = mine if identity.address == unit.me.address else unit.chains.live(identity.address)
        if identity != unit.me and live is not None and identity.device not in live:
            gone.append(identity.device)
    return gone


def missing_devices(unit: UnitOfWork, group: Group) -> list[DeviceId]:
    """Live devices of this device's user that are not in the group.

    Only published devices count: other members reject the rest.
    """
    chain = unit.chains.of(unit.me.address)
    present = {member.device for member in identities(group.members)}
    return [device.id for device in chain.devices if device.id not in present] if chain else []


def check_commit(unit: UnitOfWork, conversation: Conversation, staged: StagedCommit) -> None:
    """Check another member's Commit against the conversation's rules. Raises InvalidCommit."""
    record = conversation.record
    if record.kind != GROUP:
        allowed = {unit.me.address, record.name} if record.kind == DIRECT else {unit.me.address}
        leaves = [] if staged.next is None else [leaf for _, leaf in staged.next.tree.members()]
        found = [*identities(staged.added), *(identify(leaf.credential) for leaf in leaves)]
        if any(member.address not in allowed for member in found):
            kind = "a direct conversation" if record.kind == DIRECT else "one user's own devices"
            raise InvalidCommit(f"somebody else was to be added to {kind}")
    if staged.next is not None:
        before = group_metadata.read_group_metadata(conversation.group.group_context_extensions)
        if group_metadata.read_group_metadata(staged.next.context.extensions) != before:
            raise InvalidCommit("the metadata of a conversation does not change")


def merge(unit: UnitOfWork, conversation: Conversation, staged: StagedCommit) -> None:
    """Merge a checked Commit and add events for its changes."""
    group, by = conversation.group, identify(staged.committer.credential)
    committer = by.address
    before, gone = set(addresses(group.members)), identities(staged.removed)
    removed_me = staged.removes_me
    group.merge(staged)
    if removed_me:
        notes.move(unit, conversation, Event.REMOVED)
        unit.bump()
        if conversation.record.kind != SELF:  # which nobody is shown
            tell(unit, conversation, committer, f"{committer} removed you")
        return
    unit.moved(conversation)
    renewal.committed(unit, conversation, by.device)
    rejoining.note(unit, conversation, staged, by.address)
    _tell_change(unit, conversation, committer, before, gone)


def merge_own(unit: UnitOfWork, conversation: Conversation) -> None:
    """Merge this device's own accepted Commit."""
    group = conversation.group
    staged = group.pending
    if staged is None:
        raise InputError("there is no Commit to merge")
    before, gone = set(addresses(group.members)), identities(staged.removed)
    group.merge_pending()
    unit.moved(conversation)
    renewal.committed(unit, conversation, unit.me.device)
    rejoining.note(unit, conversation, staged, unit.me.address)
    _tell_change(unit, conversation, unit.me.address, before, gone)


def mark_stale(conversation: Conversation) -> None:
    """Write in another conversation from now on: a device of the other side is gone."""
    conversation.record = replace(conversation.record, standing=State.STALE.value)


def adds_me_again(unit: UnitOfWork, staged: StagedCommit) -> bool:
    """Whether a Commit removes this device and adds it again, for which a Welcome comes."""
    return staged.removes_me and unit.me in rejoining.adds_again(staged)


def _tell_change(
    unit: UnitOfWork,
    conversation: Conversation,
    committer: Address,
    before: set[Address],
    gone: Sequence[Identity],
) -> None:
    if conversation.record.kind != GROUP:
        return
    after = set(addresses(conversation.group.members))
    left_out.forget(unit, conversation.record.id, before - after)
    for address in sorted(after - before):
        tell(unit, conversation, committer, f"{committer} added {address}")
    for address in sorted({device.address for device in gone} - after):
        tell(unit, conversation, committer, f"{committer} removed {address}")


def tell(unit: UnitOfWork, conversation: Conversation, sender: str, text: str) -> None:
    occasion = conversation.group.epoch.to_bytes(8, "big")
    history.add_event(unit, conversation.record, occasion, sender, text)
