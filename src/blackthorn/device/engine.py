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
from blackthorn.device.account import exit_notices, reconciler
from blackthorn.device.conversations import inbox, key_packages
from blackthorn.device.core import envelope
from blackthorn.device.core import unit_of_work as units
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.core.unit_of_work import UnitOfWork, generation
from blackthorn.device.core.verified_chains import ChainCache
from blackthorn.device.operations import chain_changes, outbox
from blackthorn.device.operations.alarm_scope import concerned, in_group
from blackthorn.device.operations.batching import lists_behind, send_frames
from blackthorn.device.operations.outgoing import (
    Outcome,
    Prepared,
    decode_operation,
    decode_prepared,
)
from blackthorn.device.operations.preparation import HopelessError, Needs, Nothing, prepare
from blackthorn.device.transparency import alarms
from blackthorn.device.transparency.directory_client import DirectoryClient, reached
from blackthorn.device.transparency.replay import Replayer
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
        self._directory_client = DirectoryClient()
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

    def unit(self, now_ms: int) -> AbstractContextManager[UnitOfWork]:
        """A turn of this device at `now_ms`, Unix milliseconds."""
        return units.unit(self._store, self.keys, now_ms, self._random, self._chains)

    def enqueue(self, now_ms: int, make: Callable[[UnitOfWork], int]) -> int:
        """Write down a wish (`outbox.send_text` and its like); its number. Then `tick`.

        This process sees to it at once; what others left in the outbox is taken over in time.
        """
        with self.unit(now_ms) as unit:
            number = make(unit)
            row = unit.records.outbox.get(number)
        if row is not None:
            self._mine.add(row.target)
        return number

    def want(self, addresses: list[Address]) -> None:
        """Look these people up in the ledger with the next tick."""
        self._directory_client.want(addresses)

    def busy(self, now_ms: int) -> bool:
        """Whether this process waits for an answer to something in the outbox."""
        with self.unit(now_ms) as unit:
            rows = unit.records.outbox.all()
        sent = any(row.posting in self._sent for row in rows if row.posting is not None)
        return sent or bool(self._claiming & {row.number for row in rows})

    @property
    def drained(self) -> bool:
        """Whether everything that waited at the server has been delivered, and looked up."""
        return self._delivered and not self._directory_client.busy

    @property
    def stale(self) -> bool:
        """Whether the newest state of the ledger is too old to meet somebody for the first time."""
        return self._directory_client.stale

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
        self._directory_client.disconnected()
        self._replayer.disconnected()

    def connected(self, ready: f.Ready, now_ms: int, *, receives: bool) -> Frames:
        """The link is open. `receives` when this process holds the device's receiver lock."""
        self._connected = True
        self._receives = receives
        self._upkeep.poke()
        self._noticed.clear()
        self._later.clear()
        frames: Frames = []
        with self.unit(now_ms) as unit:
            self._forget_old(unit)
            publish = key_packages.replenish(unit, ready.key_packages)
            if publish is not None:
                frames.append(publish)
            wanted = unit.records.settings.get(units.ASK_AGAIN) or b""
            if receives and unit.records.peers.ask_again() and not wanted:
                wanted = b"strangers"
                unit.records.settings.put(units.ASK_AGAIN, wanted)
            self._found = max((row.number for row in unit.records.outbox.all()), default=0)
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

    def _ask_again(self, unit: UnitOfWork) -> Frames:
        """Ask on the same link for what was set aside, when it may open now."""
        waits = not reached(self._ask_after, unit.now_ms, ASK_AGAIN_MS)
        if not (self._receives and self.drained) or waits:
            return []
        wanted = unit.records.settings.get(units.ASK_AGAIN) or b""
        return [self._resume(wanted, unit.now_ms)] if wanted else []

    def _forget_old(self, unit: UnitOfWork) -> None:
        parcels, now_ms = unit.records.parcels, unit.now_ms
        parcels.forget_seen_before(now_ms - device_limits.SEEN_PARCEL_SECONDS * 1000)
        parcels.forget_undecryptable_before(now_ms - device_limits.UNDECRYPTABLE_SECONDS * 1000)
        unit.records.peers.forget_unknown_devices_before(
            now_ms - device_limits.UNDECRYPTABLE_SECONDS * 1000
        )

    # --- Frames ---------------------------------------------------------------------------

    def receive(self, frame: f.AnyFrame, now_ms: int) -> Frames:
        """The answer to one frame of the server. Raises StorageError: then nothing was kept."""
        match frame:
            case f.Deliver(parcels):
                return self._deliver(parcels, now_ms) + self.tick(now_ms)
            case f.Drained():
                return self._drained(now_ms) + self.tick(now_ms)
            case f.Accepted(ids):
                with self.unit(now_ms) as unit:
                    outcomes = [outbox.accepted(unit, each) for each in ids]
                self._note(outcomes)
                return self.tick(now_ms)
            case f.Refused(posting, code, text):
                return self._refused(posting, code, text, now_ms) + self.tick(now_ms)
            case f.FanoutUnknown(fanouts, postings):
                return self._send_again(fanouts, postings, now_ms)
            case f.KeyPackages():
                with self.unit(now_ms) as unit:
                    key_packages.check_claimed(unit, frame)
                    outcome = outbox.claimed(unit, frame)
                self._claiming.discard(frame.request)
                self._note([outcome])
                return self.tick(now_ms)
            case f.LookedUp():
                with self.unit(now_ms) as unit:
                    frames = self._directory_client.looked_up(unit, frame)
                return frames + self.tick(now_ms)
            case f.ChainPart():
                with self.unit(now_ms) as unit:
                    frames = self._directory_client.chain_part(unit, frame)
                self._upkeep.poke()
                return frames + self.tick(now_ms)
            case f.Consistency():
                with self.unit(now_ms) as unit:
                    self._directory_client.consistency(unit, frame)
                return self.tick(now_ms)
            case f.Entries():
                with self.unit(now_ms) as unit:
                    frames = self._replayer.entries(unit, frame)
                if not self._replayer.busy:  # new terms may have been found to hold
                    self._directory_client.own_changed()
                    self._later.clear()
                return frames + self.tick(now_ms)
            case f.LeafChanged():
                self._directory_client.own_changed()
                return self.tick(now_ms)
            case f.StatementStored():
                self._stored(frame, now_ms)
                return self.tick(now_ms)
            case f.MailArrived():
                self.mail_waits = True
            case f.MarketNotice():
                with self.unit(now_ms) as unit:
                    exit_notices.keep(unit.records.settings, frame)
                self._noticed.add(frame.exit)
            case f.Superseded():
                self.superseded, self._receives = True, False
        return []

    def _note(self, outcomes: list[Outcome | None]) -> None:
        self.outcomes += [each for each in outcomes if each is not None]

    def _settle(self, unit: UnitOfWork) -> Frames:
        """Answer for the parcels that had to wait until people were looked up."""
        if self._directory_client.busy or not self._unsettled:
            return []
        seen = {digest for digest in self._unsettled if unit.records.parcels.seen(digest)}
        waited, self._unsettled = self._unsettled, {}
        self._aside_ms = unit.now_ms
        return _settling(
            [seq for digest, seq in waited.items() if digest in seen],
            [seq for digest, seq in waited.items() if digest not in seen],
        )

    def _deliver(self, parcels: list[f.Delivery], now_ms: int) -> Frames:
        """Open a batch in one turn; what stays closed is tried again while others open."""
        opened: list[int] = []
        closed = parcels
        with self.unit(now_ms) as unit:
            before, progress = generation(unit.records), True
            while closed and progress:
                trying, closed = closed, []
                for each in trying:
                    kept = inbox.accept(unit, each.seq, each.sealed)
                    (opened.append(each.seq) if kept else closed.append(each))
                after = generation(unit.records)
                progress, before = after != before, after
            asking = self._directory_client.busy or bool(unit.records.peers.to_ask())
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

    def _looking_up(self, unit: UnitOfWork) -> bool:
        """Whether strangers are being looked up: a group of many waits until all of them were."""
        return self._connected and self._directory_client.awaits(unit)

    def _retry_held(self, unit: UnitOfWork) -> None:
        """Try again what was set aside, once after each change of any conversation's keys."""
        now = generation(unit.records)
        while self._held and now != self._generation:
            self._generation = now
            for digest, (seq, sealed) in list(self._held.items()):
                if inbox.accept(unit, seq, sealed):
                    del self._held[digest]
                    self._held_bytes -= len(sealed)
                    if digest not in self._unsettled:
                        # The server keeps its copy: have it delivered, and acknowledge it.
                        unit.records.settings.put(units.ASK_AGAIN, now.to_bytes(8, "big"))
            now = generation(unit.records)
        self._generation = now

    def _drained(self, now_ms: int) -> Frames:
        self._delivered = True
        with self.unit(now_ms) as unit:
            exit_notices.keep_only(unit.records.settings, self._noticed)
        if self._asked:
            with self.unit(now_ms) as unit:
                if unit.records.settings.get(units.ASK_AGAIN) == self._asked:
                    unit.records.settings.put(units.ASK_AGAIN, b"")
            self._asked = b""
        return []

    def _refused(self, posting: bytes, code: str, text: str, now_ms: int) -> Frames:
        with self.unit(now_ms) as unit:
            row = unit.records.outbox.by_posting(posting)
            about = outbox.members_behind(unit, row) if row is not None else []
            outcome = outbox.refused(unit, posting, code, text)
            if row is not None and outcome is not None and not outcome.final:
                self._sent.discard(posting)
                if code == Code.EPOCH_TAKEN and row.prepared is not None:
                    self._second[row.number] = generation(unit.records)
                elif code in outbox.LATER:
                    self._later[row.number] = now_ms + RETRY_MS
                elif outcome.error == outbox.GONE:
                    self._later[row.number] = now_ms + AGAIN_MS
                    self._directory_client.want(about)
        self._note([outcome])
        return []

    def _send_again(self, fanouts: list[bytes], postings: list[bytes], now_ms: int) -> Frames:
        """The server has forgotten lists: tell them, and send the postings once more."""
        lists: dict[bytes, list[bytes]] = {}
        again: list[f.Posting] = []
        with self.unit(now_ms) as unit:
            for posting in postings:
                row = unit.records.outbox.by_posting(posting)
                if row is None or row.prepared is None:
                    continue
                if outbox.outdated(unit, row):
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
        with self.unit(now_ms) as unit:
            if not self._looking_up(unit):
                self._retry_held(unit)
            if self._connected:
                claims += self._directory_client.ask(unit)
            if self._replay_due:
                claims += self._replayer.ask(unit)
            settled = self._settle(unit)
            claims += self._ask_again(unit)
            if self._connected and self._receives and self.drained:
                self._mine |= self._upkeep.look(unit)
            if self._connected and (self.drained or not self._receives):
                blocked: set[bytes] = set()
                for row in unit.records.outbox.all():
                    if row.target in blocked or not self._may_send(row, now_ms):
                        blocked.add(row.target)
                        continue
                    prepared = self._advance(unit, row, claims)
                    if prepared is None:
                        blocked.add(row.target)
                        continue
                    if prepared.exclusive:
                        blocked.add(row.target)
                    if prepared.posting.id not in self._sent:
                        self._sent.add(prepared.posting.id)
                        postings.append(prepared.posting)
                claims += self._directory_client.ask(
                    unit
                )  # what a wish has found to be looked up first
        return settled + claims + send_frames(postings)

    @property
    def _replay_due(self) -> bool:
        """Whether this process looks after the replay of the log, and nothing else comes first."""
        mine = self._replayer.wanted or (self._receives and self.drained)
        return self._connected and not self._directory_client.busy and mine

    def _may_send(self, row: OutboxRecord, now_ms: int) -> bool:
        """Whether this process sees to the row: it wished it, or another left it behind."""
        age_ms = now_ms - row.created_ms
        left = row.number <= self._found or age_ms >= device_limits.OUTBOX_HANDOVER_SECONDS * 1000
        return row.target in self._mine or (self._receives and left)

    def _advance(self, unit: UnitOfWork, row: OutboxRecord, claims: Frames) -> Prepared | None:
        """The row's posting, prepared now if it must be; None when it has to wait."""
        if not reached(self._later.get(row.number, 0), unit.now_ms, RETRY_MS):
            return None
        if self._second.get(row.number) == generation(unit.records):
            return None
        if row.prepared is not None and (
            row.posting in self._sent or not outbox.outdated(unit, row)
        ):
            return decode_prepared(row.prepared)
        if self._stopped(unit, row, set()):
            return None
        unit.finish()
        try:
            with unit.records.attempt():
                step = prepare(unit, row)
        except HopelessError as error:
            unit.forget()
            self._note([outbox.fail(unit, row, str(error))])
            return None
        match step:
            case Needs(addresses, devices, known) if row.number not in self._claiming:
                asked = addresses[: link_limits.MAX_CLAIM_ADDRESSES]
                if self._may_claim(unit, row, asked) and self._directory_client.all_fresh(
                    unit, known
                ):
                    self._claiming.add(row.number)
                    claims.append(f.ClaimKeyPackages(row.number, asked, list(devices)))
            case Nothing():
                unit.records.outbox.remove(row.number)
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
        with self.unit(now_ms) as unit:
            row = unit.records.outbox.get(answer.request)
            outcome = chain_changes.stored(unit, answer)
            if row is not None and outcome is not None and outcome.error:
                if not outcome.final:
                    self._later[row.number] = now_ms + AGAIN_MS
                elif unit.records.outbox.get(row.number) is not None:
                    outcome = outbox.fail(unit, row, outcome.error)
        self._directory_client.own_changed()
        self._upkeep.poke()
        self._note([outcome])

    # --- What the ledger says first -------------------------------------------------------

    def _stopped(self, unit: UnitOfWork, row: OutboxRecord, besides: set[str]) -> bool:
        """Whether an open alarm stops the wish: it waits until a person has accepted it."""
        operation = decode_operation(row.operation)
        about = concerned(unit, operation) | besides
        found = alarms.stops(unit.records, about, in_group=in_group(operation))
        if not found:
            self.stopped.discard(row.number)
            return False
        self.stopped.add(row.number)
        first = found[0]
        text = f"alarm {first.number} stops it: {alarms.KINDS[first.code].meaning}: {first.text}"
        self._wait(unit, row, text)
        return True

    def _may_claim(self, unit: UnitOfWork, row: OutboxRecord, addresses: list[str]) -> bool:
        """Whether all of these were looked up within the hour and are in the ledger."""
        if self._stopped(unit, row, {alarms.LEDGER, *addresses}):
            return False
        known = {address: self._directory_client.fresh(unit, address) for address in addresses}
        nobody = sorted(a for a, each in known.items() if each is not None and not each.present)
        if nobody:
            reason = f"there is no user {', '.join(nobody)} here: the ledger proves it"
            self._note([outbox.fail(unit, row, reason)])
            return False
        if all(each is not None for each in known.values()):
            return True
        reason = self._directory_client.why_not(unit, addresses)
        if reason:
            soon = any(each in self._directory_client.pending for each in addresses)
            self._wait(unit, row, reason, AGAIN_MS if soon else RETRY_MS)
        return False

    def _wait(
        self, unit: UnitOfWork, row: OutboxRecord, text: str, wait_ms: int = RETRY_MS
    ) -> None:
        """Leave a wish for later, and say why once."""
        self._later[row.number] = unit.now_ms + wait_ms
        if row.problem != text:
            unit.records.outbox.update(replace(row, problem=text))
            self._note([Outcome(row.number, error=text, final=False)])


def _settling(opened: list[int], closed: list[int]) -> Frames:
    frames: Frames = []
    if opened:
        frames.append(f.Acknowledge(opened))
    if closed:
        frames.append(f.SetAside(closed))
    return frames
