"""Verified people: a mark for each identity that the user compared in person.

A mark holds a hash of the identity (`identity.fingerprint.half`), so that a new identity of the
same address does not inherit it. It may arrive from another device before the chain is known. A
matching mark sets `ChainRecord.verified_ms`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device import limits
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.fingerprint import half
from blackthorn.ids import Address
from blackthorn.ports.device_store import ChainRecord, Settings

_COMPARED: Final = "compared"

Marks = dict[str, tuple[bytes, int]]
"""Address → 32-byte hash of the identity, and the time in Unix milliseconds."""


def marks(settings: Settings) -> Marks:
    data = settings.get(_COMPARED)
    return msgspec.msgpack.decode(data, type=Marks) if data else {}


def marks_data(settings: Settings) -> bytes | None:
    """What is stored of marks: another value if they change."""
    return settings.get(_COMPARED)


def is_verified(unit: UnitOfWork, address: str) -> bool:
    """Whether the user has compared this person's current identity."""
    marked, chain = marks(unit.records.settings).get(address), unit.chains.of(address)
    return marked is not None and chain is not None and half(chain).hash == marked[0]


def mark(unit: UnitOfWork, address: Address) -> None:
    """Record that the user has compared this person's current identity."""
    chain = unit.chains.of(address)
    if chain is not None:
        put(unit, address, half(chain).hash, unit.now_ms)


def put(unit: UnitOfWork, address: str, identity: bytes, at_ms: int) -> None:
    """Store a mark of any of the user's devices; the later of two marks stays."""
    known = marks(unit.records.settings)
    if address in known and known[address][1] >= at_ms:
        return
    known[address] = (identity, at_ms)
    newest = sorted(known, key=lambda address: known[address][1])[-limits.MAX_COMPARED :]
    kept = {address: known[address] for address in sorted(newest)}
    unit.records.settings.put(_COMPARED, msgspec.msgpack.encode(kept))
    settle(unit)


def settle(unit: UnitOfWork) -> None:
    """Apply marks whose chains have become known; a mark of another identity does not count."""
    known = marks(unit.records.settings)
    for record, chain in list(_unmarked(unit)):
        identity, at_ms = known[record.address]
        if half(chain).hash == identity:
            unit.records.directory.put_chain(replace(record, verified_ms=at_ms))


def unsettled(unit: UnitOfWork) -> list[tuple[str, bytes, bytes]]:
    """What `settle` decides by: each known identity that has a mark and is not verified by it."""
    return [(chain.label, chain.genesis, chain.last_reset) for _, chain in _unmarked(unit)]


def _unmarked(unit: UnitOfWork) -> Iterator[tuple[ChainRecord, VerifiedChain]]:
    for address in marks(unit.records.settings):
        record = unit.records.directory.chain(address)
        if record is None or record.verified_ms or not record.present:
            continue
        chain = unit.chains.of(address)
        if chain is not None:
            yield record, chain
