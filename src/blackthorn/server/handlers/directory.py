"""Link handler: known devices query the ledger.

A per-device rate limiter charges each query; only the device that overspent waits.
"""

from collections.abc import Callable
from dataclasses import astuple
from functools import partial
from typing import Any

from blackthorn.directory import lookup
from blackthorn.errors import BlackthornError, UnavailableError, VerificationError
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.ports.clock import Clock
from blackthorn.ports.store import Done, Result, call_each
from blackthorn.server.handlers import limits as handlers_limits
from blackthorn.server.handlers.session import Session
from blackthorn.server.ledger.epoch_changes import EpochChanges
from blackthorn.server.ledger.ledger import Ledger
from blackthorn.server.ledger.lookups import ChainPart, Entries, LookedUp, Lookups
from blackthorn.server.rate_limiter import RateLimiter

HandlerFunction = Callable[[Session, Any, float], None]

CHECKPOINT_WORK = 4
"""Units for a checkpoint from a device: a signature, and perhaps a root of the log."""


CHANGES_WORK = 8
"""Units for a list of changed entries: up to 4,097 rows."""


class DirectoryHandler:
    """Handles `dispatcher.LEDGER_FRAMES`."""

    def __init__(self, ledger: Ledger, lookups: Lookups, clock: Clock) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._clock = clock
        self._budgets: RateLimiter[Session] = RateLimiter(
            handlers_limits.LOOKUP_WORK, handlers_limits.LOOKUP_WORK_PER_SECOND
        )
        self._handlers: dict[type[f.Frame], HandlerFunction] = {
            f.LookUp: self._look_up,
            f.FetchChain: self._fetch_chain,
            f.SubmitStatement: self._submit,
            f.ProveConsistency: self._prove,
            f.FetchEntries: self._fetch_entries,
            f.FetchEpochs: self._fetch_epochs,
            f.TellCheckpoint: self._told,
            f.FetchTrust: self._trust,
        }

    def handle(self, session: Session, frame: f.AnyFrame, now: float) -> None:
        """Serve one frame, then make the device wait if its budget is spent."""
        if session.device is None:
            return
        try:
            self._handlers[type(frame)](session, frame, now)
        except UnavailableError as error:
            raise LinkError(Code.BUSY, str(error)) from None

    def _pay(self, session: Session, work: int, now: float) -> None:
        assert session.device is not None
        if not self._budgets.spend(session.device.id, work, now):
            session.ask()
            self._budgets.hold(session.device.id, session)

    def tick(self, now: float) -> None:
        """Resume the sessions whose budget has filled."""
        call_each(session.answered for session in self._budgets.release(now))

    def leave(self, session: Session) -> None:
        if session.device is not None:
            self._budgets.forget(session.device.id, session)

    def _asking(
        self, session: Session, now: float, answer: Callable[[Result], tuple[f.AnyFrame, int]]
    ) -> Done[Result]:
        """Callback that sends and charges for a result; the session waits until then."""
        assert session.device is not None
        device = session.device.id
        session.ask()

        def done(result: Result | BlackthornError) -> None:
            if isinstance(result, BlackthornError):
                session.fail(result)
                return
            frame, work = answer(result)
            session.transmit(frame)
            if session.closed or self._budgets.spend(device, work, now):
                session.answered()
            else:
                self._budgets.hold(device, session)

        return done

    def _look_up(self, session: Session, frame: f.LookUp, now: float) -> None:
        done = self._asking(session, now, partial(_looked_up, frame))
        self._lookups.look_up(frame.addresses, frame.have, done)

    def _fetch_chain(self, session: Session, frame: f.FetchChain, now: float) -> None:
        done = self._asking(session, now, partial(_chain_part, frame))
        self._lookups.chain(Address(frame.address), frame.after, done)

    def _fetch_entries(self, session: Session, frame: f.FetchEntries, now: float) -> None:
        done = self._asking(session, now, partial(_entries, frame))
        self._lookups.entries(frame.start, link_limits.MAX_ENTRIES_PER_FRAME, done)

    def _fetch_epochs(self, session: Session, frame: f.FetchEpochs, now: float) -> None:
        done = self._asking(session, now, _changes)
        self._lookups.changes(frame.since, done)

    def size(self) -> int:
        """The size of the newest published tree, 0 before the first."""
        published = self._ledger.published
        return published.size if published is not None else 0

    def _prove(self, session: Session, frame: f.ProveConsistency, now: float) -> None:
        proof = self._lookups.consistency(frame.old, frame.new)
        session.transmit(f.Consistency(frame.request, proof is not None, proof or []))
        self._pay(session, 1, now)

    def _submit(self, session: Session, frame: f.SubmitStatement, now: float) -> None:
        """Bounded per hour and one at a time: not charged."""
        assert session.device is not None
        device, now_ms = session.device, self._clock.wall_ms()
        session.ask()

        def done(refusal: str) -> None:
            session.answer(f.StatementStored(frame.request, refusal[:512]))

        statement, certificate = frame.statement, frame.certificate
        self._ledger.submit(device.address, device.id, statement, certificate, now_ms, done)

    def _told(self, session: Session, frame: f.TellCheckpoint, now: float) -> None:
        try:
            self._ledger.behind(frame.checkpoint, self._clock.wall_ms())
        except VerificationError as error:
            raise LinkError(Code.MALFORMED, f"not a checkpoint of this ledger: {error}") from None
        self._pay(session, CHECKPOINT_WORK, now)

    def _trust(self, session: Session, frame: f.FetchTrust, now: float) -> None:
        ledger = self._ledger
        session.transmit(f.Trust(frame.request, ledger.config_record, ledger.policy_text))
        self._pay(session, 1, now)


def _changes(found: EpochChanges) -> tuple[f.AnyFrame, int]:
    return pushed(found), CHANGES_WORK


def pushed(found: EpochChanges) -> f.EpochPushed:
    """The frame that tells devices of changes."""
    return f.EpochPushed(found.since, found.size, found.prefixes, found.whole)


def _looked_up(frame: f.LookUp, found: LookedUp) -> tuple[f.AnyFrame, int]:
    epoch = found.epoch
    answer = f.LookedUp(
        frame.request,
        f.EpochPart(epoch.note, epoch.head, list(epoch.head_proof)),
        found.consistency,
        [_answer(answer) for answer in found.answers],
        list(found.pending),
    )
    return answer, found.work


def _answer(answer: lookup.Answer) -> f.Answer:
    return f.Answer(
        answer.label,
        answer.vrf_proof,
        answer.version,
        answer.value,
        answer.opening,
        answer.map_proof,
    )


def _chain_part(frame: f.FetchChain, part: ChainPart) -> tuple[f.AnyFrame, int]:
    answer = f.ChainPart(
        frame.request,
        frame.address,
        part.size,
        list(part.statements),
        [f.Receipt(*astuple(receipt)) for receipt in part.receipts],
        part.certificate,
        part.more,
        part.compatible,
    )
    return answer, part.work


def _entries(frame: f.FetchEntries, found: Entries) -> tuple[f.AnyFrame, int]:
    return f.Entries(frame.request, frame.start, found.size, found.entries), found.work
