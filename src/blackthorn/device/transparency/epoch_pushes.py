"""Changed entries of the map that the server names, and when their users are looked up.

A user whom no push names may have changed all the same: a server can leave them out. So a push only
brings lookups forward, and never stands for one.
"""

from collections.abc import Iterable
from typing import Final

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.link import frames as f

Frames = list[f.AnyFrame]

SPREAD_MS: Final = 60_000
"""Time within which members look up somebody who has changed, if nothing waits for it."""

ANSWER_MS: Final = 30_000
"""Longest wait for the server to name changes, or to answer about them, before parcels are read."""

ALL_MS: Final = 24 * 3600 * 1000
"""How often all contacts are looked up because more entries changed than are named."""

_ALL: Final = "contacts-looked-up"


class EpochPushes:
    """The pushes of one connection after another."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        """Users named and not looked up since."""
        self.disconnected()

    def disconnected(self) -> None:
        self._size = 0
        """The size up to which changes were named on this connection."""
        self._due: dict[str, int] = {}
        self._looked_up: dict[str, int] = {}
        """When users were last looked up because of a push: a server can name them for ever."""
        self._asked_ms: int | None = None
        self._began_ms: int | None = None

    def begin(self, unit: UnitOfWork, size: int) -> Frames:
        """A connection to a server whose tree has `size` leaves; what to ask first."""
        newest = unit.records.directory.newest()
        self._size = newest.size if newest is not None else 0
        self._began_ms = unit.now_ms
        self._due = dict.fromkeys(self.changed, unit.now_ms)
        return self._fetch(unit) if 0 < self._size < size else []

    def _fetch(self, unit: UnitOfWork) -> Frames:
        if self._asked_ms is not None and 0 <= unit.now_ms - self._asked_ms < ANSWER_MS:
            return []
        self._asked_ms = unit.now_ms
        return [f.FetchEpochs(self._size)]

    def settled(self, unit: UnitOfWork) -> bool:
        """Whether all users who changed before this connection were looked up, or must not wait."""
        if self._began_ms is None:
            return True
        waits = self._asked_ms is not None or bool(self.changed)
        if not waits or not 0 <= unit.now_ms - self._began_ms < ANSWER_MS:
            self._began_ms = None
        return self._began_ms is None

    def nothing_changed(self, frame: f.EpochPushed) -> bool:
        """Whether a push only says that the ledger goes on: then that is all there is to do."""
        follows = self._size > 0 and frame.since <= self._size < frame.size
        if not follows or frame.prefixes or not frame.whole:
            return False
        self._size, self._asked_ms = frame.size, None
        return True

    def pushed(self, unit: UnitOfWork, frame: f.EpochPushed) -> Frames:
        """The server names changes; those whom they may concern are looked up soon."""
        self._size = self._size or frame.since
        if frame.size <= self._size:
            self._asked_ms = None
            return []
        if frame.since > self._size:
            return self._fetch(unit)
        self._size, self._asked_ms = frame.size, None
        found = self._named(unit, frame)
        at_once = self._began_ms is not None or bool(unit.records.outbox.all())
        for address in found - self.changed:
            wait_ms = int.from_bytes(unit.random(4), "big") % SPREAD_MS
            before_ms = self._looked_up.get(address, unit.now_ms - SPREAD_MS)
            again_ms = max(unit.now_ms, min(before_ms, unit.now_ms) + SPREAD_MS)
            own = address == unit.me.address
            self._due[address] = unit.now_ms if at_once or own else again_ms + wait_ms
        self.changed |= found
        return []

    def _named(self, unit: UnitOfWork, frame: f.EpochPushed) -> set[str]:
        """The known users whose entries may have changed since they were looked up."""
        prefixes = set(frame.prefixes)
        if not frame.whole:
            last_ms = int.from_bytes(unit.records.settings.get(_ALL) or b"", "big")
            if 0 <= unit.now_ms - last_ms < ALL_MS:
                return set()
            unit.records.settings.put(_ALL, unit.now_ms.to_bytes(8, "big"))
        return {
            address
            for address, place, size in unit.records.directory.places()
            if size < frame.size
            and (not frame.whole or place in prefixes or (prefixes and not place))
        }

    def hurry(self, unit: UnitOfWork, addresses: Iterable[str]) -> None:
        """Something is to be sealed for these: look them up at once."""
        for address in addresses:
            if address in self._due:
                self._due[address] = unit.now_ms

    def due(self, unit: UnitOfWork) -> set[str]:
        """The users to look up now."""
        now_ms = unit.now_ms
        return {a for a, at_ms in self._due.items() if not 0 < at_ms - now_ms <= 2 * SPREAD_MS}

    def looked_up(self, addresses: Iterable[str], now_ms: int) -> None:
        """The server has answered for these, or does not."""
        for address in self.changed.intersection(addresses):
            self._looked_up[address] = now_ms
            self._due.pop(address, None)
            self.changed.discard(address)
