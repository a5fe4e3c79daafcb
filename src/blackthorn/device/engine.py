"""The device: frames in, frames out, everything decided inside turns over its store.

No sockets and no clock: `programs.device.program` connects it to the link, scenarios to a server in
the same process. Several processes may each run a `Device` over one store; only the one that
`receives` asks for deliveries. What a turn has saved survives the end of the process; what is kept
in this object only saves work.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from blackthorn.device import limits as device_limits
from blackthorn.device.account import chain_changes, exit_notices, reconciler
from blackthorn.device.conversations import envelope, inbox, key_packages
from blackthorn.device.core import unit_of_work as turns
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.core.unit_of_work import Turn, generation
from blackthorn.device.operations import outbox
from blackthorn.device.operations.alarm_scope import concerned, in_group
from blackthorn.device.operations.batching import lists_behind, send_frames
from blackthorn.device.operations.outgoing import Outcome, Prepared, decode_intent, decode_prepared
from blackthorn.device.operations.preparation import HopelessError, Needs, Nothing, prepare
from blackthorn.device.transparency import alarms
from blackthorn.device.transparency.directory_client import Asker, reached
from blackthorn.device.transparency.replay import Replayer
from blackthorn.device.transparency.verified_chains import ChainCache
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.ports.device_store import DeviceStore, OutboxRecord

Frames = list[f.AnyFrame]

RETRY_MS: Final = 30_000
"""After a refusal that may pass, a posting is tried again after this time."""

AGAIN_MS: Final = 3_000
"""A statement that the chain has overtaken is made again after this time: then it was looked at."""

ASK_AGAIN_MS: Final = 30_000
"""What was set aside is asked for again on one link no sooner than this after the last time."""

ASIDE_DURABLE_MS: Final = 5_000
"""After this time the server has surely noted what was set aside, and delivers it when asked."""


class Device:
    """One device's decisions over one connection after another."""

    def __init__(
        self,
        store: DeviceStore,
        keys: DeviceKeys,
        *,
        random: Callable[[int], bytes],
    ) -> None:
        self.keys = keys
        self.outcomes: list[Outcome] = []
        """What has become of wishes; the caller takes them out."""
        self.superseded = False
        """Whether another connection of this device receives instead."""
        self.stopped: set[int] = set()
        """Wishes that wait until the person has accepted an alarm."""
        self.mail_waits = False
        """Whether the server has said that there is new mail."""
        self._store = store
        self._random = random
        self._chains = ChainCache()
        self._asker = Asker()
        self._replayer = Replayer()
        self._upkeep = reconciler.Schedule()
        self._mine: set[bytes] = set()
        self._held: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        self._held_bytes = 0
        self._generation = -1
        self._aside_ms = 0
        """When something was last set aside, in Unix milliseconds."""
        self._later: dict[int, int] = {}
        """Rows to leave alone until a time, in Unix milliseconds."""
        self._second: dict[int, int] = {}
        """Rows whose Commit came second: to leave alone until the generation is another."""
        self._noticed: set[str] = set()
        """The exits and directives of which the server has given notice on this link."""
        self._disconnect()

    def turn(self, now_ms: int) -> AbstractContextManager[Turn]:
        """A turn of this device at `now_ms`, Unix milliseconds."""
        return turns.turn(self._store, self.keys, now_ms, self._random, self._chains)

    def wish(self, now_ms: int, make: Callable[[Turn], int]) -> int:
        """Write down a wish (`outbox.send_text` and its like); its number. Then `tick`.

        This process sees to it at once; what others left in the outbox is taken over in time.
        """
        with self.turn(now_ms) as turn:
            number = make(turn)
            row = turn.records.outbox.get(number)
        if row is not None:
            self._mine.add(row.target)
        return number

    def want(self, addresses: list[Address]) -> None:
        """Look these people up in the ledger with the next tick."""
        self._asker.want(addresses)

    def busy(self, now_ms: int) -> bool:
        """Whether this process waits for an answer to something in the outbox."""
        with self.turn(now_ms) as turn:
            rows = turn.records.outbox.all()
        sent = any(row.posting in self._sent for row in rows if row.posting is not None)
        return sent or bool(self._claiming & {row.number for row in rows})

    @property
    def drained(self) -> bool:
        """Whether everything that waited at the server has been delivered, and looked up."""
        return self._delivered and not self._asker.busy

    @property
    def stale(self) -> bool:
        """Whether the newest state of the ledger is too old to meet somebody for the first time."""
        return self._asker.stale

    def check_ledger(self) -> None:
        """The person wants the log to be replayed now, however many users it has."""
        self._replayer.wanted = True

    @property
    def replaying(self) -> tuple[bool, tuple[int, int]]:
        """Whether the log is being replayed; entries that were, and how many there are."""
        return self._replayer.busy, self._replayer.progress

    # --- The connection -------------------------------------------------------------------

    def _disconnect(self) -> None:
        self._connected = False
        self._receives = False
        self._asked = b""
        self._ask_after = 0
        self._sent: set[bytes] = set()
        self._claiming: set[int] = set()
        self._found = 0
        self._unsettled: dict[bytes, int] = {}
        self._delivered = False

    def disconnected(self) -> None:
        """The link has ended: what was not answered will be sent again."""
        self._disconnect()
        self._asker.disconnected()
        self._replayer.disconnected()

    def connected(self, ready: f.Ready, now_ms: int, *, receives: bool) -> Frames:
        """The link is open. `receives` when this process holds the device's receiver lock."""
        self._connected = True
        self._receives = receives
        self._upkeep.poke()
        self._noticed.clear()
        self._later.clear()
        frames: Frames = []
        with self.turn(now_ms) as turn:
            self._forget_old(turn)
            publish = key_packages.replenish(turn, ready.key_packages)
            if publish is not None:
                frames.append(publish)
            wanted = turn.records.settings.get(turns.ASK_AGAIN) or b""
            if receives and turn.records.peers.ask_again() and not wanted:
                wanted = b"strangers"
                turn.records.settings.put(turns.ASK_AGAIN, wanted)
            self._found = max((row.number for row in turn.records.outbox.all()), default=0)
        if receives:
            frames.append(self._resume(wanted, now_ms))
        return frames + self.tick(now_ms)

    def _resume(self, wanted: bytes, now_ms: int) -> f.Resume:
        """Ask for what waits; with `wanted`, for what was set aside too."""
        self._delivered = False
        if wanted:
            self._ask_after = now_ms + ASK_AGAIN_MS
            # What was set aside just now may not come this time: then the wish is kept.
            self._asked = wanted if now_ms - self._aside_ms >= ASIDE_DURABLE_MS else b""
        return f.Resume(bool(wanted))

    def _ask_again(self, turn: Turn) -> Frames:
        """Ask on the same link for what was set aside, when it may open now."""
        waits = not reached(self._ask_after, turn.now_ms, ASK_AGAIN_MS)
        if not (self._receives and self.drained) or waits:
            return []
        wanted = turn.records.settings.get(turns.ASK_AGAIN) or b""
        return [self._resume(wanted, turn.now_ms)] if wanted else []

    def _forget_old(self, turn: Turn) -> None:
        parcels, now_ms = turn.records.parcels, turn.now_ms
        parcels.forget_seen_before(now_ms - device_limits.SEEN_PARCEL_SECONDS * 1000)
        parcels.forget_set_aside_before(now_ms - device_limits.SET_ASIDE_SECONDS * 1000)
        turn.records.peers.forget_strangers_before(now_ms - device_limits.SET_ASIDE_SECONDS * 1000)

    # --- Frames ---------------------------------------------------------------------------

    def receive(self, frame: f.AnyFrame, now_ms: int) -> Frames:
        """The answer to one frame of the server. Raises StorageError: then nothing was kept."""
        match frame:
            case f.Deliver(parcels):
                return self._deliver(parcels, now_ms) + self.tick(now_ms)
            case f.Drained():
                return self._drained(now_ms) + self.tick(now_ms)
            case f.Accepted(ids):
                with self.turn(now_ms) as turn:
                    outcomes = [outbox.accepted(turn, each) for each in ids]
                self._note(outcomes)
                return self.tick(now_ms)
            case f.Refused(posting, code, text):
                return self._refused(posting, code, text, now_ms) + self.tick(now_ms)
            case f.FanoutUnknown(fanouts, postings):
                return self._send_again(fanouts, postings, now_ms)
            case f.KeyPackages():
                with self.turn(now_ms) as turn:
                    key_packages.check_claimed(turn, frame)
                    outcome = outbox.claimed(turn, frame)
                self._claiming.discard(frame.request)
                self._note([outcome])
                return self.tick(now_ms)
            case f.LookedUp():
                with self.turn(now_ms) as turn:
                    frames = self._asker.looked_up(turn, frame)
                return frames + self.tick(now_ms)
            case f.ChainPart():
                with self.turn(now_ms) as turn:
                    frames = self._asker.chain_part(turn, frame)
                self._upkeep.poke()
                return frames + self.tick(now_ms)
            case f.Consistency():
                with self.turn(now_ms) as turn:
                    self._asker.consistency(turn, frame)
                return self.tick(now_ms)
            case f.Entries():
                with self.turn(now_ms) as turn:
                    frames = self._replayer.entries(turn, frame)
                if not self._replayer.busy:  # new terms may have been found to hold
                    self._asker.own_changed()
                    self._later.clear()
                return frames + self.tick(now_ms)
            case f.LeafChanged():
                self._asker.own_changed()
                return self.tick(now_ms)
            case f.StatementStored():
                self._stored(frame, now_ms)
                return self.tick(now_ms)
            case f.MailArrived():
                self.mail_waits = True
            case f.MarketNotice():
                with self.turn(now_ms) as turn:
                    exit_notices.keep(turn.records.settings, frame)
                self._noticed.add(frame.exit)
            case f.Superseded():
                self.superseded, self._receives = True, False
        return []

    def _note(self, outcomes: list[Outcome | None]) -> None:
        self.outcomes += [each for each in outcomes if each is not None]

    def _settle(self, turn: Turn) -> Frames:
        """Answer for the parcels that had to wait until people were looked up."""
        if self._asker.busy or not self._unsettled:
            return []
        seen = {digest for digest in self._unsettled if turn.records.parcels.seen(digest)}
        waited, self._unsettled = self._unsettled, {}
        self._aside_ms = turn.now_ms
        return _settling(
            [seq for digest, seq in waited.items() if digest in seen],
            [seq for digest, seq in waited.items() if digest not in seen],
        )

    def _deliver(self, parcels: list[f.Delivery], now_ms: int) -> Frames:
        """Open a batch in one turn; what stays closed is tried again while others open."""
        opened: list[int] = []
        closed = parcels
        with self.turn(now_ms) as turn:
            before, progress = generation(turn.records), True
            while closed and progress:
                trying, closed = closed, []
                for each in trying:
                    kept = inbox.accept(turn, each.seq, each.sealed)
                    (opened.append(each.seq) if kept else closed.append(each))
                after = generation(turn.records)
                progress, before = after != before, after
            asking = self._asker.busy or bool(turn.records.peers.to_ask())
        for each in closed:
            self._aside_ms = now_ms
            self._hold(each)
            if asking:
                self._unsettled[envelope.digest(each.sealed)] = each.seq
        return _settling(opened, [] if asking else [each.seq for each in closed])

    def _hold(self, parcel: f.Delivery) -> None:
        digest = envelope.digest(parcel.sealed)
        if digest in self._held:
            return
        self._held[digest] = (parcel.seq, parcel.sealed)
        self._held_bytes += len(parcel.sealed)
        while (
            len(self._held) > device_limits.MAX_HELD_PARCELS
            or self._held_bytes > device_limits.MAX_HELD_BYTES
        ):
            _, (_, sealed) = self._held.popitem(last=False)
            self._held_bytes -= len(sealed)

    def _looking_up(self, turn: Turn) -> bool:
        """Whether strangers are being looked up: a group of many waits until all of them were."""
        return self._connected and self._asker.awaits(turn)

    def _retry_held(self, turn: Turn) -> None:
        """Try again what was set aside, once after each change of any conversation's keys."""
        now = generation(turn.records)
        while self._held and now != self._generation:
            self._generation = now
            for digest, (seq, sealed) in list(self._held.items()):
                if inbox.accept(turn, seq, sealed):
                    del self._held[digest]
                    self._held_bytes -= len(sealed)
                    if digest not in self._unsettled:
                        # The server keeps its copy: have it delivered, and acknowledge it.
                        turn.records.settings.put(turns.ASK_AGAIN, now.to_bytes(8, "big"))
            now = generation(turn.records)
        self._generation = now

    def _drained(self, now_ms: int) -> Frames:
        self._delivered = True
        with self.turn(now_ms) as turn:
            exit_notices.keep_only(turn.records.settings, self._noticed)
        if self._asked:
            with self.turn(now_ms) as turn:
                if turn.records.settings.get(turns.ASK_AGAIN) == self._asked:
                    turn.records.settings.put(turns.ASK_AGAIN, b"")
            self._asked = b""
        return []

    def _refused(self, posting: bytes, code: str, text: str, now_ms: int) -> Frames:
        with self.turn(now_ms) as turn:
            row = turn.records.outbox.by_posting(posting)
            about = outbox.members_behind(turn, row) if row is not None else []
            outcome = outbox.refused(turn, posting, code, text)
            if row is not None and outcome is not None and not outcome.final:
                self._sent.discard(posting)
                if code == Code.EPOCH_TAKEN and row.prepared is not None:
                    self._second[row.number] = generation(turn.records)
                elif code in outbox.LATER:
                    self._later[row.number] = now_ms + RETRY_MS
                elif outcome.error == outbox.GONE:
                    self._later[row.number] = now_ms + AGAIN_MS
                    self._asker.want(about)
        self._note([outcome])
        return []

    def _send_again(self, fanouts: list[bytes], postings: list[bytes], now_ms: int) -> Frames:
        """The server has forgotten lists: tell them, and send the postings once more."""
        lists: dict[bytes, list[bytes]] = {}
        again: list[f.Posting] = []
        with self.turn(now_ms) as turn:
            for posting in postings:
                row = turn.records.outbox.by_posting(posting)
                if row is None or row.prepared is None:
                    continue
                if outbox.outdated(turn, row):
                    self._sent.discard(posting)
                    continue
                prepared = decode_prepared(row.prepared)
                lists |= lists_behind(prepared)
                again.append(prepared.posting)
        told: Frames = [f.Fanout(name, lists[name]) for name in fanouts if name in lists]
        return told + send_frames(again) + self.tick(now_ms)

    # --- The outbox -----------------------------------------------------------------------

    def tick(self, now_ms: int) -> Frames:
        """What is due: parcels that may open now, wishes that can be prepared and sent.

        Call it after every wish, and now and then: other processes change the store too.
        """
        postings: list[f.Posting] = []
        claims: Frames = []
        with self.turn(now_ms) as turn:
            if not self._looking_up(turn):
                self._retry_held(turn)
            if self._connected:
                claims += self._asker.ask(turn)
            if self._replay_due:
                claims += self._replayer.ask(turn)
            settled = self._settle(turn)
            claims += self._ask_again(turn)
            if self._connected and self._receives and self.drained:
                self._mine |= self._upkeep.look(turn)
            if self._connected and (self.drained or not self._receives):
                blocked: set[bytes] = set()
                for row in turn.records.outbox.all():
                    if row.target in blocked or not self._may_send(row, now_ms):
                        blocked.add(row.target)
                        continue
                    prepared = self._advance(turn, row, claims)
                    if prepared is None:
                        blocked.add(row.target)
                        continue
                    if prepared.exclusive:
                        blocked.add(row.target)
                    if prepared.posting.id not in self._sent:
                        self._sent.add(prepared.posting.id)
                        postings.append(prepared.posting)
                claims += self._asker.ask(turn)  # what a wish has found to be looked up first
        return settled + claims + send_frames(postings)

    @property
    def _replay_due(self) -> bool:
        """Whether this process looks after the replay of the log, and nothing else comes first."""
        mine = self._replayer.wanted or (self._receives and self.drained)
        return self._connected and not self._asker.busy and mine

    def _may_send(self, row: OutboxRecord, now_ms: int) -> bool:
        """Whether this process sees to the row: it wished it, or another left it behind."""
        age_ms = now_ms - row.created_ms
        left = row.number <= self._found or age_ms >= device_limits.OUTBOX_HANDOVER_SECONDS * 1000
        return row.target in self._mine or (self._receives and left)

    def _advance(self, turn: Turn, row: OutboxRecord, claims: Frames) -> Prepared | None:
        """The row's posting, prepared now if it must be; None when it has to wait."""
        if not reached(self._later.get(row.number, 0), turn.now_ms, RETRY_MS):
            return None
        if self._second.get(row.number) == generation(turn.records):
            return None
        if row.prepared is not None and (
            row.posting in self._sent or not outbox.outdated(turn, row)
        ):
            return decode_prepared(row.prepared)
        if self._stopped(turn, row, set()):
            return None
        turn.finish()
        try:
            with turn.records.attempt():
                step = prepare(turn, row)
        except HopelessError as error:
            turn.forget()
            self._note([outbox.fail(turn, row, str(error))])
            return None
        match step:
            case Needs(addresses, devices, known) if row.number not in self._claiming:
                asked = addresses[: link_limits.MAX_CLAIM_ADDRESSES]
                if self._may_claim(turn, row, asked) and self._asker.all_fresh(turn, known):
                    self._claiming.add(row.number)
                    claims.append(f.ClaimKeyPackages(row.number, asked, list(devices)))
            case Nothing():
                turn.records.outbox.remove(row.number)
                self._note([Outcome(row.number)])
            case f.SubmitStatement() if row.number not in self._claiming:
                self._claiming.add(row.number)
                claims.append(step)
            case Prepared():
                return step
        return None

    def _stored(self, answer: f.StatementStored, now_ms: int) -> None:
        """The server has stored a statement of this device, or says why not."""
        self._claiming.discard(answer.request)
        with self.turn(now_ms) as turn:
            row = turn.records.outbox.get(answer.request)
            outcome = chain_changes.stored(turn, answer)
            if row is not None and outcome is not None and outcome.error:
                if not outcome.final:
                    self._later[row.number] = now_ms + AGAIN_MS
                elif turn.records.outbox.get(row.number) is not None:
                    outcome = outbox.fail(turn, row, outcome.error)
        self._asker.own_changed()
        self._upkeep.poke()
        self._note([outcome])

    # --- What the ledger says first -------------------------------------------------------

    def _stopped(self, turn: Turn, row: OutboxRecord, besides: set[str]) -> bool:
        """Whether an open alarm stops the wish: it waits until a person has accepted it."""
        intent = decode_intent(row.intent)
        about = concerned(turn, intent) | besides
        found = alarms.stops(turn.records, about, in_group=in_group(intent))
        if not found:
            self.stopped.discard(row.number)
            return False
        self.stopped.add(row.number)
        first = found[0]
        text = f"alarm {first.number} stops it: {alarms.KINDS[first.code].meaning}: {first.text}"
        self._wait(turn, row, text)
        return True

    def _may_claim(self, turn: Turn, row: OutboxRecord, addresses: list[str]) -> bool:
        """Whether all of these were looked up within the hour and are in the ledger."""
        if self._stopped(turn, row, {alarms.LEDGER, *addresses}):
            return False
        known = {address: self._asker.fresh(turn, address) for address in addresses}
        nobody = sorted(a for a, each in known.items() if each is not None and not each.present)
        if nobody:
            reason = f"there is no user {', '.join(nobody)} here: the ledger proves it"
            self._note([outbox.fail(turn, row, reason)])
            return False
        if all(each is not None for each in known.values()):
            return True
        reason = self._asker.why_not(turn, addresses)
        if reason:
            soon = any(each in self._asker.pending for each in addresses)
            self._wait(turn, row, reason, AGAIN_MS if soon else RETRY_MS)
        return False

    def _wait(self, turn: Turn, row: OutboxRecord, text: str, wait_ms: int = RETRY_MS) -> None:
        """Leave a wish for later, and say why once."""
        self._later[row.number] = turn.now_ms + wait_ms
        if row.problem != text:
            turn.records.outbox.update(replace(row, problem=text))
            self._note([Outcome(row.number, error=text, final=False)])


def _settling(opened: list[int], closed: list[int]) -> Frames:
    frames: Frames = []
    if opened:
        frames.append(f.Acknowledge(opened))
    if closed:
        frames.append(f.SetAside(closed))
    return frames
