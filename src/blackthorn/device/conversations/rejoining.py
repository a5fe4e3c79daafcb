"""Being added again: which Welcome to a known conversation is taken, and what members note of it.

A device that asks offers a key package made for one conversation. It is removed and added again in
one Commit by a member (H10), never by a Commit from outside.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device.conversations import key_packages, left_out, noted, other_commits
from blackthorn.device.core import group_metadata, history
from blackthorn.device.core.members import Identity, addresses, identify, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import decisions, limits, moving, notes, past_members, wanted
from blackthorn.device.healing.states import Event, State, is_member
from blackthorn.device.transparency import copies
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.errors import UserError
from blackthorn.mls import suites
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import InvalidWelcome
from blackthorn.mls.extension import Extension, find
from blackthorn.mls.framing.key_package import KeyPackage
from blackthorn.mls.group.group import Group
from blackthorn.ports.device_store import ConversationRecord, HistoryQuery, Place

NONCE_BYTES: Final = 16
_BOUND: Final = b"bound"
_VERSION: Final = b"\x01"


class KnownConversationError(InvalidWelcome):
    """A Welcome to a conversation that this device is in: it waits until members were asked."""

    def __init__(self, conversation: bytes) -> None:
        super().__init__("the Welcome is for a conversation that this device is in, or was")
        self.conversation = conversation


def bound_to(conversation: bytes, nonce: bytes) -> Extension:
    """The extension of a key package that is for one conversation and one question."""
    return Extension(APPLICATION_EXTENSION, _VERSION + conversation + nonce)


def is_bound_to(package: KeyPackage, conversation: bytes, nonce: bytes) -> bool:
    """Whether the key package was made for this conversation and question."""
    return find(package.extensions, APPLICATION_EXTENSION) == _VERSION + conversation + nonce


def is_bound(package: KeyPackage) -> bool:
    """Whether the key package was made for one conversation."""
    return find(package.extensions, APPLICATION_EXTENSION) is not None


def check_package(package: KeyPackage, conversation: bytes) -> None:
    """A package that was made for another conversation opens none. Raises InvalidWelcome."""
    bound = find(package.extensions, APPLICATION_EXTENSION)
    if bound is not None and bound[len(_VERSION) : -NONCE_BYTES] != conversation:
        raise InvalidWelcome("the Welcome uses a key package made for another conversation")


def check_own(unit: UnitOfWork, packages: Sequence[KeyPackage]) -> None:
    """Raise an alarm if a Commit adds this device again by a key package that it did not make.

    Only another copy of its keys can have made it. A restored copy was told of before.
    """
    store = unit.records.key_packages
    for package in packages:
        mine = package.leaf.signature_key == unit.keys.identity_public
        uses = (store.first_use(kind + package.reference) for kind in (_BOUND, key_packages.USED))
        known = store.find(package.reference) is not None or any(one is not None for one in uses)
        if mine and not known and not copies.recent(unit):
            text = "this device was added to a group again by a key package that it did not make"
            address, fact = unit.me.address, package.reference.hex()
            raise_alarm(unit.records, copies.CLONE, address, text, unit.now_ms, fact=fact)


def used(unit: UnitOfWork, reference: bytes) -> None:
    """Forget a key package that was made for one conversation: a second Welcome is no alarm."""
    unit.records.key_packages.remove(reference)
    unit.records.key_packages.met(_BOUND + reference, b"", unit.now_ms)


def check(unit: UnitOfWork, known: ConversationRecord, group: Group) -> None:
    """Whether a Welcome to a known conversation may be taken (H12). Raises InvalidWelcome."""
    if known.standing not in (State.LEFT, State.BEHIND, State.ASKING):
        raise KnownConversationError(known.id)
    before = unit.open(known.id).group
    facts, now = (
        group_metadata.read_group_metadata(one.group_context_extensions) for one in (before, group)
    )
    if facts != now or before.suite != group.suite:
        raise InvalidWelcome("the Welcome is for a known conversation with other facts")
    if group.epoch > known.epoch + limits.MAX_EPOCHS_AHEAD:
        raise InvalidWelcome("the Welcome is too far ahead of what this device knows")
    if known.standing == State.LEFT and group.epoch <= known.epoch:
        raise InvalidWelcome("the Welcome is of an epoch before this device was removed")


def place_for(
    unit: UnitOfWork, group: Group, facts: group_metadata.GroupMetadata
) -> Conversation | None:
    """The conversation whose place the group of a Welcome takes. Raises InvalidWelcome.

    A group that was announced there must be that one, with the same devices. One that was not is
    taken only where this device has fallen behind, and then confirmed as after a rejoin.
    """
    standing = unit.records.conversations.standing(facts.replaces) if facts.replaces else None
    if standing is None or not is_member(standing):
        return None
    place = unit.open(facts.replaces)
    before = group_metadata.read_group_metadata(place.group.group_context_extensions)
    stronger = suites.is_above(group.suite.number, place.group.suite.number)
    if (facts.kind, facts.name) != (before.kind, before.name) or not stronger:
        raise InvalidWelcome("the group replaces one with other facts, or of no weaker suite")
    if _is_announced(unit, place, group):
        return place
    if standing not in (State.BEHIND, State.ASKING):
        raise InvalidWelcome("the group replaces one that this device follows, unannounced")
    return place


def _is_announced(unit: UnitOfWork, place: Conversation, group: Group) -> bool:
    """Whether it is the group that a Commit announced. Raises InvalidWelcome: it should be."""
    announced = notes.of(unit.records, place.record.id).moving
    if announced is None or announced.group != group.group_id or group.epoch != moving.FIRST_EPOCH:
        return False
    same = set(identities(place.group.members)) == set(identities(group.members))
    if announced.mark != moving.mark(group) or announced.epoch != place.group.epoch or not same:
        raise InvalidWelcome("the group is not the one that was announced")
    return True


def take_place(unit: UnitOfWork, place: Conversation, made: Conversation, by: str) -> None:
    """Let the group of a Welcome take the place of another; what waits there waits here."""
    if _is_announced(unit, place, made.group):
        noted.move(unit, place.record.id, made.record.id)
        _tell_moved(unit, made, by)
    else:
        _found_later(unit, place, made)
    _take_place(unit, place, made)


def take_own_place(unit: UnitOfWork, place: Conversation, made: Conversation) -> None:
    """Let an own new group take the place of another."""
    _tell_moved(unit, made, unit.me.address)
    _take_place(unit, place, made)


def _take_place(unit: UnitOfWork, place: Conversation, made: Conversation) -> None:
    old, new = place.record.id, made.record.id
    left_out.move(unit, old, new)
    notes.move(unit, place, Event.REPLACED)
    notes.change(unit, old, successor=new, moving=None, wishes=[], replies=[], questions=[])


def _tell_moved(unit: UnitOfWork, made: Conversation, by: str) -> None:
    if made.record.kind != group_metadata.SELF:
        name = made.group.suite.name
        tell(unit, made, by, f"{by} moved this conversation to a stronger suite: {name}")


def _found_later(unit: UnitOfWork, place: Conversation, conversation: Conversation) -> None:
    """This device was added to the new group later: members are to confirm it (H12)."""
    rejoin = _rejoin(unit, place, conversation.group)
    present = addresses(conversation.group.members)
    asked = {user for user in rejoin.users if user in present} - {unit.me.address, rejoin.by}
    state = State.UNCONFIRMED if asked or rejoin.strangers else State.FOLLOWING
    conversation.record = replace(conversation.record, standing=state.value)
    known, now_ms = conversation.record.id, unit.now_ms
    notes.change(unit, known, rejoin=rejoin, missed=0, since_ms=now_ms, next_ms=now_ms)
    for room in (place.record.id, known):
        wanted.note(unit, room, rejoin.opened_ms)
    tell_rejoined(unit, conversation)


def replace_by(unit: UnitOfWork, known: ConversationRecord, group: Group) -> Conversation:
    """The known conversation with the group of a Welcome, in the state to which it leads."""
    before = unit.open(known.id)
    left = known.standing == State.LEFT
    rejoin = _rejoin(unit, before, group)
    healing = notes.of(unit.records, known.id)
    if healing.parted:
        unit.records.healing.forget_branches_after(known.id, healing.parted)
    other_commits.keep(unit, before, again=healing.rejoin is None)
    asked = {user for user in rejoin.users if user in addresses(group.members)}
    known_to_all = not rejoin.strangers and not asked - {unit.me.address, rejoin.by}
    state = notes.move(unit, before, Event.WELCOME_KNOWN if known_to_all else Event.WELCOME)
    missed, tallies = healing.missed, healing.tallies
    if missed < 0 and before.group.active:  # else it read all until it was removed
        missed = healing.parted or known.epoch
        tallies = unit.records.peers.tallies(known.id, limits.MAX_TALLIES)
    notes.change(
        unit,
        known.id,
        rejoin=None if left else rejoin,
        parted=0,
        missed=missed,
        tallies=tallies,
        removals=[*healing.removals, *_added_there(unit, before, group, healing.parted)][
            -limits.MAX_REMOVALS :
        ],
    )
    if not left and known.kind != group_metadata.SELF:
        wanted.note(unit, known.id, rejoin.opened_ms)
    standing = state.value
    group.continue_from(before.group)
    return Conversation(replace(known, standing=standing, epoch=group.epoch), group)


def _added_there(
    unit: UnitOfWork, before: Conversation, group: Group, parted: int
) -> list[notes.Removal]:
    """Devices of users who were added on the branch that this device leaves: they are to be told.

    `parted`: the last epoch of both, 0 if there is one branch. Nobody here adds them unasked.
    """
    known, users = before.record.id, addresses(before.group.members)
    tellers = decisions.in_order(known, users, unit.now_ms)[: limits.MAX_PARTED_TELLERS]
    if not parted or unit.me.address not in tellers:
        return []
    then = past_members.members_at(unit, known, parted)
    there = {one.address for one in [*then, *identities(group.members)]}
    by = "" if group.inviter is None else str(identify(group.inviter.credential).address)
    return [
        notes.Removal(one.device, by, parted, unit.now_ms, to_tell=one.address, told=True)
        for one in identities(before.group.members)
        if one.address not in there
    ]


def go_back(unit: UnitOfWork, conversation: Conversation) -> Conversation:
    """Nobody has confirmed a rejoin, nor answered since: the conversation with its last group.

    It may have been a branch that only its maker knows, and that is ahead of the true one.
    """
    known = conversation.record.id
    rejoin = notes.of(unit.records, known).rejoin
    back = None if rejoin is None else other_commits.go_back(unit, conversation)
    if back is None:
        return conversation if rejoin is None else _give_back(unit, conversation)
    notes.change(unit, known, since_ms=unit.now_ms, turn=0, next_ms=unit.now_ms, replies=[])
    return back


def _give_back(unit: UnitOfWork, conversation: Conversation) -> Conversation:
    """The conversation whose place a group has taken that nobody confirms, if there is one."""
    facts = group_metadata.read_group_metadata(conversation.group.group_context_extensions)
    if notes.of(unit.records, facts.replaces).successor != conversation.record.id:
        return conversation
    place = unit.open(facts.replaces)
    conversation.record = replace(conversation.record, standing=State.STALE.value)
    place.record = replace(place.record, standing=State.ASKING.value)
    now_ms = unit.now_ms
    notes.change(unit, conversation.record.id, rejoin=None, successor=facts.replaces)
    notes.change(unit, facts.replaces, successor=b"", since_ms=now_ms, turn=0, next_ms=now_ms)
    return place


def _rejoin(unit: UnitOfWork, before: Conversation, group: Group) -> notes.Rejoin:
    earlier = notes.of(unit.records, before.record.id).rejoin
    users = [str(user) for user in addresses(before.group.members)]
    if earlier is not None:  # its tree was never confirmed
        users = earlier.users
    by = "" if group.inviter is None else str(identify(group.inviter.credential).address)
    strangers = [str(user) for user in addresses(group.members) if user not in users]
    if earlier is not None:
        return notes.Rejoin(users, by, strangers, earlier.opened_ms, earlier.sent_again)
    return notes.Rejoin(users, by, strangers, opened_ms(unit, before.record))


def opened_ms(unit: UnitOfWork, place: ConversationRecord) -> int:
    """When the last text or Commit was opened in the conversation, in Unix milliseconds."""
    begun = unit.records.healing.branch(place.id, place.epoch)
    places = [Place(place.id, place.kind, place.name)]
    query = HistoryQuery(received=True, opened=True, places=places)
    lines = unit.records.history.latest(1, query)
    return max(lines[-1].received_ms if lines else 0, begun[1] if begun else 0)


def tell_rejoined(unit: UnitOfWork, conversation: Conversation) -> None:
    """Say who added this device again, and who came or went meanwhile."""
    rejoin = notes.of(unit.records, conversation.record.id).rejoin
    if rejoin is None or conversation.record.kind == group_metadata.SELF:
        return
    present = addresses(conversation.group.members)
    gone = [user for user in rejoin.users if user not in present]
    text = f"{rejoin.by} added this device again; what was written in between is asked for"
    text += f"; new in the group: {', '.join(rejoin.strangers)}" if rejoin.strangers else ""
    text += f"; no longer there: {', '.join(gone)}" if gone else ""
    tell(unit, conversation, rejoin.by, text)


def confirm(unit: UnitOfWork, conversation: Conversation) -> None:
    """The person says that the members after a rejoin are right. Raises UserError."""
    rejoin = notes.of(unit.records, conversation.record.id).rejoin
    if rejoin is None or conversation.record.standing == State.FOLLOWING:
        raise UserError("nothing is to be confirmed there")
    notes.move(unit, conversation, Event.SETTLED)


def adds_again(staged: StagedCommit) -> list[Identity]:
    """The devices that a Commit removes and adds in one."""
    added = identities(staged.added)
    return [device for device in identities(staged.removed) if device in added]


def note(unit: UnitOfWork, conversation: Conversation, staged: StagedCommit, by: str) -> None:
    """Note what a merged Commit of `by` did, for devices that ask, and say who was added again."""
    again, gone = adds_again(staged), identities(staged.removed)
    if gone:
        epoch, now_ms, known = staged.epoch - 1, unit.now_ms, conversation.record.id
        before = notes.of(unit.records, known)
        removals = [
            notes.Removal(one.device, by, epoch, now_ms) for one in gone if one not in again
        ]
        additions = [notes.Addition(one.device, epoch, now_ms) for one in again]
        notes.change(
            unit,
            known,
            removals=[*before.removals, *removals][-limits.MAX_REMOVALS :],
            additions=[*before.additions, *additions][-limits.MAX_REMOVALS :],
        )
    state = State(conversation.record.standing)
    if not decisions.may_be_parted(notes.of(unit.records, conversation.record.id)):
        state = notes.move(unit, conversation, Event.MERGED)
    if state is State.UNCONFIRMED and notes.of(unit.records, conversation.record.id).rejoin:
        notes.change(unit, conversation.record.id, turn=0, next_ms=unit.now_ms, replies=[])
    for device in again if conversation.record.kind != group_metadata.SELF else []:
        tell(unit, conversation, by, f"{_named(unit, device)} was added again by {by}")


def still_writes(unit: UnitOfWork, conversation: Conversation, sender: Identity) -> None:
    """A device wrote in an epoch that is past: if it was removed since, it is to be told, once.

    By few users of the group, others each hour.
    """
    known, members = conversation.record.id, conversation.group.members
    tellers = decisions.in_order(known, addresses(members), unit.now_ms)[: limits.MAX_TELLERS]
    if unit.me.address not in tellers:
        return
    removals = notes.of(unit.records, known).removals
    live = unit.chains.live(sender.address) or ()
    if sender.device not in live or sender in identities(members):
        return
    for place, one in enumerate(removals):
        if one.device == sender.device and not one.told:
            tell = msgspec.structs.replace(one, to_tell=sender.address, told=True)
            notes.change(unit, known, removals=[*removals[:place], tell, *removals[place + 1 :]])


def _named(unit: UnitOfWork, device: Identity) -> str:
    chain = unit.chains.of(device.address)
    known = None if chain is None else chain.device(device.device)
    return f"a device of {device.address}" if known is None else f"{device.address}'s {known.name}"


def tell(unit: UnitOfWork, conversation: Conversation, sender: str, text: str) -> None:
    """Add an event once an epoch."""
    occasion = conversation.group.epoch.to_bytes(8, "big")
    history.add_event(unit, conversation.record, occasion, sender, text)
