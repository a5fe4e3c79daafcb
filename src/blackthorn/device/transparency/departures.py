"""Users of whom a lookup has shown that a device is gone, or a new one there, until acted on."""

from typing import Final

import msgspec

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.identity.chain import VerifiedChain

GONE: Final = "departed"
"""A device is gone: their conversations are to be tidied."""
COME: Final = "arrived"
"""A device is new, and not by a reset: their conversations may lack it."""


def note(unit: UnitOfWork, before: VerifiedChain | None, chain: VerifiedChain) -> None:
    """A verified chain takes the place of `before`."""
    if before is None:
        return
    known, live = ({device.id for device in one.devices} for one in (before, chain))
    if known - live:
        _put(unit, GONE, {*users(unit, GONE), chain.label})
    reset = before.last_reset != chain.last_reset
    if live - known and not reset and chain.label != unit.me.address:
        _put(unit, COME, {*users(unit, COME), chain.label})


def users(unit: UnitOfWork, which: str) -> set[str]:
    data = unit.records.settings.get(which)
    return set(msgspec.msgpack.decode(data, type=list[str])) if data else set()


def forget(unit: UnitOfWork, which: str, address: str) -> None:
    """What was to be done about this user is done."""
    _put(unit, which, users(unit, which) - {address})


def _put(unit: UnitOfWork, which: str, noted: set[str]) -> None:
    unit.records.settings.put(which, msgspec.msgpack.encode(sorted(noted)))
