"""Other Commits of epochs that are past (S6): two branches of one conversation may exist.

The envelope of such a Commit opens, and its content type is in the clear; whether it is authentic
shows in its own epoch only. So it leads to a question to members, once a Commit, and to nothing
else. A device that was removed keeps the epoch whole for a week: another Commit may have ended it.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from blackthorn.device.core import stored
from blackthorn.device.core.members import Identity
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import limits, notes
from blackthorn.device.healing.states import Event, State
from blackthorn.mls.errors import InvalidCommit
from blackthorn.mls.group import processing
from blackthorn.mls.group.group import Group
from blackthorn.mls.limits import MLS_PAST_EPOCHS


class OtherCommitError(InvalidCommit):
    """Another Commit of an epoch that is past than the one that was merged."""

    def __init__(self, conversation: bytes) -> None:
        super().__init__("another change of that time was merged here")
        self.conversation = conversation


_encode = msgspec.msgpack.Encoder().encode
_parcels = msgspec.msgpack.Decoder(list[bytes])


def keep_commit(
    unit: UnitOfWork, conversation: bytes, digest: bytes, parcels: Sequence[bytes]
) -> None:
    """Keep a Commit as it came, for members who miss it (H7)."""
    if sum(map(len, parcels)) <= limits.MAX_KEPT_COMMIT_BYTES:
        data, most = _encode(list(parcels)), limits.MAX_KEPT_COMMITS
        unit.records.healing.keep_commit(conversation, digest, data, unit.now_ms, most)


def kept_commit(unit: UnitOfWork, conversation: bytes, digest: bytes) -> list[bytes]:
    """The parcels of a Commit, empty if it is not kept. Raises DamageError."""
    data = unit.records.healing.kept_commit(conversation, digest)
    return [] if data is None else stored.decode(_parcels, data, "a kept Commit is damaged")


def ended(
    unit: UnitOfWork, conversation: Conversation, epoch: int, digest: bytes, committer: Identity
) -> None:
    """That Commit has ended the epoch."""
    known, made = conversation.record.id, committer.credential().identity
    unit.records.healing.end_branch(known, epoch, digest, made if digest else b"")


def check(
    unit: UnitOfWork, conversation: Conversation, epoch: int, message: bytes, digest: bytes
) -> None:
    """Let no other Commit pass of an epoch that a Commit has ended. Raises OtherCommitError.

    The one that was merged itself fails as any message that is late.
    """
    left = conversation.record.standing == State.LEFT
    if epoch >= conversation.group.epoch and not left:
        return
    if not processing.is_commit(message):
        return
    known = conversation.record.id
    if unit.records.healing.ended_by(known, epoch) != digest:
        raise OtherCommitError(known)


def note(unit: UnitOfWork, error: OtherCommitError, digest: bytes) -> None:
    """Suspect the conversation, once for each Commit."""
    conversation = unit.open(error.conversation)
    known, short = conversation.record.id, digest[:16]
    failed = notes.of(unit.records, known).failed
    if short in failed:
        return
    notes.change(unit, known, failed=[*failed, short][-limits.MAX_FAILED :])
    left = conversation.record.standing == State.LEFT
    if left and go_back(unit, conversation) is None:
        return
    notes.move(unit, unit.open(known), Event.FORKED)
    if left:
        notes.change(unit, known, removed=True)


def keep(unit: UnitOfWork, conversation: Conversation, *, again: bool = True) -> None:
    """Keep the group as it is for a week, with the keys for late messages.

    Unless `again`, one that is kept already stays.
    """
    if not again and unit.records.healing.kept_group(conversation.record.id) is not None:
        return
    group = conversation.group
    for epoch in range(max(0, group.epoch - MLS_PAST_EPOCHS), group.epoch):
        conversation.recall(unit.records, epoch)
    unit.records.healing.keep_group(conversation.record.id, group.serialise(), unit.now_ms)


def go_back(unit: UnitOfWork, conversation: Conversation) -> Conversation | None:
    """Put the group that was kept in its place; None: it is kept no longer."""
    state = unit.records.healing.kept_group(conversation.record.id)
    if state is None:
        return None
    group = Group.deserialise(state)
    back = Conversation(replace(conversation.record, epoch=group.epoch), group)
    unit.records.healing.forget_branches_after(conversation.record.id, group.epoch)
    unit.adopt(back)
    unit.records.healing.forget_group(conversation.record.id)
    return back
