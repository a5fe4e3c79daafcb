"""Events in the history: lines that the program itself adds to a conversation."""

import hashlib

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.ports.device_store import ConversationRecord, HistoryRecord


def add_event(
    unit: UnitOfWork, place: ConversationRecord, occasion: bytes, sender: str, text: str
) -> None:
    """Add an event once for each `occasion`; the user's own events count as shown."""
    message = b"\x02" + hashlib.sha256(place.id + occasion + text.encode()).digest()[:31]
    if unit.records.history.known(message):
        return
    unit.records.history.add(
        HistoryRecord(
            message=message,
            conversation=place.id,
            kind=place.kind,
            name=place.name,
            sender=sender,
            sort="event",
            text=text,
            sent_ms=unit.now_ms,
            received_ms=unit.now_ms,
            standing="received",
            shown=sender == unit.me.address,
        )
    )
