"""Conversations: create, join, find, and the rules for changes of their members.

A *direct* conversation is an MLS group of the devices of two people; a *group* has a name and any
members. If both people create a direct conversation at once, both are read, and both sides write in
the later one by its creator's clock, or the one with the greater group id. A creation time in the
future counts as the moment of joining.

All live devices of a user are in all of their conversations. The *self-group* connects their
devices alone (`device.conversations.self_group`) and is never shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import (
    former,
    key_packages,
    limits,
    noted,
    rejoining,
    renewal,
    void,
)
from blackthorn.device.core import group_metadata, history, trees
from blackthorn.device.core.group_metadata import DIRECT, GROUP, SELF
from blackthorn.device.core.members import (
    GatheringValidator,
    Identity,
    UnknownDeviceError,
    addresses,
    identify,
    identities,
)
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import moving, wanted
from blackthorn.device.healing.states import State, is_member
from blackthorn.device.transparency import local_chain
from blackthorn.device.transparency.ledger_state import clock_ms, too_old
from blackthorn.ids import Address, DeviceId
from blackthorn.mls import suites
from blackthorn.mls.errors import InvalidCommit, InvalidWelcome
from blackthorn.mls.framing.key_package import (
    KeyPackagePrivate,
    VerifiedKeyPackage,
)
from blackthorn.mls.group.group import Group
from blackthorn.mls.group.joining import welcome_references
from blackthorn.ports.device_store import ConversationRecord, UndecryptableRecord

GROUP_ID_BYTES: Final = 32
FIRST_EPOCH: Final = 1
"""The epoch of those who were there from the beginning."""
MAX_CREATED_MS: Final = 2**53 - 1

REFUSED: Final = "a member is of no device that the ledger has listed"
"""Why a Welcome is refused for good; it is the reason stored with its parcel."""


class RefusedWelcomeError(InvalidWelcome):
    """A member has stayed unknown to the ledger for WELCOME_WAIT_SECONDS."""

    def __init__(self, conversation: bytes, inviter: Identity) -> None:
        super().__init__(REFUSED)
        self.conversation = conversation
        self.inviter = inviter.address


def create(
    unit: UnitOfWork,
    metadata: group_metadata.GroupMetadata,
    name: str,
    packages: Sequence[VerifiedKeyPackage],
    tree: trees.DetachedTree | None = None,
) -> tuple[Conversation, bytes]:
    """A new conversation with the owners of `packages`, and the Welcome for them.

    `tree` takes the ratchet tree out of the Welcome. The conversation's first Commit
    is merged at once: nobody else can commit yet.
    """
    group, welcome = _first_epoch(unit, metadata, packages, tree)
    conversation = Conversation(_record(group, metadata, name), group)
    unit.adopt(conversation)
    renewal.committed(unit, conversation, unit.me.device)
    return conversation, welcome


def _first_epoch(
    unit: UnitOfWork,
    metadata: group_metadata.GroupMetadata,
    packages: Sequence[VerifiedKeyPackage],
    tree: trees.DetachedTree | None,
    psks: Mapping[bytes, Secret] | None = None,
) -> tuple[Group, bytes]:
    """A new group with the owners of `packages`, which depends on these keys, and its Welcome."""
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
    made = group.commit(
        add=packages,
        psk_ids=list(psks or ()),
        external_psks=psks,
        tree_apart=tree,
        random=unit.random,
        now=now,
        validate=unit.validate,
    )
    group.merge_pending()
    if made.welcome is None:
        raise InvalidCommit("a conversation needs somebody to talk with")
    return group, made.welcome


def make_successor(
    unit: UnitOfWork,
    place: Conversation,
    packages: Sequence[VerifiedKeyPackage],
    tree: trees.DetachedTree | None,
) -> tuple[Group, bytes]:
    """A group of the DEFAULT_SUITE to take that one's place, and its Welcome; nothing is stored."""
    facts = group_metadata.read_group_metadata(place.group.group_context_extensions)
    kind, name = place.record.kind, place.record.name
    created_ms = facts.created_ms if kind == GROUP else next_created_ms(unit, kind, name)
    facts = replace(facts, created_ms=created_ms, replaces=place.record.id)
    return _first_epoch(unit, facts, packages, tree, dict([moving.shared_key(place.group)]))


def succeed(unit: UnitOfWork, conversation: bytes, state: bytes) -> None:
    """The own new group takes the conversation's place: the server has accepted its Welcome."""
    place, group = unit.open(conversation), Group.deserialise(state)
    facts = group_metadata.read_group_metadata(group.group_context_extensions)
    made = Conversation(_record(group, facts, place.record.name), group)
    unit.adopt(made)
    renewal.committed(unit, made, unit.me.device)
    rejoining.take_own_place(unit, place, made)


def _record(group: Group, metadata: group_metadata.GroupMetadata, name: str) -> ConversationRecord:
    following = State.FOLLOWING.value
    return ConversationRecord(
        group.group_id, metadata.kind, name, metadata.created_ms, following, group.epoch, 0, b""
    )


def join(unit: UnitOfWork, welcome: bytes, first: UndecryptableRecord) -> Conversation:
    """Join the conversation of a Welcome that was first tried at `first`.

    It waits until its inviter was looked up since, and for a member who was never listed 7 days.
    Raises InputError when it must not be joined.
    """
    private, last_resort = _own_private(unit, welcome)
    validate, tree = unit.gathering(), trees.Finder(unit)
    group = Group.join(
        welcome,
        private,
        unit.keys.identity,
        validate=validate,
        ratchet_tree=tree,
        external_psks=moving.shared_keys(unit),
    )
    if group.epoch > limits.MAX_EPOCH:
        raise InvalidWelcome("the Welcome is of an epoch that no conversation reaches")
    void.check_extensions(group)
    rejoining.check_package(private.package, group.group_id)
    metadata = group_metadata.read_group_metadata(group.group_context_extensions)
    known = unit.records.conversations.get(group.group_id)
    place = rejoining.place_for(unit, group, metadata) if known is None else None
    name = _name(unit, metadata, group)
    metadata = replace(metadata, created_ms=_created_ms(unit, metadata, name))
    if unit.records.conversations.count() >= limits.MAX_CONVERSATIONS and place is None:
        raise InvalidWelcome("conversation limit reached")
    if known is not None:
        rejoining.check(unit, known, group)
    inviter = _vouched(unit, group, validate, first)
    tree.joined()
    if rejoining.is_bound(private.package):
        rejoining.used(unit, private.reference)
    elif not last_resort:
        key_packages.used(unit, private.reference, welcome)
    conversation = Conversation(_record(group, metadata, name), group)
    if known is not None:
        conversation = rejoining.replace_by(unit, known, group)
    unit.adopt(conversation)
    renewal.joined(unit, conversation, private.package)
    noted.forget(unit, group.group_id)
    if place is not None:
        rejoining.take_place(unit, place, conversation, inviter.address)
        return conversation
    rejoins = known is not None and is_member(known.standing)
    if not rejoins:
        unit.records.peers.forget_counts(group.group_id)
        _want_earlier(unit, conversation)
    is_former = former.entry(unit, inviter) is not None
    if is_former and not rejoins:
        noted.invited(unit, conversation, inviter)
    if rejoins:
        rejoining.tell_rejoined(unit, conversation)
    elif metadata.kind == GROUP:
        who = former.words(unit, inviter) if is_former else inviter.address
        others = [user for user in addresses(group.members) if user != unit.me.address]
        more = len(others) - limits.MAX_NAMED_MEMBERS
        names = ", ".join(others[: limits.MAX_NAMED_MEMBERS])
        text = f"{who} added you; in the group: {names}"
        if inviter.address == unit.me.address:
            text = f"your other device added this one; in the group: {names}"
        text += f" and {more:,} others" if more > 0 else ""
        tell(unit, conversation, inviter.address, text)
    return conversation


def _want_earlier(unit: UnitOfWork, conversation: Conversation) -> None:
    """Another device of this user may have texts from before this one was added."""
    group, kind = conversation.group, conversation.record.kind
    others = [one for one in identities(group.members) if one.address == unit.me.address]
    if kind != SELF and group.epoch > FIRST_EPOCH and len(others) > 1:
        wanted.note(unit, group.group_id, 0)


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


def _vouched(
    unit: UnitOfWork, group: Group, validate: GatheringValidator, first: UndecryptableRecord
) -> Identity:
    """The inviter, once the ledger has told of them and of all members. Raises InvalidLeaf."""
    if group.inviter is None:
        raise InvalidWelcome("the Welcome does not say who sent it")
    inviter = identify(group.inviter.credential)
    try:
        validate.require_known()
    except UnknownDeviceError:
        if unit.now_ms - first.since_ms > limits.WELCOME_WAIT_SECONDS * 1000:
            raise RefusedWelcomeError(group.group_id, inviter) from None
        raise
    # By a clock that is hours ahead each lookup is too old to count: then the known chain decides.
    if noted.seen_live(unit, inviter, first.moment) is None and not too_old(unit):
        raise UnknownDeviceError([inviter])
    return inviter


def _own_private(unit: UnitOfWork, welcome: bytes) -> tuple[KeyPackagePrivate, bool]:
    references = welcome_references(welcome)
    for reference in references:
        found = unit.records.key_packages.find(reference)
        if found is not None:
            return KeyPackagePrivate.deserialise(found[0]), found[1]
    key_packages.check_used(unit, references, welcome)
    raise key_packages.NoPackageError(
        "the Welcome is for a key package that this device does not have"
    )


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
        if not is_member(record.standing) or noted.by_former_inviter(unit, record.id):
            continue
        if reaches(unit, unit.open(record.id), address):
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


def other_devices(unit: UnitOfWork, group: Group) -> list[DeviceId]:
    """The recipients of a message in the group."""
    members = identities(group.members)
    return [member.device for member in members if member.device != unit.me.device]


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


def missing_of(unit: UnitOfWork, group: Group, address: str) -> list[DeviceId]:
    """Live devices of another user that are not in the group."""
    present = {member.device for member in identities(group.members)}
    live = unit.chains.live(address) or frozenset()
    return [DeviceId(device) for device in sorted(live - present)]


def mark_stale(conversation: Conversation) -> None:
    """Write in another conversation from now on: a device of the other side is gone."""
    conversation.record = replace(conversation.record, standing=State.STALE.value)


def mark_older_stale(unit: UnitOfWork, record: ConversationRecord) -> None:
    """Write in none of the conversations that this one has replaced: others left them."""
    same = dict(unit.records.conversations.standings(record.kind, record.name))  # newest first
    newest_first = list(same)
    for older in newest_first[newest_first.index(record.id) + 1 :]:
        if is_member(same[older]):
            mark_stale(unit.open(older))


def close_if_alone(unit: UnitOfWork, conversation: Conversation) -> None:
    """Write in another conversation if nobody but this user is left in a direct one."""
    users = addresses(conversation.group.members)
    if conversation.record.kind == DIRECT and users == [unit.me.address]:
        mark_stale(conversation)


def tell(unit: UnitOfWork, conversation: Conversation, sender: str, text: str) -> None:
    occasion = conversation.group.epoch.to_bytes(8, "big")
    history.add_event(unit, conversation.record, occasion, sender, text)
