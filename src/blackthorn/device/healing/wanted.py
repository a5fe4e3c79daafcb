"""Lines of the history that this device has missed and will ask its user's other devices for."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import limits

ALL: Final = b""
_SETTING: Final = "lines-wanted"


class Want(Struct, frozen=True, array_like=True):
    """Texts of a conversation, or of ALL, since `since_ms`; noted at `at_ms`."""

    conversation: bytes
    since_ms: int
    at_ms: int


def note(unit: UnitOfWork, conversation: bytes, since_ms: int) -> None:
    """Texts may be missing there since then."""
    known = {one.conversation: one for one in noted(unit)}
    earlier = known.pop(conversation, None)
    if earlier is not None:
        since_ms = min(since_ms, earlier.since_ms)
    wants = [*known.values(), Want(conversation, since_ms, unit.now_ms)]
    if len(wants) > limits.MAX_WANTED:
        wants = [Want(ALL, min(one.since_ms for one in wants), unit.now_ms)]
    put(unit, wants)


def noted(unit: UnitOfWork) -> list[Want]:
    """All that is wanted, in the order in which it was noted."""
    data = unit.records.settings.get(_SETTING)
    return msgspec.msgpack.decode(data, type=list[Want]) if data else []


def put(unit: UnitOfWork, wants: Sequence[Want]) -> None:
    unit.records.settings.put(_SETTING, msgspec.msgpack.encode(wants))
