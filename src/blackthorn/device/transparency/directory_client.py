"""Client of the directory: looks users up in the ledger, one lookup at a time.

It looks up the device's own user (on connecting, every six hours, after a change), users of unknown
devices, people before a first message, and the newest checkpoint when a peer has a larger one.
Stale contacts are added to each lookup to hide whom it is for.

State is in memory: it asks again after a reconnect. An answer overtaken by another process is
dropped and asked for again. `ledger_state` and `accepted_chains` verify the answers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency import alarms, chain_fetch, gossip, local_chain, own_chain
from blackthorn.device.transparency import limits as transparency_limits
from blackthorn.device.transparency.accepted_chains import OvertakenError, accept_chain
from blackthorn.device.transparency.chain_fetch import ChainFetch
from blackthorn.device.transparency.epoch_pushes import EpochPushes
from blackthorn.device.transparency.ledger_state import (
    AcceptedEpoch,
    StaleError,
    accept_answer,
    accept_epoch,
    clock_ms,
    too_old,
)
from blackthorn.device.transparency.lookup_queue import AGAIN_MS, LookupQueue, reached
from blackthorn.directory.verify import Absent, Present
from blackthorn.errors import VerificationError
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.ports.device_store import ChainRecord, CheckpointRecord

Frames = list[f.AnyFrame]

ALONG: Final = 32
"""Stale contacts added to a lookup."""

FRESH_MS: Final = transparency_limits.LOOKUP_FRESH_SECONDS * 1000
REFRESH_MS: Final = transparency_limits.OWN_CHECK_SECONDS * 1000
PENDING_MS: Final = transparency_limits.PENDING_USER_SECONDS * 1000
GOSSIP_MS: Final = 10_000
"""Interval of requests for the newest checkpoint while a peer has a larger ledger."""

ANSWER_MS: Final = 30_000
"""Timeout of a question."""

TOO_OLD: Final = (
    "the newest state of the ledger is too old for a first contact: check this device's clock, "
    "or try again later"
)


@dataclass(frozen=True, slots=True)
class _ConsistencyQuery:
    """An open request to prove that a peer's checkpoint is a prefix of this device's."""

    request: int
    answer: gossip.PeerCheckpoint
    own: CheckpointRecord


class DirectoryClient:
    """The questions to the ledger over one connection."""

    def __init__(self) -> None:
        self.stale = False
        """Whether the newest checkpoint is too old for a first contact."""
        self.has_looked = False
        """Whether a lookup of this process has shown what time it is by the ledger."""
        self.pending: dict[str, int] = {}
        """Users waiting for their first epoch → time of the server's answer."""
        self.pushes = EpochPushes()
        self._number = 0
        self.disconnected()

    def disconnected(self) -> None:
        """The connection has ended; open questions are dropped."""
        self.refused: dict[str, str] = {}
        """Users whose answer failed verification → reason, until the next lookup."""
        self.pushes.disconnected()
        self.queue = LookupQueue()
        self._own_due_ms = 0
        self._refresh_due_ms = 0
        self._lookup: f.LookUp | None = None
        self._latest: AcceptedEpoch | None = None
        self._fetches: dict[str, ChainFetch] = {}
        self._tries: dict[str, int] = {}
        self._absent: set[str] = set()
        """Users proved absent that no operation has been told of yet."""
        self._proving: _ConsistencyQuery | None = None
        self._told = 0
        self._asked_ms = 0
        self._ended_ms = -FRESH_MS - 1
        """When a lookup last ended, answered or not."""
        self._silent_ms = -AGAIN_MS
        """Time of the last timeout; no question is sent for a while after it."""

    @property
    def busy(self) -> bool:
        return self._lookup is not None or self._proving is not None

    def awaits(self, unit: UnitOfWork) -> bool:
        """Whether answers are awaited or unknown devices must be looked up."""
        if self.busy:
            return True
        left = reached(self._silent_ms + AGAIN_MS, unit.now_ms, AGAIN_MS)
        return left and bool(unit.records.peers.to_ask())

    def want(self, addresses: Iterable[str]) -> None:
        self.queue.wanted.update(addresses)

    def own_changed(self) -> None:
        """Look up the device's own user at once."""
        self._own_due_ms = 0

    def ask(self, unit: UnitOfWork) -> Frames:
        """The next question, if one is due and none is open."""
        self._wait_no_longer(unit)
        if self.busy or not reached(self._silent_ms + AGAIN_MS, unit.now_ms, AGAIN_MS):
            return []
        frames = self._prove(unit) or self._look_up(unit)
        if frames:
            self._asked_ms = unit.now_ms
        return frames

    def _wait_no_longer(self, unit: UnitOfWork) -> None:
        """Stop waiting for a server that does not answer."""
        if not self.busy or not reached(self._asked_ms + ANSWER_MS, unit.now_ms, ANSWER_MS):
            return
        self._silent_ms = self._ended_ms = unit.now_ms
        asked = self._lookup.addresses if self._lookup is not None else []
        self.refused |= dict.fromkeys(asked, "the server does not answer")
        self.pushes.looked_up(asked, unit.now_ms)
        self._ask_anew()
        self._proving = None

    def _look_up(self, unit: UnitOfWork) -> Frames:
        wanted = self._due(unit)
        if wanted is None:
            return []
        newest = unit.records.directory.newest()
        self._number += 1
        asked = sorted(wanted)[: link_limits.MAX_LOOKUP_ADDRESSES]
        along = self._along(unit, wanted)[: link_limits.MAX_LOOKUP_ADDRESSES - len(asked)]
        addresses = sorted([*asked, *(along if asked else [])])
        self._lookup = f.LookUp(self._number, addresses, newest.size if newest else 0)
        self.queue.begin(unit, addresses)
        return [self._lookup]

    def _due(self, unit: UnitOfWork) -> set[str] | None:
        """The users to look up now; an empty set asks for the newest checkpoint alone."""
        now_ms = unit.now_ms
        wanted = self.queue.due(now_ms) | set(unit.records.peers.to_ask()) | set(self.pending)
        wanted |= self.pushes.due(unit)
        wanted -= {
            address
            for address, since_ms in self.pending.items()
            if not reached(since_ms + PENDING_MS, now_ms, PENDING_MS)
        }
        if reached(self._own_due_ms, now_ms, REFRESH_MS):
            wanted.add(unit.me.address)
        if wanted:
            return wanted
        if reached(self._refresh_due_ms, now_ms, GOSSIP_MS) and gossip.awaits_larger(unit.records):
            return set()
        return None

    def _along(self, unit: UnitOfWork, wanted: set[str]) -> list[str]:
        old = [
            record
            for record in unit.records.directory.chains()
            if record.present and not 0 <= unit.now_ms - record.checked_ms <= REFRESH_MS
        ]
        old.sort(key=lambda record: record.checked_ms)
        return [record.address for record in old if record.address not in wanted][:ALONG]

    def _prove(self, unit: UnitOfWork) -> Frames:
        found = gossip.to_prove(unit.records)
        if found is None:
            return []
        answer, newest = found
        self._number += 1
        self._proving = _ConsistencyQuery(self._number, answer, newest)
        return [f.ProveConsistency(self._number, answer.size, newest.size)]

    def looked_up(self, unit: UnitOfWork, frame: f.LookedUp) -> Frames:
        """Verify an epoch and its answers, and fetch new chains."""
        asked = self._lookup
        if asked is None or frame.request != asked.request or self._latest is not None:
            return []
        newest = unit.records.directory.newest()
        if asked.have != (newest.size if newest is not None else 0):
            return self._ask_anew()
        self._refresh_due_ms = unit.now_ms + GOSSIP_MS
        try:
            self._latest = accept_epoch(unit, frame, self.queue.moment)
        except VerificationError as error:
            self.stale = self.stale or isinstance(error, StaleError)
            self.has_looked = self.has_looked or isinstance(error, StaleError)
            frames: Frames = self._tell_newer(unit) if error.rule == "D10" else []
            self.refused |= dict.fromkeys(asked.addresses, str(error))
            return frames + self._end(unit)
        self.has_looked = True
        was_stale, self.stale = self.stale, too_old(unit)
        if was_stale and not self.stale:  # by a wrong clock nobody was found
            unit.records.peers.ask_again()
        gossip.check_withheld(unit.records, unit.now_ms)
        for address in asked.addresses:
            self._take_answer(unit, address, frame)
        if not self._fetches:
            return self._end(unit)
        self._asked_ms = unit.now_ms
        return [
            f.FetchChain(self._number, address, fetch.after)
            for address, fetch in self._fetches.items()
        ]

    def _ask_anew(self) -> Frames:
        """Drop the open lookup and schedule its users again."""
        if self._lookup is not None:
            self.queue.wanted.update(self._lookup.addresses)
        self._lookup, self._latest = None, None
        self._fetches.clear()
        return []

    def _take_answer(self, unit: UnitOfWork, address: str, frame: f.LookedUp) -> None:
        assert self._latest is not None
        answer = next((answer for answer in frame.answers if answer.address == address), None)
        self.refused.pop(address, None)
        if answer is None:
            self._not_answered(unit, address, waits=address in frame.pending)
            return
        self.pending.pop(address, None)
        try:
            found = accept_answer(unit, answer, self._latest)
        except VerificationError as error:
            self.refused[address] = str(error)
            return
        self._absent.discard(address)
        if isinstance(found, Absent):
            self._absent.add(address)
        elif (fetch := chain_fetch.needed(unit, found, answer)) is not None:
            self._fetches[address] = fetch
            return
        if address == unit.me.address:
            self._own_looked_at(unit, answer, found)

    def _not_answered(self, unit: UnitOfWork, address: str, *, waits: bool) -> None:
        known = unit.records.directory.chain(address)
        if known is not None and known.present:
            text = "the ledger had this person; now the server says nothing of them"
            alarms.raise_alarm(unit.records, "denied", address, text, unit.now_ms)
            self.refused[address] = text
        elif waits:
            self.pending[address] = unit.now_ms
        else:
            self.pending.pop(address, None)
            self.refused[address] = f"the server does not answer for {address}"

    def chain_part(self, unit: UnitOfWork, part: f.ChainPart) -> Frames:
        """Add statements of a chain; verify and store the complete chain."""
        fetch, latest = self._fetches.get(part.address), self._latest
        if fetch is None or latest is None or part.request != self._number:
            return []
        newest = unit.records.directory.newest()
        if newest is None or newest.size != latest.epoch.accepted.size:
            return self._ask_anew()
        self._asked_ms = unit.now_ms
        if fetch.add(part):
            return [f.FetchChain(self._number, part.address, fetch.have)]
        del self._fetches[part.address]
        self._take_chain(unit, fetch, part, latest)
        return [] if self._fetches else self._end(unit)

    def _take_chain(
        self, unit: UnitOfWork, fetch: ChainFetch, part: f.ChainPart, latest: AcceptedEpoch
    ) -> None:
        address = part.address
        known = unit.records.directory.chain(address)
        if known is not None and known.present and known.head != fetch.head:
            self.queue.wanted.add(address)  # another process has learned of it since
            return
        try:
            accept_chain(unit, fetch.found, fetch.answer, fetch.whole(part), latest)
        except OvertakenError as error:
            self._overtaken(address, error)
            return
        except VerificationError as error:
            self.refused[address] = str(error)
            return
        self._tries.pop(address, None)
        if address == unit.me.address:
            self._own_looked_at(unit, fetch.answer, fetch.found)

    def _overtaken(self, address: str, error: OvertakenError) -> None:
        """An epoch came between answer and chain: look up again, a bounded number of times."""
        self._tries[address] = self._tries.get(address, 0) + 1
        if self._tries[address] <= transparency_limits.MAX_CHAIN_TRIES:
            self.queue.wanted.add(address)
            return
        del self._tries[address]
        self.refused[address] = str(error)

    def _own_looked_at(self, unit: UnitOfWork, answer: f.Answer, found: Present | Absent) -> None:
        assert self._latest is not None
        wait_ms = REFRESH_MS
        if not own_chain.check(unit, answer, found, self._latest, local_chain.own(unit)):
            wait_ms = PENDING_MS if own_chain.is_recent(unit) else AGAIN_MS
        self._own_due_ms = unit.now_ms + wait_ms

    def _end(self, unit: UnitOfWork) -> Frames:
        addresses = self._lookup.addresses if self._lookup is not None else []
        self._lookup, self._latest = None, None
        self._ended_ms = unit.now_ms
        self._fetches.clear()
        self.pushes.looked_up(addresses, unit.now_ms)
        again = self.queue.wanted | set(self.pending)
        unit.records.peers.set_asked([address for address in addresses if address not in again])
        if unit.me.address in addresses and reached(self._own_due_ms, unit.now_ms, REFRESH_MS):
            wait_ms = PENDING_MS if unit.me.address in again else AGAIN_MS
            self._own_due_ms = unit.now_ms + wait_ms
        return []

    def _tell_newer(self, unit: UnitOfWork) -> Frames:
        """Send the newest known checkpoint to a server that shows an older one."""
        newest = unit.records.directory.newest()
        if newest is None or newest.size == self._told:
            return []
        self._told = newest.size
        return [f.TellCheckpoint(newest.note)]

    def consistency(self, unit: UnitOfWork, frame: f.Consistency) -> Frames:
        """Process the proof that a peer's checkpoint is a prefix of this device's."""
        proving = self._proving
        if proving is None or frame.request != proving.request:
            return []
        self._proving = None
        gossip.compare(unit.records, proving.answer, proving.own, frame.proof, unit.now_ms)
        return []

    def time_is_new(self, unit: UnitOfWork) -> bool:
        """Whether the ledger's time is at most an hour old, or as new as a lookup could make it.

        Else one is scheduled.
        """
        ages = (unit.now_ms - clock_ms(unit), unit.now_ms - self._ended_ms)
        if any(0 <= age_ms <= FRESH_MS for age_ms in ages):
            return True
        self.own_changed()
        return False

    def all_fresh(self, unit: UnitOfWork, addresses: Sequence[str]) -> bool:
        """Whether all users were looked up within the hour; refused ones do not count."""
        known = [self.fresh(unit, address) for address in addresses if address not in self.refused]
        return None not in known

    def fresh(self, unit: UnitOfWork, address: str, since_ms: int = 0) -> ChainRecord | None:
        """The record of a user looked up within the hour, or None after scheduling a lookup.

        With `since_ms`, looked up since then. A proof of absence is returned once.
        """
        known = unit.records.directory.chain(address)
        good = address not in self.refused and address not in self.pending and not too_old(unit)
        if good and known is not None:
            if not known.present and address in self._absent:
                self._absent.discard(address)
                return known
            recent = 0 <= unit.now_ms - known.checked_ms <= FRESH_MS
            if known.present and recent and known.checked_ms >= since_ms:
                return known
        asked = self._lookup is not None and address in self._lookup.addresses
        if address not in self.pending and not asked:
            self.want([address])
        return None

    def why_not(self, unit: UnitOfWork, addresses: Iterable[str]) -> str:
        """Why these users cannot be used; empty while unknown or an answer is open."""
        if self._lookup is not None:
            return ""
        asked = list(addresses)
        refused = [self.refused[address] for address in asked if address in self.refused]
        if self.stale and too_old(unit):
            return TOO_OLD
        if refused:
            return f"ledger verification failed: {refused[0]}"
        waiting = [address for address in asked if address in self.pending]
        return f"{waiting[0]} is not in the ledger yet" if waiting else ""
