"""Output of the officers' commands: decisions in full, cases, tables.

Foreign text is made safe. Times are local for users and RFC 3339 for programs.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from blackthorn.cli import terminal
from blackthorn.cli.device.signatures import family
from blackthorn.cli.times import local_time, rfc3339
from blackthorn.device.transparency.decisions import PendingDecision, VerifiedDecisions
from blackthorn.governance import cases, directives, exits, statements
from blackthorn.governance.transitions import Case, Slot, Transition, find, named
from blackthorn.mail.render.text import safe_line

_STATES: Final = {
    "yellow": ("received", "announced", "draining", "read-only"),
    "cyan": ("verified", "assessed", "approved"),
    "magenta": ("contested",),
    "green": ("produced", "delivered", "rescinded"),
    "red": ("forged", "stopped", "retrieval", "preparing"),
    "bold red": ("destroying",),
    "bold": ("refused", "closed"),
}
_STATED: Final = {
    ("result", "genuine"): "genuine, as the officers state; no program can check it",
    ("result", "forged"): "forged, as the officers state; no program can check it",
}
"""Name and value of a field → its text, where the bare value would claim too much."""
MAX_LINE: Final = 4096
"""Characters of a line: a field of a decision may be long, and is shown in whole."""

_LABELS: Final = {"no notice": "without notice", "activations": "activations end"}
"""Names of fields whose words alone do not say what the value is."""
_COLOURS: Final = {state: colour for colour, states in _STATES.items() for state in states}


def say(text: str, style: str | None = None, *, to_err: bool = False) -> None:
    """Print one line of bounded length."""
    (terminal.note if to_err else terminal.say)(safe_line(text, MAX_LINE), style)


def whose(decisions: VerifiedDecisions, officer: str) -> str:
    """An officer's id with the address, if known."""
    address = decisions.addresses.get(officer)
    return f"{officer} ({address})" if address else officer


def _text(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if name == "no_notice":
        return "yes" if value else "no"
    if name.endswith("_ms"):
        return f"{local_time(value)}  ({rfc3339(value)})" if value else "not stated"
    return _STATED.get((name, value), str(value)) or "none"


def _label(name: str) -> str:
    plain = name.removesuffix("_ms").replace("_", " ").replace("-", " ")
    return _LABELS.get(plain, plain)


def fields_document(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as JSON: times in RFC 3339 (null for none), bytes in hex."""
    document: dict[str, Any] = {}
    for name, value in fields.items():
        if name.endswith("_ms"):
            document[name.removesuffix("_ms")] = rfc3339(value) if value else None
        else:
            document[name] = value.hex() if isinstance(value, bytes) else value
    return document


def statement_document(statement: statements.Statement) -> dict[str, Any]:
    return {
        "case": statement.case,
        "seq": statement.seq,
        "action": statement.action,
        "public": fields_document(statement.public),
    }


def statement(
    decisions: VerifiedDecisions,
    waiting: PendingDecision,
    notes: Iterable[str] = (),
    *,
    to_err: bool = False,
) -> None:
    """Print all signed fields and their meaning, published and private ones separately."""
    decision = waiting.signed.statement
    move = find(cases.transitions_of(decision.case), decision.action)
    say(f"{decision.case}, step {decision.seq}: {decision.action}", to_err=to_err)
    say(move.says, to_err=to_err)
    say_parts(move, decision.public, waiting.private, to_err=to_err)
    say(f"Hash: {decision.hash.hex()}", to_err=to_err)
    for approval in waiting.signed.approvals:
        who, when = whose(decisions, approval.officer), local_time(approval.at_ms)
        say(f"Approved by {who} at {when}", to_err=to_err)
    say(f"It takes {takes(move.signers)}.", to_err=to_err)
    for note in notes:
        say(note, "bold yellow", to_err=to_err)


def takes(signers: Sequence[Slot]) -> str:
    """Who signs, in words."""
    roles = [named(slot) for slot in signers]
    if len(roles) == 1:
        return f"one person: {roles[0]}"
    if len(set(roles)) == 1:
        return f"two different people who both have the role {roles[0]}"
    return f"two different people: {', and '.join(roles)}"


def say_parts(
    move: Transition, public: dict[str, Any], private: dict[str, Any], *, to_err: bool = False
) -> None:
    """Print both parts of a decision, each field where its action's table has it."""
    say("Published in the ledger (at once, or when a gag ends):", to_err=to_err)
    say_fields(_in_order(public, move.public), to_err=to_err)
    if not public:
        say("  nothing but the action", to_err=to_err)
    if private:
        say("Not published (the ledger shows a hash of it):", to_err=to_err)
        say_fields(_in_order(private, move.private), to_err=to_err)


def _in_order(fields: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields} | fields


def say_fields(fields: dict[str, Any], *, to_err: bool = False) -> None:
    """Print fields, one a line; a person's two keys as one fingerprint."""
    for name, value in fields.items():
        if name.startswith("ml_dsa"):
            continue
        if name.startswith("ed25519"):
            both = value + fields.get(name.replace("ed25519", "ml_dsa"), b"")
            name, value = name.replace("ed25519", "key_fingerprint"), hashlib.sha256(both).digest()
        say_field(_label(name), _text(name, value), to_err=to_err)


def say_field(label: str, text: str, *, to_err: bool = False) -> None:
    line = f"  {label:20}  {safe_line(text, MAX_LINE)}"
    (terminal.note if to_err else terminal.say)(line)


def case_document(decisions: VerifiedDecisions, case: Case) -> dict[str, Any]:
    """A case as JSON: state, steps, pending decision."""
    waiting = decisions.waiting.get(case.id)
    return {
        "id": case.id,
        "state": case.state,
        "held": case.held,
        "steps": [
            {
                "seq": step.seq,
                "action": step.action,
                "public": fields_document(step.public),
                "private": fields_document(decisions.private.get((case.id, step.seq), {})),
                "officers": list(step.officers),
                "decided": rfc3339(step.at_ms),
                "logged": rfc3339(step.logged_ms) if step.logged_ms else None,
            }
            for step in case.history
        ],
        "waiting": waiting_document(waiting) if waiting is not None else None,
    }


def waiting_document(waiting: PendingDecision) -> dict[str, Any]:
    return {
        **statement_document(waiting.signed.statement),
        "private": fields_document(waiting.private),
        "approved_by": [approval.officer for approval in waiting.signed.approvals],
        "since": rfc3339(waiting.since_ms),
    }


def case(decisions: VerifiedDecisions, shown: Case) -> None:
    """Print a case: all steps in full, and the pending decision."""
    say(f"{shown.id}: {shown.state}{', held' if shown.held else ''}")
    for step in shown.history:
        who = ", ".join(whose(decisions, officer) for officer in step.officers)
        say(f"{step.seq}. {step.action}, {local_time(step.at_ms)}, by {who}")
        move = find(cases.transitions_of(shown.id), step.action)
        say_parts(move, step.public, decisions.private.get((shown.id, step.seq), {}))
    say_waiting(decisions, shown.id)


def say_waiting(decisions: VerifiedDecisions, case_id: str) -> None:
    """Print the pending decision of a case, if any."""
    waiting = decisions.waiting.get(case_id)
    if waiting is None:
        return
    by = ", ".join(whose(decisions, approval.officer) for approval in waiting.signed.approvals)
    action = waiting.signed.statement.action
    command = f"blackthorn {family(case_id)} sign {case_id} --dry-run"
    say(
        f"Waits since {local_time(waiting.since_ms)}: {action}, approved by {by}. See it: {command}"
    )


def table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]], nothing: str) -> None:
    """Print a table with coloured states, or tab-separated lines when piped."""
    lines = [tuple(safe_line(cell) for cell in row) for row in rows]
    if not lines:
        say(nothing)
    elif not terminal.is_terminal():
        terminal.print_tabs((titles, *lines))
    else:
        shown = terminal.Table(*titles, boxed=False)
        for row in lines:
            shown.add_row(*((cell, _COLOURS.get(cell, "")) for cell in row))
        shown.show()


def day(time_ms: int) -> str:
    return local_time(time_ms) if time_ms else "-"


def directive_row(decisions: VerifiedDecisions, shown: Case, now_ms: int) -> tuple[str, ...]:
    facts = directives.facts(shown)
    gag = directives.gag_until_ms(shown)
    names = decisions.private.get((shown.id, 1), {}).get("accounts", [])
    waiting = decisions.waiting.get(shown.id)
    return (
        shown.id,
        shown.state,
        str(facts["kind"]),
        str(facts["country"]),
        ", ".join(names) or str(facts["accounts"]),
        local_time(gag) if now_ms < gag else "-",
        day(int(shown.last("assess").get("deadline_ms", 0))),
        waiting.signed.statement.action if waiting is not None else "-",
    )


DIRECTIVE_TITLES: Final = (
    *("Id", "State", "Kind", "Country", "Accounts", "Gag until", "Deadline", "Waits"),
)


def exit_row(decisions: VerifiedDecisions, shown: Case) -> tuple[str, ...]:
    dates = exits.dates(shown)
    waiting = decisions.waiting.get(shown.id)
    return (
        shown.id,
        shown.state,
        "held" if shown.held else "-",
        str(shown.last("plan")["users"]),
        day(dates["read_only_ms"]),
        day(dates["stop_ms"]),
        day(dates["retrieval_end_ms"]),
        waiting.signed.statement.action if waiting is not None else "-",
    )


EXIT_TITLES: Final = (
    *("Id", "State", "Hold", "Users", "Read only", "Stop", "Retrieval ends", "Waits"),
)
