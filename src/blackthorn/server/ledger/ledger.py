"""The ledger: one façade over the chains of users and the public log that commits to them.

    chains         what may be stored behind a user's chain
    epoch_builder  what an epoch adds to the log
    epochs         durable, cosigned, published: in this order, whatever crashes
    resets         when a reset's device becomes live
    rollback       a newer state was seen: stop
    start          the rows give what was signed, or nothing starts
    lookups        what devices ask, answered from what is published

It has no clock: times come in as Unix milliseconds.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.directory import limits as directory_limits
from blackthorn.directory.config import DirectoryConfig, check_successor, decode_config
from blackthorn.directory.entries import ConfigEntry, decode_entry
from blackthorn.directory.records import decode_record
from blackthorn.errors import BlackthornError, ConfigError, StorageError, VerificationError
from blackthorn.identity.keys import SigningKeys
from blackthorn.ids import Address, DeviceId
from blackthorn.ports import ledger as ports
from blackthorn.ports.store import AtOnce, BlockingReader, Reader, Writer
from blackthorn.ports.store import Done as StoreDone
from blackthorn.server.counters import Counters
from blackthorn.server.ledger import limits as ledger_limits
from blackthorn.server.ledger.chains import Chains, DevicesChanged, Done
from blackthorn.server.ledger.epoch_builder import Openings
from blackthorn.server.ledger.epochs import Epochs, Pending, Published
from blackthorn.server.ledger.resets import Resets
from blackthorn.server.ledger.rollback import Rollback
from blackthorn.tlog.checkpoint import LogSigner
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import Policy, format_policy
from blackthorn.wire.note import format_vkey

__all__ = ["DevicesChanged", "Ledger", "LedgerKeys", "Pending", "Published"]

STOPPED = "the ledger has stopped: an administrator must restore it; try later"


@dataclass(frozen=True)
class LedgerKeys:
    """The secrets of one ledger: log, VRF and openings (32 bytes each), and enrolment.

    `origin` is the log's name. The four are of different weight: with the enrolment key resets
    can be signed, with the log's forks; the VRF and the openings hide who is in the map.
    """

    origin: str
    log: Secret
    vrf: Secret
    opening: Secret
    enrolment: SigningKeys

    @property
    def log_vkey(self) -> str:
        """The log's public key as text."""
        return format_vkey(LogSigner(self.origin, self.log).vkey)

    def config(
        self, *, domain: str, policy: str, reset_delay_ms: int, epoch_ms: int, heartbeat_ms: int
    ) -> DirectoryConfig:
        """The configuration record of a ledger with these keys; `policy` is its text."""
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


def _ignore(result: object) -> None:
    """Nobody needs to be told."""


class Ledger:
    """See the module. `policy_text` is what devices pin, and `policy` the same, parsed.

    `leaf_changed` is told whose leaf an epoch has changed, `changed` when a user's devices have
    changed: both after whatever it is about is durable.
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
        policy_text: str | None = None,
        leaf_changed: Callable[[Address], None] = _ignore,
        changed: Callable[[DevicesChanged], None] = _ignore,
    ) -> None:
        self.config = config
        self.policy_text = policy_text if policy_text is not None else format_policy(policy)
        self.openings = Openings(keys.opening)
        self.vrf_key = keys.vrf
        self._writer = writer
        self._reader = reader
        self._counters = counters
        self._leaf_changed = leaf_changed
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
        )
        self._rollback = Rollback(writer, signer.vkey, self._stop)

    def _check(self, signer: LogSigner, policy: Policy) -> None:
        if all(log.key != signer.vkey for log in policy.logs):
            raise ConfigError("the policy does not name the key of this server's log")
        if self.config.log_vkey != format_vkey(signer.vkey):
            raise ConfigError("the configuration is not of this server's ledger keys")
        if self.config.policy_digest != hashlib.sha256(self.policy_text.encode()).digest():
            raise ConfigError("the configuration is not of this policy")

    def start(self, store: BlockingReader, now_ms: int) -> None:
        """Read and check what is durable. Raises StorageError, or ConfigError when the
        configuration may not follow the logged one."""
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
        """Something was stored that waits for the next epoch."""
        self._epochs.wake(self._now_ms)

    @property
    def published(self) -> Published | None:
        """The newest published epoch; None before the first."""
        return self._epochs.published

    @property
    def log(self) -> MerkleLog:
        """The log; it may be larger than what is published."""
        return self._epochs.log

    def entries(self, start: int, count: int, done: StoreDone[list[bytes]]) -> None:
        """At most `count` published entries from `start` on, as many as MAX_ENTRIES_BYTES holds."""
        size = self.published.size if self.published is not None else 0
        fitting = max(0, min(count, size - start))
        self._reader.ask(ports.ReadEntries(start, fitting, ledger_limits.MAX_ENTRIES_BYTES), done)

    @property
    def waiting(self) -> Pending | None:
        """What witnesses should sign, if anything."""
        return self._epochs.waiting

    def cosigned(self, lines: Sequence[str], now_ms: int) -> None:
        """Cosignature lines of witnesses for what waits."""
        self._now_ms = now_ms
        self._epochs.cosigned(lines, now_ms)

    def add_record(self, kind: int, body: bytes, done: Done) -> None:
        """A typed entry for the next epoch; `done("")` once it is durable.

        Raises VerificationError when the body is not of the kind's schema.
        """
        decode_record(kind, body)
        if self.stopped:
            done(self.stopped)
            return

        def stored(result: BlackthornError | None) -> None:
            if result is None:
                self.wake()
            done("" if result is None else str(result))

        self._writer.submit(ports.AddRecord(kind, body), stored)

    @property
    def time_ms(self) -> int:
        """The time of the newest published head, 0 before the first; Unix milliseconds."""
        return self.published.unix_ms if self.published is not None else 0

    def _told(self, start: int, end: int) -> None:
        """An epoch is published: settle resets, forget certificates, tell whose leaf changed."""
        published = self._epochs.published
        if published is not None:
            self._resets.look(published.size, published.time_ms)
        self._tell_leaves(start, end)

    def _tell_leaves(self, start: int, end: int) -> None:
        page = ledger_limits.LEAVES_PAGE

        def read(leaves: list[tuple[Address, ports.Leaf]] | BlackthornError) -> None:
            if isinstance(leaves, BlackthornError):  # older certificates go with the next epoch
                self._counters.storage_failures += isinstance(leaves, StorageError)
                return
            if leaves:
                newest = tuple((leaf.user, leaf.seq) for _, leaf in leaves)
                self._writer.submit(ports.ForgetCertificates(newest), _ignore)
            for address in dict.fromkeys(address for address, _ in leaves):
                self._leaf_changed(address)
            if len(leaves) == page:
                self._tell_leaves(leaves[-1][1].place + 1, end)

        self._reader.ask(ports.LeavesBetween(start, end, page), read)

    def behind(self, evidence: bytes | int, now_ms: int | None = None) -> None:
        """Somebody shows a signed checkpoint, or a witness says its size: stop if it is newer.

        Raises VerificationError when a note is not of this ledger.
        """
        if isinstance(evidence, int):
            self._rollback.said(evidence, self.log)
        else:
            self._rollback.shown(evidence, self.log, now_ms or self._now_ms)

    def _stop(self) -> None:
        self._epochs.stopped = True

    def hold(self, held: bool) -> None:
        """Make no epoch while it is so: for the time in which witnesses are asked, after a start,
        what they have signed. A ledger that was set back would sign a fork before it knows."""
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
        """Append a statement that a device of the user submits; `done("")` once it is durable."""
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
        """A change that came another way, as by an activation, is durable."""
        self._now_ms = now_ms
        self.chains.stored(change, now_ms)
