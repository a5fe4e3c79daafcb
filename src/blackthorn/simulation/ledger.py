"""A server's ledger in memory with its users and witnesses: real SQL, no time, no network.

Nothing is written until `commit`. Everybody is asked to notice a fork: no size has two roots.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from blackthorn.crypto.secret import Secret
from blackthorn.device.core.keys import DeviceKeys as OwnKeys
from blackthorn.directory.audit import Replay
from blackthorn.directory.config import DirectoryConfig
from blackthorn.errors import BlackthornError
from blackthorn.governance.ledger_time import new_replay
from blackthorn.identity.chain import Terms, UnverifiedChain, VerifiedChain, replay
from blackthorn.identity.keys import SigningKeys, VerifyKeys
from blackthorn.identity.statements import Statement, make
from blackthorn.ids import Address
from blackthorn.link.activation.exchange import DeviceKeys, Verifier
from blackthorn.link.frames import AnyFrame, EpochPushed, LeafChanged
from blackthorn.ports.enrolment import Enrolled
from blackthorn.ports.ledger import ReadChain, ReadEntries
from blackthorn.ports.users import NewCode, RenewCode
from blackthorn.server.accounts.admission import Admission, Admissions
from blackthorn.server.accounts.enrolment import enrol_device
from blackthorn.server.accounts.users import add_user
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.directory import pushed
from blackthorn.server.ledger.chains import DevicesChanged, logged_ms
from blackthorn.server.ledger.ledger import Ledger, LedgerKeys
from blackthorn.simulation.memory import memory_database, wrapping
from blackthorn.simulation.stepped import SteppedReader, SteppedWriter
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.cosignature import Cosigner
from blackthorn.tlog.policy import (
    NO_QUORUM,
    Policy,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
    format_policy,
)
from blackthorn.tlog.verify import verify_checkpoint
from blackthorn.wire.note import parse_vkey

START_MS = 1_700_000_000_000
DOMAIN = "acme.example"
DELAY_MS = 72 * 3_600_000
EMPTY_CODE = Verifier(Secret(bytes(32)), bytes(32))
NEVER_MS = 2**50


def make_keys(randbytes: Callable[[int], bytes]) -> LedgerKeys:
    return LedgerKeys(
        f"{DOMAIN}/ledger",
        Secret(randbytes(32)),
        Secret(randbytes(32)),
        Secret(randbytes(32)),
        SigningKeys.generate(randbytes),
    )


class LedgerWorld:
    """One ledger. `witnesses` of them make the quorum, all of them; 0 asks for none."""

    def __init__(
        self,
        seed: int,
        witnesses: int = 0,
        epoch_ms: int = 10_000,
        reset_delay_ms: int = DELAY_MS,
    ) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.now_ms = START_MS
        self.ahead_ms = 0
        """How far the server's clock, which is `now_ms`, is ahead of that of the witnesses."""
        self.jumped_ms = 0
        """How far `now_ms` has jumped ahead by itself."""
        self.database = memory_database()
        self.keys = make_keys(self.chance.randbytes)
        self.witnesses = [
            Cosigner(f"witness{n}.example", Secret(self.chance.randbytes(32)))
            for n in range(witnesses)
        ]
        self.policy = self._policy()
        self.policy_text = format_policy(self.policy)
        self.config = self.make_config(epoch_ms, reset_delay_ms)
        self.seen: dict[int, bytes] = {}
        self.heard: list[tuple[Address, AnyFrame]] = []
        self.pushed: list[EpochPushed] = []
        self.changes: list[DevicesChanged] = []
        self.start()

    def make_config(self, epoch_ms: int, reset_delay_ms: int = DELAY_MS) -> DirectoryConfig:
        return self.keys.config(
            domain=DOMAIN,
            policy=self.policy_text,
            reset_delay_ms=reset_delay_ms,
            epoch_ms=epoch_ms,
            heartbeat_ms=600_000,
        )

    def _policy(self) -> Policy:
        log = PolicyLog(parse_vkey(self.keys.log_vkey))
        known = tuple(
            PolicyWitness(f"w{n}", each.vkey, f"http://127.0.0.1:{n + 1}/")
            for n, each in enumerate(self.witnesses)
        )
        if not known:
            return Policy((log,), (), (), NO_QUORUM)
        group = PolicyGroup("all", len(known), tuple(each.name for each in known))
        return Policy((log,), known, (group,), "all")

    def start(self) -> None:
        """A new process over what is durable."""
        self.engine = Engine(self.database, wrapping())
        self.writer = SteppedWriter(self.engine)
        self.reader = SteppedReader(self.engine)
        self.cache = EnterpriseCache(self.reader)
        self.counters = Counters()
        self.ledger = Ledger(
            writer=self.writer,
            reader=self.reader,
            keys=self.keys,
            policy=self.policy,
            config=self.config,
            counters=self.counters,
            leaf_changed=self._leaf_changed,
            published_epoch=lambda changes: self.pushed.append(pushed(changes)),
            changed=self._changed,
            monotonic=self.monotonic,
        )
        self.admissions = Admissions(
            self.ledger, self.keys.enrolment, self.keys.vrf, self.chance.randbytes
        )
        self.ledger.start(self.engine, self.now_ms)

    def _leaf_changed(self, address: Address) -> None:
        self.heard.append((address, LeafChanged()))

    def _changed(self, change: DevicesChanged) -> None:
        self.cache.forget(change.address)
        self.changes.append(change)

    def crash(self, committed: bool = False, told: bool = False) -> None:
        """The process ends; with `committed` just after a commit that nobody was told of."""
        if committed:
            self.writer.commit(told=told)
        self.writer.crash()
        self.reader.crash()
        self.start()

    # --- Time and witnesses ---------------------------------------------------------------

    def wall_ms(self) -> int:
        """With `monotonic`: the world is the `ports.clock.Clock` of its server."""
        return self.now_ms

    def monotonic(self) -> float:
        return (self.now_ms - self.jumped_ms) / 1000

    def tick(self, ms: int = 0) -> None:
        self.now_ms += ms
        self.ledger.tick(self.now_ms)
        self.note_seen()

    def cosign(self, *which: int) -> None:
        """The witnesses sign what is offered; all of them when none is named."""
        waiting = self.ledger.waiting
        self.note_seen()
        if waiting is None:
            return
        checkpoint, _ = open_checkpoint(waiting.note, parse_vkey(self.keys.log_vkey))
        chosen = [self.witnesses[n] for n in which] if which else self.witnesses
        lines = [each.cosign(checkpoint, (self.now_ms - self.ahead_ms) // 1000) for each in chosen]
        self.ledger.cosigned(lines, self.now_ms)

    def note_seen(self) -> None:
        """Nobody may ever see two roots of one size."""
        for each in (self.ledger.waiting, self.ledger.published):
            if each is not None:
                assert self.seen.setdefault(each.size, each.root) == each.root, "a fork"

    def add_user(self, name: str) -> Address:
        address = Address(f"{name}@{DOMAIN}")
        code = NewCode(f"{self.chance.randrange(10**6):06}", EMPTY_CODE, NEVER_MS)
        add_user(self.engine, address, self.chance.randbytes, self.now_ms, code)
        return address

    def code_of(self, address: Address) -> str:
        """A fresh unused code of the user."""
        code = NewCode(f"{self.chance.randrange(10**6):06}", EMPTY_CODE, NEVER_MS)
        self.engine.write(RenewCode(address, code))
        return code.nameplate

    def enrol(self, address: Address, keys: DeviceKeys) -> list[Enrolled | str]:
        """What `enrolment` does once a code is proved; the result comes with the commit.

        Raises the error of a device that is not admitted, if the reader answers at once.
        """
        nameplate = self.code_of(address)
        told: list[Enrolled | str] = []
        judged: list[Admission | BlackthornError] = []

        def admitted(admission: Admission | BlackthornError) -> None:
            judged.append(admission)
            if isinstance(admission, Admission):
                self._store(address, nameplate, keys, admission, told)

        self.admissions.admit(address, keys, self.now_ms, admitted)
        if judged and isinstance(judged[0], BlackthornError):
            raise judged[0]
        return told

    def _store(
        self,
        address: Address,
        nameplate: str,
        keys: DeviceKeys,
        admission: Admission,
        told: list[Enrolled | str],
    ) -> None:
        change = admission.change
        assert change is not None

        def done(result: Enrolled | BlackthornError) -> None:
            if isinstance(result, Enrolled):
                self.cache.forget(address)
                self.ledger.stored(change, self.now_ms)
            told.append(str(result) if isinstance(result, BlackthornError) else result)

        command = enrol_device(nameplate, keys, admission, self.now_ms)
        self.writer.submit(replace(command, key_packages=(), last_resort=None), done)

    def activate(self, own: OwnKeys, name: str, draft: Statement) -> int:
        """A device is activated by this statement of its own, and stored; its number."""
        statement = make(draft, [(own.device, own.signing)]).encode()
        brings = DeviceKeys(own.identity_public, name, b"", [], b"last", [statement])
        told = self.enrol(own.address, brings)
        self.writer.commit()
        assert isinstance(told[0], Enrolled), told
        return told[0].number

    def stored(self, address: Address) -> VerifiedChain:
        """The chain as it is stored; raises DamageError when it breaks a rule."""
        found = self.engine.read(ReadChain(address, 0))
        assert found is not None and found.statements
        now_ms = self.now_ms
        return self.ledger.chains.verified(address, found.statements, found.heads, now_ms)

    def audit(self) -> Replay:
        """What anybody can check: the published log replays, and its note has its quorum."""
        replay_ = new_replay()
        published = self.ledger.published
        if published is None:
            return replay_
        for entry in self.engine.read(ReadEntries(0, published.size, 2**40)):
            replay_.feed(entry)
        verified = verify_checkpoint(published.note, self.policy)
        replay_.check_checkpoint(verified.checkpoint)
        assert self.seen.setdefault(published.size, published.root) == replay_.root, "a fork"
        return replay_

    def published_chain(self, address: Address) -> VerifiedChain | None:
        """The chain as a device that trusts nothing replays it."""
        published = self.ledger.published
        found = self.engine.read(ReadChain(address, 0))
        if published is None or found is None:
            return None
        rows, heads = found.statements, dict(found.heads)
        told = [row for row in rows if row.place is not None and row.place < published.size]
        if not told:
            return None
        logged = {
            row.seq: logged_ms(heads[row.seq])
            for row in told
            if row.kind in ("reset", "cancel") and row.place is not None
        }
        terms = Terms(
            VerifyKeys(*self.config.enrolment),
            self.config.reset_delay_ms,
            published.unix_ms,
            logged,
        )
        return replay(UnverifiedChain(address, tuple(row.statement for row in told)), terms)
