"""Past epochs: how long late messages of them can be read, and their senders be known.

Message keys stay for days, and for the newest epochs however old; the envelope key and the sender
data secret stay for weeks. Time counts only once all parcels were delivered: what was sealed long
ago may still lie at the server.
"""

from typing import Final

from blackthorn.device.core import limits
from blackthorn.device.core.preferences import MESSAGE_KEYS
from blackthorn.ports.device_store import Records

_DAY: Final = "kept-epochs-day"
"""The setting with the day on which old epochs were forgotten."""
DAY_MS: Final = 24 * 3600 * 1000


def keys_from_ms(records: Records, now_ms: int) -> int:
    """Message keys of epochs that ended before this time are old."""
    return now_ms - MESSAGE_KEYS.get(records.settings) * DAY_MS


def ended(records: Records, conversation: bytes, present: int, now_ms: int) -> None:
    """The epochs before the `present` one have ended; keep no more keys than the bounds allow."""
    records.groups.end_epochs(conversation, present, now_ms)
    _forget_keys(records, conversation, 0)
    if present > limits.MAX_KEPT_EPOCHS:
        records.groups.forget_epochs(conversation, present - limits.MAX_KEPT_EPOCHS)


def forget_old(records: Records, now_ms: int) -> None:
    """Once a day, after everything was delivered: forget what is old."""
    today = (now_ms // DAY_MS).to_bytes(8, "big")
    if records.settings.get(_DAY) == today:
        return
    records.settings.put(_DAY, today)
    for record in records.conversations.all():
        _forget_keys(records, record.id, keys_from_ms(records, now_ms))
        first = records.groups.first_ended(record.id, now_ms - limits.KEPT_EPOCH_SECONDS * 1000)
        newest = record.epoch - limits.MIN_KEPT_EPOCHS
        records.groups.forget_epochs(record.id, newest if first is None else min(first, newest))


def _forget_keys(records: Records, conversation: bytes, oldest_ms: int) -> None:
    """Forget message keys beyond the bounds, and of all but the newest epochs before a time."""
    size = 0
    for index, kept in enumerate(records.groups.epochs_with_keys(conversation)):
        size += kept.bytes
        full = index >= limits.MAX_EPOCHS_WITH_KEYS or size > limits.MAX_KEPT_KEY_BYTES
        if index >= limits.MIN_KEPT_EPOCHS and (full or kept.ended_ms < oldest_ms):
            records.groups.forget_keys(conversation, kept.epoch + 1)
            return
