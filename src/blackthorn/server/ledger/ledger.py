"""The ledger: a façade over the users' chains and the public log that commits to them.

    chains         what may be stored behind a user's chain
    epoch_builder  what an epoch adds to the log
    epochs         durable, then cosigned, then published, whatever crashes
    resets         when a reset's device becomes live
    rollback       a newer state was seen: stop
    start          the rows match what was signed, or the server does not start
    lookups        answers to devices, from published epochs

Times are arguments, in Unix milliseconds.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.directory import limits as directory_limits
from blackthorn.directory.config import DirectoryConfig, check_successor, decode_config
from blackthorn.directory.entries import ConfigEntry, decode_entry
from blackthorn.errors import (
    BlackthornError,
    ConfigError,
    InputError,
    StorageError,
    VerificationError,
)
from blackthorn.governance.cases import Checked
from blackthorn.governance.ledger_time import heal_in
from blackthorn.identity.keys import SigningKeys
from blackthorn.ids import Address, DeviceId
from blackthorn.ports import ledger as ports
from blackthorn.ports.store import AtOnce, BlockingReader, Reader, Writer, ignore, unless_failed
from blackthorn.ports.store import Done as StoreDone
from blackthorn.server.counters import Counters
from blackthorn.server.ledger import limits as ledger_limits
from blackthorn.server.ledger.chains import Chains, DevicesChanged, Done
from blackthorn.server.ledger.epoch_builder import Openings
from blackthorn.server.ledger.epoch_changes import EpochChanges, read_changes
from blackthorn.server.ledger.epochs import Epochs, Pending, Published
from blackthorn.server.ledger.resets import Resets
from blackthorn.server.ledger.rollback import Rollback
from blackthorn.tlog.checkpoint import LogSigner
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import Policy, format_policy
from blackthorn.wire.note import format_vkey

AHEAD = (
    "the newest head of the ledger is ahead of this clock: if the clock is right now, two officers "
    "set it back by blackthorn ledger heal --epoch {}"
)
STOPPED = "the ledger has stopped: an administrator must restore it; try later"


@dataclass(frozen=True)
class LedgerKeys:
    """The secrets of one ledger: log, VRF and openings (32 bytes each), and enrolment.

    `origin` is the log's name. The enrolment key signs resets, the log's key could sign forks; VRF
    and openings hide who is in the map.
    """

    origin: str
    log: Secret
    vrf: Secret
    opening: Secret
    enrolment: SigningKeys

    @property
    def log_vkey(self) -> str:
        return format_vkey(LogSigner(self.origin, self.log).vkey)

    def config(
        self, *, domain: str, policy: str, reset_delay_ms: int, epoch_ms: int, heartbeat_ms: int
    ) -> DirectoryConfig:
        """The configuration record of this ledger; `policy` is its text."""
        enrolment = self.enrolment.public
        return DirectoryConfig(
            origin=self.origin,
            domain=domain,
            log_vkey=self.log_vkey,
            vrf_key=vrf.public_key(self.vrf),
            enrolment=(enrolment.ed25519, enrolment.ml_dsa),
            rules=1,
            reset_delay_ms=reset_delay_ms,
            epoch_ms=epoch_ms,
            heartbeat_ms=heartbeat_ms,
            policy_digest=hashlib.sha256(policy.encode()).digest(),
        )


class Ledger:
    """`policy` is pinned by devices as `policy_text`.

    `leaf_changed` gets each user whose leaf a published epoch changed, `published_epoch` what each
    epoch changed, `changed` durable changes of devices. `monotonic` is in seconds.
    """

    def __init__(
        self,
        *,
        writer: Writer,
        reader: Reader,
        keys: LedgerKeys,
        policy: Policy,
        config: DirectoryConfig,
        counters: Counters,
        leaf_changed: Callable[[Address], None] = ignore,
        published_epoch: Callable[[EpochChanges], None] = ignore,
        changed: Callable[[DevicesChanged], None] = ignore,
        monotonic: Callable[[], float],
    ) -> None:
        self.config = config
        self.policy_text = format_policy(policy)
        self.openings = Openings(keys.opening)
        self.vrf_key = keys.vrf
        self._writer = writer
        self._reader = reader
        self._counters = counters
        self._leaf_changed = leaf_changed
        self._published_epoch = published_epoch
        self._now_ms = 0
        signer = LogSigner(keys.origin, keys.log)
        self._check(signer, policy)
        self.chains = Chains(
            writer=writer, reader=reader, config=config, changed=changed, woken=self.wake
        )
        self._resets = Resets(writer, reader, self.chains, counters, changed)
        self._epochs = Epochs(
            writer=writer,
            reader=reader,
            signer=signer,
            openings=self.openings,
            policy=policy,
            config=config,
            counters=counters,
            check=self._resets.drop_late,
            alarm=lambda: self._resets.next_ms,
            told=self._told,
            monotonic=monotonic,
        )
        self._rollback = Rollback(writer, signer.vkey, self._epochs)

    def _check(self, signer: LogSigner, policy: Policy) -> None:
        if all(log.key != signer.vkey for log in policy.logs):
            raise ConfigError("the policy does not name the key of this server's log")
        if self.config.log_vkey != format_vkey(signer.vkey):
            raise ConfigError("the configuration belongs to other ledger keys than this server's")
        if self.config.policy_digest != hashlib.sha256(self.policy_text.encode()).digest():
            raise ConfigError("the configuration belongs to another policy")

    def start(self, store: BlockingReader, now_ms: int) -> None:
        """Read and check the stored ledger.

        Raises StorageError, or ConfigError when the configuration may not follow the logged one.
        """
        self._now_ms = now_ms
        self._epochs.start(store, now_ms)
        self._rollback.start(store, self._epochs.log)
        self._check_successor(store.read(ports.NewestConfig()))
        published = self._epochs.published
        if published is not None:
            self._resets.look(published.size, published.time_ms, AtOnce(store))

    def _check_successor(self, record: bytes | None) -> None:
        entry = None if record is None else decode_entry(record)
        if not isinstance(entry, ConfigEntry):
            return
        logged = decode_config(entry.record)
        if logged == self.config:
            return
        try:
            check_successor(logged, self.config)
        except VerificationError as error:
            raise ConfigError(f"the ledger's settings may not change so: {error}") from error

    def tick(self, now_ms: int) -> None:
        """Publish what is due; call it a few times a second."""
        self._now_ms = now_ms
        self._epochs.tick(now_ms)

    def wake(self) -> None:
        """Something was stored for the next epoch."""
        self._epochs.wake(self._now_ms)

    @property
    def published(self) -> Published | None:
        """The newest published epoch, or None."""
        return self._epochs.published

    @property
    def log(self) -> MerkleLog:
        """The log; it may be longer than its published part."""
        return self._epochs.log

    def entries(self, start: int, count: int, done: StoreDone[list[bytes]]) -> None:
        """At most `count` published entries from `start` on, within MAX_ENTRIES_BYTES."""
        size = self.published.size if self.published is not None else 0
        fitting = max(0, min(count, size - start))
        self._reader.ask(ports.ReadEntries(start, fitting, ledger_limits.MAX_ENTRIES_BYTES), done)

    @property
    def waiting(self) -> Pending | None:
        """The note that witnesses should sign, if any."""
        return self._epochs.waiting

    def cosigned(self, lines: Sequence[str], now_ms: int) -> None:
        """Cosignature lines for the pending note."""
        self._now_ms = now_ms
        self._epochs.cosigned(lines, now_ms)

    @property
    def time_ms(self) -> int:
        """The newest published head's time, Unix milliseconds; 0 before the first."""
        return self.published.unix_ms if self.published is not None else 0

    @property
    def cosigned_ms(self) -> int:
        """The ledger's time, Unix milliseconds, not ahead of its witnesses; 0 before the first."""
        return self.published.time_ms if self.published is not None else 0

    def _told(self, start: int, end: int) -> None:
        """An epoch is published: settle resets, then announce its leaves."""
        published = self._epochs.published
        if published is not None:
            self._resets.look(published.size, published.time_ms)
        self._tell_leaves(start, end)
        read_changes(self._reader, start, end, unless_failed(ignore, self._published_epoch))

    def _tell_leaves(self, start: int, end: int) -> None:
        page = ledger_limits.LEAVES_PAGE

        def read(leaves: list[tuple[Address, ports.Leaf]] | BlackthornError) -> None:
            if isinstance(leaves, BlackthornError):  # older certificates go with the next epoch
                self._counters.storage_failures += isinstance(leaves, StorageError)
                return
            if leaves:
                newest = tuple((leaf.user, leaf.seq) for _, leaf in leaves)
                self._writer.submit(ports.ForgetCertificates(newest), ignore)
            for address in dict.fromkeys(address for address, _ in leaves):
                self._leaf_changed(address)
            if len(leaves) == page:
                self._tell_leaves(leaves[-1][1].place + 1, end)

        self._reader.ask(ports.LeavesBetween(start, end, page), read)

    def check_heal(self, checked: Checked, private: object, done: StoreDone[None]) -> None:
        """A check of decisions: `done` gets InputError when the time cannot fall so."""
        heal = heal_in(checked.signed)
        try:
            if heal is not None:
                self._epochs.time.check(heal, self._now_ms)
        except VerificationError as error:
            done(InputError(str(error)))
        else:
            done(None)

    def behind(self, evidence: bytes | int, now_ms: int | None = None) -> None:
        """A signed checkpoint, or the size that a witness reports: stop if it is newer than ours.

        Raises VerificationError when a note is not of this ledger.
        """
        if isinstance(evidence, int):
            self._rollback.said(evidence, self.log)
        else:
            self._rollback.shown(evidence, self.log, now_ms or self._now_ms)

    def hold(self, held: bool) -> None:
        """Make no epoch meanwhile: at a start witnesses are asked first.

        A ledger restored from an old backup would otherwise sign a fork before it knows.
        """
        self._epochs.held = held

    def problems(self) -> list[str]:
        """Why the ledger is not well, one line each."""
        found = [self._rollback.reason] if self._rollback.reason else []
        silent = self._now_ms - self._epochs.offered_ms
        if self._epochs.waiting is not None and silent > ledger_limits.WITNESS_SILENT_MS:
            found.append(f"no quorum of witnesses has cosigned for {silent // 1000} seconds")
        ahead = self.published.ahead_ms // 1000 if self.published is not None else 0
        if ahead > directory_limits.MAX_HEAD_AHEAD_SECONDS:
            found.append(
                f"the ledger's time is {ahead} seconds ahead of its witnesses': set the clock"
            )
        fault = self._epochs.time.fault(self._now_ms)
        if fault is not None:
            found.append(AHEAD.format(fault))
        return found

    def submit(
        self,
        address: Address,
        device: DeviceId,
        statement: bytes,
        certificate: bytes,
        now_ms: int,
        done: Done,
    ) -> None:
        """Append a statement of a user's device; `done` gets "" once durable, or the refusal."""
        self._now_ms = now_ms

        def counted(refusal: str) -> None:
            if refusal:
                self._counters.statements_refused += 1
            else:
                self._counters.statements_stored += 1
            done(refusal)

        if self.stopped:
            counted(self.stopped)
            return
        self.chains.submit(address, device, statement, certificate, now_ms, counted)

    @property
    def config_record(self) -> bytes:
        """The configuration that devices pin."""
        return self.config.encode()

    @property
    def stopped(self) -> str:
        """Why nothing is stored any more, or empty."""
        return STOPPED if self._rollback.reason else ""

    def stored(self, change: ports.Change, now_ms: int) -> None:
        """A change from elsewhere, such as an activation, is durable."""
        self._now_ms = now_ms
        self.chains.stored(change, now_ms)
