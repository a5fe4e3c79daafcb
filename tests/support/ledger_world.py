"""A ledger in memory with users and model devices: real SQL, no time, no network.

Nothing is written until the test commits. The world plays the auditor too: it keeps every note
that anybody could have seen, and replays the log after each step.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from blackthorn.crypto.openpgp_open import generate_user_key, sign_detached
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.device.core.keys import DeviceKeys as OwnKeys
from blackthorn.directory.audit import Replay
from blackthorn.directory.config import DirectoryConfig
from blackthorn.errors import BlackthornError
from blackthorn.identity.chain import (
    Terms,
    UnverifiedChain,
    VerifiedChain,
    first_statement,
    next_statement,
    replay,
)
from blackthorn.identity.keys import SigningKeys, VerifyKeys
from blackthorn.identity.openpgp import claim
from blackthorn.identity.statements import (
    Body,
    DeviceInfo,
    Genesis,
    Reset,
    SetOpenPGP,
    Statement,
    make,
)
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import DeviceKeys, Verifier
from blackthorn.link.frames import LeafChanged
from blackthorn.ports.enrolment import Enrolled
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import (
    AddRecord,
    FindLeaves,
    Label,
    Leaf,
    NewestLeaves,
    ReadChain,
    ReadEntries,
    ReadEvidence,
    ReadRoots,
    StoredStatement,
)
from blackthorn.ports.store import ignore
from blackthorn.ports.users import NewCode, RenewCode
from blackthorn.server.accounts.admission import Admission, Admissions
from blackthorn.server.accounts.enrolment import enrol_device
from blackthorn.server.accounts.users import add_user
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.ledger.chains import DevicesChanged, logged_ms
from blackthorn.server.ledger.ledger import Ledger, LedgerKeys
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
from tests.support.databases import memory_database
from tests.support.market_keys import wrapping
from tests.support.stepped import SteppedReader, SteppedWriter
from tests.support.stored import StoredEnterprise

START_MS = 1_700_000_000_000
DOMAIN = "acme.example"
DELAY_MS = 72 * 3_600_000
EMPTY_CODE = Verifier(Secret(bytes(32)), bytes(32))
NEVER_MS = 2**50


@dataclass
class Model:
    """A device as a test plays it: its keys, and what it says of itself."""

    keys: SigningKeys
    mls: bytes
    name: str = "d"
    info: DeviceInfo = field(init=False)

    def __post_init__(self) -> None:
        self.info = DeviceInfo.of(self.name, self.keys.public, self.mls)

    @property
    def id(self) -> DeviceId:
        return self.info.id

    def genesis(self, address: str, now_ms: int, openpgp: bool = False) -> DeviceKeys:
        """What it brings as the first device of a user, with a certificate if wanted."""
        first = make(first_statement(address, Genesis(self.info), now_ms), [(self.id, self.keys)])
        if not openpgp:
            return self.brings(first.encode())
        certificate, body = certified(address)
        draft = Statement(address, 2, first.statement.hash, body, now_ms)
        second = make(draft, [(self.id, self.keys)])
        return self.brings(first.encode(), second.encode(), certificate=certificate)

    def asks(self, address: str, body: Body, seq: int, head: bytes, now_ms: int) -> DeviceKeys:
        """What it brings for a user whose chain stands at `seq` with `head`."""
        draft = Statement(address, seq + 1, head, body, now_ms)
        return self.brings(make(draft, [(self.id, self.keys)]).encode())

    def brings(self, *statements: bytes, certificate: bytes = b"") -> DeviceKeys:
        return DeviceKeys(
            identity_key=self.keys.public.ed25519,
            name=self.name,
            certificate=certificate,
            key_packages=[b"one"],
            last_resort=b"last",
            statements=list(statements),
        )


@cache
def certified(address: str, number: int = 0) -> tuple[bytes, SetOpenPGP]:
    """A certificate of the user, and the body by which his chain states it."""
    secret, certificate = generate_user_key(address)
    return certificate, claim(address, certificate, lambda data: sign_detached(data, secret))


def make_keys(randbytes) -> LedgerKeys:
    return LedgerKeys(
        f"{DOMAIN}/ledger",
        Secret(randbytes(32)),
        Secret(randbytes(32)),
        Secret(randbytes(32)),
        SigningKeys.generate(randbytes),
    )


class Rows:
    """The ledger's rows, read at once, as tests look at them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def entries(self, start: int, count: int, max_bytes: int) -> list[bytes]:
        return self._engine.read(ReadEntries(start, count, max_bytes))

    def roots(self) -> list[tuple[int, bytes]]:
        return self._engine.read(ReadRoots(0, 2**31))

    def evidence(self) -> list[bytes]:
        return self._engine.read(ReadEvidence())

    def statements(self, address: Address, after: int) -> list[StoredStatement]:
        chain = self._engine.read(ReadChain(address, after))
        return [] if chain is None else list(chain.statements)

    def label(self, address: Address) -> Label | None:
        return self.newest(address, 2**40)[0]

    def newest_leaves(self, after: int, count: int) -> list[tuple[Label, Leaf]]:
        return list(self._engine.read(NewestLeaves(after, count)))

    def newest(self, address: Address, size: int) -> tuple[Label | None, Leaf | None]:
        """The user's label, and the newest leaf in the first `size` entries."""
        (found,) = self._engine.read(FindLeaves((address,), size))
        return found

    def leaf(self, user: int, size: int) -> Leaf | None:
        return self._leaf("place < ? ORDER BY version DESC", user, size)

    def leaf_of(self, user: int, seq: int) -> Leaf | None:
        return self._leaf("seq = ?", user, seq)

    def certificate(self, user: int, seq: int) -> bytes | None:
        return self._engine.connection.execute(
            "SELECT certificate FROM user_certificate WHERE user = ? AND seq <= ?"
            " ORDER BY seq DESC LIMIT 1",
            (user, seq),
        ).get

    def _leaf(self, which: str, user: int, value: int) -> Leaf | None:
        row = self._engine.connection.execute(
            "SELECT user, version, head, seq, flags, place FROM ledger_leaf"
            f" WHERE user = ? AND {which} LIMIT 1",
            (user, value),
        ).fetchone()
        return None if row is None else Leaf(*row)


class LedgerWorld:
    """One ledger. `witnesses` of them make the quorum, all of them; 0 asks for none."""

    def __init__(
        self,
        seed: int,
        witnesses: int = 0,
        epoch_ms: int = 10_000,
        reset_delay_ms: int = DELAY_MS,
    ) -> None:
        print(f"seed {seed}")
        self.chance = random.Random(seed)
        self.now_ms = START_MS
        self.database = memory_database()
        self.keys = make_keys(self.chance.randbytes)
        self.witnesses = [
            Cosigner(f"witness{n}.example", Secret(self.chance.randbytes(32)))
            for n in range(witnesses)
        ]
        self.policy = self._policy()
        self.policy_text = format_policy(self.policy)
        self.config = self.make_config(epoch_ms, reset_delay_ms)
        self.devices: dict[DeviceId, Model] = {}
        self.seen: dict[int, bytes] = {}
        self.heard: list[tuple[Address, object]] = []
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
        self.enterprise = StoredEnterprise(self.engine, self.cache)
        self.store = Rows(self.engine)
        self.counters = Counters()
        self.ledger = Ledger(
            writer=self.writer,
            reader=self.reader,
            keys=self.keys,
            policy=self.policy,
            config=self.config,
            counters=self.counters,
            leaf_changed=self._leaf_changed,
            changed=self._changed,
        )
        self.admissions = Admissions(
            self.ledger, self.keys.enrolment, self.keys.vrf, self.chance.randbytes
        )
        self.ledger.start(self.engine, self.now_ms)

    def _leaf_changed(self, address: Address) -> None:
        self.heard.append((address, LeafChanged()))

    def _changed(self, change: DevicesChanged) -> None:
        self.enterprise.forget(change.address)
        self.changes.append(change)

    def crash(self, committed: bool = False, told: bool = False) -> None:
        """The process ends; with `committed` just after a commit that nobody was told of."""
        if committed:
            self.writer.commit(told=told)
        self.writer.crash()
        self.reader.crash()
        self.start()

    def add_record(self, kind: int, body: bytes, told: Callable[[object], None] = ignore) -> None:
        """A typed entry for the next epoch, as a decision adds one."""

        def stored(result: object) -> None:
            self.ledger.wake()
            told(result)

        self.writer.submit(AddRecord(kind, body), stored)

    # --- Time and witnesses ---------------------------------------------------------------

    def wall_ms(self) -> int:
        """With `monotonic`: the world is the `ports.clock.Clock` of its server."""
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1000

    def tick(self, ms: int = 0) -> None:
        self.now_ms += ms
        self.ledger.tick(self.now_ms)
        self.note_seen()

    def settle(self, ms: int = 10_000) -> None:
        """Commit, let time pass, commit and cosign until nothing moves."""
        self.writer.commit()
        self.tick(ms)
        for _ in range(12):
            self.writer.commit()
            self.cosign()
            self.tick()
            if not self.writer.waiting:
                return
        raise AssertionError("the ledger does not come to rest")

    def cosign(self, *which: int) -> None:
        """The witnesses sign what is offered; all of them when none is named."""
        waiting = self.ledger.waiting
        self.note_seen()
        if waiting is None:
            return
        checkpoint, _ = open_checkpoint(waiting.note, parse_vkey(self.keys.log_vkey))
        chosen = [self.witnesses[n] for n in which] if which else self.witnesses
        lines = [each.cosign(checkpoint, self.now_ms // 1000) for each in chosen]
        self.ledger.cosigned(lines, self.now_ms)

    def note_seen(self) -> None:
        """Nobody may ever see two roots of one size."""
        for each in (self.ledger.waiting, self.ledger.published):
            if each is not None:
                assert self.seen.setdefault(each.size, each.root) == each.root, "a fork"

    # --- Users and devices ----------------------------------------------------------------

    def model(self, name: str = "d") -> Model:
        device = Model(SigningKeys.generate(self.chance.randbytes), self.mls_key(), name)
        self.devices[device.id] = device
        return device

    def mls_key(self) -> bytes:
        return ED25519.public_key(Secret(self.chance.randbytes(32)))

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
                self.enterprise.forget(address)
                self.ledger.stored(change, self.now_ms)
            told.append(str(result) if isinstance(result, BlackthornError) else result)

        command = enrol_device(nameplate, keys, admission, self.now_ms)
        self.writer.submit(replace(command, key_packages=(), last_resort=None), done)

    def begin(self, address: Address, device: Model) -> list[Enrolled | str]:
        """The first device of a user is activated."""
        return self.enrol(address, device.genesis(address, self.now_ms))

    def activate(self, own: OwnKeys, name: str, draft: Statement) -> int:
        """A device is activated by this statement of its own, and stored; its number."""
        statement = make(draft, [(own.device, own.signing)]).encode()
        brings = DeviceKeys(own.identity_public, name, b"", [], b"last", [statement])
        told = self.enrol(own.address, brings)
        self.writer.commit()
        assert isinstance(told[0], Enrolled), told
        return told[0].number

    def reset(self, address: Address, device: Model) -> list[Enrolled | str]:
        """A device asks for a reset."""
        chain = self.stored(address)
        keys = device.asks(address, Reset(device.info), chain.seq, chain.head, self.now_ms)
        return self.enrol(address, keys)

    def user(self, name: str) -> tuple[Address, Model]:
        """A user with a live, published device."""
        address, device = self.add_user(name), self.model()
        told = self.begin(address, device)
        self.settle()
        assert isinstance(told[0], Enrolled)
        return address, device

    def stored(self, address: Address) -> VerifiedChain:
        """The chain as it is stored; raises DamageError when it breaks a rule."""
        found = self.engine.read(ReadChain(address, 0))
        assert found is not None and found.statements
        now_ms = self.now_ms
        return self.ledger.chains.verified(address, found.statements, found.heads, now_ms)

    def draft(self, address: Address, body: Body) -> Statement:
        return next_statement(self.stored(address), body, self.now_ms)

    def submit(
        self, address: Address, draft: Statement, *signers: Model, certificate: bytes = b""
    ) -> list[str]:
        """The first signer submits; the answer comes with the commit."""
        signed = make(draft, [(each.id, each.keys) for each in signers])
        return self.send(address, signers[0], signed.encode(), certificate)

    def send(
        self, address: Address, device: Model, data: bytes, certificate: bytes = b""
    ) -> list[str]:
        told: list[str] = []
        self.ledger.submit(address, device.id, data, certificate, self.now_ms, told.append)
        return told

    # --- What must hold -------------------------------------------------------------------

    def audit(self) -> Replay:
        """What anybody can check: the published log replays, and its note has its quorum."""
        replay_ = Replay()
        published = self.ledger.published
        if published is None:
            return replay_
        for entry in self.store.entries(0, published.size, 2**40):
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

    def rows(self, address: Address) -> dict[DeviceId, Standing]:
        user = self.enterprise.user(address)
        assert user is not None
        return {each.id: each.standing for each in user.devices}
