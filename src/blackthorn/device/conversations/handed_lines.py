"""Lines that another device of the user hands on: stored once, in the old room, with a mark.

A line is shown before the later texts of its author's device, and its count closes a gap.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from blackthorn.device.conversations.heal_messages import HandedLine
from blackthorn.device.core.members import Identity
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import handing, limits
from blackthorn.ports.device_history import Authored, HistoryRecord

_HANDED: Final = "handed on by your"


def take(
    unit: UnitOfWork, sender: Identity, nonce: bytes, lines: Sequence[HandedLine]
) -> list[HandedLine]:
    """Store the lines that are new here; these."""
    handing.heard(unit, nonce, [line.message for line in lines])
    later = unit.records.history.authored(sorted({line.device for line in lines if line.device}))
    new = []
    for line in lines:
        if not unit.records.history.known(line.message):
            unit.records.history.add(_record(unit, sender, line, later))
            _count_own(unit, line)
            new.append(line)
    return new


def _record(
    unit: UnitOfWork, sender: Identity, line: HandedLine, later: Sequence[Authored]
) -> HistoryRecord:
    mine = line.sender == unit.me.address
    return HistoryRecord(
        message=line.message,
        conversation=line.conversation,
        kind=line.kind,
        name=line.name,
        sender=line.sender,
        sort="text",
        text=line.text,
        sent_ms=line.sent_ms,
        received_ms=line.received_ms,
        standing="accepted" if mine else "received",
        shown=mine,
        mark=_mark(unit, sender, line.mark),
        device=line.device,
        count=line.count,
        handed=True,
        before=next((one.at for one in later if _follows(one, line, unit.me.device)), 0),
    )


def _follows(other: Authored, line: HandedLine, me: bytes) -> bool:
    """Whether that text was written later, by the same device in the same place.

    This device lacks a text of its own only after its folder was restored: then its counts have
    begun again, and its clock says what came later.
    """
    if (other.device, other.kind) != (line.device, line.kind):
        return False
    later = other.sent_ms > line.sent_ms
    if other.conversation == line.conversation:
        return other.count > line.count or (line.device == me and later)
    return other.name == line.name and later


def _mark(unit: UnitOfWork, sender: Identity, mark: str) -> str:
    if _HANDED in mark:
        return mark
    chain = unit.chains.of(unit.me.address)
    device = None if chain is None else chain.device(sender.device)
    handed = f"{_HANDED} {device.name if device is not None else 'other device'}"
    return (f"{mark}; {handed}" if mark else handed)[: limits.MAX_MARK_CHARS]


def _count_own(unit: UnitOfWork, line: HandedLine) -> None:
    """A copy of this device has written it: the next text has a higher count."""
    known = unit.records.conversations.standing(line.conversation)
    if line.device != unit.me.device or known is None:
        return
    conversation = unit.open(line.conversation)
    sent = max(conversation.record.sent, line.count)
    conversation.record = replace(conversation.record, sent=sent)
