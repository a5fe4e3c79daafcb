"""What a device asks of the ledger, one lookup at a time, and what it does with the answers.

Who is looked up: the device's own user on connecting, every six hours, when the server says that
his entry has changed, and while a change of his own is not published; strangers in leaves; people
before a first message; nobody in particular when somebody has seen a larger ledger. People who
are known and have not been looked at for long go along with the next lookup, so that one
question shows less of who is meant.

Kept in memory only: a connection that breaks asks again. Nothing here trusts an answer; that
is `directory`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from blackthorn import limits
from blackthorn.device import gossip, own_chain
from blackthorn.device.directory import (
    Shown,
    StaleError,
    accept_answer,
    accept_chain,
    accept_epoch,
    clock_ms,
)
from blackthorn.device.turn import Turn
from blackthorn.directory.verify import Absent, Present
from blackthorn.errors import VerificationError
from blackthorn.link import frames as f
from blackthorn.ports.device_store import ChainRecord

Frames = list[f.AnyFrame]

ALONG: Final = 32
"""Known people who go along with a lookup when they have not been looked at for long."""

REFRESH_MS: Final = limits.OWN_CHECK_SECONDS * 1000


@dataclass(slots=True)
class _Fetch:
    """A chain on its way: the answer that commits to it, and the statements so far."""

    found: Present
    said: f.Answer
    statements: list[bytes] = field(default_factory=list)


class Asker:
    """One connection's questions to the ledger."""

    def __init__(self) -> None:
        self.stale = False
        """Whether the newest state of the ledger was too old for a first meeting."""
        self.refused: dict[str, str] = {}
        """Of whom the ledger's word did not hold, and why; until he is looked up again."""
        self.pending: dict[str, int] = {}
        """Users who wait for their first epoch, and when the server said so."""
        self._number = 0
        self.disconnected()

    def disconnected(self) -> None:
        """The connection has ended: what was asked is not answered."""
        self._wanted: set[str] = set()
        self._own_due_ms = 0
        self._refresh_due_ms = 0
        self._lookup: f.LookUp | None = None
        self._shown: Shown | None = None
        self._fetches: dict[str, _Fetch] = {}
        self._tries: dict[str, int] = {}
        self._proving: gossip.Heard | None = None
        self._told = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._lookup is not None or self._proving is not None

    def want(self, addresses: Iterable[str]) -> None:
        """Look these up, soon."""
        self._wanted.update(addresses)

    def own_changed(self) -> None:
        """Look at the own user's entry at once."""
        self._own_due_ms = 0

    # --- Asking ---------------------------------------------------------------------------

    def ask(self, turn: Turn) -> Frames:
        """The next question, if one is due and none is open."""
        if self.busy:
            return []
        frames = self._prove(turn)
        if frames:
            return frames
        wanted = self._due(turn)
        if wanted is None:
            return []
        newest = turn.records.directory.newest()
        self._number += 1
        addresses = sorted(wanted)[: limits.MAX_LOOKUP_ADDRESSES]
        self._lookup = f.LookUp(self._number, addresses, newest.size if newest else 0)
        self._wanted -= set(addresses)
        return [self._lookup]

    def _due(self, turn: Turn) -> set[str] | None:
        """Whom to look up now; an empty set asks for the newest checkpoint alone."""
        now_ms = turn.now_ms
        wanted = set(self._wanted) | set(turn.records.peers.to_ask())
        if now_ms >= self._own_due_ms:
            wanted.add(turn.me.address)
        wanted |= {
            address
            for address, since_ms in self.pending.items()
            if now_ms - since_ms >= limits.PENDING_USER_SECONDS * 1000
        }
        if wanted:
            return wanted | self._along(turn, wanted)
        if now_ms >= self._refresh_due_ms and gossip.awaits_larger(turn.records):
            return set()
        return None

    def _along(self, turn: Turn, wanted: set[str]) -> set[str]:
        old = [
            each
            for each in turn.records.directory.chains()
            if each.present and turn.now_ms - each.checked_ms > REFRESH_MS
        ]
        old.sort(key=lambda each: each.checked_ms)
        return {each.address for each in old[:ALONG]} - wanted

    def _prove(self, turn: Turn) -> Frames:
        newest = turn.records.directory.newest()
        said = gossip.to_prove(turn.records, newest) if newest is not None else None
        if said is None or newest is None:
            return []
        self._number += 1
        self._proving = said
        return [f.ProveConsistency(self._number, said.size, newest.size)]

    # --- Answers --------------------------------------------------------------------------

    def looked_up(self, turn: Turn, frame: f.LookedUp) -> Frames:
        """Verify an epoch and its answers; the chains that are new are fetched."""
        asked = self._lookup
        if asked is None or frame.request != asked.request:
            return []
        self._refresh_due_ms = turn.now_ms + limits.PENDING_USER_SECONDS * 1000
        try:
            self._shown = accept_epoch(turn, frame, first_meeting=False)
        except StaleError:
            self.stale = True
            return self._end(turn, asked.addresses)
        except VerificationError as error:
            frames: Frames = self._tell_newer(turn) if error.rule == "D10" else []
            self.refused |= dict.fromkeys(asked.addresses, str(error))
            return frames + self._end(turn, asked.addresses)
        self.stale = self._too_old(turn)
        gossip.check_withheld(turn.records, turn.now_ms)
        self._take_answers(turn, asked, frame)
        if not self._fetches:
            return self._end(turn, asked.addresses)
        return [
            f.FetchChain(self._number, address, self._known(turn, address))
            for address in self._fetches
        ]

    def _too_old(self, turn: Turn) -> bool:
        """Whether the newest state is too old to meet somebody for the first time."""
        if self._shown is None:
            return True
        age_ms = clock_ms(turn) - self._shown.epoch.time_ms
        return age_ms > limits.LOOKUP_FRESH_SECONDS * 1000

    def _take_answers(self, turn: Turn, asked: f.LookUp, frame: f.LookedUp) -> None:
        assert self._shown is not None
        answered = {each.address: each for each in frame.answers}
        for address in asked.addresses:
            said = answered.get(address)
            self.refused.pop(address, None)
            if said is None:
                if address in frame.pending:
                    self.pending[address] = turn.now_ms
                continue
            self.pending.pop(address, None)
            try:
                found = accept_answer(turn, said, self._shown)
            except VerificationError as error:
                self.refused[address] = str(error)
                continue
            if isinstance(found, Present) and self._must_fetch(turn, found, address):
                self._fetches[address] = _Fetch(found, said)
            if address == turn.me.address:
                self._own_looked_at(turn, found)

    def _must_fetch(self, turn: Turn, found: Present, address: str) -> bool:
        known = turn.records.directory.chain(address)
        return known is None or not known.present or known.head != found.value.head

    def _known(self, turn: Turn, address: str) -> int:
        """How many statements of the chain this device has."""
        record = turn.records.directory.chain(address)
        have = record.seq if record is not None and record.present else 0
        return have + len(self._fetches[address].statements)

    def chain_part(self, turn: Turn, part: f.ChainPart) -> Frames:
        """Statements of a chain; when they are all there it is verified and kept."""
        fetch = self._fetches.get(part.address)
        if fetch is None or self._shown is None or self._lookup is None:
            return []
        if part.size != self._shown.epoch.accepted.size and self._overtaken(part.address):
            return self._end_if_done(turn)
        fetch.statements += part.statements
        if part.more and part.statements:
            return [f.FetchChain(self._number, part.address, self._known(turn, part.address))]
        del self._fetches[part.address]
        whole = f.ChainPart(
            part.request,
            part.address,
            part.size,
            fetch.statements,
            part.receipts,
            part.certificate,
            False,
        )
        try:
            accept_chain(turn, fetch.found, fetch.said, whole, self._shown)
        except VerificationError as error:
            self.refused[part.address] = str(error)
        if part.address == turn.me.address:
            self._own_looked_at(turn, fetch.found)
        self._tries.pop(part.address, None)
        return self._end_if_done(turn)

    def _overtaken(self, address: str) -> bool:
        """The next epoch came between answer and chain: look again, but not for ever."""
        self._tries[address] = self._tries.get(address, 0) + 1
        if self._tries[address] > limits.MAX_CHAIN_TRIES:
            return False
        del self._fetches[address]
        self._wanted.add(address)
        return True

    def _own_looked_at(self, turn: Turn, found: Present | Absent) -> None:
        published = own_chain.check(turn, found)
        wait_s = limits.OWN_CHECK_SECONDS if published else limits.PENDING_USER_SECONDS
        self._own_due_ms = turn.now_ms + wait_s * 1000

    def _end_if_done(self, turn: Turn) -> Frames:
        if self._fetches or self._lookup is None:
            return []
        return self._end(turn, self._lookup.addresses)

    def _end(self, turn: Turn, addresses: Iterable[str]) -> Frames:
        """The lookup is answered as far as it goes."""
        self._lookup, self._shown = None, None
        self._fetches.clear()
        again = self._wanted | set(self.pending)
        turn.records.peers.set_asked([each for each in addresses if each not in again])
        if turn.me.address in addresses and self._own_due_ms <= turn.now_ms:
            self._own_due_ms = turn.now_ms + limits.PENDING_USER_SECONDS * 1000
        return []

    def _tell_newer(self, turn: Turn) -> Frames:
        """Show the server the checkpoint of its own that is newer than what it says."""
        newest = turn.records.directory.newest()
        if newest is None or newest.size == self._told:
            return []
        self._told = newest.size
        return [f.TellCheckpoint(newest.note)]

    def consistency(self, turn: Turn, frame: f.Consistency) -> Frames:
        """The proof that somebody's checkpoint is the beginning of ours, or no such proof."""
        said, newest = self._proving, turn.records.directory.newest()
        self._proving = None
        if said is not None and newest is not None:
            own = turn.records.directory.checkpoint(newest.size) or newest
            gossip.compare(turn.records, said, own, frame.proof, turn.now_ms)
        return []

    # --- What a wish needs ----------------------------------------------------------------

    def fresh(self, turn: Turn, address: str) -> ChainRecord | None:
        """What is known of a user, if it was looked up within the hour; else he is wanted."""
        known = turn.records.directory.chain(address)
        if known is not None and address not in self.pending and not self.stale:
            age_ms = turn.now_ms - known.checked_ms
            if 0 <= age_ms <= limits.LOOKUP_FRESH_SECONDS * 1000:
                return known
        if address not in self.pending:
            self.want([address])
        return None
