"""Receiver of one process: decrypt, persist, acknowledge; retry undecryptable parcels.

The server keeps undecryptable parcels; this process also holds a bounded number in memory and
retries them after every change of keys. One that then opens is requested again, so that the
server's copy is acknowledged. Parcels of unknown devices are answered after the lookup.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from blackthorn.device.conversations import former, inbox, limits
from blackthorn.device.core import envelope
from blackthorn.device.core import unit_of_work as units
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork, generation
from blackthorn.device.healing import limits as heal_limits
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.device.transparency.lookup_queue import reached
from blackthorn.link import frames as f

Frames = list[f.AnyFrame]

ASK_AGAIN_MS: Final = 30_000
"""Least interval between requests for undecryptable parcels on one link."""

_DAY_MS: Final = 24 * 3_600_000

ASIDE_DURABLE_MS: Final = 5_000
"""After this time the server has stored which parcels were undecryptable."""


class Receiver:
    """Receives parcels. `retract` undoes this device's own Commit after a lost race."""

    def __init__(
        self,
        unit: Callable[[int], AbstractContextManager[UnitOfWork]],
        directory: DirectoryClient,
        retract: Callable[[UnitOfWork, Conversation], None],
    ) -> None:
        self._unit = unit
        self._directory = directory
        self._retract = retract
        self._held: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        self._holders: dict[bytes, bytes] = {}
        """Of held parcels."""
        self._held_bytes: Counter[bytes] = Counter()
        """By holder."""
        self._generation = -1
        self._aside_ms = 0
        """Unix milliseconds of the last undecryptable parcel."""
        self.disconnected()

    def disconnected(self) -> None:
        """Reset the state of the connection; held parcels stay."""
        self.active = False
        """Whether this process receives the device's parcels."""
        self._delivered = False
        self._asked = b""
        self._ask_after = 0
        self._unsettled: dict[bytes, int] = {}

    @property
    def drained(self) -> bool:
        """Whether all waiting parcels were delivered and their senders looked up."""
        return self._delivered and not self._directory.busy

    def stop(self) -> None:
        self.active = False

    def start(self, unit: UnitOfWork) -> f.Resume:
        """Start receiving; request undecryptable parcels too if they may be decryptable now."""
        self.active = True
        former.to_ask(unit)
        wanted = unit.records.settings.get(units.ASK_AGAIN) or b""
        if unit.records.peers.ask_again() and not wanted:
            wanted = b"strangers"
            unit.records.settings.put(units.ASK_AGAIN, wanted)
        return self._resume(wanted, unit.now_ms)

    def ask_again(self, unit: UnitOfWork) -> Frames:
        """Request undecryptable parcels on the same link if they may be decryptable now.

        All parcels, once a chain has shown a former device: later texts of it are refused.
        """
        if not (self.active and self.drained):
            return []
        if former.to_ask(unit):
            return [self._resume(b"", unit.now_ms)]
        if not reached(self._ask_after, unit.now_ms, ASK_AGAIN_MS):
            return []
        wanted = unit.records.settings.get(units.ASK_AGAIN) or b""
        return [self._resume(wanted, unit.now_ms)] if wanted else []

    def _resume(self, wanted: bytes, now_ms: int) -> f.Resume:
        self._delivered = False
        if wanted:
            self._ask_after = now_ms + ASK_AGAIN_MS
            # One that was undecryptable just now may not come this time: then the setting is kept.
            self._asked = wanted if now_ms - self._aside_ms >= ASIDE_DURABLE_MS else b""
        return f.Resume(bool(wanted))

    def all_delivered(self, unit: UnitOfWork) -> None:
        """The server has delivered everything."""
        self._delivered = True
        former.all_delivered(unit)
        if self._asked and unit.records.settings.get(units.ASK_AGAIN) == self._asked:
            unit.records.settings.put(units.ASK_AGAIN, b"")
        self._asked = b""

    def deliver(self, parcels: list[f.Delivery], now_ms: int) -> Frames:
        """Process a batch in one unit of work; retry the rest while any parcel succeeds."""
        opened: list[int] = []
        closed = parcels
        with self._unit(now_ms) as unit:
            before, progress = generation(unit.records), True
            while closed and progress:
                trying, closed = closed, []
                for parcel in trying:
                    kept = inbox.accept(unit, parcel.seq, parcel.sealed, self._retract)
                    (opened.append(parcel.seq) if kept else closed.append(parcel))
                after = generation(unit.records)
                progress, before = after != before, after
            asking = self._directory.busy or bool(unit.records.peers.to_ask())
            for parcel in closed:
                self._hold(unit, parcel)
        for parcel in closed:
            self._aside_ms = now_ms
            if asking:
                self._unsettled[envelope.digest(parcel.sealed)] = parcel.seq
        return _answers(opened, [] if asking else [parcel.seq for parcel in closed])

    def _hold(self, unit: UnitOfWork, parcel: f.Delivery) -> None:
        digest = envelope.digest(parcel.sealed)
        if digest in self._held:
            return
        known = unit.records.parcels.undecryptable(digest)
        self._holders[digest] = known.holder if known else b""
        self._held[digest] = (parcel.seq, parcel.sealed)
        self._held_bytes[self._holders[digest]] += len(parcel.sealed)
        most, most_bytes = limits.MAX_HELD_PARCELS, limits.MAX_HELD_BYTES
        while len(self._held) > most or self._held_bytes.total() > most_bytes:
            ((largest, _),) = self._held_bytes.most_common(1)
            self._let_go(next(one for one in self._held if self._holders[one] == largest))

    def _let_go(self, digest: bytes) -> None:
        _, sealed = self._held.pop(digest)
        holder = self._holders.pop(digest)
        self._held_bytes[holder] -= len(sealed)
        if not self._held_bytes[holder]:
            del self._held_bytes[holder]

    def retry(self, unit: UnitOfWork) -> None:
        """Retry held parcels once after every change of a conversation's keys."""
        now = generation(unit.records)
        while self._held and now != self._generation:
            self._generation = now
            for digest, (seq, sealed) in list(self._held.items()):
                if inbox.accept(unit, seq, sealed, self._retract):
                    self._let_go(digest)
                    if digest not in self._unsettled:
                        # The server keeps its copy: have it delivered, and acknowledge it.
                        unit.records.settings.put(units.ASK_AGAIN, now.to_bytes(8, "big"))
            now = generation(unit.records)
        self._generation = now

    def answer_unsettled(self, unit: UnitOfWork) -> Frames:
        """Answer for parcels whose senders have now been looked up."""
        if self._directory.busy or not self._unsettled:
            return []
        seen = {digest for digest in self._unsettled if unit.records.parcels.seen(digest)}
        waited, self._unsettled = self._unsettled, {}
        self._aside_ms = unit.now_ms
        opened = [seq for digest, seq in waited.items() if digest in seen]
        return _answers(opened, [seq for digest, seq in waited.items() if digest not in seen])


def forget_old(unit: UnitOfWork) -> None:
    """Delete records of parcels that the server no longer delivers."""
    parcels, oldest_ms = unit.records.parcels, unit.now_ms - limits.UNDECRYPTABLE_SECONDS * 1000
    parcels.forget_seen_before(unit.now_ms - limits.SEEN_PARCEL_SECONDS * 1000)
    parcels.forget_undecryptable_before(oldest_ms)
    parcels.forget_parts_before(oldest_ms)
    healing = unit.records.healing
    healing.forget_branches_before(unit.now_ms - heal_limits.KEPT_EPOCH_SECONDS * 1000)
    healing.forget_groups_before(unit.now_ms - heal_limits.KEPT_GROUP_SECONDS * 1000)
    healing.forget_sent_before(unit.now_ms - heal_limits.SENT_TEXT_SECONDS * 1000)
    unit.records.lost.forget_before(oldest_ms, unit.now_ms // _DAY_MS - 1)
    unit.records.peers.forget_unknown_devices_before(oldest_ms)


def _answers(opened: list[int], closed: list[int]) -> Frames:
    acknowledged: Frames = [f.Acknowledge(opened)] if opened else []
    return [*acknowledged, f.SetAside(closed)] if closed else acknowledged
