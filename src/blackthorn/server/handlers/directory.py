"""The directory desk: what devices ask of the ledger, answered from what is published.

It says nothing that it does not prove, and proves nothing of what waits for the next epoch: a
user whose first entry waits is named as such. What a device asks is paid for out of a budget
that fills again by itself; a device that has spent it is made to wait, and nobody else.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from blackthorn.crypto import vrf
from blackthorn.directory import lookup
from blackthorn.errors import StorageError, VerificationError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.ports.clock import Clock
from blackthorn.ports.ledger import Label, Leaf, StoredStatement
from blackthorn.server.handlers import limits as handlers_limits
from blackthorn.server.handlers.session import Session
from blackthorn.server.ledger.chains import LOGGED_KINDS
from blackthorn.server.ledger.epoch_builder import value_of
from blackthorn.server.ledger.ledger import Ledger, Published
from blackthorn.server.rate_limiter import RateLimiter

ABSENT_WORK = 8
"""A VRF proof for a user who does not exist, in units of LOOKUP_WORK."""

ENTRIES_PER_WORK = 64
"""Entries of the log that are read in one unit."""


class DirectoryHandler:
    """Serves the frames by which known devices ask the ledger (`dispatcher.LEDGER_FRAMES`)."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._clock = clock
        self._budgets: RateLimiter[Session] = RateLimiter(
            handlers_limits.LOOKUP_WORK, handlers_limits.LOOKUP_WORK_PER_SECOND
        )
        self._absent: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()
        self._handlers: dict[type[f.Frame], Callable[[Session, Any], int]] = {
            f.LookUp: self._look_up,
            f.FetchChain: self._fetch_chain,
            f.SubmitStatement: self._submit,
            f.ProveConsistency: self._prove,
            f.FetchEntries: self._entries,
            f.TellCheckpoint: self._told,
            f.FetchTrust: self._trust,
        }

    def handle(self, session: Session, frame: f.AnyFrame, now: float) -> None:
        """Serve one frame of a known device, then make it wait if its budget is spent."""
        device = session.device
        if device is None:
            return
        work = self._handlers[type(frame)](session, frame)
        if self._budgets.spend(device.id, work, now):
            return
        session.ask()
        self._budgets.hold(device.id, session)

    def tick(self, now: float) -> None:
        """Serve those again whose budget has filled."""
        for session in self._budgets.release(now):
            session.answered()

    def leave(self, session: Session) -> None:
        """The connection has ended."""
        if session.device is not None:
            self._budgets.forget(session.device.id, session)

    def _published(self) -> Published:
        published = self._ledger.published
        if published is None:
            raise LinkError(Code.BUSY, "the ledger has published nothing yet: try in a moment")
        return published

    # --- Lookups --------------------------------------------------------------------------

    def _look_up(self, session: Session, frame: f.LookUp) -> int:
        published = self._published()
        answers: list[f.Answer] = []
        pending: list[str] = []
        work = 1
        for address in dict.fromkeys(frame.addresses):
            label = self._store.label(Address(address))
            leaf = self._store.leaf(label.user, published.size) if label is not None else None
            if label is not None and leaf is None:
                pending.append(address)
                continue
            known = label is not None and leaf is not None
            work += 1 if known or address in self._absent else ABSENT_WORK
            answers.append(_answer(self._answer(published, address, label, leaf)))
        session.transmit(
            f.LookedUp(
                frame.request,
                f.EpochPart(published.note, published.head, list(published.head_proof)),
                self._consistency(frame.have, published.size),
                answers,
                pending,
            )
        )
        return work

    def _answer(
        self, published: Published, address: str, label: Label | None, leaf: Leaf | None
    ) -> lookup.Answer:
        if label is None or leaf is None:
            return lookup.build_absent(published.tree, address, self._place(address))
        return lookup.build_present(
            published.tree,
            address,
            (label.index, label.vrf_proof),
            leaf.version,
            value_of(leaf).encode(),
            self._ledger.openings.of(label, leaf.version),
        )

    def _place(self, address: str) -> tuple[bytes, bytes]:
        """Where somebody who is not in the map would be, and the VRF proof of it."""
        known = self._absent.get(address)
        if known is not None:
            self._absent.move_to_end(address)
            return known
        beta, proof = vrf.prove(self._ledger.vrf_key, address.encode())
        if len(self._absent) >= handlers_limits.MAX_CACHED_ABSENCES:
            self._absent.popitem(last=False)
        place = self._absent[address] = (beta[:32], proof)
        return place

    def _consistency(self, old: int, new: int) -> list[bytes]:
        return self._ledger.log.consistency_proof(old, new) if 0 < old <= new else []

    # --- Chains ---------------------------------------------------------------------------

    def _fetch_chain(self, session: Session, frame: f.FetchChain) -> int:
        size = self._published().size
        address = Address(frame.address)
        label = self._store.label(address)
        leaf = self._store.leaf(label.user, size) if label is not None else None
        if label is None or leaf is None:
            session.transmit(f.ChainPart(frame.request, frame.address, size, [], [], b"", False))
            return 1
        rows = [row for row in self._store.statements(address, 0) if row.seq <= leaf.seq]
        wanted = [row.statement for row in rows if row.seq > frame.after]
        part = _fitting(wanted, handlers_limits.MAX_CHAIN_PART_BYTES)
        receipts = [
            self._receipt(label, row, size)
            for row in rows
            if row.kind in LOGGED_KINDS and row.place is not None
        ]
        certificate = self._store.certificate(label.user, leaf.seq) or b""
        more = len(part) < len(wanted)
        session.transmit(
            f.ChainPart(frame.request, frame.address, size, part, receipts, certificate, more)
        )
        return 1 + len(part) + 2 * len(receipts)

    def _receipt(self, label: Label, row: StoredStatement, size: int) -> f.Receipt:
        """When the ledger logged a reset or a cancel, which ends its leaf."""
        leaf = self._store.leaf_of(label.user, row.seq)
        end = self._store.epoch_end(leaf.place) if leaf is not None else None
        if leaf is None or end is None:
            raise StorageError("a published statement has no entry in the ledger")
        (mutation,) = self._store.entries(leaf.place, 1, 1)
        (head,) = self._store.entries(end - 1, 1, 1)
        log = self._ledger.log
        return f.Receipt(
            row.seq,
            leaf.version,
            value_of(leaf).encode(),
            self._ledger.openings.of(label, leaf.version),
            label.vrf_proof,
            mutation,
            leaf.place,
            log.inclusion_proof(leaf.place, size),
            head,
            end - 1,
            log.inclusion_proof(end - 1, size),
        )

    def _submit(self, session: Session, frame: f.SubmitStatement) -> int:
        device = session.device
        if device is None:
            return 0
        session.ask()

        def done(refusal: str) -> None:
            session.transmit(f.StatementStored(frame.request, refusal[:512]))
            session.answered()

        self._ledger.submit(
            device.address,
            DeviceId(device.id),
            frame.statement,
            frame.certificate,
            self._clock.wall_ms(),
            done,
        )
        return 0  # bounded by the hour, and one at a time

    # --- The log --------------------------------------------------------------------------

    def _prove(self, session: Session, frame: f.ProveConsistency) -> int:
        known = 0 < frame.old <= frame.new <= self._published().size
        proof = self._consistency(frame.old, frame.new) if known else []
        session.transmit(f.Consistency(frame.request, known, proof))
        return 1

    def _entries(self, session: Session, frame: f.FetchEntries) -> int:
        size = self._published().size
        entries = self._ledger.entries(frame.start, link_limits.MAX_ENTRIES_PER_FRAME)
        session.transmit(f.Entries(frame.request, frame.start, size, entries))
        return 1 + len(entries) // ENTRIES_PER_WORK

    def _told(self, session: Session, frame: f.TellCheckpoint) -> int:
        try:
            self._ledger.behind(frame.checkpoint, self._clock.wall_ms())
        except VerificationError as error:
            raise LinkError(Code.MALFORMED, f"not a checkpoint of this ledger: {error}") from None
        return 4

    def _trust(self, session: Session, frame: f.FetchTrust) -> int:
        ledger = self._ledger
        session.transmit(f.Trust(frame.request, ledger.config_record, ledger.policy_text))
        return 1


def _answer(answer: lookup.Answer) -> f.Answer:
    return f.Answer(
        answer.label,
        answer.vrf_proof,
        answer.version,
        answer.value,
        answer.opening,
        answer.map_proof,
    )


def _fitting(statements: Sequence[bytes], room: int) -> list[bytes]:
    """As many of the statements as fit, at least one."""
    part: list[bytes] = []
    for statement in statements:
        room -= len(statement)
        if part and room < 0:
            break
        part.append(statement)
    return part
