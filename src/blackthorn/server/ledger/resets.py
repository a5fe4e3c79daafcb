"""Resets on the server: when their devices become live, or are removed.

Server and devices use the newest published epoch's time: with the first epoch at or behind a
reset's time its device becomes live and the user's others are removed, in one transaction. A cancel
that was logged in time removes the reset's device; `identity.chain` decides that.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from blackthorn.errors import BlackthornError, DamageError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.statements import Reset, decode
from blackthorn.ids import Address, DeviceId
from blackthorn.ports import ledger as ports
from blackthorn.ports.store import Done, Reader, Writer, unless_failed
from blackthorn.server.counters import Counters
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.chains import Chains, DevicesChanged
from blackthorn.server.ledger.epoch_builder import Waiting

Pending = tuple[int, Address, DeviceId]
"""A pending device: row, user, id."""


@dataclass(slots=True)
class _Look:
    """One pass over all pending resets, as of a published epoch; `strict` at a start."""

    reader: Reader
    strict: bool
    size: int
    time_ms: int
    after: int = 0
    open: int = 0
    times: list[int] = field(default_factory=list)
    settled: set[DeviceId] = field(default_factory=set)
    """Settled since the pass began: its rows of them may be stale."""


@dataclass(eq=False, slots=True)
class Resets:
    writer: Writer
    reader: Reader
    chains: Chains
    counters: Counters
    changed: Callable[[DevicesChanged], None]
    next_ms: int | None = None
    """Time of the next effective reset, or None."""
    _settling: set[DeviceId] = field(default_factory=set)
    _dropping: set[Address] = field(default_factory=set)
    _looking: _Look | None = None
    _next: _Look | None = None

    def look(self, size: int, time_ms: int, reader: Reader | None = None) -> None:
        """An epoch of `size` entries was published: settle resets by its time.

        Passes run one at a time; only the newest waits. With a `reader`, at a start, a chain that
        breaks a rule raises DamageError; else it is counted and its reset waits.
        """
        strict = reader is not None
        self._next = _Look(reader or self.reader, strict, size, time_ms)
        if self._looking is None:
            self._begin()

    def _begin(self) -> None:
        self._looking, self._next = self._next, None
        if self._looking is not None:
            self._ask(self._looking)

    def _ask(self, look: _Look) -> None:
        look.reader.ask(ports.ReadResets(look.after, limits.RESETS_PAGE), partial(self._read, look))

    def _read(self, look: _Look, page: list[Pending] | BlackthornError) -> None:
        if isinstance(page, BlackthornError):  # the next epoch looks again
            self._begin()
            return
        if not page:
            self.next_ms = min(look.times, default=None)
            self._begin()
            return
        look.after = page[-1][0]
        waiting = [(address, device) for _, address, device in page if device not in self._settling]
        look.open = len(waiting) + 1
        for address, device in waiting:
            look.reader.ask(
                ports.ReadChain(address, 0), partial(self._judge, look, address, device)
            )
        self._judged(look)

    def _judged(self, look: _Look) -> None:
        look.open -= 1
        if not look.open:
            self._ask(look)

    def _judge(
        self,
        look: _Look,
        address: Address,
        device: DeviceId,
        stored: ports.StoredChain | BlackthornError | None,
    ) -> None:
        try:
            if isinstance(stored, ports.StoredChain) and device not in look.settled:
                self._judge_chain(look, address, device, stored)
        except DamageError:
            self.counters.storage_failures += 1
            if look.strict:
                raise
        finally:  # a defect must not keep the other resets waiting
            self._judged(look)

    def _judge_chain(
        self, look: _Look, address: Address, device: DeviceId, stored: ports.StoredChain
    ) -> None:
        published = [
            row for row in stored.statements if row.place is not None and row.place < look.size
        ]
        if not published:
            return
        chain = self.chains.verified(address, published, stored.heads, look.time_ms)
        if chain.pending is not None and chain.pending.device.id == device:
            look.times.append(chain.pending.effective_ms)
        elif (seq := _reset_of(chain, device)) is not None:
            self._settle(chain, address, device, seq)

    def _settle(self, chain: VerifiedChain, address: Address, device: DeviceId, seq: int) -> None:
        self._settling.add(device)

        def settled(gone: list[DeviceId] | BlackthornError) -> None:
            if not isinstance(gone, BlackthornError):
                self.chains.forget(address)
            ended(gone)

        def removed(failed: BlackthornError | None) -> None:
            ended([device] if failed is None else failed)

        def ended(gone: list[DeviceId] | BlackthornError) -> None:
            self._settling.discard(device)
            if isinstance(gone, BlackthornError):
                return
            if self._looking is not None:
                self._looking.settled.add(device)
            self.changed(DevicesChanged(address, tuple(gone)))

        if any(record.seq == seq and record.effective for record in chain.resets):
            self.writer.submit(ports.SettleReset(address, seq, device), settled)
        else:
            self.writer.submit(ports.RemoveDevice(address, device), removed)

    def drop_late(self, waiting: Waiting, unix_ms: int, done: Done[bool]) -> None:
        """Delete cancels that an epoch of this time would log too late; `done` gets whether any.

        Logged late, they would break the user's chain for everybody.
        """
        cancels = [
            (user.label.address, statement.seq)
            for user in waiting.users
            for statement in [row for row in user.statements if row.kind == "cancel"][:1]
        ]
        self._check_next(cancels, unix_ms, False, done)

    def _check_next(
        self, cancels: list[tuple[Address, int]], unix_ms: int, found: bool, done: Done[bool]
    ) -> None:
        if not cancels:
            done(found)
            return
        address, seq = cancels.pop()

        def read(stored: ports.StoredChain | None) -> None:
            late = stored is not None and self._is_late(address, seq, stored, unix_ms)
            if late:
                self._drop(address, seq)
            self._check_next(cancels, unix_ms, found or late, done)

        self.reader.ask(ports.ReadChain(address, 0), unless_failed(done, read))

    def _is_late(self, address: Address, seq: int, stored: ports.StoredChain, unix_ms: int) -> bool:
        rows = [row for row in stored.statements if row.seq <= seq]
        try:
            self.chains.verified(address, rows, stored.heads, unix_ms)
        except DamageError:
            return True
        return False

    def _drop(self, address: Address, seq: int) -> None:
        if address in self._dropping:
            return
        self._dropping.add(address)
        self.chains.forget(address)

        def dropped(_: object) -> None:
            self._dropping.discard(address)
            self.chains.forget(address)

        self.writer.submit(ports.DropStatements(address, seq), dropped)


def _reset_of(chain: VerifiedChain, device: DeviceId) -> int | None:
    for record in chain.resets:
        body = decode(chain.statements[record.seq - 1]).statement.body
        if isinstance(body, Reset) and body.device.id == device:
            return record.seq
    return None
