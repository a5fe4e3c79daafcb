"""Notices: everybody concerned is told, by message and by sealed mail, each once of each step.

A step of an exit that was decided sets it going, never a date: `due` gives the next few people,
and what was left for them is written in one transaction with their mail; so a process that ends
in between goes on where it stopped, and nobody is told twice. People named by a directive are
told when its package was made, once nothing bars that.

What never happens here: storing a notice's mail unsealed. Who has no certificate to seal to counts
as unreachable, and still hears it on a device that opens the link.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from blackthorn.errors import DecodeError, StorageError
from blackthorn.governance import directives, exits
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address
from blackthorn.link.frames import AnyFrame, ExitTold, MarketNotice, TellExit
from blackthorn.ports.clock import Clock
from blackthorn.ports.exits import ExitStore
from blackthorn.ports.notices import Addressee, NoticeStore
from blackthorn.ports.writer import Job, Writer, all_of
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.notice_texts import words
from blackthorn.wire.address import parse_address

KINDS: Final = {
    "announce": "announced",
    "extend": "extended",
    "accelerate": "accelerated",
    "rescind": "rescinded",
    "freeze": "read-only",
    "stop": "stopped",
    "retrieve": "retrieval",
}
"""The steps of an exit that people are told of, and the kind of each notice."""

NO_MARKET: Final = "your market is not being left: there is nothing to tell"
TELLS: Final = ("read", "exported", "forward")


def told_step(case: Case) -> Step | None:
    """The step that people are told of now: none before the exit is announced."""
    if not any(each.action == "announce" for each in case.history):
        return None
    return next((each for each in reversed(case.history) if each.action in KINDS), None)


def produced(case: Case) -> bool:
    """Whether a directive's package was made, so that who is named in it is to be told."""
    return any(each.action == "produce" for each in case.history)


@dataclass(frozen=True, slots=True)
class Due:
    """Whom to tell what: the notice of step `seq` (0: a directive) of `case`, in his language."""

    to: Addressee
    case: Case
    seq: int
    subject: str
    text: str


class Notices:
    """All notices of a server. `notify` says a frame to the devices of a user that receive now.

    `wake` is called when somebody is to be told; `left` when it is durable that he was.
    """

    def __init__(
        self,
        *,
        office: DecisionService,
        store: NoticeStore,
        exits: ExitStore,
        writer: Writer,
        clock: Clock,
        domain: str,
        notify: Callable[[Address, AnyFrame], None],
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._office = office
        self._store = store
        self._exits = exits
        self._writer = writer
        self._clock = clock
        self._domain = domain
        self._notify = notify
        self._todo: set[str] = set()
        office.taken.append(self.taken)
        office.disclosed.append(self.disclosed)

    # --- What sets it going ---------------------------------------------------------------

    def start(self) -> None:
        """Go on with what the last process did not come to; the office has started."""
        undisclosed, cases = self._store.undisclosed(), self._office.cases
        left = [each for each in cases.exits if each.state not in ("destroying", "closed")]
        self._todo |= {each.id for each in left if told_step(each) is not None}
        self._todo |= {
            each.id for each in cases.directives if produced(each) and each.id not in undisclosed
        }
        self.wake()

    def taken(self, case: Case, step: Step) -> None:
        """A decision was taken (`DecisionService.taken`)."""
        if case.id[0] == "X" and told_step(case) == step:
            self._todo.add(case.id)
            self.wake()

    def disclosed(self, case: Case) -> None:
        """Nothing bars the disclosure of a directive (`DecisionService.disclosed`)."""
        if produced(case):
            self._todo.add(case.id)
            self.wake()

    # --- Telling --------------------------------------------------------------------------

    def due(self, limit: int) -> list[Due]:
        """At most `limit` who are to be told next; empty when all were. Raises StorageError."""
        for name in sorted(self._todo):
            case = self._office.cases.case(name)
            found = self._due_of_exit(case, limit) if name[0] == "X" else self._due_of(case)
            if found:
                return found[:limit]
            self._todo.discard(name)
        return []

    def _due_of_exit(self, case: Case, limit: int) -> list[Due]:
        step = told_step(case)
        if step is None:
            return []
        met = step.action == "rescind"
        people = self._store.untold(case.id, step.seq, case.id[2:4], limit, met=met)
        return [self._of_exit(each, case, step) for each in people]

    def _due_of(self, case: Case) -> list[Due]:
        named = self._office.private(case.id, "receive").get("accounts", [])
        people = [self._store.addressee(Address(each)) for each in named]
        return [
            self._of_directive(each, case)
            for each in people
            if each is not None and not self._store.told(case.id, 0, each.number)
        ]

    def mail(self, due: Due) -> bytearray:
        """The notice as a mail (RFC 5322, CRLF), to be sealed before it is stored."""
        message = EmailMessage(policy=SMTP)
        message["From"] = f"postmaster@{self._domain}"
        message["To"] = due.to.address
        message["Subject"] = due.subject
        message["Date"] = format_datetime(_time(self._clock.wall_ms()))
        message["Message-ID"] = f"<{due.case.id}.{due.seq}.{due.to.number}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(due.text, cte="base64")
        return bytearray(message.as_bytes())

    def leave(self, due: Due) -> Job[None]:
        """What is written in one transaction with the mail."""
        now_ms, user = self._clock.wall_ms(), due.to.number
        jobs = [self._store.leave(due.case.id, due.seq, user, now_ms)]
        if due.seq:
            jobs.append(self._exits.notified(user, due.case.id, now_ms))
            jobs.append(self._exits.tell(user, due.case.id, "unreachable", "", now_ms))
        return all_of(jobs)

    def unreachable(self, due: Due) -> Job[None]:
        """There is no certificate that a mail could be sealed to."""
        now_ms, user = self._clock.wall_ms(), due.to.number
        jobs = [self._store.leave(due.case.id, due.seq, user, None)]
        if due.seq:
            jobs.append(self._exits.tell(user, due.case.id, "unreachable", "1", now_ms))
        return all_of(jobs)

    def left(self, due: Due) -> None:
        """It is durable that he was told, or cannot be by mail: tell his devices that listen."""
        self._notify(due.to.address, self._frame(due, read=False))

    # --- The link -------------------------------------------------------------------------

    def notices(self, address: Address) -> list[MarketNotice]:
        """What to say to a device of the user that has just opened the link."""
        person = self._store.addressee(address)
        if person is None:
            return []
        frames: list[MarketNotice] = []
        case, step = self._exit_of(person)
        if case is not None and step is not None:
            read = self._store.was_read(case.id, step.seq, person.number)
            known = case.state != "rescinded" or self._store.met(case.id, person.number)
            if case.state in exits.RUNNING or (known and not read):
                frames.append(self._frame(self._of_exit(person, case, step), read=read))
        for name in self._store.unread_directives(person.number):
            due = self._of_directive(person, self._office.cases.case(name))
            frames.append(self._frame(due, read=False))
        return frames

    def handle(self, session: Session, frame: TellExit, now: float) -> None:
        """Note what a device tells of its person, then say so."""
        device = session.device
        person = self._store.addressee(device.address) if device is not None else None
        if person is None:
            return
        job, refusal = self._told(person, frame)
        if job is None:
            session.transmit(ExitTold(frame.request, refusal[:512]))
            return
        session.ask()

        def done(result: StorageError | None) -> None:
            session.transmit(ExitTold(frame.request, str(result or "")[:512]))
            session.answered()

        self._writer.submit(job, done)

    def _told(self, person: Addressee, frame: TellExit) -> tuple[Job[None] | None, str]:
        now_ms, user = self._clock.wall_ms(), person.number
        case, step = self._exit_of(person)
        if frame.what not in TELLS:
            return None, f"{frame.what!r} is nothing to tell"
        jobs: list[Job[None]] = []
        if frame.what == "read":
            unread = self._store.unread_directives(user)
            jobs += [self._store.read(each, 0, user, now_ms) for each in unread]
        value = ""
        if frame.what == "forward" and frame.value:
            try:
                value = parse_address(frame.value)
            except DecodeError as error:
                return None, str(error)
            if value == person.address:
                return None, "that is the address that mail does not reach any more"
        if case is not None and step is not None:
            if frame.what == "read":
                jobs.append(self._store.read(case.id, step.seq, user, now_ms))
                jobs.append(self._exits.notified(user, case.id, now_ms))
            jobs.append(self._exits.tell(user, case.id, frame.what, value, now_ms))
        return (all_of(jobs), "") if jobs else (None, NO_MARKET)

    def _exit_of(self, person: Addressee) -> tuple[Case | None, Step | None]:
        case = self._office.cases.exit_of(person.market)
        return case, None if case is None else told_step(case)

    # --- Words ----------------------------------------------------------------------------

    def _of_exit(self, to: Addressee, case: Case, step: Step) -> Due:
        said, kind = words(to.language), KINDS[step.action]
        fields = {"market": case.id[2:4], "domain": self._domain}
        fields |= {name[:-3]: _day(at_ms) for name, at_ms in exits.dates(case).items()}
        parts = [said.openings[kind], said.dates, said.deeds, said.whom]
        if kind == "rescinded":
            parts = [said.openings[kind], said.whom]
        text = "\n\n".join(each.format(**fields) for each in parts) + "\n"
        return Due(to, case, step.seq, said.subjects[kind].format(**fields), text)

    def _of_directive(self, to: Addressee, case: Case) -> Due:
        said, facts = words(to.language), directives.facts(case)
        given = case.last("approve").get("categories", [])
        fields = {
            "directive": case.id,
            "authority": facts["authority"],
            "country": facts["country"],
            "kind": facts["kind"],
            "categories": ", ".join(said.categories[each] for each in given),
            "domain": self._domain,
        }
        text = "\n\n".join(each.format(**fields) for each in (said.directive, said.whom)) + "\n"
        return Due(to, case, 0, said.directive_subject.format(**fields), text)

    def _frame(self, due: Due, *, read: bool) -> MarketNotice:
        at = exits.dates(due.case)
        return MarketNotice(
            exit=due.case.id,
            state=due.case.state,
            read_only_ms=at["read_only_ms"],
            stop_ms=at["stop_ms"],
            retrieval_end_ms=at["retrieval_end_ms"],
            forwarding_end_ms=at["forwarding_end_ms"],
            text=due.text,
            read=read,
        )


def _day(at_ms: int) -> str:
    return _time(at_ms).date().isoformat()


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
