"""Notices: everybody concerned is notified once per step, by link and by sealed mail.

A decided step of an exit starts it. `due` returns the next few people; each notice is recorded in
one transaction with its mail, so a restart neither skips nor repeats one. Users named by a
directive are notified once its package was made and no gag bars that.

What never happens here: storing a notice's mail unsealed. A user without a usable certificate
counts as unreachable, and still gets the notice on their devices.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from blackthorn.errors import AbsentError, DecodeError, InputError
from blackthorn.governance import exits
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address
from blackthorn.ports import store
from blackthorn.ports.clock import Clock
from blackthorn.ports.governance import notices as ports
from blackthorn.ports.governance.exits import NoteAct, NoteNotified
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.markets import limits
from blackthorn.server.markets.notice import (
    Notice,
    directive_notice,
    exit_notice,
    has_package,
    notice_mail,
    notice_step,
)
from blackthorn.wire.address import parse_address

NO_MARKET: Final = "the service in your market is not ending: there is nothing to report"
ACTS: Final = ("read", "exported", "forward")
"""Acts that a device may report."""


@dataclass(slots=True)
class _Pass:
    """Progress of a search for users who lack the notice of a step."""

    seq: int
    after: int = 0
    found: bool = False


@dataclass(kw_only=True, slots=True)
class Notices:
    """All notices of a server. `notify` gets a stored notice, for its user's devices on line.

    `wake` is called when a notice is due. Without a `postmaster` no notice names that address.
    """

    decisions: DecisionService
    writer: store.Writer
    reader: store.Reader
    clock: Clock
    domain: str
    postmaster: bool
    notify: Callable[[Notice], None]
    wake: Callable[[], None] = lambda: None
    _todo: set[str] = field(default_factory=set)
    _passes: dict[str, _Pass] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.decisions.on_decision.append(self.decided)
        self.decisions.on_disclosure.append(self.disclosed)

    def start(self, reader: store.BlockingReader) -> None:
        """Resume unfinished notices, after the decisions were replayed."""
        undisclosed, cases = reader.read(ports.ListUndisclosedCases()), self.decisions.cases
        open_exits = [case for case in cases.exits if case.state not in ("destroying", "closed")]
        self._todo |= {case.id for case in open_exits if notice_step(case) is not None}
        self._todo |= {
            case.id for case in cases.directives if has_package(case) and case.id not in undisclosed
        }
        self.wake()

    def decided(self, case: Case, step: Step) -> None:
        if case.id[0] == "X" and notice_step(case) == step:
            self._todo.add(case.id)
            self.wake()

    def disclosed(self, case: Case) -> None:
        if has_package(case):
            self._todo.add(case.id)
            self.wake()

    def due(self, limit: int, done: store.Done[list[Notice]]) -> None:
        """At most `limit` next notices; empty when none is due."""
        if not self._todo:
            done([])
            return
        name = min(self._todo)
        case = self.decisions.cases.case(name)
        if name[0] != "X":
            self._due_of_directive(case, limit, done)
        elif (step := notice_step(case)) is None:
            self._finish(name, limit, done)
        else:
            self._due_of_exit(case, step, limit, done)

    def _finish(self, name: str, limit: int, done: store.Done[list[Notice]]) -> None:
        self._todo.discard(name)
        self._passes.pop(name, None)
        self.due(limit, done)

    def _due_of_exit(
        self, case: Case, step: Step, limit: int, done: store.Done[list[Notice]]
    ) -> None:
        """One page of the market's users; a pass that finds nobody is the last."""
        progress = self._passes.get(case.id)
        if progress is None or progress.seq != step.seq:
            progress = self._passes[case.id] = _Pass(step.seq)

        def found(page: ports.AddresseePage) -> None:
            if notice_step(self.decisions.cases.case(case.id)) != step:
                self.due(limit, done)
                return
            people = page.people[:limit]
            progress.found |= bool(people)
            if len(page.people) > limit:
                progress.after = people[-1].number
            elif page.after is not None:
                progress.after = page.after
            elif progress.found:
                progress.after, progress.found = 0, False
            else:
                self._finish(case.id, limit, done)
                return
            if people:
                done([self._of_exit(person, case, step) for person in people])
            else:
                self.due(limit, done)

        only_known = step.action == "rescind"
        query = ports.FindUnnotified(
            case.id, step.seq, case.id[2:4], progress.after, limits.NOTICE_PAGE, only_known
        )
        self.reader.ask(query, store.unless_failed(done, found))

    def _of_exit(self, person: ports.Addressee, case: Case, step: Step) -> Notice:
        return exit_notice(person, case, step, self.domain, postmaster=self.postmaster)

    def _of_directive(self, person: ports.Addressee, case: Case) -> Notice:
        return directive_notice(person, case, self.domain, postmaster=self.postmaster)

    def _due_of_directive(self, case: Case, limit: int, done: store.Done[list[Notice]]) -> None:
        def found(people: list[ports.Addressee]) -> None:
            if people:
                done([self._of_directive(person, case) for person in people[:limit]])
            else:
                self._finish(case.id, limit, done)

        accounts = self.decisions.private(case.id, "receive").get("accounts", [])
        query = ports.FindUnnotifiedOf(case.id, 0, tuple(Address(name) for name in accounts))
        self.reader.ask(query, store.unless_failed(done, found))

    def mail(self, notice: Notice) -> bytearray:
        """The notice as a mail (RFC 5322, CRLF), to be sealed before it is stored."""
        return notice_mail(notice, self.domain, self.clock.wall_ms())

    def note_stored(self, notice: Notice) -> store.Command[None]:
        """Command for the transaction that stores the notice's mail."""
        now_ms, user = self.clock.wall_ms(), notice.to.number
        commands: list[store.Command[None]] = [
            ports.NoteNotice(notice.case.id, notice.seq, user, now_ms)
        ]
        if notice.seq:
            commands.append(NoteNotified(user, notice.case.id, now_ms))
            commands.append(NoteAct(user, notice.case.id, "unreachable", "", now_ms))
        return store.Together(tuple(commands))

    def note_unreachable(self, notice: Notice) -> store.Command[None]:
        """Command for a user without a certificate to seal to."""
        now_ms, user = self.clock.wall_ms(), notice.to.number
        commands: list[store.Command[None]] = [
            ports.NoteNotice(notice.case.id, notice.seq, user, None)
        ]
        if notice.seq:
            commands.append(NoteAct(user, notice.case.id, "unreachable", "1", now_ms))
        return store.Together(tuple(commands))

    def notices_of(self, address: Address, done: store.Done[list[Notice]]) -> None:
        """Notices for a device that has just connected."""

        def found(unread: ports.Unread | None) -> None:
            if unread is None:
                done([])
            else:
                self._add_exit(unread, done)

        self.reader.ask(ports.FindUnread(address), store.unless_failed(done, found))

    def _add_exit(self, unread: ports.Unread, done: store.Done[list[Notice]]) -> None:
        person = unread.person
        case, step = self._exit_of(person)
        cases = self.decisions.cases
        directives = [self._of_directive(person, cases.case(name)) for name in unread.directives]
        if case is None or step is None:
            done(directives)
            return

        def found(state: ports.NoticeState) -> None:
            known = case.state != "rescinded" or state.knows_case
            if case.state in exits.RUNNING or (known and not state.read):
                notice = self._of_exit(person, case, step)
                directives.insert(0, replace(notice, read=state.read))
            done(directives)

        query = ports.FindNoticeState(case.id, step.seq, person.number)
        self.reader.ask(query, store.unless_failed(done, found))

    def note(self, address: Address, act: str, value: str, done: store.Done[None]) -> None:
        """Record one of ACTS of the user; `done` gets InputError otherwise."""
        try:
            value = _checked(address, act, value)
        except InputError as error:
            done(error)
            return

        def found(unread: ports.Unread | None) -> None:
            if unread is None:
                done(AbsentError(f"there is no user {address}"))
            elif commands := self._commands(unread, act, value):
                self.writer.submit(store.Together(tuple(commands)), done)
            else:
                done(InputError(NO_MARKET))

        self.reader.ask(ports.FindUnread(address), store.unless_failed(done, found))

    def _commands(self, unread: ports.Unread, act: str, value: str) -> list[store.Command[Any]]:
        now_ms, user = self.clock.wall_ms(), unread.person.number
        case, step = self._exit_of(unread.person)
        commands: list[store.Command[Any]] = []
        if act == "read":
            commands += [ports.NoteNoticeRead(name, 0, user, now_ms) for name in unread.directives]
        if case is not None and step is not None:
            if act == "read":
                commands.append(ports.NoteNoticeRead(case.id, step.seq, user, now_ms))
                commands.append(NoteNotified(user, case.id, now_ms))
            commands.append(NoteAct(user, case.id, act, value, now_ms))
        return commands

    def _exit_of(self, person: ports.Addressee) -> tuple[Case | None, Step | None]:
        case = self.decisions.cases.exit_of(person.market)
        return case, None if case is None else notice_step(case)


def _checked(address: Address, act: str, value: str) -> str:
    if act not in ACTS:
        raise InputError(f"unknown act {act!r}: it is one of {', '.join(ACTS)}")
    if act != "forward" or not value:
        return ""
    try:
        forward = parse_address(value)
    except DecodeError as error:
        raise InputError(str(error)) from None
    if forward == address:
        raise InputError("forward to another address: mail to this one ends")
    return forward
