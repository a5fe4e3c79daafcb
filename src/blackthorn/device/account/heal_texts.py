"""Send own texts again that others may not have read: the same content under the same id (H13)."""

from typing import Final

from blackthorn.device.conversations import content, heal_messages
from blackthorn.device.core.group_metadata import GROUP
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import limits
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.device.operations.send_text import SendText
from blackthorn.ports.device_healing import SentText
from blackthorn.ports.device_store import ConversationRecord, HistoryQuery, Place

_ALL: Final = -1


def send_again(unit: UnitOfWork, place: ConversationRecord, since_ms: int) -> list[int]:
    """Enqueue the texts sent there since then; the numbers of their rows.

    In a group they are sealed anew; a direct conversation was replaced by another one, in which
    they are handed on as texts of the old one. Receivers show each id once.
    """
    sent = unit.records.healing.sent_since(place.id, since_ms, limits.MAX_SENT_AGAIN)
    words = _words(unit, place) if sent else {}
    return [
        _enqueue(unit, place, text, words[text.message]) for text in sent if text.message in words
    ]


def _words(unit: UnitOfWork, place: ConversationRecord) -> dict[bytes, str]:
    query = HistoryQuery(places=[Place(place.id, place.kind, place.name)])
    lines = unit.records.history.latest(_ALL, query)
    return {line.message: line.text for line in lines if line.sort == "text"}


def _enqueue(unit: UnitOfWork, place: ConversationRecord, text: SentText, words: str) -> int:
    if place.kind != GROUP:
        body = content.encode(content.TextContent(text.salt, words, text.sent_ms, text.count))
        again = heal_messages.encode_part(heal_messages.Again(place.id, body, text.digests))
        return SendHeal(place.name, unit.random(content.SALT_BYTES), again).enqueue(unit)
    unit.records.history.set_standing(text.message, "waiting")
    return SendText(
        place.kind,
        place.name,
        text.salt,
        words,
        text.sent_ms,
        text.message,
        conversation=place.id,
        count=text.count,
        group=place.id,
        digests=text.digests,
    ).enqueue(unit)
