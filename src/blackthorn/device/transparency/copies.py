"""Copies of this device's vault: a restored backup, or a thief's.

Each hello to the server has a number, stored here with its digest before it is sent. The server
gives back the newest hello that it had. One that this vault has not sent, with a number not below
the newest answered one, was sent by a copy: nothing is sealed until all that waits is read, and
then key packages and leaves are renewed, since the copy has used them. A lower number is a server
that was set back. Processes that share one vault share its numbers.

A second copy within COPY_AGAIN_SECONDS stops sending until the person accepts the alarm, by which
they say that this is the only copy, or revokes this device.
"""

from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.crypto.signatures import VerifyError
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import alarms, limits
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import DecodeError
from blackthorn.link import frames as f
from blackthorn.link.hello import NONE_BEFORE, KeptHello, decode_kept, kept, sign_hello
from blackthorn.ports.device_store import HistoryQuery

_NEWEST: Final = "hello-number"
_ANSWERED: Final = "hello-answered"
_COPIES: Final = "copies"

CLONE: Final = "clone"


class _Copies(Struct, frozen=True):
    """When the last copy was noticed, by the ledger's time, and what is still to be done.

    `before_ms`: when this vault had opened its newest text then, by this device's clock.
    """

    last_ms: int = 0
    draining: bool = False
    renewing: bool = False
    before_ms: int = 0


def sign(unit: UnitOfWork, binding: bytes) -> f.Hello:
    """The next hello, over this connection; stored, so that it is known when it comes back."""
    number = _number(unit, _NEWEST) + 1
    newest = unit.records.hellos.newest()
    before = newest[1] if newest is not None else NONE_BEFORE
    hello = sign_hello(unit.keys.identity, binding, number, before)
    _put(unit, _NEWEST, number)
    unit.records.hellos.add(number, kept(hello, binding).digest, _number(unit, _ANSWERED))
    return hello


def judge(unit: UnitOfWork, number: int, ready: f.Ready) -> None:
    """The hello of that number was answered: compare what the server had before."""
    since = unit.records.hellos.since(number)
    if since is None or ready.version == 1:
        return
    if ready.before:
        _judge(unit, since, ready.before)
    elif since:
        _set_back(unit, 0)
    answered = max(number, _number(unit, _ANSWERED))
    _put(unit, _ANSWERED, answered)
    unit.records.hellos.forget_before(answered - limits.KEPT_HELLOS)


def _judge(unit: UnitOfWork, since: int, data: bytes) -> None:
    try:
        before = decode_kept(data)
        before.verify(unit.keys.identity_public)
    except (DecodeError, VerifyError):
        text = "the server shows a connection of this device that this device has not signed"
        alarms.raise_alarm(unit.records, "false-hello", unit.me.address, text, unit.now_ms)
        return
    if before.number < since:
        _set_back(unit, before.number)
    elif not unit.records.hellos.known(before.number, before.digest):
        _copied(unit, before)


def _set_back(unit: UnitOfWork, number: int) -> None:
    text = "the server has forgotten connections of this device: it was set back to an older state"
    fact = f"{number} {_number(unit, _ANSWERED)}"
    alarms.raise_alarm(unit.records, "set-back", unit.me.address, text, unit.now_ms, fact=fact)


def _copied(unit: UnitOfWork, other: KeptHello) -> None:
    """Go on behind the copy's hello, and seal nothing until all that waits was read."""
    hellos, copies, now_ms = unit.records.hellos, _copies(unit), clock_ms(unit)
    own = hellos.newest()
    _put(unit, _NEWEST, max(_number(unit, _NEWEST), other.number))
    _put(unit, _ANSWERED, other.number)
    hellos.add(other.number, other.digest, other.number)
    before_ms = _newest_text_ms(unit)
    if copies.draining or copies.renewing:
        before_ms = min(before_ms, copies.before_ms)
    _put_copies(unit, _Copies(now_ms, draining=True, before_ms=before_ms))
    again = copies.last_ms and now_ms - copies.last_ms < limits.COPY_AGAIN_SECONDS * 1000
    code = CLONE if again else "copy"
    text = (
        "another copy of this device's folder has connected since this one did. If you restored no "
        "backup, revoke this device from another one"
    )
    if again:
        text += "; if the other copy is gone, accept this: nothing is sent before"
    fact = f"{other.encode().hex()} {own[1].hex() if own is not None else ''}"
    alarms.raise_alarm(unit.records, code, unit.me.address, text, unit.now_ms, fact=fact)


def _newest_text_ms(unit: UnitOfWork) -> int:
    lines = unit.records.history.latest(1, HistoryQuery(opened=True))
    return lines[-1].received_ms if lines else 0


def before_ms(unit: UnitOfWork) -> int:
    """Since when the copy may have read texts that this vault has not."""
    return _copies(unit).before_ms


def holds(unit: UnitOfWork) -> bool:
    """Whether nothing may be sealed now."""
    copies = _copies(unit)
    return copies.draining or copies.renewing or (bool(copies.last_ms) and _stopped(unit))


def _stopped(unit: UnitOfWork) -> bool:
    """Whether the person has yet to say that this is the only copy."""
    return any(alarm.code == CLONE for alarm in alarms.open_alarms(unit.records))


def recent(unit: UnitOfWork) -> bool:
    """Whether a copy was noticed not long ago; the person was told then."""
    last_ms = _copies(unit).last_ms
    return last_ms > 0 and clock_ms(unit) - last_ms < limits.COPY_AGAIN_SECONDS * 1000


def all_read(unit: UnitOfWork) -> None:
    """All that waited was read."""
    copies = _copies(unit)
    if copies.draining:
        _put_copies(unit, msgspec.structs.replace(copies, draining=False, renewing=True))


def renews(unit: UnitOfWork) -> bool:
    """Whether key packages and leaves are to be renewed now; says so once."""
    copies = _copies(unit)
    if copies.draining or not copies.renewing or _stopped(unit):
        return False
    _put_copies(unit, msgspec.structs.replace(copies, renewing=False))
    return True


def _copies(unit: UnitOfWork) -> _Copies:
    data = unit.records.settings.get(_COPIES)
    return msgspec.msgpack.decode(data, type=_Copies) if data else _Copies()


def _put_copies(unit: UnitOfWork, copies: _Copies) -> None:
    unit.records.settings.put(_COPIES, msgspec.msgpack.encode(copies))


def _number(unit: UnitOfWork, setting: str) -> int:
    return int.from_bytes(unit.records.settings.get(setting) or b"", "big")


def _put(unit: UnitOfWork, setting: str, number: int) -> None:
    unit.records.settings.put(setting, number.to_bytes(8, "big"))
