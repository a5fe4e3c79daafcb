"""Moves to a stronger suite: another group takes the place of a conversation's.

A member makes the new group of the same devices and sends its Welcome in one posting with a Commit
to the old one, which is ordered as any other and announces the new group in its authenticated data.
So one of two moves is accepted, and all members take the same group or none. The first epoch of the
new group depends on a key of the old one, so that only its members can make it, and a thief of old
key packages cannot read it. The old group stays as it is for those to whom the new one does not
come: they ask.
"""

from typing import Final, NamedTuple

from blackthorn.crypto.secret import Secret
from blackthorn.device.core.unit_of_work import BRANCH_LABEL, Conversation, UnitOfWork
from blackthorn.device.healing import decisions, limits, notes
from blackthorn.device.healing.states import State
from blackthorn.mls.group.group import Group
from blackthorn.wire.tls import u64

LABEL: Final = "blackthorn move"
ID_BYTES: Final = 32
FIRST_EPOCH: Final = 1
"""The epoch that the Commit begins by which a new group's members are added."""
_VERSION: Final = b"blackthorn move 1"
_MARK_BYTES: Final = 16
_PSK_BYTES: Final = 32
MOVING: Final = "this conversation moves to a stronger suite, and it waits"


class Announcement(NamedTuple):
    """The new group's id, and what only its first epoch exports."""

    group: bytes
    mark: bytes


def mark(group: Group) -> bytes:
    """What stands for the present epoch of a group."""
    return group.export(BRANCH_LABEL, b"", _MARK_BYTES)


def announce(made: Group) -> bytes:
    """The authenticated data of the Commit that announces a new group in its first epoch."""
    return _VERSION + made.group_id + mark(made)


def announced(data: bytes) -> Announcement | None:
    """What a Commit announces; None: no move."""
    group, end = data[len(_VERSION) :][:ID_BYTES], data[len(_VERSION) + ID_BYTES :]
    if not data.startswith(_VERSION) or len(end) != _MARK_BYTES:
        return None
    return Announcement(group, end)


def shared_key(group: Group) -> tuple[bytes, Secret]:
    """Id and value of the pre-shared key by which a new group depends on this epoch."""
    name = LABEL.encode() + group.group_id + u64(group.epoch)
    return name, Secret(group.export(LABEL, b"", _PSK_BYTES))


def shared_keys(unit: UnitOfWork) -> dict[bytes, Secret]:
    """The pre-shared keys of announced moves, by id."""
    busy = unit.records.healing.restless([state.value for state in State])
    found = (notes.of(unit.records, conversation).moving for conversation in busy)
    return {moving.key_name: Secret(moving.key) for moving in found if moving is not None}


def note(
    unit: UnitOfWork, conversation: Conversation, found: Announcement, key: tuple[bytes, Secret]
) -> None:
    """Wait for the Welcome of an announced group; `key` is of the epoch that the Commit ended."""
    moving = notes.Moving(
        found.group, found.mark, conversation.group.epoch, key[0], key[1].expose(), unit.now_ms
    )
    notes.change(unit, conversation.record.id, moving=moving)


def is_pending(unit: UnitOfWork, conversation: bytes) -> bool:
    """Whether the Welcome of an announced group is waited for."""
    moving = notes.of(unit.records, conversation).moving
    return moving is not None and not decisions.is_overdue(moving, unit.now_ms)


def newest(unit: UnitOfWork, conversation: bytes) -> bytes:
    """The group that has taken a conversation's place in the end, itself if none has."""
    for _ in range(limits.MAX_MOVES):
        following = notes.of(unit.records, conversation).successor
        if not following or unit.records.conversations.standing(following) is None:
            return conversation
        conversation = following
    return conversation
