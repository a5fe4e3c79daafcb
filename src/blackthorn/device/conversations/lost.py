"""Texts of others that cannot be read here: noted, and closed once their author sends them again.

A text is lost when its envelope and its sender data open but its content does not, or when its
author's counts skip one. Whether the author is told is decided later (`account.lost_reports`).
"""

from typing import Final

from blackthorn.device.conversations import content
from blackthorn.device.core import unit_of_work as units
from blackthorn.device.core.group_metadata import DIRECT, GROUP, SELF
from blackthorn.device.core.members import Identity, identify, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import limits, moving
from blackthorn.device.healing.states import is_member
from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.errors import DecryptionFailed
from blackthorn.ports.device_store import ConversationRecord

DIGEST_BYTES: Final = 16
"""Of a parcel's SHA-256 in reports."""


class LostTextError(DecryptionFailed):
    """A text of `author` whose content does not open: its key was used or erased."""

    def __init__(self, conversation: bytes, author: Identity, error: DecryptionFailed) -> None:
        super().__init__(str(error), error.rule)
        self.conversation = conversation
        self.author = author


def check(
    unit: UnitOfWork, conversation: Conversation, author: Member, error: DecryptionFailed
) -> None:
    """Raises LostTextError for a text of another device, in a conversation that is shown."""
    device = identify(author.credential)
    if device != unit.me and conversation.record.kind != SELF:
        raise LostTextError(conversation.record.id, device, error) from error


def note(unit: UnitOfWork, error: LostTextError, parcel: bytes) -> None:
    """Note a parcel, once."""
    due_ms = unit.now_ms + _jitter_ms(unit)
    lost, author = unit.records.lost, error.author.device
    lost.add(parcel, error.conversation, author, due_ms, limits.MAX_LOST_TEXTS)


def gap_due_ms(unit: UnitOfWork) -> int:
    """When the author of a missing text is told, if it does not come until then."""
    return unit.now_ms + limits.MISSING_WAIT_SECONDS * 1000 + _jitter_ms(unit)


def _jitter_ms(unit: UnitOfWork) -> int:
    """Not all members at once: one report, sent to the group, may serve all."""
    return int.from_bytes(unit.random(4), "big") % (limits.REPORT_SPREAD_SECONDS * 1000)


def place_of(
    unit: UnitOfWork, heard_in: ConversationRecord, sender: Identity, room: bytes
) -> ConversationRecord | None:
    """The conversation to which a text belongs that goes again. Raises ContentError.

    It may come directly, from an own device, or in its group; its sender must be a member of a
    group now, as this device sees it. None: an own device is in one in which this device is not.
    """
    place = unit.records.conversations.get(room)
    if place is None and heard_in.kind == DIRECT:
        return heard_in  # of a direct conversation that this one replaces
    if place is not None and place.kind == GROUP:
        present = unit.open(moving.newest(unit, room))
        elsewhere = heard_in.kind == GROUP and heard_in.id not in (room, present.record.id)
        in_it = is_member(present.record.standing)
        members = identities(present.group.members) if in_it else []
        if sender in members and not elsewhere:
            return place
    if place is not None and place.kind == DIRECT:
        same_people = (heard_in.kind, heard_in.name) == (DIRECT, place.name)
        if same_people or heard_in.kind == SELF:
            return place
    if heard_in.kind == SELF:
        return None
    raise content.ContentError("a text that goes again is of another conversation")


def came_again(unit: UnitOfWork, room: bytes, sender: Identity, digests: bytes) -> None:
    """A text with these parcels is here: they are no loss any more."""
    steps = range(0, len(digests), DIGEST_BYTES)
    parts = {digests[at : at + DIGEST_BYTES] for at in steps}
    for parcel in unit.records.lost.parcels_of(room, sender.device):
        if parcel[:DIGEST_BYTES] in parts:
            unit.records.lost.close(parcel)
            unit.records.parcels.mark_seen(parcel, unit.now_ms)
            reached = units.generation(unit.records).to_bytes(8, "big")
            unit.records.settings.put(units.ASK_AGAIN, reached)  # to acknowledge it
