"""An officer's device at work: ask for the decisions, propose one or approve one, hand it in.

Whatever is signed was replayed and checked on this device, is shown in full, and is confirmed.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import typer

from blackthorn.cli import terminal
from blackthorn.cli.officer import limits, show
from blackthorn.cli.officer.fields import parse_directive
from blackthorn.device.transparency.decisions import VerifiedDecisions, Waiting, replay
from blackthorn.errors import SecurityError, UserError, VerificationError
from blackthorn.governance import officers, statements
from blackthorn.governance.cases import Checked, transitions_of
from blackthorn.governance.statements import Signed, Statement
from blackthorn.governance.transitions import Case, find, named
from blackthorn.link import frames as f
from blackthorn.programs.device import requests
from blackthorn.programs.device.home import random, wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run

_TAMPERED: Final = ("G1", "G5", "G16")
"""Rules that no officer breaks by mistake."""

_FOR_EVER: Final = {
    "destroy": "This cannot be taken back: what is sealed opens never again.",
}


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How a command behaves: prints JSON, does not ask, only shows."""

    json: bool = False
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """What an officer wants decided.

    `public` and `private` are what he said; `default` and `private_default` fill what he did not,
    and give way to what another officer has proposed. `notes` are lines shown before he signs.
    """

    case: str
    action: str
    public: dict[str, Any] = field(default_factory=dict)
    default: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)
    private_default: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


# --- The link -------------------------------------------------------------------------------


def look(device: DeviceProgram) -> VerifiedDecisions:
    """All decisions, verified. Raises SecurityError, UserError (no officer), UnavailableError."""
    decisions, last = run(_fetch(device))
    with device.opened.vault.transaction() as records:
        return replay(
            decisions, last.pending, records.settings, founders=last.founders, log_ms=last.log_ms
        )


async def _fetch(device: DeviceProgram) -> tuple[list[f.Decision], f.Decisions]:
    found: list[f.Decision] = []
    async with requests.connect(device) as ask:
        while True:
            after = found[-1].number if found else 0
            part: f.Decisions = await ask(f.FetchDecisions(1, after), f.Decisions)
            if part.refusal:
                raise UserError(part.refusal)
            found += part.decisions
            if not part.more:
                return found, part
            if not part.decisions or part.decisions[-1].number <= after:
                raise SecurityError("the server shows its decisions out of their order")
            if len(found) > limits.MAX_DECISIONS:
                raise SecurityError("the server shows decisions without an end")


def submit(device: DeviceProgram, signed: Signed, kept: bytes) -> list[str]:
    """Hand it in; the approvers still wanted, in words. Raises UserError when it is refused."""

    async def hand_in() -> f.DecisionTaken:
        async with requests.connect(device) as ask:
            frame = f.SubmitDecision(2, signed.encode(), kept)
            taken: f.DecisionTaken = await ask(frame, f.DecisionTaken)
            return taken

    taken = run(hand_in())
    if taken.refusal:
        raise UserError(taken.refusal)
    return list(taken.lacks)


# --- What only the server knows -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Concerned:
    """Who is concerned by an exit: how many users, and the 32-byte hash of their list."""

    users: int
    list: bytes


def concerned(device: DeviceProgram, market: str) -> Concerned:
    """Who is of the market now, as the server counts. Raises UserError, UnavailableError."""
    facts = _exit_facts(device, market)
    return Concerned(facts.users, facts.list)


def counted(device: DeviceProgram, market: str) -> Mapping[str, Any] | None:
    """What the market's closure has counted for its next decision; None while it has not."""
    return _exit_facts(device, market).fields or None


def _exit_facts(device: DeviceProgram, market: str) -> f.ExitFacts:
    async def asked() -> f.ExitFacts:
        async with requests.connect(device) as ask:
            told: f.ExitFacts = await ask(f.FetchExit(4, market), f.ExitFacts)
            return told

    facts = run(asked())
    if facts.refusal:
        raise UserError(facts.refusal)
    return facts


# --- Deciding -------------------------------------------------------------------------------


def decide(
    device: DeviceProgram, office: VerifiedDecisions, form: Form, output: OutputOptions
) -> dict[str, Any]:
    """Propose the form's decision, or approve the one that waits when it says the same."""
    waiting = office.waiting.get(form.case)
    notes = list(form.notes)
    if waiting is not None and _same(waiting, form):
        return approve(device, office, waiting, output, notes)
    if waiting is not None:
        who = ", ".join(show.whose(office, each) for each in _approvers(waiting.signed))
        action = waiting.signed.statement.action
        notes.append(f"What waits in {form.case} ({action}, approved by {who}) is to be replaced.")
    case = office.cases.case(form.case)
    move = find(transitions_of(form.case), form.action)
    private = {**form.private_default, **form.private}
    kept = statements.seal_private(private, random) if move.private else b""
    statement = Statement(
        form.case,
        case.seq + 1,
        case.head,
        form.action,
        {**form.default, **form.public},
        statements.private_hash(kept) if move.private else None,
    )
    fresh = Waiting(Signed(statement, ()), kept, private, wall_ms())
    return approve(device, office, fresh, output, notes)


def _same(waiting: Waiting, form: Form) -> bool:
    said = waiting.signed.statement
    return (
        said.action == form.action
        and _within(form.public, said.public)
        and _within(form.private, waiting.private)
    )


def _within(given: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    return all(name in said and _plain(said[name]) == _plain(given[name]) for name in given)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _approvers(signed: Signed) -> list[str]:
    return [each.officer for each in signed.approvals]


def approve(
    device: DeviceProgram,
    office: VerifiedDecisions,
    waiting: Waiting,
    output: OutputOptions,
    notes: list[str],
) -> dict[str, Any]:
    """Show a decision in full, ask, sign it and hand it in; what came of it, for programs.

    Raises UserError when it would break a rule or nobody agrees, VerificationError when what waits
    was tampered with.
    """
    statement = waiting.signed.statement
    check_private(waiting)
    me = signer(device, office, statement)
    if statement.action in _FOR_EVER:
        notes = [*notes, _FOR_EVER[statement.action]]
    show.statement(office, waiting, notes, to_err=output.json)
    signed, checked = _signed(device, office, waiting, me)
    lacking = [named(each) for each in checked.lacks]
    if output.dry_run:
        return _result(office, waiting.signed, lacking, taken=False, output=output)
    agree(f"Sign this {statement.action} in {statement.case} as {me}?", output)
    lacks = submit(device, signed, waiting.kept)
    return _result(office, signed, lacks, taken=not lacks, output=output)


def _signed(
    device: DeviceProgram, office: VerifiedDecisions, waiting: Waiting, me: str
) -> tuple[Signed, Checked]:
    """With this approval, and whether it holds here: the server hears of nothing that does not."""
    try:
        signed = statements.approve(waiting.signed, me, wall_ms(), device.opened.keys.signing)
        return signed, office.cases.check(signed, office.log_ms or None)
    except VerificationError as error:
        if error.rule in _TAMPERED:
            raise
        raise UserError(str(error)) from None


def check_private(waiting: Waiting) -> None:
    """The private part is there and as the table wants it: nobody signs what he cannot see."""
    from blackthorn.governance.values import check_fields

    statement = waiting.signed.statement
    move = find(transitions_of(statement.case), statement.action)
    if move.private and not waiting.kept:
        raise UserError("the private part of what waits was not shown to you: it is not signed")
    check_fields(waiting.private, move.private, f"the private part of a {statement.action}")


def signer(device: DeviceProgram, office: VerifiedDecisions, statement: Statement) -> str:
    """The officer's id of this device's person. Raises UserError when he is none."""
    keys = device.opened.keys.signing.public
    known = office.cases.officers
    if statement.case == officers.CASE and statement.action == "found" and not known:
        known = officers.voters(known, statement.action, statement.public)
    for each in known.values():
        if each.keys == keys:
            return each.id
    raise UserError("you are no officer who signs with this device: see blackthorn role list")


def agree(question: str, output: OutputOptions) -> None:
    """Ask, unless told not to. Raises UserError where nobody can be asked, or he says no."""
    if output.yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nothing was signed: say --yes to sign where nobody can be asked")
    if not typer.confirm(question, err=output.json):
        raise UserError("nothing was signed")


def _result(
    office: VerifiedDecisions,
    signed: Signed,
    lacks: list[str],
    *,
    taken: bool,
    output: OutputOptions,
) -> dict[str, Any]:
    statement = signed.statement
    document = {
        **show.statement_document(statement),
        "approved_by": _approvers(signed),
        "taken": taken,
        "lacks": lacks,
        "dry_run": output.dry_run,
    }
    if output.json:
        terminal.print_json(document)
    elif output.dry_run:
        wanted = f" After your approval it would lack: {'; '.join(lacks)}." if lacks else ""
        show.say(f"Only shown: nothing was signed.{wanted}")
    elif taken:
        show.say(f"{statement.case}: {statement.action} is decided.")
    else:
        show.say(f"{statement.case}: {statement.action} waits for {'; '.join(lacks)}.")
        family = show.family(statement.case)
        show.say(f"Another officer runs: blackthorn {family} sign {statement.case}")
    return document


def sign(device: DeviceProgram, case: str, output: OutputOptions) -> dict[str, Any]:
    """Approve what waits in a case."""
    office = look(device)
    waiting = office.waiting.get(case)
    if waiting is None:
        raise UserError(f"nothing waits for an approval in {case}")
    notes: list[str] = []
    if case == officers.CASE:
        from blackthorn.cli.officer.officer_keys import check_people

        notes = check_people(device, waiting)
    if case.startswith("D-") and waiting.signed.statement.action == "produce":
        notes.append(
            "You have not looked at the package: blackthorn directive produce fetches it, "
            "checks that it is this one, lists it, and then asks."
        )
    return approve(device, office, waiting, output, notes)


# --- Cases by name --------------------------------------------------------------------------


def directive_of(office: VerifiedDecisions, text: str, *, waiting: bool = False) -> Case:
    """The directive of that id. Raises UserError; `waiting`: one that only waits will do."""
    name = parse_directive(text)
    case = office.cases.case(name)
    if not case.history and not (waiting and name in office.waiting):
        raise UserError(f"there is no directive {name}: see blackthorn directive list")
    return case


def check_open(office: VerifiedDecisions, form: Form) -> None:
    """Raises UserError when the case's state does not allow the action now."""
    case = office.cases.case(form.case)
    if case.state not in find(transitions_of(form.case), form.action).sources:
        raise UserError(f"{case.id} is {case.state}: no {form.action} now")
