"""Conversations that others count this device in and that it does not have.

Its folder was restored, or a Welcome could not be opened or was refused. It asks its other devices
and people whom it knows, and asks to be added again where they say that it is a member.
"""

from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import limits
from blackthorn.link.limits import MISSED_DIGEST_BYTES

_SETTING: Final = "lacking"
REFUSED: Final = "REFUSED"
"""Why a device asks whose Welcome was refused for good."""


class Lack(Struct, frozen=True, array_like=True):
    """A conversation, and the user ("": an own device) who says so; asked at `asked_ms` or not."""

    conversation: bytes
    user: str
    why: str
    asked_ms: int = 0


class Lacking(Struct, frozen=True):
    """Noted at `at_ms`; `begin`: nobody was chosen yet. `people` are to be asked.

    `orders`: the server is to be asked whether conversations went on.
    """

    at_ms: int = 0
    begin: bool = False
    orders: bool = False
    people: list[str] = []
    lacks: list[Lack] = []


def of(unit: UnitOfWork) -> Lacking:
    data = unit.records.settings.get(_SETTING)
    return msgspec.msgpack.decode(data, type=Lacking) if data else Lacking()


def change(unit: UnitOfWork, **changes: object) -> Lacking:
    """Replace these fields; the result."""
    changed = msgspec.structs.replace(of(unit), **changes)
    unit.records.settings.put(_SETTING, msgspec.msgpack.encode(changed))
    return changed


def note(unit: UnitOfWork, *, restored: bool = False) -> None:
    """Conversations may be lacking; without `restored` that is asked once a day."""
    again_ms = limits.LACKING_AGAIN_SECONDS * 1000
    if restored or not 0 <= unit.now_ms - of(unit).at_ms < again_ms:
        change(unit, at_ms=unit.now_ms, begin=True, orders=restored)


def refused(unit: UnitOfWork, conversation: bytes, inviter: str) -> None:
    """The Welcome of this user was refused for good: they are told, and asked for another.

    Unless another one has come.
    """
    if unit.records.conversations.standing(conversation) is None:
        add(unit, Lack(conversation, inviter, REFUSED))


def add(unit: UnitOfWork, lack: Lack) -> None:
    known = of(unit).lacks
    if (lack.conversation, lack.user) not in [(one.conversation, one.user) for one in known]:
        change(unit, lacks=[*known, lack][-limits.MAX_LACKING :])


def commits_missed(unit: UnitOfWork, missed: int, digests: bytes) -> None:
    """The server says that it could not keep so many Commits for this device, the newest of them
    with these digests: ask it which conversations went on, unless all came another way.
    """
    steps = range(0, len(digests), MISSED_DIGEST_BYTES)
    named = [digests[at : at + MISSED_DIGEST_BYTES] for at in steps]
    if missed and (missed > len(named) or not all(map(unit.records.parcels.seen_one, named))):
        change(unit, orders=True)


def is_asking(unit: UnitOfWork) -> bool:
    """Whether answers are taken now."""
    age_ms = unit.now_ms - of(unit).at_ms
    return 0 <= age_ms < limits.LACKING_SECONDS * 1000


def take_orders(unit: UnitOfWork) -> bool:
    """Whether the server is to be asked which conversations went on; says so once."""
    due = of(unit).orders
    if due:
        change(unit, orders=False)
    return due
