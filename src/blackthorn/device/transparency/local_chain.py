"""The own chain to build on: the published part, and stored statements not yet published.

The next epoch publishes a stored statement some seconds later. `own_chain` checks that it does.
"""

from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.core.verified_chains import ledger_ms, logged_of
from blackthorn.device.transparency import own_chain
from blackthorn.errors import VerificationError
from blackthorn.identity import bodies, statements
from blackthorn.identity.chain import UnverifiedChain, VerifiedChain, extend, replay
from blackthorn.ids import DeviceId
from blackthorn.ports.device_store import Settings

_SETTING: Final = "chain-waiting"


class UnpublishedStatement(Struct, frozen=True):
    """A statement that the server has stored at `stored_ms`."""

    statement: bytes
    stored_ms: int


def _waiting(settings: Settings) -> list[UnpublishedStatement]:
    data = settings.get(_SETTING)
    return msgspec.msgpack.decode(data, type=list[UnpublishedStatement]) if data else []


def unpublished_data(settings: Settings) -> bytes | None:
    """What is stored of unpublished statements: another value if they change."""
    return settings.get(_SETTING)


def put_waiting(settings: Settings, statement: bytes, now_ms: int) -> None:
    kept = [*_waiting(settings), UnpublishedStatement(statement, now_ms)]
    settings.put(_SETTING, msgspec.msgpack.encode(kept))


def stored(unit: UnitOfWork, statement: bytes) -> None:
    """Record that the server stored a statement of this device."""
    put_waiting(unit.records.settings, statement, unit.now_ms)
    stated = statements.decode(statement).statement
    own_chain.stated(unit.records.settings, stated.hash, unit.now_ms, stated.seq)


def own(unit: UnitOfWork) -> VerifiedChain | None:
    """The own chain with unpublished statements; None before the first statement.

    Statements that are published or no longer fit are dropped.
    """
    chain = unit.chains.of(unit.me.address)
    kept = _waiting(unit.records.settings)
    left = []
    for waiting in kept:
        extended = _behind(unit, chain, waiting)
        if extended is not None:
            chain = extended
            left.append(waiting)
    if left != kept:
        unit.records.settings.put(_SETTING, msgspec.msgpack.encode(left))
    return chain


def unpublished(unit: UnitOfWork) -> list[bytes]:
    """The statements that the ledger does not show yet."""
    own(unit)
    return [waiting.statement for waiting in _waiting(unit.records.settings)]


def _behind(
    unit: UnitOfWork, chain: VerifiedChain | None, waiting: UnpublishedStatement
) -> VerifiedChain | None:
    """The chain extended by the statement; None when it is known or does not fit."""
    statement = statements.decode(waiting.statement).statement
    if chain is not None and statement.seq <= chain.seq:
        return None
    record = unit.records.directory.chain(unit.me.address)
    logged = logged_of(record) if record is not None and record.present else {}
    if isinstance(statement.body, statements.Reset | statements.Cancel):
        logged[statement.seq] = max(waiting.stored_ms, *logged.values(), 0)
    now_ms = ledger_ms(unit.records.directory.newest())
    terms = unit.chains.terms(max(now_ms, chain.now_ms if chain else 0), logged)
    try:
        if chain is None:
            return replay(UnverifiedChain(unit.me.address, (waiting.statement,)), terms)
        return extend(chain, (waiting.statement,), terms)
    except VerificationError:
        return None


def live(unit: UnitOfWork) -> bodies.DeviceInfo | None:
    """This device in its user's chain, if it is live."""
    chain = own(unit)
    return chain.device(unit.me.device) if chain is not None else None


def others(unit: UnitOfWork, chain: VerifiedChain) -> list[DeviceId]:
    return [device.id for device in chain.devices if device.id != unit.me.device]
