"""The outcome of a directive, and sums over many. The outcomes add up to those received."""

from dataclasses import dataclass, fields
from statistics import median_low
from typing import Final

from blackthorn.governance import directives, transitions

OUTCOMES: Final[dict[str, str]] = {
    "in_process": "In process",
    "complied_in_whole": "Complied in whole",
    "complied_in_part": "Complied in part",
    "no_data": "No data",
    "refused": "Refused",
    "contested": "Contested",
    "forged": "Forged",
    "not_yet_disclosable": "Not yet disclosable",
}
"""Field → name on the page."""

SEALED: Final = "sealed"
"""The kind of a directive under a gag."""
NOT_STATED: Final = "ZZ"
"""The code of an unknown country (as in CLDR)."""

_HOUR_MS: Final = 3_600_000


@dataclass
class Counts:
    """The numbers of a row. Hours are whole, None when nothing was decided."""

    received: int = 0
    in_process: int = 0
    complied_in_whole: int = 0
    complied_in_part: int = 0
    no_data: int = 0
    refused: int = 0
    contested: int = 0
    forged: int = 0
    not_yet_disclosable: int = 0
    ever_contested: int = 0
    accounts_named: int = 0
    accounts_unknown: int = 0
    accounts_with_data: int = 0
    gags_ordered: int = 0
    gags_in_force: int = 0
    gags_ended: int = 0
    gag_extensions: int = 0
    corrections: int = 0
    decided: int = 0
    hours_to_decision_median: int | None = None
    hours_to_decision_longest: int | None = None


NUMBERS: Final = tuple(field.name for field in fields(Counts))


def outcome(case: transitions.Case) -> str:
    """The outcome of a revealed directive."""
    decision = case.last("assess").get("decision")
    match case.state:
        case "forged" | "refused" | "contested":
            return case.state
        case "delivered":
            if not case.last("produce")["accounts_with_data"]:
                return "no_data"
            asked = set(directives.facts(case)["categories"])
            whole = decision == "comply" and asked <= set(case.last("approve")["categories"])
            return "complied_in_whole" if whole else "complied_in_part"
        case "assessed" if decision == "no-data":
            return "no_data"
    return "in_process"


def decided_ms(case: transitions.Case) -> int | None:
    """The ledger's time of the first decision: assessed, refused or forged."""
    for step in case.history:
        if step.action in ("assess", "refuse") or step.public.get("result") == "forged":
            return step.logged_ms
    return None


def hours_to_decision(case: transitions.Case) -> int | None:
    """Whole hours from the receipt to the decision; None before it."""
    at = decided_ms(case)
    if at is None:
        return None
    return max(0, at - int(directives.facts(case)["received_ms"])) // _HOUR_MS


def count(cases: list[transitions.Case], as_of_ms: int) -> Counts:
    """The counts of these directives at the ledger's time `as_of_ms`."""
    counts = Counts()
    hours = []
    for case in cases:
        facts, actions = directives.facts(case), [step.action for step in case.history]
        counts.received += 1
        name = outcome(case)
        setattr(counts, name, getattr(counts, name) + 1)
        counts.ever_contested += "contest" in actions
        counts.accounts_named += facts["accounts"] + facts["unknown"]
        counts.accounts_unknown += facts["unknown"]
        if case.state == "delivered":
            counts.accounts_with_data += case.last("produce")["accounts_with_data"]
        if facts["gag_until_ms"]:
            in_force = directives.gagged(case, as_of_ms)
            counts.gags_ordered += 1
            counts.gags_in_force += in_force
            counts.gags_ended += not in_force
            counts.gag_extensions += actions.count("extend-gag")
        counts.corrections += actions.count("correct")
        taken = hours_to_decision(case)
        if taken is not None:
            hours.append(taken)
    if hours:
        counts.decided = len(hours)
        counts.hours_to_decision_median = median_low(hours)
        counts.hours_to_decision_longest = max(hours)
    return counts


def hidden(number: int) -> Counts:
    """The counts of sealed directives, all under a gag."""
    return Counts(
        received=number, not_yet_disclosable=number, gags_ordered=number, gags_in_force=number
    )
