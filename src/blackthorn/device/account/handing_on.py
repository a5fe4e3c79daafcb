"""Hand on lines of the history between a user's devices (H13).

A device asks in the self-group for what it missed: after it was added again or linked, after its
folder was restored, and where an author's count shows a gap. Its other devices take turns, in an
order made of the question; each hands on what the asker and those before it lack, in bounded
messages, the next one after the server has accepted the last.
"""

import hashlib
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec

from blackthorn.device.conversations import content, conversations, heal_messages, self_group
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import handing, limits, notes, wanted
from blackthorn.device.healing.handing import Handing
from blackthorn.device.operations.healing import send_heal
from blackthorn.device.transparency.lookup_queue import passed, reached
from blackthorn.identity.statements import AddDevice, decode
from blackthorn.ports.device_store import HistoryRecord

_LOOK_MS: Final = 60_000
_DAY_MS: Final = 24 * 3_600_000
_LINE_BYTES: Final = 160
"""A line beside its text and names."""


class HandingOn:
    """The state of one process: when to look for gaps again."""

    def __init__(self) -> None:
        self._due_ms = 0

    def look(self, unit: UnitOfWork) -> list[int]:
        """Ask for what is missing and hand on what is due; the rows enqueued."""
        present = self_group.present(unit) if self._has_work(unit) else None
        if present is None or not conversations.other_devices(unit, present.group):
            return []
        rows = _hand_on(unit)
        if reached(self._due_ms, unit.now_ms, _LOOK_MS):
            self._due_ms = unit.now_ms + _LOOK_MS
            rows += _ask(unit)
        return rows

    def _has_work(self, unit: UnitOfWork) -> bool:
        looks = reached(self._due_ms, unit.now_ms, _LOOK_MS)
        gaps = looks and unit.records.peers.count_gaps()
        return bool(gaps or wanted.noted(unit) or handing.waiting(unit))


# --- The device that asks -------------------------------------------------------------------------


def _ask(unit: UnitOfWork) -> list[int]:
    wants = [
        one
        for one in wanted.noted(unit)
        if not passed(one.at_ms, unit.now_ms, limits.WANTED_SECONDS * 1000)
    ]
    wait_ms = limits.WANTED_WAIT_SECONDS * 1000
    ready = [one for one in wants if passed(one.at_ms, unit.now_ms, wait_ms)][: limits.MAX_ITEMS]
    missed = _missed(unit)
    if not ready and not missed:
        return []
    wanted.put(unit, [one for one in wants if one not in ready])
    items = [heal_messages.WantedItem(one.conversation, one.since_ms) for one in ready]
    oldest_ms = (_since_ms(unit, unit.me.device) or 0) - _DAY_MS
    known = _texts(unit, items, oldest_ms, 2 * _DAY_MS)
    have = handing.shortened(line.message for line in known)
    nonce = unit.random(16)
    part = heal_messages.encode_part(heal_messages.Wanted(nonce, items, missed, have))
    return [send_heal.SendHeal("", unit.random(content.SALT_BYTES), part).enqueue(unit)]


def _missed(unit: UnitOfWork) -> list[heal_messages.MissedCounts]:
    """Gaps that stayed for a minute, each asked for once."""
    gaps = unit.records.peers.gaps_to_ask(limits.MAX_MISSED_COUNTS)
    authors = [
        heal_messages.MissedCounts(conversation, device, [gap[2] for gap in rows])
        for (conversation, device), rows in groupby(gaps, key=lambda gap: gap[:2])
    ]
    return authors[: limits.MAX_ITEMS]


# --- The devices that hand on ---------------------------------------------------------------------


def asked(unit: UnitOfWork, heard: notes.Heard, question: heal_messages.Wanted) -> None:
    """An own device asks: note when it is this one's turn."""
    present = self_group.present(unit)
    if present is None:
        return
    others = conversations.other_devices(unit, present.group)
    turns = [device for device in [*others, unit.me.device] if device != heard.device]
    turns.sort(key=lambda device: hashlib.sha256(question.nonce + device).digest())
    wait_ms = turns.index(unit.me.device) * limits.HANDING_TURN_SECONDS * 1000
    known = [one for one in handing.waiting(unit) if one.nonce != question.nonce]
    part = heal_messages.encode_part(msgspec.structs.replace(question, have=b""))
    at_ms = unit.now_ms
    made = Handing(question.nonce, heard.device, part, question.have, at_ms, at_ms + wait_ms)
    handing.put(unit, [*known, made])


def _hand_on(unit: UnitOfWork) -> list[int]:
    """The next message to each device whose turn it is; the rows."""
    found = handing.waiting(unit)
    left, rows = list[Handing](), list[int]()
    for one in found:
        if passed(one.at_ms, unit.now_ms, _DAY_MS):
            continue
        idle = unit.records.outbox.get(one.row) is None
        if not idle or not reached(one.due_ms, unit.now_ms, _DAY_MS):
            left.append(one)
            continue
        lines = _next_lines(unit, one)
        if lines:
            part = heal_messages.encode_part(heal_messages.Lines(one.nonce, lines))
            salt = unit.random(content.SALT_BYTES)
            row = send_heal.SendHeal("", salt, part).enqueue(unit)
            rows.append(row)
            due_ms = unit.now_ms + limits.HANDED_FRAME_SECONDS * 1000
            have = one.have + handing.shortened(line.message for line in lines)
            left.append(msgspec.structs.replace(one, have=have, due_ms=due_ms, row=row))
    if left != found:
        handing.put(unit, left)
    return rows


def _next_lines(unit: UnitOfWork, one: Handing) -> list[heal_messages.HandedLine]:
    """Lines for one message, oldest first, that the asker lacks and may have."""
    since_ms, question = _since_ms(unit, one.device), heal_messages.decode(one.part)
    if since_ms is None or not isinstance(question, heal_messages.Wanted):
        return []
    found = _texts(unit, question.items, since_ms, _DAY_MS)
    for author in question.missed:
        found += unit.records.history.counted(author.conversation, author.device, author.counts)
    known, lines, size = set(handing.pieces(one.have)), list[heal_messages.HandedLine](), 0
    for line in found:
        if line.message[: limits.HAVE_BYTES] in known or line.received_ms < since_ms:
            continue
        size += len(line.text.encode()) + len(line.name.encode()) + _LINE_BYTES
        if lines and size > limits.HANDED_FRAME_BYTES:
            break
        known.add(line.message[: limits.HAVE_BYTES])
        lines.append(_handed(line))
    return lines


def _texts(
    unit: UnitOfWork, items: Sequence[heal_messages.WantedItem], oldest_ms: int, margin_ms: int
) -> list[HistoryRecord]:
    """The texts asked for, the newest MAX_HANDED_LINES, oldest first."""
    found = dict[bytes, HistoryRecord]()
    for item in items:
        since_ms = max(item.since_ms - margin_ms, oldest_ms)
        lines = unit.records.history.texts_since(
            item.conversation, since_ms, limits.MAX_HANDED_LINES
        )
        found |= {line.message: line for line in lines}
    ordered = sorted(found.values(), key=lambda line: (line.before or line.number, line.number))
    return ordered[-limits.MAX_HANDED_LINES :]


def _since_ms(unit: UnitOfWork, device: bytes) -> int | None:
    """From when that device may have lines, in Unix milliseconds; None: it is not live."""
    chain = unit.chains.of(unit.me.address)
    if chain is None or all(one.id != device for one in chain.devices):
        return None
    for data in reversed(chain.statements):
        statement = decode(data).statement
        if isinstance(statement.body, AddDevice) and statement.body.device.id == device:
            by_words = device in chain.recovered
            margin = limits.RECOVERED_MARGIN_SECONDS if by_words else limits.LINKED_MARGIN_SECONDS
            return statement.time_ms - margin * 1000
    return 0


def _handed(line: HistoryRecord) -> heal_messages.HandedLine:
    return heal_messages.HandedLine(
        line.message,
        line.conversation,
        "group" if line.kind == "group" else "direct",
        line.name,
        line.sender,
        line.text,
        max(line.sent_ms, 0),
        max(line.received_ms, 0),
        line.mark[: limits.MAX_MARK_CHARS],
        line.device,
        line.count,
    )
