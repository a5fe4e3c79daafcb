"""An officer's device: fetch and verify the decisions, propose or sign one, submit it.

Everything signed was verified on this device. A user interface shows the decision and asks for
confirmation between `propose` and `submit`.
"""

from collections.abc import Mapping
from typing import Any, Final

from blackthorn.device.core import anchors
from blackthorn.device.transparency.decisions import PendingDecision, VerifiedDecisions, replay
from blackthorn.errors import SecurityError, UserError, VerificationError
from blackthorn.governance import cases, inputs, ledger_case, officers, statements, values
from blackthorn.governance.requests import DecisionRequest
from blackthorn.governance.statements import Signed, Statement
from blackthorn.governance.transitions import Case, find, missing, named
from blackthorn.link import frames as f
from blackthorn.programs.device import chain_lookup, ledger_heal, limits, requests
from blackthorn.programs.device.home import random
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.wire.words import count

_TAMPERED: Final = ("G1", "G5", "G16")
"""Rules whose violation means that the decision was tampered with."""


async def load_decisions(device: DeviceProgram) -> VerifiedDecisions:
    """All decisions, verified. Raises SecurityError, UserError (no officer), UnavailableError."""
    decisions, last = await _fetch(device)
    now_ms = await chain_lookup.ledger_ms(device)
    with device.opened.vault.transaction() as records:
        return replay(
            decisions,
            last.pending,
            records.settings,
            founders=last.founders,
            log_ms=last.log_ms,
            now_ms=now_ms,
        )


async def _fetch(device: DeviceProgram) -> tuple[list[f.Decision], f.Decisions]:
    decisions: list[f.Decision] = []
    async with requests.connect(device) as ask:
        while True:
            after = decisions[-1].number if decisions else 0
            part: f.Decisions = await ask(f.FetchDecisions(1, after), f.Decisions)
            if part.refusal:
                raise UserError(part.refusal)
            decisions += part.decisions
            if not part.more:
                return decisions, part
            if not part.decisions or part.decisions[-1].number <= after:
                raise SecurityError("the server shows its decisions out of their order")
            if len(decisions) > limits.MAX_DECISIONS:
                raise SecurityError("the server shows decisions without an end")


async def unsigned(device: DeviceProgram) -> list[PendingDecision]:
    """The pending decisions that wait for this user's signature; [] for who is no officer.

    Raises SecurityError when the decisions are not as they must be, UnavailableError.
    """
    try:
        decisions = await load_decisions(device)
    except UserError:
        return []
    return [found for found in decisions.waiting.values() if _awaits(device, decisions, found)]


def _awaits(device: DeviceProgram, decisions: VerifiedDecisions, waiting: PendingDecision) -> bool:
    """Whether the signature of this device's user is missing, and one of theirs counts."""
    statement = waiting.signed.statement
    known = _voters(decisions, statement)
    mine = [one for one in known.values() if one.keys == device.opened.keys.signing.public]
    signed = [approval.officer for approval in waiting.signed.approvals]
    if not mine or mine[0].id in signed or not set(signed) <= set(known):
        return False
    move = find(cases.transitions_of(statement.case), statement.action)
    roles = [known[name].roles for name in signed]
    return missing(move.signers, [*roles, mine[0].roles]) is not None


async def submit(device: DeviceProgram, signed: Signed, kept: bytes) -> list[str]:
    """Submit a decision; the missing approvers in words. Raises UserError: refused."""
    async with requests.connect(device) as ask:
        frame = f.SubmitDecision(2, signed.encode(), kept)
        answer: f.DecisionTaken = await ask(frame, f.DecisionTaken)
    if answer.refusal:
        raise UserError(answer.refusal)
    return list(answer.lacks)


async def count_exit(device: DeviceProgram, market: str) -> f.ExitFacts:
    """The server's counts of a market. Raises UserError when it refuses, UnavailableError."""
    async with requests.connect(device) as ask:
        facts: f.ExitFacts = await ask(f.FetchExit(4, market), f.ExitFacts)
    if facts.refusal:
        raise UserError(facts.refusal)
    return facts


def propose(decisions: VerifiedDecisions, request: DecisionRequest) -> PendingDecision:
    """The pending decision if it matches the request, otherwise a new one."""
    waiting = decisions.waiting.get(request.case)
    if waiting is not None and _agrees(waiting, request):
        return waiting
    case = decisions.cases.case(request.case)
    move = find(cases.transitions_of(request.case), request.action)
    kept = statements.seal_private(request.private, random) if move.private else b""
    fields = {**request.default, **request.public}
    ordered = {name: fields[name] for name in move.public if name in fields}
    statement = Statement(
        request.case,
        case.seq + 1,
        case.head,
        request.action,
        {**ordered, **fields},
        statements.private_hash(kept) if move.private else None,
    )
    return PendingDecision(Signed(statement, ()), kept, request.private, decisions.now_ms)


def _agrees(waiting: PendingDecision, request: DecisionRequest) -> bool:
    statement = waiting.signed.statement
    return (
        statement.action == request.action
        and _within(request.public, statement.public)
        and _within(request.private, waiting.private)
    )


def _within(part: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return all(name in whole and _plain(whole[name]) == _plain(part[name]) for name in part)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def check_private(waiting: PendingDecision) -> None:
    """Raises UserError, VerificationError when the private part is missing or malformed."""
    statement = waiting.signed.statement
    move = find(cases.transitions_of(statement.case), statement.action)
    if move.private and not waiting.kept:
        raise UserError(
            "the private part of the pending decision was not shown to you: nothing was signed"
        )
    values.check_fields(waiting.private, move.private, f"the private part of a {statement.action}")


def signer(device: DeviceProgram, decisions: VerifiedDecisions, statement: Statement) -> str:
    """The officer's id of this device's user. Raises UserError for other users."""
    keys = device.opened.keys.signing.public
    for officer in _voters(decisions, statement).values():
        if officer.keys == keys:
            return officer.id
    raise UserError("you are not an officer with this device: see blackthorn role list")


def _voters(decisions: VerifiedDecisions, statement: Statement) -> officers.Officers:
    known = decisions.cases.officers
    if statement.case == officers.CASE:
        known = officers.voters(known, statement.action, statement.public)
    return known


def sign(
    device: DeviceProgram, decisions: VerifiedDecisions, waiting: PendingDecision, officer: str
) -> tuple[Signed, list[str]]:
    """Sign the decision; also the approvers then missing, in words.

    Checked here before the server sees it. Raises UserError when it breaks a rule,
    VerificationError when the pending decision was tampered with.
    """
    if waiting.signed.statement.case == ledger_case.CASE:
        ledger_heal.check(device, waiting.signed.statement)
    try:
        at_ms, keys = decisions.now_ms, device.opened.keys.signing
        signed = statements.approve(waiting.signed, officer, at_ms, keys)
        checked = decisions.cases.check(signed, decisions.log_ms or None)
    except VerificationError as error:
        if error.rule in _TAMPERED:
            raise
        early = error.rule == "G9"
        text = f"{error.text}, {_heartbeat(device)} [G9]" if early else str(error)
        raise UserError(text) from None
    return signed, [named(slot) for slot in checked.lacks]


def _heartbeat(device: DeviceProgram) -> str:
    """How long after its date a step is possible at the latest."""
    with device.opened.vault.transaction() as records:
        pause_ms = anchors.pinned(records.settings).config.heartbeat_ms
    minutes = count(-(-pause_ms // 60_000), "minute")
    return f"{minutes} after the one before: when the date has come, try again within {minutes}"


def directive(decisions: VerifiedDecisions, text: str, *, waiting: bool = False) -> Case:
    """The directive of that id; `waiting` includes pending ones. Raises UserError."""
    name = inputs.parse_directive(text)
    case = decisions.cases.case(name)
    if not case.history and not (waiting and name in decisions.waiting):
        raise UserError(f"there is no directive {name}: see blackthorn directive list")
    return case


def exit_of(decisions: VerifiedDecisions, market: str) -> Case:
    """The newest exit of a market. Raises UserError when it has none."""
    case = decisions.cases.exit_of(market)
    waiting = decisions.cases.next_exit(market)
    if case is None and waiting in decisions.waiting:
        raise UserError(
            f"the plan {waiting} waits for another officer first: blackthorn market sign {waiting}"
        )
    if case is None:
        raise UserError(f"there is no exit of {market}: see blackthorn market list")
    return case


def check_open(decisions: VerifiedDecisions, request: DecisionRequest) -> None:
    """Raises UserError when the case's state does not allow the action."""
    case = decisions.cases.case(request.case)
    if case.state not in find(cases.transitions_of(request.case), request.action).sources:
        raise UserError(f"{case.id} is {case.state}: no {request.action} now")
