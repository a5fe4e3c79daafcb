"""Identity chains on the server: verified again before any statement is appended.

The rules are those of `identity.chain`, which every device applies. The server adds:

1. A statement is stored only behind the verified chain (compare and set); a repeated one counts as
   stored.
2. A set_openpgp or set_compatible comes with a good certificate that has signed that it is the
   user's.
3. A reset needs an activation code.
4. After a cancel nothing is stored until the ledger has logged it, since it may be too late; after
   a reset only its cancel, until `server.ledger.resets` has settled it.
5. A user's statements per hour are bounded, and the chain's last places reserved: except for
   cancels, revocations, resets and recovery, by which users take back what is theirs. A device's
   submissions are bounded, good or bad, so that a pending one cannot block a cancel.
6. A statement and its changes of devices are one transaction.

A statement not logged yet is taken to be logged now. What never happens here: publishing
(`server.ledger.epochs`), or signing for anybody but the enterprise.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from blackthorn import errors
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import Head, decode_entry
from blackthorn.identity import statements
from blackthorn.identity.chain import Terms, UnverifiedChain, VerifiedChain, extend, replay
from blackthorn.identity.keys import VerifyKeys
from blackthorn.ids import Address, DeviceId
from blackthorn.ports import ledger as ports
from blackthorn.ports.store import Done as StoreDone
from blackthorn.ports.store import Reader, Writer, call_each, unless_failed
from blackthorn.server.ledger import limits as ledger_limits
from blackthorn.server.ledger.changes import change_of
from blackthorn.wire import limits as wire_limits

Key = TypeVar("Key")
Done = Callable[[str], None]
"""Gets "" once durable, or the refusal."""

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    """A statement changed a user's devices: `removed` are gone, `renamed` have a new id."""

    address: Address
    removed: tuple[DeviceId, ...] = ()
    renamed: tuple[tuple[DeviceId, DeviceId], ...] = ()


@dataclass(frozen=True, slots=True)
class UserChain:
    """A user and their stored chain, published or not; None before a genesis.

    `cancel_waits`: its newest statement is an unlogged cancel. `reset_waits`: a device is pending.
    """

    pin: str
    chain: VerifiedChain | None
    cancel_waits: bool
    reset_waits: bool


@dataclass(eq=False, kw_only=True)
class Chains:
    """The chains of all users, over the store.

    `changed` gets a durable statement's changes of devices; `woken` is called when an epoch is due.
    """

    writer: Writer
    reader: Reader
    config: DirectoryConfig
    changed: Callable[[DevicesChanged], None]
    woken: Callable[[], None]
    _cache: OrderedDict[Address, VerifiedChain] = field(default_factory=OrderedDict)
    _stored: dict[Address, deque[int]] = field(default_factory=dict)
    _submitted: dict[DeviceId, deque[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._enrolment = VerifyKeys(*self.config.enrolment)

    def read(self, address: Address, now_ms: int, done: StoreDone[UserChain]) -> None:
        """Give `done` the user's chain as of now, AbsentError without such a user.

        DamageError when a stored chain breaks a rule. A cached chain is compared with its newest
        row.
        """
        known = self._cache.get(address)
        if known is not None:
            self._cache.move_to_end(address)
        query = ports.ReadChain(address, known.seq - 1 if known is not None else 0)

        def read(stored: ports.StoredChain | None) -> None:
            if stored is None:
                done(errors.AbsentError(f"there is no user {address}"))
                return
            newest = stored.statements[-1] if stored.statements else None
            if known is not None and (newest is None or newest.head != known.head):
                self.forget(address)
                self.read(address, now_ms, done)
                return
            try:
                chain = self._current(address, known, stored, now_ms)
            except errors.DamageError as error:
                done(error)
                return
            cancel_waits = newest is not None and newest.kind == "cancel" and newest.place is None
            done(UserChain(stored.pin, chain, cancel_waits, stored.reset_waits))

        self.reader.ask(query, unless_failed(done, read))

    def _current(
        self, address: Address, known: VerifiedChain | None, stored: ports.StoredChain, now_ms: int
    ) -> VerifiedChain | None:
        if known is not None:
            return extend(known, (), self._terms({}, max(now_ms, known.now_ms)))
        if not stored.statements:
            return None
        chain = self.verified(address, stored.statements, stored.heads, now_ms)
        logged = [row for row in stored.statements if row.kind in ports.LOGGED_KINDS]
        if all(row.place is not None for row in logged):
            self._keep(address, chain)
        return chain

    def verified(
        self,
        address: Address,
        rows: Sequence[ports.StoredStatement],
        heads: Sequence[tuple[int, bytes]],
        now_ms: int,
    ) -> VerifiedChain:
        """The chain of these rows; `heads` as in `StoredChain`. Raises DamageError."""
        unverified = UnverifiedChain(address, tuple(row.statement for row in rows))
        try:
            return replay(unverified, self._terms(_times(rows, heads, now_ms), now_ms))
        except errors.VerificationError as error:
            text = f"the stored chain of a user breaks a rule: {error}"
            raise errors.DamageError(text) from error

    def _terms(self, logged: dict[int, int], now_ms: int) -> Terms:
        return Terms(self._enrolment, self.config.reset_delay_ms, now_ms, logged)

    def _keep(self, address: Address, chain: VerifiedChain) -> None:
        self._cache[address] = chain
        self._cache.move_to_end(address)
        if len(self._cache) > ledger_limits.MAX_CACHED_CHAINS:
            self._cache.popitem(last=False)

    def forget(self, address: Address) -> None:
        self._cache.pop(address, None)

    def submit(
        self,
        address: Address,
        device: DeviceId,
        data: bytes,
        certificate: bytes,
        now_ms: int,
        done: Done,
    ) -> None:
        """Append a signed statement of the user's chain, submitted by one of their devices."""
        try:
            signed = statements.decode(data)
        except errors.VerificationError as error:
            done(str(error))
            return

        def read(user: UserChain | errors.BlackthornError) -> None:
            if isinstance(user, errors.BlackthornError) and not isinstance(
                user, errors.AbsentError
            ):
                done(str(user))
                return
            chain = None if isinstance(user, errors.BlackthornError) else user.chain
            if isinstance(user, errors.BlackthornError) or chain is None:
                done("the user has no chain yet: activate a device first")
                return
            statement = signed.statement
            if statement.seq <= chain.seq and chain.hash_of(statement.seq) == statement.hash:
                done("")
                return
            try:
                self._count(device, now_ms)
                self._check_own_rules(user, chain, address, signed, now_ms)
                after = self.extended(chain, [signed], now_ms)
                change = change_of(chain, after, [signed], certificate, now_ms)
            except (errors.VerificationError, errors.InputError) as error:
                done(str(error))
                return
            told = partial(self._stored_change, change, now_ms, done)
            self.writer.submit(ports.StoreChange(change), told)

        self.read(address, now_ms, read)

    def _check_own_rules(
        self,
        user: UserChain,
        chain: VerifiedChain,
        address: Address,
        signed: statements.SignedStatement,
        now_ms: int,
    ) -> None:
        """Rules 3 to 5. Raises InputError."""
        body = signed.statement.body
        if isinstance(body, statements.Reset):
            raise errors.InputError("a reset needs an activation code")
        check_settled(user, signed)
        recovered = isinstance(body, statements.AddDevice) and body.recovered
        if recovered or isinstance(body, statements.Cancel | statements.RevokeDevice):
            return
        if chain.seq + 1 > wire_limits.MAX_CHAIN_STATEMENTS - ledger_limits.RESERVED_STATEMENTS:
            raise errors.InputError("the chain is full: only cancels, revocations and resets fit")
        stored = _recent(self._stored, address, now_ms)
        if len(stored) >= ledger_limits.MAX_STATEMENTS_PER_HOUR:
            raise errors.InputError("too many statements in one hour: try again later")

    def _count(self, device: DeviceId, now_ms: int) -> None:
        recent = _recent(self._submitted, device, now_ms)
        if len(recent) >= ledger_limits.MAX_SUBMISSIONS_PER_HOUR:
            raise errors.InputError(
                "this device has submitted too much in one hour: try again later"
            )
        self._submitted.setdefault(device, recent).append(now_ms)

    def _stored_change(
        self, change: ports.Change, now_ms: int, done: Done, outcome: bool | errors.BlackthornError
    ) -> None:
        self.forget(change.address)
        if isinstance(outcome, errors.BlackthornError):
            done(str(outcome))
            return
        stored = [partial(self.stored, change, now_ms)] * outcome
        call_each([*stored, partial(done, "")])

    def stored(self, change: ports.Change, now_ms: int) -> None:
        """The change is durable: count and announce it."""
        self.forget(change.address)
        recent = _recent(self._stored, change.address, now_ms)
        self._stored.setdefault(change.address, recent).append(now_ms)
        renamed = tuple((old, new.id) for old, new in change.renamed if old != new.id)
        changed = DevicesChanged(change.address, change.removed, renamed)
        call_each([partial(self.changed, changed), self.woken])

    def extended(
        self, chain: VerifiedChain | None, more: Sequence[statements.SignedStatement], now_ms: int
    ) -> list[VerifiedChain]:
        """The chain after each of the statements. Raises VerificationError."""
        after: list[VerifiedChain] = []
        for signed in more:
            logged = {signed.statement.seq: now_ms}
            data = [signed.encode()]
            if chain is None:
                first = UnverifiedChain(signed.statement.label, tuple(data))
                chain = replay(first, self._terms(logged, now_ms))
            else:
                chain = extend(chain, data, self._terms(logged, max(now_ms, chain.now_ms)))
            after.append(chain)
        return after


def check_settled(user: UserChain, signed: statements.SignedStatement) -> None:
    """Rule 4. Raises InputError; a statement that breaks a chain rule passes, for that rule."""
    pending = user.chain is not None and user.chain.pending is not None
    if isinstance(signed.statement.body, statements.Cancel) or pending:
        return
    if user.cancel_waits:
        raise errors.InputError("a cancel waits to be logged: try again in a minute")
    if user.reset_waits:
        raise errors.InputError("a reset is about to be settled: try again in a minute")


def _times(
    rows: Sequence[ports.StoredStatement], heads: Sequence[tuple[int, bytes]], now_ms: int
) -> dict[int, int]:
    """When each reset and cancel was logged; an unlogged one: now."""
    logged = {seq: logged_ms(head) for seq, head in heads}
    times: dict[int, int] = {}
    latest = 0
    for row in rows:
        if row.kind in ports.LOGGED_KINDS:
            latest = logged.get(row.seq) or max(now_ms, latest)
            times[row.seq] = latest
    return times


def logged_ms(head: bytes) -> int:
    """The time of the epoch that ends with this head. Raises DamageError."""
    entry = decode_entry(head)
    if not isinstance(entry, Head):
        raise errors.DamageError("an epoch of the ledger does not end with a head")
    return entry.unix_ms


def _recent(times: dict[Key, deque[int]], key: Key, now_ms: int) -> deque[int]:
    recent = times.get(key, deque())
    while recent and recent[0] <= now_ms - HOUR_MS:
        recent.popleft()
    if not recent:
        times.pop(key, None)
    return recent
