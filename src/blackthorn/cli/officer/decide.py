"""Decide at a terminal: show a decision in full, confirm, sign, submit."""

import re
from collections.abc import Mapping
from typing import Any, Final

from blackthorn.cli import terminal, times
from blackthorn.cli.device.signatures import family
from blackthorn.cli.officer import show
from blackthorn.cli.officer.options import OutputOptions
from blackthorn.device.transparency.decisions import PendingDecision, VerifiedDecisions
from blackthorn.errors import UserError
from blackthorn.governance import exit_requests, officers, requests, statements, transitions
from blackthorn.programs.device import officer, program
from blackthorn.programs.event_loop import run

RECEIPTS: Final = "People can fetch their receipts until the destruction: give them some days."
_EXIT: Final = re.compile("X-([A-Z]{2})-[0-9]+")
_IRREVERSIBLE: Final = {"destroy": "This is irreversible: sealed data can never be opened again."}


def context(
    device: program.DeviceProgram,
    decisions: VerifiedDecisions,
    case: transitions.Case,
    measured: Mapping[str, Any] | None = None,
) -> requests.Context:
    """The context of a request, with the command line's names of the inputs."""
    return requests.Context(
        case,
        decisions.now_ms,
        str(device.opened.keys.address).rpartition("@")[2],
        decisions.private.get((case.id, 1), {}),
        measured or {},
        lambda name: f"--{name}",
        times.local_time,
    )


def decide(
    device: program.DeviceProgram,
    decisions: VerifiedDecisions,
    request: requests.DecisionRequest,
    output: OutputOptions,
) -> dict[str, Any]:
    """Propose a decision, or approve the pending proposal if it is the same.

    Raises UserError when it would replace another one that waits, without `output.replace`.
    """
    before, notes = decisions.waiting.get(request.case), list(request.notes)
    proposal = officer.propose(decisions, request)
    if before is not None and proposal is not before:
        who = ", ".join(show.whose(decisions, name) for name in _approvers(before.signed))
        action = before.signed.statement.action
        pending = f"{action}, approved by {who}"
        if not (output.replace or output.dry_run):
            raise UserError(
                f"nothing was signed, for another decision waits in {request.case} ({pending}): "
                f"sign that one by blackthorn {family(request.case)} sign {request.case}, or "
                "tell them, and repeat this with --replace"
            )
        notes.append(f"What waits in {request.case} ({pending}) will be replaced.")
    return approve(device, decisions, proposal, output, notes)


def approve(
    device: program.DeviceProgram,
    decisions: VerifiedDecisions,
    waiting: PendingDecision,
    output: OutputOptions,
    notes: list[str],
) -> dict[str, Any]:
    """Show a decision in full, ask, sign and submit it; the JSON document.

    Raises UserError when it breaks a rule or the user declines, VerificationError when the pending
    decision was tampered with.
    """
    statement = waiting.signed.statement
    officer.check_private(waiting)
    me = officer.signer(device, decisions, statement)
    if statement.action in _IRREVERSIBLE:
        notes = [*notes, _IRREVERSIBLE[statement.action]]
    # Signed before it is shown, since that also checks it; nothing is sent before the question.
    signed, missing = officer.sign(device, decisions, waiting, me)
    show.statement(decisions, waiting, notes, to_err=output.json)
    if output.dry_run:
        return _result(decisions, waiting.signed, missing, taken=False, output=output)
    question = f"Sign this {statement.action} in {statement.case} as {me}?"
    if not terminal.confirm(question, yes=output.yes, to_err=output.json):
        raise UserError("nothing was signed")
    missing = run(officer.submit(device, signed, waiting.kept))
    return _result(decisions, signed, missing, taken=not missing, output=output)


def _approvers(signed: statements.Signed) -> list[str]:
    return [approval.officer for approval in signed.approvals]


def _result(
    decisions: VerifiedDecisions,
    signed: statements.Signed,
    missing: list[str],
    *,
    taken: bool,
    output: OutputOptions,
) -> dict[str, Any]:
    statement = signed.statement
    document = {
        **show.statement_document(statement),
        "approved_by": _approvers(signed),
        "taken": taken,
        "lacks": missing,
        "dry_run": output.dry_run,
    }
    if output.json:
        terminal.print_json(document)
    elif output.dry_run:
        wanted = f" After your approval it waits for: {'; '.join(missing)}." if missing else ""
        fresh = statement.action in ("found", "appoint") and not signed.approvals
        ids = " A new officer gets another id each time this is made." if fresh else ""
        show.say(f"Only shown: nothing was signed.{wanted}{ids}")
    elif taken:
        show.say(
            f"{statement.case}: {statement.action} is decided.{following(decisions, statement)}"
        )
    else:
        show.say(f"{statement.case}: {statement.action} waits for {'; '.join(missing)}.")
        show.say(
            "The other officers are told by their next `blackthorn status` or `blackthorn inbox`. "
            f"They sign it by: blackthorn {family(statement.case)} sign {statement.case}"
        )
    return document


def following(decisions: VerifiedDecisions, statement: statements.Statement) -> str:
    """What comes after a decision on an exit, in a sentence; "" for other cases."""
    if statement.action == "close":
        return f" Its statement is published by the ledger: /closures/{statement.case}.json"
    found = _EXIT.fullmatch(statement.case)
    name = exit_requests.NEXT.get(statement.action)
    if found is None or name is None:
        return ""
    due_ms = exit_requests.next_date(decisions.cases.case(statement.case), statement.action)
    when = f", from {times.local_time(due_ms)} on" if due_ms > decisions.now_ms else ""
    text = f" Next{when}: blackthorn market {name} {found[1]}"
    return f" {RECEIPTS}{text}" if statement.action == "prepare" else text


def sign(
    device: program.DeviceProgram, decisions: VerifiedDecisions, case: str, output: OutputOptions
) -> dict[str, Any]:
    """Approve the pending decision of a case. Raises UserError for a package: look at it first."""
    waiting = decisions.waiting.get(case)
    if waiting is None and not statements.is_case(case):
        raise UserError(
            f"there is no case {case!r}: it is officers, ledger, canary, a directive such as "
            "D-000001 or an exit such as X-PK-1"
        )
    if waiting is None:
        raise UserError(f"nothing waits for an approval in {case}")
    notes: list[str] = []
    if case == officers.CASE:
        from blackthorn.cli.officer.officer_keys import check_people

        notes = check_people(device, waiting)
    unseen = case.startswith("D-") and waiting.signed.statement.action == "produce"
    if unseen and not output.dry_run:
        raise UserError(
            "you have not looked at the package, as its officers state: blackthorn directive "
            f"produce {case} --out FILE fetches it, checks that it is this one, lists it, and asks"
        )
    return approve(device, decisions, waiting, output, notes)
