"""The figures of a period, from the ledger's register alone.

A revealed directive counts when it was received, a sealed one when the ledger committed to it.
Every country of a revealed directive or exit has a row, even of zeros.
"""

from dataclasses import dataclass
from typing import Any, Final

from blackthorn.governance import directives, exits
from blackthorn.governance import warrant_canary as canary
from blackthorn.governance.register import Register
from blackthorn.governance.transitions import Case
from blackthorn.report import counting, history, limits
from blackthorn.report.period import Period, half_year, half_years


@dataclass(frozen=True, slots=True)
class Row:
    """The counts of a country and a kind."""

    country: str
    kind: str
    counts: counting.Counts


@dataclass(frozen=True, slots=True)
class Figures:
    """All content of a report; JSON values except for the rows."""

    period: Period
    rows: tuple[Row, ...]
    totals: counting.Counts
    by_kind: dict[str, counting.Counts]
    by_country: dict[str, counting.Counts]
    sealed_steps: int
    directives: tuple[dict[str, Any], ...]
    exits: tuple[dict[str, Any], ...]
    canary: dict[str, Any]
    half_years: tuple[dict[str, Any], ...]
    periods: tuple[Period, ...]


def compute(stand: history.Snapshot, period: Period) -> Figures:
    """The figures of a period at this head."""
    register = stand.register
    cases = _received(register, period)
    number = sum(unix_ms in period for unix_ms in _sealed(register))
    steps_sealed = register.sealed

    def of(*, country: str | None = None, kind: str | None = None) -> counting.Counts:
        chosen = [
            case
            for case in cases
            if country in (None, directives.facts(case)["country"])
            and kind in (None, directives.facts(case)["kind"])
        ]
        return counting.count(chosen, stand.unix_ms)

    countries = _countries(register)
    by_kind = {kind: of(kind=kind) for kind in directives.KINDS}
    rows = _rows(cases, countries, stand.unix_ms)
    return Figures(
        period,
        (*rows, Row(counting.NOT_STATED, counting.SEALED, counting.hidden(number))),
        _with_hidden(of(), number),
        {**by_kind, counting.SEALED: counting.hidden(number)},
        {country: of(country=country) for country in countries},
        sum(steps_sealed.values()),
        tuple(
            _directive(case, register, stand.unix_ms, steps_sealed.get(case.id, 0))
            for case in cases
        ),
        tuple(_exit(case) for case in register.cases.exits if _concerns(case, period)),
        _canary(register.cases.case(canary.CASE), stand.unix_ms),
        tuple(_half_years(register, stand)),
        tuple(periods(stand)),
    )


def periods(stand: history.Snapshot) -> list[Period]:
    """The half years with a page: all since the ledger began, and those of directives."""
    received = {
        half_year(directives.facts(case)["received_ms"]) for case in stand.register.cases.directives
    }
    return sorted(received | set(half_years(stand.first_ms, stand.unix_ms)))


def _half_years(register: Register, stand: history.Snapshot) -> list[dict[str, Any]]:
    """Directives received in each of the newest half years."""
    return [
        {
            "period": period.name,
            "received": len(_received(register, period))
            + sum(unix_ms in period for unix_ms in _sealed(register)),
        }
        for period in periods(stand)[-limits.MAX_REPORT_HALF_YEARS :]
    ]


def _received(register: Register, period: Period) -> list[Case]:
    return [
        case
        for case in register.cases.directives
        if directives.facts(case)["received_ms"] in period
    ]


def _sealed(register: Register) -> list[int]:
    """The commitment times of unrevealed directives."""
    return [
        places[0].unix_ms
        for case, places in register.places.items()
        if case.startswith("D-") and case not in register.cases.by_id
    ]


def _countries(register: Register) -> list[str]:
    named = {directives.facts(case)["country"] for case in register.cases.directives}
    left = {case.last("plan")["market"] for case in register.cases.exits}
    return sorted(named | left) or [counting.NOT_STATED]


def _rows(cases: list[Case], countries: list[str], as_of_ms: int) -> list[Row]:
    groups: dict[tuple[str, str], list[Case]] = {
        (country, kind): [] for country in countries for kind in directives.KINDS
    }
    for case in cases:
        facts = directives.facts(case)
        groups[facts["country"], facts["kind"]].append(case)
    return [Row(*key, counting.count(group, as_of_ms)) for key, group in groups.items()]


def _with_hidden(counts: counting.Counts, number: int) -> counting.Counts:
    for name in ("received", "not_yet_disclosable", "gags_ordered", "gags_in_force"):
        setattr(counts, name, getattr(counts, name) + number)
    return counts


_FACTS: Final = ("kind", "country", "authority", "basis", "process", "channel", "received_ms")


def _directive(case: Case, register: Register, as_of_ms: int, sealed: int) -> dict[str, Any]:
    """One revealed directive, without facts about persons."""
    facts = directives.facts(case)
    places = register.places[case.id]
    return {
        "id": case.id,
        **{name: facts[name] for name in _FACTS},
        "categories_asked": facts["categories"],
        "categories_approved": case.last("approve").get("categories", []),
        "accounts_named": facts["accounts"] + facts["unknown"],
        "accounts_with_data": case.last("produce").get("accounts_with_data", 0)
        if case.state == "delivered"
        else 0,
        "state": case.state,
        "outcome": counting.outcome(case),
        "reason": case.last("refuse").get("reason"),
        "grounds": case.last("assess").get("grounds"),
        "court": case.last("contest").get("court"),
        "hours_to_decision": counting.hours_to_decision(case),
        "gag_until_ms": directives.gag_until_ms(case) or None,
        "gag_in_force": directives.gagged(case, as_of_ms),
        "corrections": [
            {"corrects": step.public["corrects"], "note": step.public["note"]}
            for step in case.history
            if step.action == "correct"
        ],
        "steps": [
            {
                "action": step.action,
                "logged_ms": step.logged_ms,
                "entry": places[step.seq - 1].place,
            }
            for step in case.history
        ],
        "steps_sealed": sealed,
    }


def _concerns(case: Case, period: Period) -> bool:
    """Whether the exit was in progress during the period."""
    first, last = case.history[0].logged_ms, case.history[-1].logged_ms
    return first < period.end_ms and (case.state in exits.OPEN or last >= period.start_ms)


_DESTROYED: Final = (
    *("users", "notified", "read", "exported", "moved", "forwarded", "unreachable", "held"),
)


def _exit(case: Case) -> dict[str, Any]:
    plan, destroyed, closed = case.last("plan"), case.last("destroy"), case.last("close")
    return {
        "id": case.id,
        "market": plan["market"],
        "state": case.state,
        "held": case.held,
        "reason": plan["reason"],
        "directive": plan["directive"] or None,
        "users": plan["users"],
        "dates": exits.dates(case),
        "counts": {name: destroyed[name] for name in _DESTROYED} if destroyed else None,
        "receipts": destroyed["receipts"].hex() if destroyed else None,
        "key": closed["key"].hex() if closed else None,
        "steps": [{"action": step.action, "logged_ms": step.logged_ms} for step in case.history],
    }


def _canary(case: Case, as_of_ms: int) -> dict[str, Any]:
    """The current warrant canary statements; a lapsed one is absent."""
    declared = case.last("declare")
    holds = bool(declared) and as_of_ms < declared["valid_until_ms"]
    return {
        "declared_ms": case.history[-1].logged_ms if holds else None,
        "valid_until_ms": declared["valid_until_ms"] if holds else None,
        "officers": list(case.history[-1].officers) if holds else [],
        "statements": [
            {
                "name": name,
                "text": text,
                "state": "stated" if holds and name in declared["statements"] else "absent",
            }
            for name, text in canary.STATEMENTS.items()
        ],
    }
