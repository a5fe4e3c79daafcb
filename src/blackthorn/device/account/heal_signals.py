"""Signals that a conversation may have gone on without this device, and how they are timed (H8).

The server's word and silence lead to questions to members only.
"""

from collections.abc import Iterable
from typing import Final

from blackthorn.device.conversations import renewal, void
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import GROUP
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import limits, notes
from blackthorn.device.healing.states import Event, State
from blackthorn.device.operations.postings import HANDLE_BYTES, ORDER_LABEL
from blackthorn.device.transparency.lookup_queue import passed
from blackthorn.ports.device_store import ConversationRecord, HistoryQuery, Place

_ORDERS_ASKED: Final = "orders-asked-ms"
_SILENCE: Final = "silence-day"
_DAY_MS: Final = 24 * 3600 * 1000

# --- S2: the Commit that came before an own one does not come ---


def second_commit(unit: UnitOfWork, conversation: Conversation) -> None:
    """Signal S2: the Commit that came before this device's own does not come."""
    known = conversation.record.id
    healing = notes.of(unit.records, known)
    if healing.taken_epoch < 0:
        return
    if healing.taken_epoch != conversation.group.epoch:
        notes.change(unit, known, taken_epoch=-1)
    elif passed(healing.taken_ms, unit.now_ms, limits.COMMIT_WAIT_SECONDS * 1000):
        notes.change(unit, known, taken_epoch=-1)
        notes.move(unit, conversation, Event.TAKEN)


# --- S3: parcels that stay unreadable ---


def orders_asked(unit: UnitOfWork) -> None:
    """The server was asked about all handles."""
    unit.records.settings.put(_ORDERS_ASKED, unit.now_ms.to_bytes(8, "big"))


def unreadable(unit: UnitOfWork, after_ms: int = -1) -> bool:
    """Whether a parcel of after then has been unreadable for ten minutes, unasked."""
    wait_ms = limits.UNREADABLE_WAIT_SECONDS * 1000
    last = int.from_bytes(unit.records.settings.get(_ORDERS_ASKED) or b"", "big")
    again = passed(last, unit.now_ms, limits.ORDERS_AGAIN_SECONDS * 1000)
    return any(
        parcel.reason == envelope.UNKNOWN
        and parcel.since_ms > after_ms
        and (again or parcel.since_ms > last)
        and passed(parcel.since_ms, unit.now_ms, wait_ms)
        for parcel in unit.records.parcels.all_undecryptable()
    )


def handles(unit: UnitOfWork) -> Iterable[tuple[bytes, int, bytes]]:
    """(conversation, epoch, handle) of those in which this device could have missed a Commit."""
    for record in unit.records.conversations.all():
        if record.standing in (State.FOLLOWING, State.UNCONFIRMED):
            conversation = unit.open(record.id)
            group = conversation.group
            if group.pending is None:
                made_of = void.context(unit, conversation)
                yield record.id, group.epoch, group.export(ORDER_LABEL, made_of, HANDLE_BYTES)


# --- S5: silence ---


def silence(unit: UnitOfWork) -> None:
    """Once a day of use: suspect groups in which nothing came from others for many such days.

    A direct conversation is not, nor one where nobody else is left: only own devices could be
    asked, and most are silent for weeks.
    """
    recent, settings = renewal.days_of_use(unit).recent, unit.records.settings
    if not recent or settings.get(_SILENCE) == (day := recent[-1].to_bytes(8, "big")):
        return
    settings.put(_SILENCE, day)
    if len(recent) < limits.SILENT_DAYS:
        return
    for record in unit.records.conversations.all():
        followed = record.kind == GROUP and record.standing == State.FOLLOWING
        if followed and _heard_ms(unit, record) < recent[0] * _DAY_MS:
            conversation = unit.open(record.id)
            if set(addresses(conversation.group.members)) != {unit.me.address}:
                notes.move(unit, conversation, Event.SILENT)


def _heard_ms(unit: UnitOfWork, record: ConversationRecord) -> int:
    """When a text or Commit of another device was opened, or members have said `same`."""
    query = HistoryQuery(received=True, places=[Place(record.id, record.kind, record.name)])
    lines = unit.records.history.latest(1, query)
    me = unit.me.credential().identity
    merged_ms = unit.records.healing.followed_ms(record.id, me)
    said_ms = notes.of(unit.records, record.id).since_ms
    shown_ms = lines[-1].received_ms if lines else 0  # that this device was added is a line, too
    return max(shown_ms, merged_ms, said_ms, record.created_ms)
