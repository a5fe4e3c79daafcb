"""The office: officers' decisions are checked, kept and published; the server decides nothing.

A decision that lacks an approver waits; one that is whole is stored with its entry of the ledger
in one transaction, and only then counts. The entry reveals it, unless the law bars that: then it
commits, and what it commits to is shown when the gag ends, by itself. At a start every decision
is replayed, signatures and all, and held against the ledger: an edited row stops the server.

No date and no clock fires anything but the end of a gag, and that not when the clock has jumped.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from blackthorn.directory.entries import Record, decode_entry
from blackthorn.directory.records import decode_record
from blackthorn.errors import BlackthornError, InputError, StorageError
from blackthorn.governance import directives, officers, register
from blackthorn.governance.cases import Cases, Checked
from blackthorn.governance.statements import (
    SALT_BYTES,
    Approval,
    Signed,
    commitment,
    decode,
    open_private,
)
from blackthorn.governance.transitions import ANY_DECIDER, Case, Step, named
from blackthorn.governance.values import check_fields
from blackthorn.ids import Address
from blackthorn.link import limits
from blackthorn.ports.cases import CaseStore, PendingDecision, StoredDecision
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import Enterprise
from blackthorn.ports.ledger import LedgerStore
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.writer import Job, Writer, all_of
from blackthorn.server.clock_guard import ClockGuard
from blackthorn.server.governance.replay import replay

Done = Callable[[str, tuple[str, ...]], None]
"""Told a refusal, or "" and the approvers still wanted, in words."""

AHEAD_MS: Final = 10 * 60_000
"""How far an approver's clock may be ahead of the server's."""

STALE_MS: Final = 14 * 24 * 3_600_000
"""An approval older than this does not count any more: it must be given anew."""

REPLACE_MS: Final = 3_600_000
"""A proposal that nobody has approved for so long may be replaced by another officer's."""


class Log(Protocol):
    """What the office needs of `server.ledger.ledger.Ledger`."""

    store: LedgerStore

    @property
    def time_ms(self) -> int:
        """The time of the newest published head, 0 before the first."""
        ...

    def wake(self) -> None:
        """Something waits for the next epoch."""
        ...


class DecisionService:
    """All cases. `checks` may refuse a decision (InputError); `taken` and `disclosed` are told."""

    def __init__(
        self,
        *,
        store: CaseStore,
        log: Log,
        enterprise: Enterprise,
        writer: Writer,
        clock: Clock,
        random: Randomness,
    ) -> None:
        self.cases = Cases()
        self.people: dict[str, Address] = {}
        """Officer → whose device signs for him."""
        self.checks: list[Callable[[Checked, dict[str, Any]], None]] = []
        self.taken: list[Callable[[Case, Step], None]] = []
        self.disclosed: list[Callable[[Case], None]] = []
        self._store = store
        self._log = log
        self._enterprise = enterprise
        self._writer = writer
        self._clock = clock
        self._random = random
        self._time = ClockGuard(clock)
        self._number = 0
        self._private: dict[tuple[str, str], dict[str, Any]] = {}
        self._produced: dict[str, bytes] = {}
        self._sealed: dict[str, list[StoredDecision]] = {}
        self._pending: dict[str, PendingDecision] = {}
        self._busy = False

    # --- Start ----------------------------------------------------------------------------

    def start(self) -> None:
        """Replay what is stored. Raises StorageError naming the decision that was altered."""
        shown = self._in_ledger()
        for row, signed, private in replay(self._store, self.cases):
            if shown.pop((row.case, row.seq), None) != (commitment(row.reveal), not row.sealed):
                raise StorageError(
                    f"decision {row.seq} of {row.case} in the database is not what the ledger "
                    "holds: restore it from a backup"
                )
            self._number = row.number
            self._keep(signed, private, row)
        if shown:
            case, seq = next(iter(shown))
            raise StorageError(f"decision {seq} of {case} is in the ledger and not in the database")
        self._pending = {each.case: each for each in self._store.pending()}
        self._time.start(self._log.time_ms)

    def _in_ledger(self) -> dict[tuple[str, int], tuple[bytes, bool]]:
        """(case, seq) → the commitment, and whether it is revealed."""
        found: dict[tuple[str, int], tuple[bytes, bool]] = {}
        waiting = self._log.store.waiting_records(2**31)
        bodies = [(each.kind, each.body) for each in waiting]
        entries = [decode_entry(each) for each in self._store.entries()]
        held = [(each.kind, each.body) for each in entries if isinstance(each, Record)]
        for kind, body in held + bodies:
            if kind in register.KINDS:
                fields = decode_record(kind, body)
                found[fields["case"], fields["seq"]] = (
                    fields["commitment"],
                    fields["reveal"] is not None,
                )
        return found

    def _keep(self, signed: Signed, private: dict[str, Any], row: StoredDecision) -> None:
        statement = signed.statement
        self._private[statement.case, statement.action] = private
        if statement.action == "produce":
            self._produced[statement.case] = row.reveal
        if row.sealed:
            self._sealed.setdefault(row.case, []).append(row)
        if statement.case == officers.CASE:
            for suffix in ("", "_2"):
                if f"address{suffix}" in private:
                    officer = statement.public[f"officer{suffix}"]
                    self.people[officer] = Address(private[f"address{suffix}"])
            self.people = {
                name: address
                for name, address in self.people.items()
                if name in self.cases.officers
            }

    # --- Reading --------------------------------------------------------------------------

    def private(self, case: str, action: str) -> dict[str, Any]:
        """The private part of the newest such step of a case, {} when there is none."""
        return self._private.get((case, action), {})

    def produced(self, case: str) -> bytes:
        """What the ledger's commitment to a directive's `produce` is to; empty before it."""
        return self._produced.get(case, b"")

    def officer_of(self, address: Address) -> str | None:
        """The officer that this user is."""
        return next((name for name, person in self.people.items() if person == address), None)

    def may_read(self, address: Address) -> bool:
        """Whether decisions are shown to this user: to officers, and to who may found them."""
        return self.officer_of(address) is not None or address in self.founders()

    def reads_private(self, address: Address) -> bool:
        """Whether private parts are shown: to who decides, not to helpdesk and auditors."""
        name = self.officer_of(address)
        if name is None:
            return address in self.founders()
        return bool(self.cases.officers[name].roles & ANY_DECIDER)

    def founders(self) -> list[Address]:
        """Who may found the officers, while there are none."""
        return [] if self.cases.officers else self._store.founders()

    def page(self, after: int, limit: int) -> list[StoredDecision]:
        """Decisions with a number above `after`."""
        return self._store.decisions(after, limit)

    @property
    def pending(self) -> list[PendingDecision]:
        """What lacks an approver."""
        return list(self._pending.values())

    @property
    def log_ms(self) -> int:
        """The ledger's time: what dates of exits are held against."""
        now_ms = self._clock.wall_ms()
        return min(self._log.time_ms or now_ms, now_ms)

    def problems(self) -> list[str]:
        """Why a gag does not end by itself, if so."""
        return self._time.problems()

    # --- Deciding -------------------------------------------------------------------------

    def submit(self, submitter: Address, signed: bytes, private: bytes, done: Done) -> None:
        """A decision with its approvals so far, from a device of `submitter`.

        `done` is told a refusal in one line; or "" and who still must approve, once it is durable.
        """
        try:
            if not self.may_read(submitter):
                raise InputError("only officers decide")
            if self._busy:
                raise InputError("another decision is being written: try again")
            checked, fields = self._check(decode(signed), private)
            if checked.lacks:
                self._propose(submitter, checked, private, done)
            else:
                self._take(checked, fields, private, done)
        except BlackthornError as error:
            done(str(error), ())

    def _check(self, signed: Signed, private: bytes) -> tuple[Checked, dict[str, Any]]:
        for each in signed.approvals:
            self._check_time(each)
        if not signed.approvals:
            raise InputError("a decision has an approval")
        fields = open_private(signed.statement, private)
        checked = self.cases.check(signed, self.log_ms)
        check_fields(fields, checked.move.private, f"the private part of {checked.move.action}")
        self._check_people(signed, fields)
        for check in self.checks:
            check(checked, fields)
        return checked, fields

    def _check_time(self, approval: Approval) -> None:
        now_ms = self._clock.wall_ms()
        if approval.at_ms > now_ms + AHEAD_MS:
            raise InputError(f"the clock of {approval.officer}'s device is ahead of the server's")
        if approval.at_ms < now_ms - STALE_MS:
            raise InputError(f"the approval of {approval.officer} is too old: approve it anew")

    def _check_people(self, signed: Signed, private: dict[str, Any]) -> None:
        """Each approver signs with a live device of the person whose officer he is; no two one."""
        statement, known = signed.statement, self.cases.officers
        if statement.case == officers.CASE:
            known = officers.voters(known, statement.action, statement.public)
        people = self._people_after(signed, private)
        for each in signed.approvals:
            address = people.get(each.officer)
            if address is None or not self._has_live(address, known[each.officer].keys.ed25519):
                raise InputError(f"{each.officer} signs with a device that is not live any more")

    def _people_after(self, signed: Signed, private: dict[str, Any]) -> dict[str, Address]:
        statement, people = signed.statement, dict(self.people)
        if statement.case != officers.CASE or statement.action == "dismiss":
            return people
        for suffix in ("", "_2"):
            if f"officer{suffix}" not in statement.public:
                continue
            name = statement.public[f"officer{suffix}"]
            address = Address(private[f"address{suffix}"])
            if any(who == address and other != name for other, who in people.items()):
                raise InputError(f"{address} is an officer already, under another id")
            if people.get(name, address) != address:
                raise InputError(f"{name} is another person")
            if not self._has_live(address, statement.public[f"ed25519{suffix}"]):
                raise InputError(f"that is no live device of {address}")
            people[name] = address
        if statement.action == "found" and sorted(people.values()) != self.founders():
            raise InputError(
                "these two may not found the officers: `blackthorn role open` says who"
            )
        return people

    def _has_live(self, address: Address, key: bytes) -> bool:
        user = self._enterprise.user(address)
        return user is not None and any(each.identity_key == key for each in user.live)

    def _propose(self, submitter: Address, checked: Checked, private: bytes, done: Done) -> None:
        signed, now_ms = checked.signed, self._clock.wall_ms()
        case = signed.statement.case
        before = self._pending.get(case)
        if before is not None and not self._replaceable(before, signed, submitter, now_ms):
            raise InputError(f"another decision waits in {case}: approve that, or wait an hour")
        if before is None and len(self._pending) >= limits.MAX_PENDING_DECISIONS:
            raise InputError("too many decisions wait for approvers: see to them first")
        pending = PendingDecision(case, signed.encode(), private, now_ms)
        lacks = tuple(named(slot) for slot in checked.lacks)

        def stored(result: StorageError | None) -> None:
            if result is None:
                self._pending[case] = pending
            done("" if result is None else str(result), lacks if result is None else ())

        self._writer.submit(self._store.propose(pending), stored)

    def _replaceable(
        self, before: PendingDecision, signed: Signed, submitter: Address, now_ms: int
    ) -> bool:
        old = decode(before.signed)
        if (
            old.statement.encoded == signed.statement.encoded
            or now_ms - before.since_ms > REPLACE_MS
        ):
            return True
        mine = self.officer_of(submitter)
        moved_on = old.statement.prev != self.cases.case(before.case).head
        return moved_on or any(each.officer == mine for each in old.approvals)

    def _take(self, checked: Checked, private: dict[str, Any], kept: bytes, done: Done) -> None:
        signed, now_ms = checked.signed, self.log_ms
        cases = Cases(self.cases.officers, dict(self.cases.by_id))
        after = cases.take(signed, now_ms)
        sealed = after.id[0] == "D" and directives.gagged(after, self._time.now_ms())
        stored = StoredDecision(
            self._number + 1,
            after.id,
            after.seq,
            signed.encode(),
            kept,
            self._random(SALT_BYTES),
            now_ms,
            sealed,
        )

        def written() -> None:
            self.cases = cases
            self._number = stored.number
            self._pending.pop(after.id, None)
            self._keep(signed, private, stored)
            done("", ())
            for told in self.taken:
                told(after, after.history[-1])
            if after.id[0] == "D" and not sealed:
                self._disclose(after)

        shown = [] if sealed else self._sealed.get(after.id, [])
        records = [_entry(each, sealed=False) for each in shown]
        records.append(_entry(stored, sealed=sealed))
        job = self._store.take(stored)
        self._write([job], shown, records, written, lambda why: done(why, ()))

    def _write(
        self,
        jobs: list[Job[None]],
        shown: list[StoredDecision],
        records: list[tuple[int, bytes]],
        written: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        """In one transaction: the jobs, these decisions as shown, the entries for the ledger."""
        unseal = self._store.unseal([(each.case, each.seq) for each in shown])
        whole = [*jobs, unseal, *(self._log.store.add_record(*record) for record in records)]

        def told(result: StorageError | None) -> None:
            self._busy = False
            if result is not None:
                failed(str(result))
                return
            for each in shown:
                self._sealed.pop(each.case, None)
            self._log.wake()
            written()

        self._busy = True
        self._writer.submit(all_of(whole), told)

    def _disclose(self, case: Case) -> None:
        for told in self.disclosed:
            told(case)

    # --- Time -----------------------------------------------------------------------------

    def tick(self) -> None:
        """Show what a gag that has ended hid; call it a few times a minute."""
        now_ms = self._time.now_ms()
        if self._busy or not self._time.holds:
            return
        for name, rows in self._sealed.items():
            case = self.cases.case(name)
            if not directives.gagged(case, min(now_ms, self._log.time_ms)):
                self._show(case, rows)
                return

    def _show(self, case: Case, rows: list[StoredDecision]) -> None:
        """When the disk cannot, the next tick tries again."""
        records = [_entry(each, sealed=False) for each in rows]
        self._write([], rows, records, lambda: self._disclose(case), lambda why: None)


def _entry(decision: StoredDecision, *, sealed: bool) -> tuple[int, bytes]:
    return register.entry(decision.case, decision.seq, decision.reveal, sealed=sealed)
