"""The ledger: one façade over the chains of users and the public log that commits to them.

    server.chains        what may be stored behind a user's chain
    server.admission     the first statements of a device
    server.drafting      what an epoch adds to the log
    server.epochs        durable, cosigned, published: in this order, whatever crashes
    server.resets        when a reset's device becomes live
    server.rollback      a newer state was seen: stop
    server.ledger_start  the rows give what was signed, or nothing starts

It has no clock: times come in as Unix milliseconds. Lookups are answered from what is published
and from nothing else (`server.handlers.directory`).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.directory import limits as directory_limits
from blackthorn.directory.config import DirectoryConfig, check_successor, decode_config
from blackthorn.directory.entries import ConfigEntry, Head, decode_entry
from blackthorn.directory.records import decode_record
from blackthorn.errors import ConfigError, InputError, StorageError, VerificationError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.keys import SigningKeys
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import DeviceKeys, Owner
from blackthorn.link.frames import AnyFrame, LeafChanged
from blackthorn.ports.enrolment import OpenCode
from blackthorn.ports.ledger import Change, LedgerStore
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.writer import Job, Writer
from blackthorn.server.accounts import admission
from blackthorn.server.accounts.admission import Admission
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


def _no_frame(address: Address, frame: AnyFrame) -> None:
    """Nobody is on line."""


def _no_change(change: DevicesChanged) -> None:
    """Nobody is told."""


class Ledger:
    """See the module. `policy_text` is what devices pin, and `policy` the same, parsed.

    `notify` says a frame to a user's devices, `changed` is told when his devices have changed:
    both after whatever it is about is durable.
    """

    def __init__(
        self,
        *,
        store: LedgerStore,
        writer: Writer,
        keys: LedgerKeys,
        policy: Policy,
        config: DirectoryConfig,
        random: Randomness,
        counters: Counters,
        policy_text: str | None = None,
        notify: Callable[[Address, AnyFrame], None] = _no_frame,
        changed: Callable[[DevicesChanged], None] = _no_change,
    ) -> None:
        self.config = config
        self.policy_text = policy_text if policy_text is not None else format_policy(policy)
        self.openings = Openings(keys.opening)
        self.vrf_key = keys.vrf
        self.store = store
        self._writer = writer
        self._counters = counters
        self._notify = notify
        self._now_ms = 0
        signer = LogSigner(keys.origin, keys.log)
        self._check(signer, policy)
        self._chains = Chains(
            store=store,
            writer=writer,
            config=config,
            logged_ms=self.logged_ms,
            changed=changed,
            woken=self._wake,
        )
        self._resets = Resets(store, writer, self._chains, changed)
        self._epochs = Epochs(
            store=store,
            writer=writer,
            signer=signer,
            openings=self.openings,
            policy=policy,
            config=config,
            counters=counters,
            check=self._resets.drop_late,
            alarm=lambda: self._resets.next_ms,
            told=self._told,
        )
        self._rollback = Rollback(store, writer, signer.vkey, self._stop)
        self._admissions = admission.Desk(self._chains, store, keys.enrolment, keys.vrf, random)

    def _check(self, signer: LogSigner, policy: Policy) -> None:
        """Keys, policy and configuration are of one ledger. Raises ConfigError."""
        if all(log.key != signer.vkey for log in policy.logs):
            raise ConfigError("the policy does not name the key of this server's log")
        if self.config.log_vkey != format_vkey(signer.vkey):
            raise ConfigError("the configuration is not of this server's ledger keys")
        if self.config.policy_digest != hashlib.sha256(self.policy_text.encode()).digest():
            raise ConfigError("the configuration is not of this policy")

    # --- Start and time -------------------------------------------------------------------

    def start(self, now_ms: int) -> None:
        """Read and check what is durable. Raises StorageError, or ConfigError when the
        configuration may not follow the logged one."""
        self._now_ms = now_ms
        self._epochs.start(now_ms)
        self._rollback.start(self._epochs.log)
        self._check_successor()
        published = self._epochs.published
        if published is not None:
            self._resets.look(published.size, published.time_ms)

    def _check_successor(self) -> None:
        logged = self._logged_config()
        if logged is None or logged == self.config:
            return
        try:
            check_successor(logged, self.config)
        except VerificationError as error:
            raise ConfigError(f"the ledger's settings may not change so: {error}") from error

    def _logged_config(self) -> DirectoryConfig | None:
        """The newest configuration in the log."""
        record = self.store.newest_config()
        if record is None:
            return None
        entry = decode_entry(record)
        return decode_config(entry.record) if isinstance(entry, ConfigEntry) else None

    def tick(self, now_ms: int) -> None:
        """Publish what is due; call it a few times a second."""
        self._now_ms = now_ms
        self._epochs.tick(now_ms)

    def _wake(self) -> None:
        self._epochs.wake(self._now_ms)

    # --- The log --------------------------------------------------------------------------

    @property
    def published(self) -> Published | None:
        """The newest published epoch; None before the first."""
        return self._epochs.published

    @property
    def log(self) -> MerkleLog:
        """The log; it may be larger than what is published."""
        return self._epochs.log

    def entries(self, start: int, count: int) -> list[bytes]:
        """At most `count` published entries from `start` on, as many as MAX_ENTRIES_BYTES holds."""
        size = self.published.size if self.published is not None else 0
        count = min(count, size - start)
        return (
            self.store.entries(start, count, ledger_limits.MAX_ENTRIES_BYTES) if count > 0 else []
        )

    def logged_ms(self, place: int) -> int:
        """When the entry at `place` was logged: the time of its epoch's head."""
        end = self.store.epoch_end(place)
        found = self.store.entries(end - 1, 1, 1) if end is not None else []
        head = decode_entry(found[0]) if found else None
        if not isinstance(head, Head):
            raise StorageError(f"entry {place} of the ledger belongs to no epoch")
        return head.unix_ms

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
        if self._rollback.reason:
            done(STOPPED)
            return

        def stored(result: StorageError | None) -> None:
            if result is None:
                self._wake()
            done("" if result is None else str(result))

        self._writer.submit(self.store.add_record(kind, body), stored)

    @property
    def time_ms(self) -> int:
        """The time of the newest published head, 0 before the first; Unix milliseconds."""
        return self.published.unix_ms if self.published is not None else 0

    def wake(self) -> None:
        """Something was stored that waits for the next epoch."""
        self._wake()

    def _told(self, start: int, end: int) -> None:
        """An epoch is published: settle resets, forget certificates, tell whose leaf changed."""
        published = self._epochs.published
        if published is not None:
            self._resets.look(published.size, published.time_ms)
        leaves = self.store.leaves(start, end)
        if leaves:
            newest = [(leaf.user, leaf.seq) for _, leaf in leaves]
            self._writer.submit(self.store.forget_certificates(newest), _ignore)
        for address in dict.fromkeys(address for address, _ in leaves):
            self._notify(address, LeafChanged())

    # --- Rollback -------------------------------------------------------------------------

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

    # --- Chains ---------------------------------------------------------------------------

    def chain(self, address: Address, now_ms: int) -> VerifiedChain | None:
        """The user's stored chain, published or not; None when he has none."""
        return self._chains.chain(address, now_ms)

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

        if self._rollback.reason:
            counted(STOPPED)
            return
        self._chains.submit(address, device, statement, certificate, now_ms, counted)

    # --- Enrolment (server.admission.Admissions) ------------------------------------------

    @property
    def config_record(self) -> bytes:
        """The configuration that devices pin."""
        return self.config.encode()

    def owner(self, code: OpenCode, now_ms: int) -> Owner:
        """See `server.accounts.admission.Admissions`."""
        return self._admissions.owner(code, now_ms)

    def admit(self, address: Address, keys: DeviceKeys, now_ms: int) -> Admission:
        """See `server.accounts.admission.Admissions`."""
        self._now_ms = now_ms
        if self._rollback.reason:
            raise InputError(STOPPED)
        return self._admissions.admit(address, keys, now_ms)

    def fits(self, change: Change) -> Job[str | None]:
        """See `server.accounts.admission.Admissions`."""
        return self.store.fits(change)

    def store_change(self, change: Change) -> Job[str | None]:
        """See `server.accounts.admission.Admissions`."""
        return self.store.change(change)

    def admitted(self, change: Change, now_ms: int) -> None:
        """See `server.accounts.admission.Admissions`."""
        self._now_ms = now_ms
        self._chains.stored(change, now_ms)

    def stored_statements(self, address: Address, seq: int, count: int) -> list[bytes]:
        """See `server.accounts.admission.Admissions`."""
        return [row.statement for row in self.store.statements(address, seq - 1)[:count]]


def _ignore(result: StorageError | None) -> None:
    """Older certificates are forgotten with the next epoch instead."""
