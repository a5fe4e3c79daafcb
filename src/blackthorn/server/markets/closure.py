"""The closure of a market: the work between the decisions, in small steps that outlive a crash.

    state of the exit   steps, each one durable before the next                ends in
    preparing           RECEIPTS* → ROOT                                       READY
    destroying          PURGE* → COMPACT → KEY → SWEEP* → PROBE                DESTROYED
    closed              the statement is published                             CLOSED
    any other           DROP*, of what was prepared; nothing was destroyed

(* many steps, each of at most limits.CLOSURE_PERSONS or CLOSURE_ROWS.) What comes next is read
from the database every time. Two custodians decide between READY and PURGE, and again between
DESTROYED and CLOSED; `facts` says what their decisions must state. The key is destroyed after
the rows, so that a row that is left by any mistake cannot be read either.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from blackthorn.crypto import market_wrap
from blackthorn.crypto.market_wrap import WrapError
from blackthorn.crypto.secret import Secret
from blackthorn.errors import StorageError
from blackthorn.governance import exits
from blackthorn.governance.cases import Cases
from blackthorn.governance.closure.receipt import (
    SALT_BYTES,
    Receipt,
    decode_receipt,
    place_in,
    tree_of,
)
from blackthorn.governance.closure.statement import ClosureStatement, statement_hash
from blackthorn.governance.transitions import Case
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.closure import Closure, ClosureStore, NewReceipt, Person, Phase
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.writer import Job, Writer
from blackthorn.server.markets import limits

BEFORE: Final = frozenset({Phase.RECEIPTS, Phase.ROOT, Phase.READY})
"""Nothing is destroyed in these: what was prepared may be thrown away."""

STATES: Final = ("preparing", "destroying", "closed")
_FLAGS: Final = ("notified", "read", "exported", "moved", "forwarded", "unreachable")


class Destroyed(Protocol):
    """What a destroyed key left."""

    @property
    def fingerprint(self) -> bytes:
        """32 bytes."""
        ...

    @property
    def destroyed_ms(self) -> int:
        """When it was destroyed for the first time."""
        ...


class Keys(Protocol):
    """The markets' keys, with the power to destroy one."""

    def key(self, market: str) -> Secret | None:
        """See `ports.markets.MarketKeys`."""
        ...

    def load(self) -> dict[str, bytes]:
        """The fingerprint of each key in use, by market."""
        ...

    def fingerprint(self, market: str) -> bytes:
        """32 bytes, of a destroyed key too."""
        ...

    def destroy(self, market: str, now_ms: int) -> Destroyed:
        """Destroy it for ever; idempotent. Raises StorageError."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """Whom an exit concerns now, and the fields of the next decision, {} while there are none."""

    users: int
    list: bytes
    fields: dict[str, int | bytes]


@dataclass
class Closures:
    """All closures of a server. `tick` takes the next step of one; the rest answers questions.

    `log_ms` is the ledger's time, Unix ms. `compact` folds the write-ahead log in, off the event
    loop, and calls back: True when it could. `publish` gets an exit's id and statement and writes
    the public file, durably. Both may be done twice. `register` is the vkey of who signs.
    """

    cases: Callable[[], Cases]
    store: ClosureStore
    keys: Keys
    writer: Writer
    clock: Clock
    log_ms: Callable[[], int]
    random: Randomness
    compact: Callable[[Callable[[bool], None]], None]
    publish: Callable[[str, bytes], None]
    register: str
    _busy: bool = False
    _stale: set[str] = field(default_factory=set)
    _problem: str = ""

    def tick(self, now: float = 0.0) -> bool:
        """Take the next step, if there is one; whether a step is under way."""
        if self._busy:
            return True
        try:
            known = {each.exit: each for each in self.store.all()}
            for closure in known.values():
                if self._go_on(closure, self.cases().case(closure.exit)):
                    return True
            return self._begin(known) or self._forget()
        except StorageError as error:
            self._problem = str(error)
            return False

    def problems(self) -> list[str]:
        """Why a closure does not go on, if so."""
        return [f"the closure of a market does not go on: {self._problem}"] * bool(self._problem)

    # --- Steps ----------------------------------------------------------------------------

    def _begin(self, known: dict[str, Closure]) -> bool:
        for case in self.cases().exits:
            if case.state == "preparing" and case.id not in known:
                market = case.id[2:4]
                key = self.keys.fingerprint(market)
                self._do(self.store.begin(case.id, market, key, self.clock.wall_ms()))
                return True
        return False

    def _forget(self) -> bool:
        """What is kept of persons goes once nobody's mail is forwarded any more."""
        for case in self.cases().exits:
            ended = case.state in exits.ENDED
            if not ended or self.log_ms() < exits.dates(case)["forwarding_end_ms"]:
                continue
            if self.store.remembers(case.id):
                self._do(self.store.forget(case.id, limits.CLOSURE_ROWS))
                return True
        return False

    def _go_on(self, closure: Closure, case: Case) -> bool:
        """Whether there was a step to take."""
        phase = closure.phase
        if phase is Phase.DROP or (phase in BEFORE and not self._wanted(closure, case)):
            self._do(self.store.drop(closure, case.seq, limits.CLOSURE_ROWS))
            self._stale.discard(closure.exit)
            return True
        if case.state == "preparing" and phase in (Phase.RECEIPTS, Phase.ROOT):
            (self._receipts if phase is Phase.RECEIPTS else self._root)(closure)
            return True
        if case.state == "destroying" and phase is not Phase.DESTROYED:
            self._destroy(closure, case)
            return True
        if case.state == "closed" and phase is Phase.DESTROYED:
            self.publish(closure.exit, self.store.statement(closure.exit))
            self._do(self.store.advance(closure, Phase.CLOSED))
            return True
        return False

    def _wanted(self, closure: Closure, case: Case) -> bool:
        return case.state in STATES and not (
            closure.exit in self._stale and case.state == "preparing"
        )

    def _destroy(self, closure: Closure, case: Case) -> None:
        """Only ever called of an exit whose destruction two custodians have decided."""
        match closure.phase:
            case Phase.READY:
                self._check_decided(closure, case)
                self._do(self.store.advance(closure, Phase.PURGE))
            case Phase.PURGE:
                self._do(self.store.purge(closure, limits.CLOSURE_ROWS, Phase.COMPACT))
            case Phase.COMPACT:
                self._compact(closure)
            case Phase.KEY:
                gone = self.keys.destroy(closure.market, self.clock.wall_ms())
                if gone.fingerprint != closure.fingerprint:
                    raise StorageError(f"the key of {closure.market} was another than decided")
                self._do(self.store.destroyed(closure, gone.destroyed_ms))
            case Phase.SWEEP:
                self._do(self.store.purge(closure, limits.CLOSURE_ROWS, Phase.PROBE))
            case Phase.PROBE:
                self._do(self.store.proved(closure, self._statement(closure, case).encoded))
            case _:
                raise StorageError(f"{closure.exit} is being destroyed and was not prepared")

    def _check_decided(self, closure: Closure, case: Case) -> None:
        if case.last("destroy") != _destroy_fields(closure):
            raise StorageError(f"{closure.exit} is not what its custodians decided to destroy")

    def _receipts(self, closure: Closure) -> None:
        wanted = limits.MAX_CLOSURE_SAMPLES - len(self.store.samples(closure.exit))
        persons = self.store.persons(closure, limits.CLOSURE_PERSONS, wanted > 0)
        counts = dict(closure.counts)
        counts["users"] += len(persons)
        for name in _FLAGS:
            counts[name] += sum(bool(getattr(each, name)) for each in persons)
        receipts = [self._receipt(closure, each) for each in persons]
        samples = [each.sample for each in persons if each.sample is not None][: max(0, wanted)]
        for sample in samples:
            self._check_opens(closure.market, sample)
        cursor = persons[-1].number if persons else closure.cursor
        self._do(self.store.add(closure, receipts, samples, counts, cursor))

    def _receipt(self, closure: Closure, person: Person) -> NewReceipt:
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
        return NewReceipt(person.number, receipt.encode(), receipt.leaf)

    def _check_opens(self, market: str, sample: bytes) -> None:
        """A sample that never opened would prove nothing."""
        key = self.keys.key(market)
        if key is None or not _opens(key, sample):
            raise StorageError(f"a mail of {market} does not open with its market's key")

    def _root(self, closure: Closure) -> None:
        root = tree_of(self.store.leaves(closure.exit)).root()
        self._do(self.store.rooted(closure, root))

    def _compact(self, closure: Closure) -> None:
        def compacted(whole: bool) -> None:
            self._busy = False
            if whole:
                self._do(self.store.advance(closure, Phase.KEY))

        self._busy = True
        self.compact(compacted)

    def _statement(self, closure: Closure, case: Case) -> ClosureStatement:
        """What is stated once every sample was tried with every key that is left."""
        left = {market: self.keys.key(market) for market in self.keys.load()}
        samples = self.store.samples(closure.exit)
        for market, key in left.items():
            if key is not None and any(_opens(key, sample) for sample in samples):
                raise StorageError(f"the key of {market} opens what was of {closure.market}")
        if self.keys.key(closure.market) is not None:
            raise StorageError(f"the key of {closure.market} is still there")
        assert closure.root is not None
        assert closure.destroyed_ms is not None
        return ClosureStatement(
            exit=closure.exit,
            market=closure.market,
            counts=closure.counts,
            root=closure.root,
            leaves=tuple(self.store.leaves(closure.exit)),
            mails=closure.mails,
            parcels=closure.parcels,
            key=closure.fingerprint,
            prepared_ms=closure.begun_ms,
            destroyed_ms=closure.destroyed_ms,
            backups_end_ms=exits.dates(case)["backups_end_ms"],
            tried=self.keys.load(),
            samples=tuple(samples),
            register=self.register,
        )

    def _do(self, job: Job[None]) -> None:
        def done(result: StorageError | None) -> None:
            self._busy = False
            self._problem = "" if result is None else str(result)

        self._busy = True
        self.writer.submit(job, done)

    # --- Answers --------------------------------------------------------------------------

    def facts(self, market: str) -> Facts:
        """Whom leaving the market concerns, and what the next decision states. Raises StorageError.

        When people came or moved since the receipts were made, they are made anew.
        """
        addresses = self.store.addresses(market)
        case = self.cases().exit_of(market)
        fields: dict[str, Any] = {} if case is None else self._fields(case)
        return Facts(len(addresses), list_hash(addresses), fields)

    def _fields(self, case: Case) -> dict[str, int | bytes]:
        closure = next((each for each in self.store.all() if each.exit == case.id), None)
        if closure is None:
            return {}
        if case.state == "preparing" and closure.phase is Phase.READY:
            if self.store.settled(closure):
                return _destroy_fields(closure)
            self._stale.add(case.id)
        if case.state == "destroying" and closure.phase is Phase.DESTROYED:
            statement = self.store.statement(case.id)
            return {
                "mails": closure.mails,
                "parcels": closure.parcels,
                "key": closure.fingerprint,
                "samples": len(self.store.samples(case.id)),
                "opened": 0,
                "statement": statement_hash(statement),
            }
        return {}

    def receipt(self, address: Address) -> bytes | None:
        """The person's receipt in its tree, of the newest closure that was prepared, if any.

        Raises StorageError.
        """
        for closure in sorted(self.store.all(), key=lambda each: -each.begun_ms):
            found = self.store.receipt(closure.exit, address)
            if found is not None and closure.root is not None and closure.phase is not Phase.DROP:
                place, data = found
                tree = tree_of(self.store.leaves(closure.exit))
                return place_in(decode_receipt(data), place, tree).encode()
        return None


def list_hash(addresses: list[Address]) -> bytes:
    """32 bytes: SHA-256 over the sorted addresses, each ended by a line feed."""
    lines = "".join(f"{each}\n" for each in sorted(each.lower() for each in addresses))
    return hashlib.sha256(lines.encode()).digest()


def _destroy_fields(closure: Closure) -> dict[str, int | bytes]:
    assert closure.root is not None
    return {"receipts": closure.root, "key": closure.fingerprint, **closure.counts}


def _opens(key: Secret, sample: bytes) -> bool:
    try:
        market_wrap.unwrap(key, sample)
    except WrapError:
        return False
    return True
