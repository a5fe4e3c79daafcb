"""Send own texts again to members who could not read them (H16 to H18).

Only this device's own texts, of the last 30 days, and only to a device that was a member in the
epoch in which the text was sealed and is one now. A first report is answered directly, the report
of a second user in the group, if nobody has joined it since.
"""

import hmac
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from blackthorn.device.conversations import content, heal_messages, lost
from blackthorn.device.conversations.heal_messages import Again, Lost, Missed
from blackthorn.device.core import history
from blackthorn.device.core.group_metadata import GROUP, SELF
from blackthorn.device.core.members import Identity, identities
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import limits, moving, notes, past_members
from blackthorn.device.healing.states import State, is_member
from blackthorn.device.operations.healing import send_heal
from blackthorn.device.transparency import local_chain
from blackthorn.device.transparency.lookup_queue import passed
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.device_healing import SentText, TextReport
from blackthorn.ports.device_store import ConversationRecord
from blackthorn.wire.words import count

AUTHOR: Final = 1
"""The role of this device in the pace of what it sends again to another one."""

DAY_MS: Final = 24 * 3_600_000
_CHECKED: Final = "late-texts-checked-ms"
"""The setting with the time until which accepted texts were checked for being late."""

_WHOLE_GROUP: Final = b""


def answer(unit: UnitOfWork, heard: notes.Heard, asked: Lost | Missed) -> list[int]:
    """Send again what a device could not read; the rows enqueued."""
    place = unit.records.conversations.get(asked.conversation)
    reader = Identity(Address(heard.user), DeviceId(heard.device))
    if place is None or place.kind == SELF or not _is_live(unit, reader):
        return []
    if isinstance(asked, Lost) and asked.device != unit.me.device:
        return []
    texts = _asked_for(unit, place, reader, asked)
    entitled = [text for text in texts if _is_entitled(unit, place, reader, text)]
    if texts and not entitled:
        _tell(unit, place, reader, f"{count(len(texts), 'text')} written when it was no member")
    rows: list[int] = []
    for number, text in enumerate(entitled):
        if not _may_send(unit, reader.device):
            left = count(len(entitled) - number, "text")
            _tell(unit, place, reader, f"{left}: too many were sent to it again today")
            break
        rows += _send(unit, place, reader, text)
    return rows


def _tell(unit: UnitOfWork, place: ConversationRecord, reader: Identity, what: str) -> None:
    """Say once a day that something was asked for and did not go again."""
    said = f"a device of {reader.address} asks for {what}: not sent again"
    occasion = reader.device + (unit.now_ms // DAY_MS).to_bytes(8, "big")
    history.add_event(unit, place, occasion, reader.address, said)


def _is_live(unit: UnitOfWork, reader: Identity) -> bool:
    if reader.address == unit.me.address:
        own = local_chain.own(unit)
        return own is not None and any(device.id == reader.device for device in own.devices)
    return reader.device in (unit.chains.live(reader.address) or ())


# --- What is asked for ----------------------------------------------------------------------


def _asked_for(
    unit: UnitOfWork, place: ConversationRecord, reader: Identity, asked: Lost | Missed
) -> list[SentText]:
    """The own texts that a message names. What this device never sent is told."""
    known = unit.records.healing.sent_in(place.id)
    if isinstance(asked, Missed):
        heard = dict(asked.heard).get(unit.me.device, 0)
        found = [text for text in known if text.count > heard and text.epoch >= asked.epoch]
        return found[-limits.MAX_SENT_AGAIN :]
    counts = set(asked.counts)
    texts = [text for text in known if text.count in counts or _named(text, asked.digests)]
    strange = [one for one in asked.digests if not any(_named(text, [one]) for text in known)]
    if strange or any(one > place.sent for one in counts):
        _tell(unit, place, reader, "what it took for texts of this device, which never sent them")
    elif counts - {text.count for text in known}:
        _tell(unit, place, reader, "texts that were sent too long ago")
    return [text for text in texts if text.count]


def _named(text: SentText, digests: Sequence[bytes]) -> bool:
    """Whether a parcel of the text has one of these digests."""
    size = lost.DIGEST_BYTES
    own = [text.digests[at : at + size] for at in range(0, len(text.digests), size)]
    return any(hmac.compare_digest(one, other) for one in own for other in digests)


def _is_entitled(
    unit: UnitOfWork, place: ConversationRecord, reader: Identity, text: SentText
) -> bool:
    """Whether the device was a member when the text was sealed, and is one now."""
    if place.kind != GROUP and reader.address not in (place.name, unit.me.address):
        return False
    if reader not in past_members.members_at(unit, place.id, text.epoch):
        return False
    if place.kind != GROUP and place.standing == State.STALE:
        return True  # the conversation that takes its place has the device, or none gets it
    present = unit.open(moving.newest(unit, place.id))
    return is_member(present.record.standing) and reader in identities(present.group.members)


def _may_send(unit: UnitOfWork, device: bytes) -> bool:
    """Count a text against what goes again to a device in a day."""
    pace = unit.records.lost.pace(device, AUTHOR, unit.now_ms // DAY_MS)
    if pace.count >= limits.MAX_AGAIN_A_DAY:
        return False
    unit.records.lost.put_pace(device, AUTHOR, replace(pace, count=pace.count + 1))
    return True


# --- Sending --------------------------------------------------------------------------------


def _send(
    unit: UnitOfWork, place: ConversationRecord, reader: Identity, text: SentText
) -> list[int]:
    """Send one text directly, or at a second user's report in the group."""
    reports = {one.device: one for one in unit.records.lost.reports(place.id, text.message)}
    part = _part(unit, place, text)
    if part is None:
        return []
    pause_ms = limits.AGAIN_PAUSE_SECONDS * 1000
    grouped, before = reports.get(_WHOLE_GROUP), reports.get(reader.device)
    if grouped is not None and not passed(grouped.at_ms, unit.now_ms, pause_ms):
        return []
    users = {one.user for one in reports.values()} - {"", unit.me.address, reader.address}
    mine = reader.address == unit.me.address
    times = 0 if before is None else before.times
    if before is not None:
        too_often = times >= limits.MAX_AGAIN_TO_DEVICE
        if too_often or not passed(before.at_ms, unit.now_ms, pause_ms):
            return []
    _note(unit, text, reader.device, reader.address, times + 1)
    in_it = place.kind == GROUP and is_member(place.standing)
    second = in_it and users and not mine and grouped is None
    if second and not past_members.joined_since(unit, place.id, text.epoch):
        _note(unit, text, _WHOLE_GROUP, "", 1)
        return [_to_group(unit, place, text, part, reader)]
    name = "" if mine else reader.address
    salt = unit.random(content.SALT_BYTES)
    return [send_heal.SendHeal(name, salt, part, device=reader.device).enqueue(unit)]


def _note(unit: UnitOfWork, text: SentText, device: bytes, user: str, times: int) -> None:
    made = TextReport(text.conversation, text.message, device, user, times, unit.now_ms)
    unit.records.lost.put_report(made)


def _to_group(
    unit: UnitOfWork,
    place: ConversationRecord,
    text: SentText,
    part: bytes,
    reader: Identity | None,
) -> int:
    device, user = (b"", "") if reader is None else (reader.device, reader.address)
    salt = unit.random(content.SALT_BYTES)
    operation = send_heal.SendHeal(
        user, salt, part, device=device, group=place.id, of_epoch=text.epoch
    )
    return operation.enqueue(unit)


def _part(unit: UnitOfWork, place: ConversationRecord, text: SentText) -> bytes | None:
    """The text as it goes again; None if the history does not have its words."""
    line = unit.records.history.get(text.message)
    if line is None or line.sort != "text":
        return None
    body = content.encode(content.TextContent(text.salt, line.text, text.sent_ms, text.count))
    return heal_messages.encode_part(Again(place.id, body, text.digests))


def late(unit: UnitOfWork) -> list[int]:
    """H18: on a new connection, send again what was accepted long after its epoch.

    Everything that waited was delivered.
    """
    checked_ms = int.from_bytes(unit.records.settings.get(_CHECKED) or b"", "big")
    unit.records.settings.put(_CHECKED, unit.now_ms.to_bytes(8, "big"))
    rows: list[int] = []
    for text in unit.records.healing.accepted_since(min(checked_ms, unit.now_ms)):
        place = unit.records.conversations.get(text.conversation)
        if place is None or not is_member(place.standing) or not _is_late(unit, place, text):
            continue
        reports = unit.records.lost.reports(place.id, text.message)
        part = _part(unit, place, text)
        if part is None or any(one.device == _WHOLE_GROUP for one in reports):
            continue
        if past_members.joined_since(unit, place.id, text.epoch):
            continue  # who cannot read it says so
        _note(unit, text, _WHOLE_GROUP, "", 1)
        rows.append(_to_group(unit, place, text, part, None))
    return rows


def _is_late(unit: UnitOfWork, place: ConversationRecord, text: SentText) -> bool:
    if text.epoch < 0 or place.epoch - text.epoch < limits.LATE_EPOCHS:
        return False
    after = unit.records.healing.branch(place.id, text.epoch + 1)
    return after is not None and passed(after[1], unit.now_ms, limits.LATE_SECONDS * 1000)
