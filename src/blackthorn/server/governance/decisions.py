"""Decision service: officers' decisions are checked, stored and published; it decides nothing.

An incomplete decision stays pending. A complete one is stored with its ledger entry in one
transaction and takes effect then. The entry reveals it, unless a gag bars that: then it commits,
and is revealed when the gag ends. At a start every decision is replayed with its signatures and
compared with the ledger: an edited row stops the server. Only the end of a gag depends on a clock,
and it waits when the clock has jumped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from blackthorn.errors import BlackthornError, ConflictError, ForbiddenError, InputError
from blackthorn.governance import directives, ledger_case, officers, register, statements
from blackthorn.governance.cases import Cases, Checked
from blackthorn.governance.transitions import ANY_DECIDER, Case, Step
from blackthorn.governance.values import check_fields
from blackthorn.ids import Address
from blackthorn.ports import store
from blackthorn.ports.clock import Clock
from blackthorn.ports.governance import cases as ports
from blackthorn.ports.ledger import AddRecord, WaitingRecords
from blackthorn.ports.randomness import Randomness
from blackthorn.server.clock_guard import ClockGuard
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.governance.access import Access, DecisionPage
from blackthorn.server.governance.approvers import Approvers, Users
from blackthorn.server.governance.proposals import Proposals
from blackthorn.server.governance.replay import replay_with_ledger

Check = Callable[[Checked, dict[str, Any], store.Done[None]], None]
"""Checks a decision and its private part; `done` gets None or the refusal."""

ONLY_OFFICERS: Final = "only officers see decisions: ask an owner, or see `blackthorn role open`"

AHEAD_MS: Final = 10 * 60_000
"""Permitted lead of an approver's clock over the server's."""

STALE_MS: Final = 14 * 24 * 3_600_000
"""Age at which an approval expires."""


class Log(Protocol):
    """The part of `server.ledger.ledger.Ledger` that the decision service uses.

    `time_ms` is the newest published head's time, 0 before the first; `wake` announces an entry.
    """

    @property
    def time_ms(self) -> int: ...
    def wake(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Submission:
    submitter: Address
    private: bytes
    checked: Checked
    fields: dict[str, Any]
    founders: list[Address]
    done: store.Done[tuple[str, ...]]


@dataclass(kw_only=True, eq=False)
class DecisionService:
    """All cases. `checks` may refuse a decision before it is stored.

    `on_decision` gets each stored decision, `on_disclosure` each directive that may be disclosed.
    """

    log: Log
    enterprise: EnterpriseCache
    writer: store.Writer
    reader: store.Reader
    clock: Clock
    random: Randomness
    cases: Cases = field(default_factory=Cases)
    checks: list[Check] = field(default_factory=list)
    on_decision: list[Callable[[Case, Step], None]] = field(default_factory=list)
    on_disclosure: list[Callable[[Case], None]] = field(default_factory=list)
    _approvers: Approvers = field(default_factory=Approvers)
    _number: int = 0
    _private: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _produced: dict[str, bytes] = field(default_factory=dict)
    _sealed: dict[str, list[ports.StoredDecision]] = field(default_factory=dict)
    _busy: bool = False

    def __post_init__(self) -> None:
        self._proposals = Proposals(self.writer, self.clock, self._approvers)
        self._time = ClockGuard(self.clock)

    def start(self, reader: store.BlockingReader) -> None:
        """Replay the stored decisions. Raises DamageError naming an altered one."""
        waiting = [(row.kind, row.body) for row in reader.read(WaitingRecords(0, 2**31))]
        for row, signed, private in replay_with_ledger(reader, self.cases, waiting):
            self._number = row.number
            self._keep(signed, private, row)
        self._proposals.start(reader)
        self._time.start(self.log.time_ms)

    def _keep(
        self, signed: statements.Signed, private: dict[str, Any], row: ports.StoredDecision
    ) -> None:
        statement = signed.statement
        self._private[statement.case, statement.action] = private
        if statement.action == "produce":
            self._produced[statement.case] = row.reveal
        if row.sealed:
            self._sealed.setdefault(row.case, []).append(row)
        if statement.case == officers.CASE:
            self._approvers.keep(signed, private, self.cases.officers)

    def private(self, case: str, action: str) -> dict[str, Any]:
        """The private part of the case's newest such step, or {}."""
        return self._private.get((case, action), {})

    def produced(self, case: str) -> bytes:
        """The opening of the ledger's commitment to a directive's `produce`, or empty."""
        return self._produced.get(case, b"")

    def founders(self, done: store.Done[list[Address]]) -> None:
        """The users who may found the officers; none once there are officers."""
        if self.cases.officers:
            done([])
        else:
            self.reader.ask(ports.ListFounders(), done)

    def access(self, address: Address, done: store.Done[Access]) -> None:
        def found(founders: list[Address]) -> None:
            done(self._access(address, founders))

        self.founders(store.unless_failed(done, found))

    def _access(self, address: Address, founders: list[Address]) -> Access:
        name = self._approvers.officer_of(address)
        if name is None:
            return Access(address in founders, address in founders)
        # Helpdesk and auditors see no private parts.
        return Access(True, bool(self.cases.officers[name].roles & ANY_DECIDER))

    def page(
        self, address: Address, after: int, limit: int, done: store.Done[DecisionPage]
    ) -> None:
        """At most `limit` decisions with a number above `after`, as this user may see them.

        `done` gets ForbiddenError for a user who is neither officer nor founder.
        """

        def allowed(founders: list[Address]) -> None:
            access = self._access(address, founders)
            pending = self.pending  # not newer than the decisions, to which it must fit

            def found(rows: list[ports.StoredDecision]) -> None:
                more = len(rows) > limit
                last = [] if more else pending
                page = DecisionPage(rows[:limit], last, founders, self.log_ms, more)
                done(page.for_access(access))

            if access.decisions:
                self.reader.ask(
                    ports.ListDecisions(after, limit + 1), store.unless_failed(done, found)
                )
            else:
                done(ForbiddenError(ONLY_OFFICERS))

        self.founders(store.unless_failed(done, allowed))

    @property
    def pending(self) -> list[ports.PendingDecision]:
        """Proposals that lack an approver."""
        return self._proposals.all

    @property
    def log_ms(self) -> int:
        """The ledger's time, with which dates of exits are compared."""
        now_ms = self.clock.wall_ms()
        return min(self.log.time_ms or now_ms, now_ms)

    def problems(self) -> list[str]:
        """Why a gag does not end by itself."""
        return self._time.problems()

    def submit(
        self, submitter: Address, signed: bytes, private: bytes, done: store.Done[tuple[str, ...]]
    ) -> None:
        """Take a decision with its approvals, from a device of `submitter`.

        `done` gets, once durable, the missing approvers in words, or the error.
        """

        def allowed(founders: list[Address]) -> None:
            try:
                if not self._access(submitter, founders).decisions:
                    raise ForbiddenError("only officers decide")
                if self._busy:
                    raise ConflictError("another decision is being written: try again")
                checked, fields = self._check(statements.decode(signed), private)
            except BlackthornError as error:
                done(error)
            else:
                self._busy = True
                new = _Submission(submitter, private, checked, fields, founders, done)
                self._check_approvers(new)

        self.founders(store.unless_failed(done, allowed))

    def _check(self, signed: statements.Signed, private: bytes) -> tuple[Checked, dict[str, Any]]:
        now_ms = self.clock.wall_ms()
        on_time = signed.statement.case == ledger_case.CASE  # its officers have only a wrong time
        latest_ms = max(now_ms, self.log.time_ms) if on_time else now_ms
        for approval in signed.approvals:
            _check_time(approval, now_ms, latest_ms)
        if not signed.approvals:
            raise InputError("a decision has an approval")
        fields = statements.open_private(signed.statement, private)
        checked = self.cases.check(signed, self.log_ms)
        check_fields(fields, checked.move.private, f"the private part of {checked.move.action}")
        return checked, fields

    def _check_approvers(self, submission: _Submission) -> None:
        signed, fields = submission.checked.signed, submission.fields

        def loaded(users: Users | BlackthornError) -> None:
            try:
                if isinstance(users, BlackthornError):
                    raise users
                known, founders = self.cases.officers, submission.founders
                self._approvers.check(signed, fields, known, founders, users)
            except BaseException as error:  # a defect must not block later decisions
                self._busy = False
                if not isinstance(error, BlackthornError):
                    raise
                submission.done(error)
            else:
                self._run_checks(0, submission)

        self.enterprise.load_users(self._approvers.concerned(signed, fields), loaded)

    def _run_checks(self, number: int, submission: _Submission) -> None:
        """The checks that may read the store, in turn, then the decision."""

        def checked(error: BlackthornError | None) -> None:
            if error is None:
                self._run_checks(number + 1, submission)
            else:
                self._busy = False
                submission.done(error)

        if number < len(self.checks):
            try:
                self.checks[number](submission.checked, submission.fields, checked)
            except BaseException:
                self._busy = False
                raise
            return
        self._busy = False
        try:
            if submission.checked.lacks:
                before = self.cases.case(submission.checked.signed.statement.case)
                person, private, done = submission.submitter, submission.private, submission.done
                self._proposals.propose(person, submission.checked, private, before, done)
            else:
                self._take(submission)
        except BlackthornError as error:
            submission.done(error)

    def _take(self, submission: _Submission) -> None:
        signed, now_ms = submission.checked.signed, self.log_ms
        cases = Cases(self.cases.officers, dict(self.cases.by_id))
        after = cases.take(signed, now_ms)
        sealed = after.id[0] == "D" and directives.gagged(after, self._time.now_ms())
        stored = ports.StoredDecision(
            self._number + 1,
            after.id,
            after.seq,
            signed.encode(),
            submission.private,
            self.random(statements.SALT_BYTES),
            now_ms,
            sealed,
        )

        def written() -> None:
            self.cases = cases
            self._number = stored.number
            self._proposals.remove(after.id)
            self._keep(signed, submission.fields, stored)
            told = [partial(listener, after, after.history[-1]) for listener in self.on_decision]
            disclosed = [partial(self._disclose, after)] * (after.id[0] == "D" and not sealed)
            store.call_each([partial(submission.done, ()), *told, *disclosed])

        revealed = [] if sealed else self._sealed.get(after.id, [])
        records = [_entry(row, sealed=False) for row in revealed]
        records.append(_entry(stored, sealed=sealed))
        self._write([ports.StoreDecision(stored)], revealed, records, written, submission.done)

    def _write(
        self,
        commands: list[store.Command[Any]],
        revealed: list[ports.StoredDecision],
        records: list[tuple[int, bytes]],
        written: Callable[[], None],
        failed: Callable[[BlackthornError], None],
    ) -> None:
        """One transaction: commands, disclosed decisions, ledger entries."""
        disclosed = ports.MarkDisclosed(tuple((row.case, row.seq) for row in revealed))
        entries = [AddRecord(*record) for record in records]

        def done(error: BlackthornError | None) -> None:
            self._busy = False
            if error is not None:
                failed(error)
                return
            for row in revealed:
                self._sealed.pop(row.case, None)
            self.log.wake()
            written()

        self._busy = True
        self.writer.submit(store.Together((*commands, disclosed, *entries)), done)

    def _disclose(self, case: Case) -> None:
        store.call_each(partial(listener, case) for listener in self.on_disclosure)

    def tick(self) -> None:
        """Reveal decisions whose gag has ended; call it a few times a minute."""
        now_ms = self._time.now_ms()
        if self._busy or not self._time.holds:
            return
        for name, rows in self._sealed.items():
            case = self.cases.case(name)
            if not directives.gagged(case, min(now_ms, self.log.time_ms)):
                entries = [_entry(row, sealed=False) for row in rows]
                disclose = partial(self._disclose, case)
                self._write([], rows, entries, disclose, store.ignore)  # a failure: next tick
                return


def _entry(decision: ports.StoredDecision, *, sealed: bool) -> tuple[int, bytes]:
    return register.entry(decision.case, decision.seq, decision.reveal, sealed=sealed)


def _check_time(approval: statements.Approval, now_ms: int, latest_ms: int) -> None:
    if approval.at_ms > latest_ms + AHEAD_MS:
        raise InputError(f"the clock of {approval.officer}'s device is ahead of the server's")
    if approval.at_ms < now_ms - STALE_MS:
        raise InputError(f"the approval of {approval.officer} is too old: approve it anew")
