"""Commits to conversations: the rules for them, and what follows when one is merged.

Whether another member's Commit is merged follows from its bytes and the epoch's keys alone, with
one exception: a removal of this device counts once a lookup has shown its committer live.
"""

from collections.abc import Sequence

from blackthorn.device.conversations import (
    conversations,
    former,
    left_out,
    noted,
    other_commits,
    rejoining,
    renewal,
    void,
)
from blackthorn.device.core.group_metadata import GROUP, SELF
from blackthorn.device.core.members import (
    Identity,
    UnknownDeviceError,
    addresses,
    identify,
    identities,
)
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import moving, notes
from blackthorn.device.healing.states import Event, State
from blackthorn.errors import InputError
from blackthorn.ids import Address
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import InvalidCommit


class DoubtfulRemovalError(InvalidCommit):
    """A former device removed this one: the conversation waits for the members' word (H6)."""

    def __init__(self, conversation: bytes, committer: Identity, words: str) -> None:
        super().__init__(f"{words} removed this device")
        self.conversation = conversation
        self.committer = committer


def check_removal(
    unit: UnitOfWork, conversation: Conversation, staged: StagedCommit, moment: int
) -> None:
    """Let a removal of this device count only if a lookup begun after `moment` shows its maker.

    Raises UnknownDeviceError before that lookup, DoubtfulRemovalError.
    """
    committer = identify(staged.committer.credential)
    live = noted.seen_live(unit, committer, moment) if staged.removes_me else True
    if live is None:
        raise UnknownDeviceError([committer])
    if not live:
        words = former.words(unit, committer)
        raise DoubtfulRemovalError(conversation.record.id, committer, words)


def doubt_removal(unit: UnitOfWork, error: DoubtfulRemovalError) -> None:
    """Suspect the conversation of such a removal, and say so once."""
    conversation = unit.open(error.conversation)
    notes.move(unit, conversation, Event.DOUBTFUL_REMOVAL)
    if conversation.record.standing == State.SUSPECT:  # whatever led there: texts wait now
        known, name = conversation.record.id, Event.DOUBTFUL_REMOVAL.name
        notes.change(unit, known, signal=name, since_ms=unit.now_ms, next_ms=unit.now_ms)
    if conversation.record.kind != SELF:
        text = f"{error}; the others are to confirm it"
        conversations.tell(unit, conversation, error.committer.address, text)


def adds_me_again(unit: UnitOfWork, staged: StagedCommit) -> bool:
    """Whether a Commit removes this device and adds it again, for which a Welcome comes."""
    return staged.removes_me and unit.me in rejoining.adds_again(staged)


def merge(
    unit: UnitOfWork, conversation: Conversation, staged: StagedCommit, digest: bytes
) -> None:
    """Merge a checked Commit of that digest, note what it changes, and add events for it."""
    group, by = conversation.group, identify(staged.committer.credential)
    committer = by.address
    before, gone = set(addresses(group.members)), identities(staged.removed)
    removed_me = staged.removes_me
    noted.commit(unit, conversation, staged)
    if removed_me and conversation.record.kind == GROUP:
        other_commits.keep(unit, conversation)
    other_commits.ended(unit, conversation, group.epoch, digest, by)
    renews, found = group.renews(staged), moving.announced(staged.authenticated_data)
    key = None if found is None or removed_me else moving.shared_key(group)
    group.merge(staged)
    if removed_me:
        noted.forget(unit, conversation.record.id)
        notes.move(unit, conversation, Event.REMOVED)
        unit.bump()
        if conversation.record.kind != SELF:  # which nobody is shown
            conversations.tell(unit, conversation, committer, f"{committer} removed you")
        return
    if found is not None and key is not None:
        moving.note(unit, conversation, found, key)
    unit.moved(conversation)
    renewal.committed(unit, conversation, by.device, renews=renews)
    rejoining.note(unit, conversation, staged, by.address)
    former.removed(unit, conversation, staged.removed)
    void.went_on(unit, conversation, staged)
    _tell_change(unit, conversation, committer, before, gone)


def merge_own(unit: UnitOfWork, conversation: Conversation, digest: bytes) -> None:
    """Merge this device's own accepted Commit; the digest is empty if nobody was sent it."""
    group = conversation.group
    staged = group.pending
    if staged is None:
        raise InputError("there is no Commit to merge")
    before, gone = set(addresses(group.members)), identities(staged.removed)
    other_commits.ended(unit, conversation, group.epoch, digest, unit.me)
    renews = group.renews(staged)
    group.merge_pending()
    noted.forget(unit, conversation.record.id)
    unit.moved(conversation)
    renewal.committed(unit, conversation, unit.me.device, renews=renews)
    rejoining.note(unit, conversation, staged, unit.me.address)
    former.removed(unit, conversation, staged.removed)
    _tell_change(unit, conversation, unit.me.address, before, gone)


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
    by_me = committer == unit.me.address
    left_out.removed(unit, conversation.record.id, before - after, by_me=by_me)
    for address in sorted(after - before):
        conversations.tell(unit, conversation, committer, f"{committer} added {address}")
    for address in sorted({device.address for device in gone} - after):
        conversations.tell(unit, conversation, committer, f"{committer} removed {address}")
