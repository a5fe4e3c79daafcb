"""Own devices that ask for lines: what is still to be handed on to each."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing import limits

_SETTING: Final = "handing-on"


class Handing(Struct, frozen=True, array_like=True):
    """A question of an own device for lines, `part`, and the ids that it has, each shortened.

    The next lines go at `due_ms`, once the operation `row` is done.
    """

    nonce: bytes
    device: bytes
    part: bytes
    have: bytes
    at_ms: int
    due_ms: int
    row: int = 0


def pieces(have: bytes) -> Iterable[bytes]:
    """The shortened ids in `have`."""
    size = limits.HAVE_BYTES
    return (have[place : place + size] for place in range(0, len(have), size))


def shortened(messages: Iterable[bytes]) -> bytes:
    return b"".join(message[: limits.HAVE_BYTES] for message in messages)


def waiting(unit: UnitOfWork) -> list[Handing]:
    data = unit.records.settings.get(_SETTING)
    return msgspec.msgpack.decode(data, type=list[Handing]) if data else []


def put(unit: UnitOfWork, found: Sequence[Handing]) -> None:
    """Store them; beyond MAX_HANDING the oldest go."""
    unit.records.settings.put(_SETTING, msgspec.msgpack.encode(found[-limits.MAX_HANDING :]))


def heard(unit: UnitOfWork, nonce: bytes, messages: Iterable[bytes]) -> None:
    """Another own device hands these on: this one waits, and hands on the rest."""
    found, given = waiting(unit), shortened(messages)
    turn_ms = unit.now_ms + limits.HANDING_TURN_SECONDS * 1000
    changed = [
        msgspec.structs.replace(one, have=one.have + given, due_ms=max(one.due_ms, turn_ms))
        if one.nonce == nonce
        else one
        for one in found
    ]
    if changed != found:
        put(unit, changed)
