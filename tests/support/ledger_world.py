"""A ledger in memory with users and model devices: real SQL, no time, no network.

Nothing is written until the test commits. The world plays the auditor too: it keeps every note
that anybody could have seen, and replays the log after each step.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from blackthorn.crypto.openpgp import compatible as openpgp_compatible
from blackthorn.crypto.openpgp_open import generate_user_key, sign_detached
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.identity.chain import (
    first_statement,
    next_statement,
)
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.openpgp import claim
from blackthorn.identity.statements import (
    Body,
    DeviceInfo,
    Genesis,
    Reset,
    SetCompatible,
    SetOpenPGP,
    Statement,
    make,
)
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import DeviceKeys
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
from blackthorn.simulation import ledger
from blackthorn.simulation.ledger import DELAY_MS
from blackthorn.storage.sqlite.engine import Engine
from tests.support.stored import StoredEnterprise


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

    def asks(
        self, address: str, body: Body, seq: int, head: bytes, now_ms: int, rules: int = 1
    ) -> DeviceKeys:
        """What it brings for a user whose chain stands at `seq` with `head`."""
        draft = Statement(address, seq + 1, head, body, now_ms, rules)
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


@cache
def compatible(address: str, *, copies: bool = False) -> tuple[bytes, SetCompatible]:
    """A certificate of the user for other programs, and the body that states it."""
    secret, certificate = openpgp_compatible.generate(address, 1_700_000_000, os.urandom)
    stated = claim(address, certificate, lambda data: openpgp_compatible.sign(data, secret))
    return certificate, SetCompatible(stated, copies)


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


class LedgerWorld(ledger.LedgerWorld):
    """One ledger with model devices, which are nothing but keys and statements."""

    def __init__(
        self,
        seed: int,
        witnesses: int = 0,
        epoch_ms: int = 10_000,
        reset_delay_ms: int = DELAY_MS,
    ) -> None:
        print(f"seed {seed}")
        self.devices: dict[DeviceId, Model] = {}
        super().__init__(seed, witnesses, epoch_ms, reset_delay_ms)

    def start(self) -> None:
        super().start()
        self.enterprise = StoredEnterprise(self.engine, self.cache)
        self.store = Rows(self.engine)

    def add_record(self, kind: int, body: bytes, told: Callable[[object], None] = ignore) -> None:
        """A typed entry for the next epoch, as a decision adds one."""

        def stored(result: object) -> None:
            self.ledger.wake()
            told(result)

        self.writer.submit(AddRecord(kind, body), stored)

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

    # --- Users and devices ----------------------------------------------------------------

    def model(self, name: str = "d") -> Model:
        device = Model(SigningKeys.generate(self.chance.randbytes), self.mls_key(), name)
        self.devices[device.id] = device
        return device

    def mls_key(self) -> bytes:
        return ED25519.public_key(Secret(self.chance.randbytes(32)))

    def begin(self, address: Address, device: Model) -> list[Enrolled | str]:
        """The first device of a user is activated."""
        return self.enrol(address, device.genesis(address, self.now_ms))

    def reset(self, address: Address, device: Model) -> list[Enrolled | str]:
        """A device asks for a reset."""
        chain = self.stored(address)
        end = (chain.seq, chain.head, self.now_ms, chain.min_rules)
        keys = device.asks(address, Reset(device.info), *end)
        return self.enrol(address, keys)

    def user(self, name: str) -> tuple[Address, Model]:
        """A user with a live, published device."""
        address, device = self.add_user(name), self.model()
        told = self.begin(address, device)
        self.settle()
        assert isinstance(told[0], Enrolled)
        return address, device

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

    def rows(self, address: Address) -> dict[DeviceId, Standing]:
        user = self.enterprise.user(address)
        assert user is not None
        return {each.id: each.standing for each in user.devices}
