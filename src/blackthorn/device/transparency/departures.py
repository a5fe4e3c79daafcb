"""Users of whom a lookup has shown that a device is gone, until their conversations are tidy."""

from typing import Final

import msgspec

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.identity.chain import VerifiedChain

_SETTING: Final = "departed"


def note(unit: UnitOfWork, before: VerifiedChain | None, chain: VerifiedChain) -> None:
    """A verified chain takes the place of `before`; its user is noted if a device is gone."""
    live = {device.id for device in chain.devices}
    if before is not None and any(device.id not in live for device in before.devices):
        _put(unit, {*users(unit), chain.label})


def users(unit: UnitOfWork) -> set[str]:
    data = unit.records.settings.get(_SETTING)
    return set(msgspec.msgpack.decode(data, type=list[str])) if data else set()


def forget(unit: UnitOfWork, address: str) -> None:
    """No conversation holds a former device of this user any more."""
    _put(unit, users(unit) - {address})


def _put(unit: UnitOfWork, noted: set[str]) -> None:
    unit.records.settings.put(_SETTING, msgspec.msgpack.encode(sorted(noted)))
