"""The closure of a market, between its decisions, in small durable steps.

    state of the exit   steps, each one durable before the next                ends in
    preparing           RECEIPTS* → ROOT                                       READY
    destroying          PURGE* → COMPACT → KEY → SWEEP* → PROBE                DESTROYED
    closed              the statement is published                             CLOSED
    any other           DROP*, of what was prepared; nothing was destroyed

(* many steps, each of at most limits.CLOSURE_PERSONS or CLOSURE_ROWS.) The next step is read from
the database each time. Two custodians decide between READY and PURGE, and between DESTROYED and
CLOSED; `facts` has the fields of their decisions. The key is destroyed after the rows, so that a
row left by mistake is unreadable too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from blackthorn.crypto import market_wrap
from blackthorn.crypto.market_wrap import WrapError
from blackthorn.crypto.secret import Secret
from blackthorn.errors import BlackthornError, DamageError
from blackthorn.governance import exits
from blackthorn.governance.cases import Cases
from blackthorn.governance.closure.receipt import SALT_BYTES, Receipt
from blackthorn.governance.closure.statement import ClosureStatement
from blackthorn.governance.transitions import Case
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.governance import closure as ports
from blackthorn.ports.markets import MarketKeys
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import Command, Done, Query, Reader, Result, Writer
from blackthorn.server.markets import limits
from blackthorn.server.markets.closure_facts import ClosureFacts, Facts, destroy_fields
from blackthorn.server.markets.receipts import Receipts
from blackthorn.tlog.merkle import MerkleLog

BEFORE: Final = frozenset({ports.Phase.RECEIPTS, ports.Phase.ROOT, ports.Phase.READY})
"""Phases before the destruction, whose results may be dropped."""

STATES: Final = ("preparing", "destroying", "closed")
_FLAGS: Final = ("notified", "read", "exported", "moved", "forwarded", "unreachable")

Blocking = TypeVar("Blocking")


class Destroyed(Protocol):
    """A destroyed key: fingerprint (32 bytes), and when it was first destroyed."""

    @property
    def fingerprint(self) -> bytes: ...
    @property
    def destroyed_ms(self) -> int: ...


class Keys(MarketKeys, Protocol):
    """The markets' keys, with the power to destroy one."""

    def load(self) -> dict[str, bytes]:
        """The 32-byte fingerprint of each key in use, by market."""

    def fingerprint(self, market: str) -> bytes:
        """32 bytes, of a destroyed key too."""

    def destroy(self, market: str, now_ms: int) -> Destroyed:
        """Destroy the key for ever; idempotent. Raises StorageError."""


class Apart(Protocol):
    """Runs blocking work off the event loop."""

    def __call__(self, work: Callable[[], Blocking], done: Done[Blocking], /) -> None:
        """Run `work`, then call `done` in the loop with its result or BlackthornError."""


@dataclass
class Closures:
    """All closures of a server. `tick` takes the next step of one.

    `log_ms` is the ledger's time, Unix ms. Two functions block, run `apart`, and may run twice:
    `compact` folds in the write-ahead log and returns whether it could; `publish` writes the public
    file of an exit's id and statement durably. `register` is the vkey of the statement's signer.
    """

    cases: Callable[[], Cases]
    keys: Keys
    writer: Writer
    reader: Reader
    clock: Clock
    log_ms: Callable[[], int]
    random: Randomness
    apart: Apart
    compact: Callable[[], bool]
    publish: Callable[[str, bytes], object]
    register: str
    _facts: ClosureFacts = field(init=False)
    _receipts: Receipts = field(init=False)
    _busy: bool = False
    _idle: bool = False
    _problem: str = ""

    def __post_init__(self) -> None:
        self._facts = ClosureFacts(self.cases, self.reader)
        self._receipts = Receipts(self.reader)

    def tick(self) -> bool:
        """Look for the next step and take it; whether one is running."""
        if not self._busy and not self._idle:
            self._busy = True
            self._ask(ports.ListClosures(), self._look)
        if not self._busy:
            self._idle = False
        return self._busy

    def problems(self) -> list[str]:
        """Why a closure is blocked, in one line."""
        return [f"the closure of a market is blocked: {self._problem}"] * bool(self._problem)

    def facts(self, market: str, done: Done[Facts]) -> None:
        """The users concerned and the next decision's fields; stale receipts are made again."""
        self._facts.facts(market, done)

    def receipt(self, address: Address, done: Done[bytes | None]) -> None:
        """The person's receipt and proof in the newest prepared closure, or None."""
        self._receipts.receipt(address, done)

    def _ask(self, query: Query[Result], step: Callable[[Result], None]) -> None:
        self.reader.ask(query, partial(self._go_on, step))

    def _run(self, work: Callable[[], Blocking], step: Callable[[Blocking], None]) -> None:
        self.apart(work, partial(self._go_on, step))

    def _go_on(self, step: Callable[[Any], None], result: Any) -> None:
        """Take `step` with the result; after a failure the next tick looks again."""
        if isinstance(result, BlackthornError):
            self._rest(str(result))
            return
        try:
            step(result)
        except BlackthornError as error:
            self._rest(str(error))
        except BaseException:
            self._rest(self._problem)
            raise

    def _do(self, command: Command[None]) -> None:
        def done(error: BlackthornError | None) -> None:
            self._busy = False
            self._problem = "" if error is None else str(error)

        self.writer.submit(command, done)

    def _rest(self, problem: str) -> None:
        """Idle until the tick after the next."""
        self._busy, self._idle, self._problem = False, True, problem

    def _look(self, closures: Sequence[ports.Closure]) -> None:
        if any(self._step(closure, self.cases().case(closure.exit)) for closure in closures):
            return
        known = {closure.exit for closure in closures}
        for case in self.cases().exits:
            if case.state == "preparing" and case.id not in known:
                market = case.id[2:4]
                key = self.keys.fingerprint(market)
                self._do(ports.BeginClosure(case.id, market, key, self.clock.wall_ms()))
                return
        self._forget([case for case in self.cases().exits if self._is_over(case)])

    def _is_over(self, case: Case) -> bool:
        over_ms = exits.dates(case)["forwarding_end_ms"]
        return case.state in exits.ENDED and self.log_ms() >= over_ms

    def _forget(self, over: Sequence[Case]) -> None:
        """Rows about persons are deleted when forwarding ends."""
        if not over:
            self._rest(self._problem)
            return

        def answered(remembers: bool) -> None:
            if remembers:
                self._do(ports.ForgetPersons(over[0].id, limits.CLOSURE_ROWS))
            else:
                self._forget(over[1:])

        self._ask(ports.RemembersPersons(over[0].id), answered)

    def _step(self, closure: ports.Closure, case: Case) -> bool:
        phase = closure.phase
        if phase is ports.Phase.DROP or (phase in BEFORE and not self._is_wanted(closure, case)):
            self._receipts.forget(closure.exit)
            self._facts.stale.discard(closure.exit)
            self._do(ports.DropClosure(closure, case.seq, limits.CLOSURE_ROWS))
            return True
        if case.state == "preparing" and phase in (ports.Phase.RECEIPTS, ports.Phase.ROOT):
            (self._add_receipts if phase is ports.Phase.RECEIPTS else self._root)(closure)
            return True
        if case.state == "destroying" and phase is not ports.Phase.DESTROYED:
            self._destroy(closure, case)
            return True
        if case.state == "closed" and phase is ports.Phase.DESTROYED:
            self._ask(ports.ReadStatement(closure.exit), partial(self._publish, closure))
            return True
        return False

    def _is_wanted(self, closure: ports.Closure, case: Case) -> bool:
        return case.state in STATES and not (
            closure.exit in self._facts.stale and case.state == "preparing"
        )

    def _destroy(self, closure: ports.Closure, case: Case) -> None:
        """Only for an exit whose destruction two custodians have decided."""
        match closure.phase:
            case ports.Phase.READY:
                if case.last("destroy") != destroy_fields(closure):
                    raise DamageError(f"{closure.exit} differs from its custodians' decision")
                self._do(ports.AdvanceClosure(closure, ports.Phase.PURGE))
            case ports.Phase.PURGE:
                self._do(ports.PurgeRows(closure, limits.CLOSURE_ROWS, ports.Phase.COMPACT))
            case ports.Phase.COMPACT:
                self._run(self.compact, partial(self._compacted, closure))
            case ports.Phase.KEY:
                now_ms = self.clock.wall_ms()
                destroy = partial(self.keys.destroy, closure.market, now_ms)
                self._run(destroy, partial(self._key_destroyed, closure))
            case ports.Phase.SWEEP:
                self._do(ports.PurgeRows(closure, limits.CLOSURE_ROWS, ports.Phase.PROBE))
            case ports.Phase.PROBE:
                self._ask(ports.ListSamples(closure.exit), partial(self._probe, closure, case))
            case _:
                raise DamageError(f"{closure.exit} is being destroyed without preparation")

    def _add_receipts(self, closure: ports.Closure) -> None:
        def counted(samples: list[bytes]) -> None:
            wanted = limits.MAX_CLOSURE_SAMPLES - len(samples)
            query = ports.ListPersons(closure, limits.CLOSURE_PERSONS, wanted > 0)
            self._ask(query, lambda persons: self._add(closure, persons, wanted))

        self._ask(ports.ListSamples(closure.exit), counted)

    def _add(self, closure: ports.Closure, persons: list[ports.Person], wanted: int) -> None:
        counts = dict(closure.counts)
        counts["users"] += len(persons)
        for name in _FLAGS:
            counts[name] += sum(bool(getattr(person, name)) for person in persons)
        receipts = tuple(self._receipt(closure, person) for person in persons)
        found = [person.sample for person in persons if person.sample is not None]
        samples = tuple(found[: max(0, wanted)])
        for sample in samples:
            key = self.keys.key(closure.market)
            if key is None or not _opens(key, sample):  # it would prove nothing
                text = f"a mail of {closure.market} does not open with its market's key"
                raise DamageError(text)
        cursor = persons[-1].number if persons else closure.cursor
        self._do(ports.AddReceipts(closure, receipts, samples, counts, cursor))

    def _receipt(self, closure: ports.Closure, person: ports.Person) -> ports.NewReceipt:
        receipt = Receipt(
            exit=closure.exit,
            market=closure.market,
            address=person.address,
            salt=self.random(SALT_BYTES),
            notified=person.notified,
            read=person.read,
            exported=person.exported,
            moved=person.moved,
            forwarded=person.forwarded,
            mails=person.mails,
            parcels=person.parcels,
        )
        return ports.NewReceipt(person.number, receipt.encode(), receipt.leaf)

    def _root(self, closure: ports.Closure) -> None:
        built = partial(self._go_on, lambda tree: self._do(ports.SetRoot(closure, tree.root())))
        self._receipts.forget(closure.exit)
        self._receipts.tree(closure, built)

    def _compacted(self, closure: ports.Closure, whole: bool) -> None:
        if whole:
            self._do(ports.AdvanceClosure(closure, ports.Phase.KEY))
        else:
            self._rest(self._problem)

    def _key_destroyed(self, closure: ports.Closure, tombstone: Destroyed) -> None:
        if tombstone.fingerprint != closure.fingerprint:
            raise DamageError(f"the destroyed key of {closure.market} is not the one decided on")
        self._do(ports.NoteKeyDestroyed(closure, tombstone.destroyed_ms))

    def _probe(self, closure: ports.Closure, case: Case, samples: list[bytes]) -> None:
        def built(tree: MerkleLog) -> None:
            state = partial(self._statement, closure, case, samples, tree)
            self._run(state, lambda statement: self._do(ports.StoreStatement(closure, statement)))

        self._receipts.tree(closure, partial(self._go_on, built))

    def _statement(
        self, closure: ports.Closure, case: Case, samples: list[bytes], tree: MerkleLog
    ) -> bytes:
        """The statement, once no remaining key opens a sample. It blocks."""
        left = {market: self.keys.key(market) for market in self.keys.load()}
        for market, key in left.items():
            if key is not None and any(_opens(key, sample) for sample in samples):
                raise DamageError(f"the key of {market} opens a mail of {closure.market}")
        if self.keys.key(closure.market) is not None:
            raise DamageError(f"the key of {closure.market} still exists")
        assert closure.root is not None
        assert closure.destroyed_ms is not None
        return ClosureStatement(
            exit=closure.exit,
            market=closure.market,
            counts=closure.counts,
            root=closure.root,
            leaves=tuple(tree.hashes(0, place, place + 1) for place in range(tree.size)),
            mails=closure.mails,
            parcels=closure.parcels,
            key=closure.fingerprint,
            prepared_ms=closure.begun_ms,
            destroyed_ms=closure.destroyed_ms,
            backups_end_ms=exits.dates(case)["backups_end_ms"],
            tried=self.keys.load(),
            samples=tuple(samples),
            register=self.register,
        ).encoded

    def _publish(self, closure: ports.Closure, statement: bytes) -> None:
        publish = partial(self.publish, closure.exit, statement)
        self._run(publish, lambda _: self._do(ports.AdvanceClosure(closure, ports.Phase.CLOSED)))


def _opens(key: Secret, sample: bytes) -> bool:
    try:
        market_wrap.unwrap(key, sample)
    except WrapError:
        return False
    return True
