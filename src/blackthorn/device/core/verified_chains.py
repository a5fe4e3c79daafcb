"""Verified identity chains, as of each user's last lookup.

The vault stores the statements; a process verifies each chain once. Resets take effect by the
ledger's time at the last lookup of that user, never by this device's clock.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from blackthorn.device.core import anchors, stored
from blackthorn.directory.verify import ledger_time_ms
from blackthorn.errors import DamageError, VerificationError
from blackthorn.identity.chain import Terms, UnverifiedChain, VerifiedChain, extend, replay
from blackthorn.ports.device_store import ChainRecord, CheckpointRecord, Records

DEVICE_ID_BYTES: Final = 16
DAMAGED: Final = "a kept identity chain is damaged"

_statements: Final = msgspec.msgpack.Decoder(list[bytes])
"""The form of `ChainRecord.statements`."""
_logged: Final = msgspec.msgpack.Decoder(dict[int, int])
"""The form of `ChainRecord.logged`."""


def logged_of(record: ChainRecord) -> dict[int, int]:
    """When the ledger logged a stored chain's resets and cancels. Raises DamageError."""
    return stored.decode(_logged, record.logged, DAMAGED) if record.logged else {}


def ledger_ms(newest: CheckpointRecord | None) -> int:
    """The ledger's time in Unix milliseconds, from the newest accepted checkpoint; 0 before any."""
    return ledger_time_ms(newest.unix_ms, newest.quorum_s) if newest is not None else 0


@dataclass
class ChainCache:
    """Verified chains by address, for the lifetime of a process."""

    found: dict[str, VerifiedChain] = field(default_factory=dict)


class Chains:
    """The chains of one unit of work."""

    def __init__(self, records: Records, cache: ChainCache) -> None:
        self._records = records
        self._cache = cache
        self._asked: dict[str, VerifiedChain] = {}

    def of(self, address: str) -> VerifiedChain | None:
        """The last verified chain of a user, or None for an unknown user."""
        found = self._asked.get(address)
        if found is None:
            record = self._records.directory.chain(address)
            if record is None or not record.present:
                return None
            found = self._asked[address] = self._cache.found[address] = self._of(record)
        return found

    def live(self, address: str) -> frozenset[bytes] | None:
        """Ids of a user's live devices, without building the chain; None: unknown user."""
        known = self._asked.get(address)
        if known is not None:
            return frozenset(device.id for device in known.devices)
        data = self._records.directory.devices(address)
        if data is None:
            return None
        starts = range(0, len(data), DEVICE_ID_BYTES)
        return frozenset(data[start : start + DEVICE_ID_BYTES] for start in starts)

    def _of(self, record: ChainRecord) -> VerifiedChain:
        known = self._cache.found.get(record.address)
        if known is None or known.head != record.head or known.now_ms > record.as_of_ms:
            return self._replay(record)
        if known.pending is not None and known.now_ms != record.as_of_ms:
            return extend(known, (), self.terms(record.as_of_ms, logged_of(record)))
        return known

    def terms(self, now_ms: int, logged: dict[int, int]) -> Terms:
        trusted = anchors.pinned(self._records.settings)
        return Terms(trusted.enrolment, trusted.config.reset_delay_ms, now_ms, logged)

    def _replay(self, record: ChainRecord) -> VerifiedChain:
        statements = stored.decode(_statements, record.statements, DAMAGED)
        unverified = UnverifiedChain(record.address, tuple(statements))
        try:
            return replay(unverified, self.terms(record.as_of_ms, logged_of(record)))
        except VerificationError as error:
            raise DamageError(f"{DAMAGED}: {error}") from None

    def keep(self, record: ChainRecord, chain: VerifiedChain | None = None) -> None:
        """Store a verified record; pass `chain` if it has changed."""
        if chain is not None:
            live = b"".join(device.id for device in chain.devices)
            record = replace(record, devices=live)
        self._records.directory.put_chain(record)
        self._asked.pop(record.address, None)
        if chain is not None:
            self._cache.found[record.address] = chain
