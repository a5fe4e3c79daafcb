"""The pages on directives and markets, drawn from the tables that decide."""

from collections.abc import Mapping, Sequence

from blackthorn.governance import directives, exits, ledger_case, officers, warrant_canary
from blackthorn.governance.closure import rules as closure_rules
from blackthorn.governance.package import rules as package_rules
from blackthorn.governance.rules import RULES
from blackthorn.governance.transitions import Transition, named

_BEGIN = "[*]"

DIRECTIVES = """# Directives

A directive is a government's demand about **named accounts**. There is no field in which all users,
a keyword, a country's people or a live feed could be written: a demand for open access is of the
kind `technical-capability`, names no account, and has one end: refused. Who decides, and how a
decision is signed, says [the specification of decisions](specs/decisions.md); what can be
produced, [what the server holds](what-the-server-holds.md).

Every step is a statement of officers, and an entry of the ledger. Each signer is another person.
"""

MARKETS = """# Markets and exits

Every user is of a market (a country), whose key wraps what is stored for them. A market is left by
the steps below, each signed by two people and shown in the ledger, none before its date; until
`destroy` nothing is destroyed, and the exit can be put off or taken back. A hold stops all steps
but `extend`, `rescind` and `release`.
"""

RULES_PAGE = """# Rules of decisions

Each check that refuses a decision names one of these; a test breaks every one
(`tests/forge/test_decision_rules.py`).

"""


def directives_page() -> str:
    """docs/directives.md."""
    parts = [
        DIRECTIVES,
        _drawn(directives.TRANSITIONS),
        "## What was never done\n",
        _table(warrant_canary.TRANSITIONS),
    ]
    said = "\n".join(f"- `{name}`: {text}" for name, text in warrant_canary.STATEMENTS.items())
    parts += [said, "", "## Officers\n", _table(officers.TRANSITIONS)]
    return "\n".join([*parts, "## The ledger's time\n", _table(ledger_case.TRANSITIONS)])


def markets_page() -> str:
    """docs/markets.md."""
    return "\n".join([MARKETS, _drawn(exits.TRANSITIONS)])


def rules_page() -> str:
    """docs/decision-rules.md."""
    parts = [RULES_PAGE + _rules(RULES)]
    parts += ["## Packages of directives\n", _rules(package_rules.RULES)]
    parts += ["## Statements of closed markets\n", _rules(closure_rules.RULES)]
    return "\n".join(parts)


def _rules(rules: Mapping[str, str]) -> str:
    rows = [f"| {rule} | {text} |" for rule, text in rules.items()]
    return "\n".join(["| rule | what holds |", "|---|---|", *rows]) + "\n"


def _drawn(moves: Sequence[Transition]) -> str:
    return "\n".join(["## States\n", _diagram(moves), "## Actions\n", _table(moves)])


def _diagram(moves: Sequence[Transition]) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    for move in moves:
        for source in move.sources:
            for target in move.targets(source):
                if target != source:
                    begin = _name(source) if source else _BEGIN
                    lines.append(f"    {begin} --> {_name(target)}: {move.action}")
    return "\n".join([*lines, "```", ""])


def _name(state: str) -> str:
    return state.replace("-", "_")


def _table(moves: Sequence[Transition]) -> str:
    lines = ["| action | from | to | signed by | says |", "|---|---|---|---|---|"]
    for move in moves:
        sources = ", ".join(source or "nothing" for source in move.sources)
        signers = "; ".join(named(slot) for slot in move.signers)
        lines.append(f"| `{move.action}` | {sources} | {_target(move)} | {signers} | {move.says} |")
    return "\n".join([*lines, ""])


def _target(move: Transition) -> str:
    if isinstance(move.target, tuple):
        name, targets = move.target
        return ", ".join(f"{state} ({name} {value})" for value, state in targets.items())
    if isinstance(move.target, dict):
        changed = ", ".join(f"{to} (from {source})" for source, to in move.target.items())
        return f"the same; {changed}"
    return "the same" if move.target == "=" else move.target
