"""Tell authors which of their texts could not be read here, and the person what stays lost (H15).

A report goes directly to the author, or to own devices. After a rejoin one message in the group
asks all authors for what was written meanwhile.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from blackthorn.device.conversations import content, heal_messages, lost
from blackthorn.device.core import group_metadata, history
from blackthorn.device.core.group_metadata import GROUP, SELF
from blackthorn.device.core.members import Identity, identify, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import limits, moving, notes
from blackthorn.device.healing.states import State, is_member
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.device.transparency.lookup_queue import reached
from blackthorn.mls.group import state_rows
from blackthorn.ports.device_healing import LostText
from blackthorn.wire.words import count

READER: Final = 0
"""The role of this device in the pace of its reports to another one."""

DAY_MS: Final = 24 * 3_600_000
_MOST: Final = 4_096
"""Lost texts that are looked at together."""


def report(unit: UnitOfWork) -> list[int]:
    """Take the next step for lost texts for which it is due; the rows of reports enqueued.

    Everything that waited was delivered.
    """
    due = unit.records.lost.due(unit.now_ms, DAY_MS, _MOST)
    rows: list[int] = []
    for (known, device), texts in groupby(due, lambda text: (text.conversation, text.device)):
        ready = [text for text in texts if not _is_here(unit, text)]
        told = [text for text in ready if text.asked]
        to_ask = [text for text in ready if not text.asked]
        if told:
            _tell(unit, known, device, told)
        if to_ask:
            rows += _ask(unit, known, device, to_ask)
    return rows


def _is_here(unit: UnitOfWork, text: LostText) -> bool:
    """Whether a parcel was opened meanwhile."""
    if not text.parcel or not unit.records.parcels.seen(text.parcel):
        return False
    unit.records.lost.close(text.parcel)
    return True


def _ask(unit: UnitOfWork, known: bytes, device: bytes, texts: Sequence[LostText]) -> list[int]:
    author = _author(unit, known, device)
    standing = unit.records.conversations.standing(moving.newest(unit, known))
    if author is None or standing is None or not is_member(standing):
        _tell(unit, known, device, texts)
        return []
    if not _may_report(unit, device):
        return []
    parcels = [text for text in texts if text.parcel][: limits.MAX_LOST_ITEMS]
    counts = [text for text in texts if not text.parcel][: limits.MAX_LOST_ITEMS]
    digests = [text.parcel[: lost.DIGEST_BYTES] for text in parcels]
    asked = heal_messages.Lost(known, device, digests, [text.count for text in counts])
    for text in (*parcels, *counts):
        unit.records.lost.move(text, unit.now_ms + limits.LOST_TOLD_SECONDS * 1000)
    name = "" if author.address == unit.me.address else author.address
    part = heal_messages.encode_part(asked)
    return [SendHeal(name, unit.random(content.SALT_BYTES), part).enqueue(unit)]


def _author(unit: UnitOfWork, known: bytes, device: bytes) -> Identity | None:
    """The author's device, if it is in the conversation."""
    members = identities(unit.open(known).group.members)
    return next((member for member in members if member.device == device), None)


def _may_report(unit: UnitOfWork, device: bytes) -> bool:
    """Count a report to a device against its bounds; False: not now."""
    pause_ms = limits.REPORT_PAUSE_SECONDS * 1000
    pace = unit.records.lost.pace(device, READER, unit.now_ms // DAY_MS)
    due = reached(pace.next_ms, unit.now_ms, pause_ms)
    if not due or pace.count >= limits.MAX_REPORTS_A_DAY:
        return False
    pace = replace(pace, count=pace.count + 1, next_ms=unit.now_ms + pause_ms)
    unit.records.lost.put_pace(device, READER, pace)
    return True


def _tell(unit: UnitOfWork, known: bytes, device: bytes, texts: Sequence[LostText]) -> None:
    """Say what is lost; nothing more is done about it, but it is shown if it comes."""
    for text in texts:
        unit.records.lost.move(text, None)
    place = unit.records.conversations.get(known)
    if place is None or place.kind == SELF:
        return
    name = _name(unit, known, device)
    what = f"{count(len(texts), 'text')} of {name}"
    said = f"{what} could not be read on this device, and did not come again"
    occasion = texts[0].parcel or texts[0].count.to_bytes(8, "big")
    history.add_event(unit, place, device + occasion, name, said)


def _name(unit: UnitOfWork, known: bytes, device: bytes) -> str:
    """The user of a device that is or was in the conversation."""
    spans = unit.records.groups.read(known, state_rows.Table.LEAF_SPAN, ())
    found = (identify(member.credential) for member in state_rows.all_members(spans))
    return next((one.address for one in found if one.device == device), "a former member")


def restored(unit: UnitOfWork) -> None:
    """Ask all authors for what the copy of a restored folder has read since.

    This device may follow the others by Commits that they give it, and no count of an author whom
    it never read shows what is missing.
    """
    for record in unit.records.conversations.all():
        if record.kind != SELF and is_member(record.standing):
            heard = unit.records.peers.tallies(record.id, limits.MAX_TALLIES)
            notes.change(unit, record.id, missed=0, tallies=heard)


def missed(unit: UnitOfWork, conversation: Conversation) -> list[int]:
    """Once this device follows the conversation, ask all authors for what it has missed."""
    record = conversation.record
    noted = notes.of(unit.records, record.id)
    if noted.missed < 0 or record.standing != State.FOLLOWING:
        return []
    notes.change(unit, record.id, missed=-1, tallies=[])
    if record.kind == SELF:
        return []
    asked = [heal_messages.Missed(record.id, noted.missed, noted.tallies)]
    facts = group_metadata.read_group_metadata(conversation.group.group_context_extensions)
    before = unit.records.conversations.get(facts.replaces)
    if before is not None and notes.of(unit.records, before.id).successor == record.id:
        heard = unit.records.peers.tallies(before.id, limits.MAX_TALLIES)
        asked.append(heal_messages.Missed(before.id, before.epoch, heard))
    group = record.id if record.kind == GROUP else b""
    parts = [heal_messages.encode_part(one) for one in asked]
    return [
        SendHeal(record.name, unit.random(content.SALT_BYTES), part, group=group).enqueue(unit)
        for part in parts
    ]
