"""Epochs: what waits becomes log entries and a checkpoint, which is published once cosigned.

Rules, after each crash and each lost answer:

1. An epoch is durable, with its log-signed note, before any witness sees that note.
2. A durable note waits for its quorum, also after a restart; nothing else of that size is signed,
   and changes meanwhile wait for the next epoch.
3. The cosigned note is durable before the epoch is announced.
4. An epoch that could not be stored is stored again unchanged.

    due ─gather, draft─► STORING ─durable─► OFFERED ─quorum─► PUBLISHING ─durable─► told
                           ▲ failed: again      ▲ restart        ▲ failed: again

Without witnesses in the policy, an epoch is stored and published in one transaction.

With witnesses no head is later than their last cosignature, the monotonic time since, and a minute:
a clock that jumps ahead would otherwise sign heads that devices refuse until their time has come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from blackthorn.directory.checks import ledger_time_ms
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.errors import BlackthornError, StorageError, VerificationError
from blackthorn.ports import ledger
from blackthorn.ports.store import BlockingReader, Command, Done, Reader, Together, Writer
from blackthorn.server.counters import Counters
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.epoch_builder import Draft, EpochBuilder, Openings, Tip, Waiting
from blackthorn.server.ledger.gathering import gather
from blackthorn.server.ledger.head_time import HeadTime
from blackthorn.server.ledger.quorum_clock import QuorumClock
from blackthorn.server.ledger.start import load
from blackthorn.tlog import checkpoint as tlog
from blackthorn.tlog.checkpoint import LogSigner
from blackthorn.tlog.cosignature import add_lines, verify_line
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import NO_QUORUM, Policy
from blackthorn.tlog.verify import VerifiedCheckpoint, verify_checkpoint
from blackthorn.wire.note import parse_signature_line


@dataclass(frozen=True, slots=True)
class Published:
    """The newest published epoch: its cosigned note, and the data for answers.

    `time_ms` is the ledger's time: the earlier of the head's and the quorum's.
    """

    note: bytes
    size: int
    root: bytes
    head: bytes
    head_proof: tuple[bytes, ...]
    tree: PrefixTree
    epoch: int
    unix_ms: int
    time_ms: int

    @property
    def ahead_ms(self) -> int:
        """How far the head's time is ahead of its witnesses'."""
        return self.unix_ms - self.time_ms


@dataclass(frozen=True, slots=True)
class Pending:
    """A note that waits for cosignatures."""

    note: bytes
    size: int
    root: bytes
    _log: MerkleLog

    def consistency(self, old_size: int) -> list[bytes]:
        """Proof for a witness at `old_size`. Raises ValueError when that is larger."""
        return self._log.consistency_proof(old_size, self.size)


class Epochs:
    """The sequence of epochs over the store, one at a time.

    `check` may drop late statements, given the epoch's time, and tells its callback whether it did.
    `alarm` is a time that needs an epoch even if nothing waits. `told` gets the log's sizes before
    and after a published epoch.
    """

    def __init__(
        self,
        *,
        writer: Writer,
        reader: Reader,
        signer: LogSigner,
        openings: Openings,
        policy: Policy,
        config: DirectoryConfig,
        counters: Counters,
        check: Callable[[Waiting, int, Done[bool]], None],
        alarm: Callable[[], int | None],
        told: Callable[[int, int], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._writer = writer
        self._gather = partial(gather, reader)
        self._signer = signer
        self._openings = openings
        self._policy = policy
        self._config = config
        self._counters = counters
        self._check = check
        self._alarm = alarm
        self._told = told
        self._quorum = QuorumClock(monotonic)
        self.time = HeadTime(config.origin, self._quorum, lambda: self._tip)
        self._again = False
        """Since the start no quorum has said what time it is."""
        self.log = MerkleLog()
        self.published: Published | None = None
        self.stopped = False
        """For good: a newer state of this ledger exists."""
        self.held = False
        """No epoch is made while witnesses are asked for a newer state."""
        self.offered_ms = 0
        """When the pending note was first offered since the start."""
        self._builder = EpochBuilder(self.log, signer, openings)
        self._tip: Tip | None = None
        self._draft: Draft | None = None
        self._offered: tuple[ledger.Checkpoint, Tip] | None = None
        self._complete = False
        self._busy = False
        self._clock_ms = 0
        self._made_ms = 0
        self._since_ms: int | None = None
        self._failed_ms: int | None = None

    def start(self, store: BlockingReader, now_ms: int) -> None:
        """Read and check the stored epochs. Raises StorageError."""
        self.log, published, pending = load(store, self._signer.vkey, self._openings)
        self._builder = EpochBuilder(self.log, self._signer, self._openings)
        if published is not None:
            self._tip = published[1]
            self.published = self._publication(*published)
        self._again = self._quorum.is_set and pending is None
        self.offered_ms = now_ms
        if pending is not None:
            self._tip = pending[1]
            self._offer(*pending, now_ms)
            # Cosigned before the server was off: its quorum does not say what time it is now.
            self._again = self._complete and self._policy.quorum != NO_QUORUM
        self._clock_ms = now_ms
        self._made_ms = now_ms if self._tip is None else min(now_ms, self._tip.unix_ms)
        statements, records = (
            store.read(ledger.WaitingStatements(0, 1)),
            store.read(ledger.WaitingRecords(0, 1)),
        )
        reconfigured = self._tip is not None and self._tip.config != self._config.digest
        if statements or records or reconfigured:
            self._since_ms = now_ms

    def _publication(self, checkpoint: ledger.Checkpoint, tip: Tip) -> Published:
        proof = tuple(self.log.inclusion_proof(tip.size - 1, tip.size))
        verified = self._with_quorum(checkpoint.note)
        quorum_time = verified.quorum_time if verified is not None else 0
        self._quorum.learn(quorum_time)
        return Published(
            checkpoint.note,
            tip.size,
            checkpoint.root,
            tip.head,
            proof,
            tip.tree,
            tip.epoch,
            tip.unix_ms,
            ledger_time_ms(tip.unix_ms, quorum_time),
        )

    def wake(self, now_ms: int) -> None:
        """Something waits for an epoch."""
        self._set_clock(now_ms)
        if self._since_ms is None:
            self._since_ms = now_ms
        if self._config.epoch_ms == 0:
            self.tick(now_ms)

    def tick(self, now_ms: int) -> None:
        """Do what is due; retry a failure a second later."""
        self._set_clock(now_ms)
        if self.stopped or self._busy:
            return
        if self._failed_ms is not None and now_ms < self._failed_ms + limits.LEDGER_RETRY_MS:
            return
        self._failed_ms = None
        if self._complete:
            self._publish(now_ms)
        elif self._draft is not None:
            self._save(now_ms)
        elif not (self._offered or self.held or self._again) and self._due(now_ms):
            self._make(now_ms)

    def _set_clock(self, now_ms: int) -> None:
        """A clock that was set back delays nothing."""
        back = self._clock_ms - now_ms
        self._clock_ms = now_ms
        if back > 0:
            self._made_ms -= back
            self._since_ms = None if self._since_ms is None else self._since_ms - back
            self._failed_ms = None

    def _due(self, now_ms: int) -> bool:
        if self._tip is None:
            return True
        if self._since_ms is not None and now_ms >= self._since_ms + self._config.epoch_ms:
            return True
        alarm, published = self._alarm(), self.published
        if alarm is not None and published is not None and published.time_ms < alarm:
            # Witnesses' clocks have whole seconds and may be late: perhaps more than one epoch.
            pause_ms = max(self._config.epoch_ms, 1_000)
            if now_ms >= max(alarm, self._made_ms + pause_ms):
                return True
        return now_ms >= self._made_ms + self._config.heartbeat_ms

    def _make(self, now_ms: int) -> None:
        """Gather what waits and draft the next epoch, unless `check` drops something first."""
        self._busy = True
        since_ms, self._since_ms = self._since_ms, None

        def gathered(waiting: Waiting | BlackthornError) -> None:
            if isinstance(waiting, BlackthornError):
                self._give_up(since_ms)
                self._fail(waiting, now_ms)
            elif (unix_ms := self.time.next_ms(now_ms, waiting)) is None:
                self._give_up(since_ms)
                self._failed_ms = now_ms
            else:
                checked = partial(self._checked, now_ms, since_ms, waiting, unix_ms)
                self._check(waiting, unix_ms, checked)

        self._gather(limits.MAX_EPOCH_CHANGES, gathered)

    def _checked(
        self,
        now_ms: int,
        since_ms: int | None,
        waiting: Waiting,
        unix_ms: int,
        dropped: bool | BlackthornError,
    ) -> None:
        if isinstance(dropped, BlackthornError):
            self._fail(dropped, now_ms)
        if dropped or self.stopped or self.held:
            self._give_up(since_ms)
            return
        if waiting.count >= limits.MAX_EPOCH_CHANGES and self._since_ms is None:
            self._since_ms = now_ms
        self._made_ms = now_ms
        try:
            self._draft = self._builder.draft(self._tip, self._config, waiting, unix_ms)
        except BaseException:  # a defect: the next tick tries again
            self._give_up(since_ms)
            raise
        self._save(now_ms)

    def _give_up(self, since_ms: int | None) -> None:
        """No epoch now; it stays due."""
        self._busy = False
        if since_ms is not None:
            self._since_ms = since_ms

    def _save(self, now_ms: int) -> None:
        draft = self._draft
        if draft is None:
            return
        self._busy = True
        checkpoint = draft.epoch.checkpoint
        at_once = self._policy.quorum == NO_QUORUM
        command: Command[None] = ledger.AppendEpoch(draft.epoch)
        if at_once:
            command = Together((command, ledger.PublishEpoch(checkpoint.size, checkpoint.note)))

        def saved(error: BlackthornError | None) -> None:
            self._busy = False
            if error is not None:
                self._fail(error, now_ms)
                return
            self._draft, self._tip = None, draft.tip
            self._counters.ledger_epochs += 1
            (self._tell if at_once else self._offer)(checkpoint, draft.tip, now_ms)

        self._writer.submit(command, saved)

    def _fail(self, error: BlackthornError, now_ms: int) -> None:
        self._counters.storage_failures += isinstance(error, StorageError)
        self._failed_ms = now_ms

    def _offer(self, checkpoint: ledger.Checkpoint, tip: Tip, now_ms: int) -> None:
        self._offered = (checkpoint, tip)
        self.offered_ms = now_ms
        self._quorum.offered()
        self._complete = self._with_quorum(checkpoint.note) is not None

    @property
    def waiting(self) -> Pending | None:
        """The note that witnesses should sign: after a start, the published one again."""
        if self.stopped:
            return None
        if self._offered is None:
            published = self.published if self._again else None
            if published is None:
                return None
            return Pending(published.note, published.size, published.root, self.log)
        if self._complete:
            return None
        checkpoint, _ = self._offered
        return Pending(checkpoint.note, checkpoint.size, checkpoint.root, self.log)

    def cosigned(self, lines: Sequence[str], now_ms: int) -> None:
        """Add cosignature lines; unknown or false ones are counted and left out."""
        if self._complete or self.stopped:
            return
        if self._offered is None:
            self._cosigned_again(lines)
            return
        checkpoint, tip = self._offered
        note = self._with_lines(checkpoint, lines)
        self._offered = (replace(checkpoint, note=note), tip)
        verified = self._with_quorum(note)
        self._complete = verified is not None
        if verified is not None:
            self._quorum.learn(verified.quorum_time)
            # The time of a quorum is that of its earliest cosignature, perhaps of days ago.
            self._again = self._quorum.is_late
        self.tick(now_ms)

    def _cosigned_again(self, lines: Sequence[str]) -> None:
        """Lines over the published note: what time it is by the witnesses, once they are enough."""
        published, tip = self.published, self._tip
        if not self._again or published is None or tip is None:
            return
        signed = tlog.Checkpoint(self._signer.vkey.name, published.size, published.root)
        checkpoint = ledger.Checkpoint(
            published.size, published.root, self._signer.sign(signed), published=True
        )
        note = self._with_lines(checkpoint, lines)
        if self._with_quorum(note) is not None:
            self._again = False
            self.published = self._publication(replace(checkpoint, note=note), tip)

    def _with_lines(self, checkpoint: ledger.Checkpoint, lines: Sequence[str]) -> bytes:
        """The note with these lines; unknown or false ones are counted and left out."""
        note = checkpoint.note
        for line in lines:
            try:
                self._verify(line, checkpoint)
                note = add_lines(note, [line])
            except VerificationError:
                self._counters.cosignatures_refused += 1
        return note

    def _verify(self, text: str, checkpoint: ledger.Checkpoint) -> None:
        line = parse_signature_line(text)
        named = (line.name, line.key_id)
        keys = [witness.key for witness in self._policy.witnesses]
        key = next((known for known in keys if (known.name, known.key_id) == named), None)
        if key is None:
            raise VerificationError("T19", "the cosignature is not by a witness of the policy")
        signed = tlog.Checkpoint(self._signer.vkey.name, checkpoint.size, checkpoint.root)
        verify_line(line, key, signed)

    def _with_quorum(self, note: bytes) -> VerifiedCheckpoint | None:
        try:
            return verify_checkpoint(note, self._policy)
        except VerificationError:
            return None

    def _publish(self, now_ms: int) -> None:
        if self._offered is None:
            return
        checkpoint, tip = self._offered
        complete = replace(checkpoint, published=True)
        self._busy = True

        def done(error: BlackthornError | None) -> None:
            self._busy = False
            if error is not None:
                self._fail(error, now_ms)
                return
            self._offered, self._complete = None, False
            self._tell(complete, tip, now_ms)

        self._writer.submit(ledger.PublishEpoch(complete.size, complete.note), done)

    def _tell(self, checkpoint: ledger.Checkpoint, tip: Tip, now_ms: int) -> None:
        before = self.published.size if self.published is not None else 0
        self.published = self._publication(checkpoint, tip)
        self._told(before, tip.size)
        if self._since_ms is not None and self._config.epoch_ms == 0:
            self.tick(now_ms)
