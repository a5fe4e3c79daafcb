"""Users of whom a device is not in a conversation that they belong to: it is added later.

It had no key package that could be used, or is new; or their last device there was a former one,
and this device has removed it. An entry ends when all their devices are in, when somebody removes
them, or after LEFT_OUT_SECONDS.
"""

from collections.abc import Callable, Collection
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.conversations import limits
from blackthorn.device.core.unit_of_work import UnitOfWork

_SETTING: Final = "left-out"
_DAY_MS: Final = 24 * 3600 * 1000
FIRST_WAIT_MS: Final = 600_000
"""Wait before the first attempt to add them; it doubles up to a day."""

CLEARED_WAIT_MS: Final = 5_000
"""Wait before a user whose last device in a group was a former one is added with their others."""


class LeftOut(Struct, frozen=True):
    """A user who is to be added to a conversation at `next_ms`, Unix milliseconds."""

    conversation: bytes
    address: str
    since_ms: int
    next_ms: int
    wait_ms: int = FIRST_WAIT_MS
    cleared: bool = False


def note(
    unit: UnitOfWork,
    conversation: bytes,
    address: str,
    wait_ms: int = FIRST_WAIT_MS,
    *,
    cleared: bool = False,
) -> None:
    """Add this user later; beyond MAX_LEFT_OUT entries the oldest go.

    `cleared`: this device's next Commit removes their last device there, a former one.
    """
    kept = [one for one in _all(unit) if (one.conversation, one.address) != (conversation, address)]
    next_ms = unit.now_ms + wait_ms
    made = LeftOut(conversation, address, unit.now_ms, next_ms, cleared=cleared)
    _put(unit, [*kept, made][-limits.MAX_LEFT_OUT :])


def some(unit: UnitOfWork) -> bool:
    """Whether anybody is to be added later."""
    return bool(_all(unit))


def move(unit: UnitOfWork, conversation: bytes, to: bytes) -> None:
    """Another group has taken the place of this one."""
    entries = _all(unit)
    moved = [
        msgspec.structs.replace(one, conversation=to) if one.conversation == conversation else one
        for one in entries
    ]
    if moved != entries:
        _put(unit, moved)


def forget(unit: UnitOfWork, conversation: bytes, addresses: Collection[str]) -> None:
    """These users are complete, or were removed: nobody adds them unasked."""
    _keep(unit, lambda one: one.conversation != conversation or one.address not in addresses)


def removed(
    unit: UnitOfWork, conversation: bytes, addresses: Collection[str], *, by_me: bool
) -> None:
    """A Commit has removed all devices of these users; who was only cleared out comes back."""
    entries, kept = _all(unit), list[LeftOut]()
    for one in entries:
        if one.conversation != conversation or one.address not in addresses:
            kept.append(one)
        elif by_me and one.cleared:
            kept.append(msgspec.structs.replace(one, cleared=False))
    if kept != entries:
        _put(unit, kept)


def due(unit: UnitOfWork) -> list[LeftOut]:
    """The entries to try now; each is due again after twice its wait."""
    entries, now_ms = _all(unit), unit.now_ms
    if not entries:
        return []
    _keep(unit, lambda one: abs(now_ms - one.since_ms) < limits.LEFT_OUT_SECONDS * 1000)
    found = [one for one in _all(unit) if not 0 < one.next_ms - now_ms <= _DAY_MS]
    later = [
        msgspec.structs.replace(
            one, next_ms=now_ms + one.wait_ms, wait_ms=min(2 * one.wait_ms, _DAY_MS)
        )
        if one in found
        else one
        for one in _all(unit)
    ]
    if found:
        _put(unit, later)
    return found


def _keep(unit: UnitOfWork, wanted: Callable[[LeftOut], bool]) -> None:
    entries = _all(unit)
    kept = [one for one in entries if wanted(one)]
    if kept != entries:
        _put(unit, kept)


def _all(unit: UnitOfWork) -> list[LeftOut]:
    data = unit.records.settings.get(_SETTING)
    return msgspec.msgpack.decode(data, type=list[LeftOut]) if data else []


def _put(unit: UnitOfWork, entries: list[LeftOut]) -> None:
    unit.records.settings.put(_SETTING, msgspec.msgpack.encode(entries))
