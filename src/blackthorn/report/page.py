"""The report as HTML without script and without other files.

Everything that an officer wrote is escaped by the template. The style stands in the page and its
hash in the policy that forbids everything else.
"""

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final

import pycountry
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from blackthorn.report import limits
from blackthorn.report.charts import Chart, chart
from blackthorn.report.counting import NOT_STATED, OUTCOMES, SEALED, Counts
from blackthorn.report.figures import Figures
from blackthorn.report.history import Snapshot
from blackthorn.tlog.policy import parse_policy

_KINDS: Final = {
    "production": "Production of data",
    "preservation": "Preservation only",
    "emergency": "Emergency",
    "removal": "Removal",
    "blocking": "Blocking",
    "technical-capability": "Technical capability",
    SEALED: "Sealed by a gag",
}
_STEPS: Final = {
    "receive": "Received",
    "verify": "Verified by call-back",
    "assess": "Assessed",
    "approve": "Approved",
    "produce": "Produced",
    "deliver": "Delivered",
    "refuse": "Refused",
    "contest": "Contested in court",
    "extend-gag": "Gag extended",
    "lift-gag": "Gag lifted",
    "correct": "Corrected",
    "plan": "Planned",
    "announce": "Announced",
    "drain": "New activations stopped",
    "freeze": "Made read-only",
    "stop": "Service stopped",
    "retrieve": "Retrieval begun",
    "prepare": "Closure prepared",
    "destroy": "Destruction decided",
    "close": "Closed with proof",
    "extend": "Extended",
    "accelerate": "Brought forward",
    "rescind": "Rescinded: service goes on",
    "hold": "Held",
    "release": "Released",
}
_REASONS: Final = {
    "no-such-capability": "there is no such capability",
    "not-genuine": "it is not genuine",
    "not-lawful": "it is not lawful",
    "disproportionate": "it is out of proportion",
    "no-such-account": "there is no such account",
    "closed-market": "the market is closed",
}
_DATES: Final = {
    "announce_ms": "Announcement",
    "activations_ms": "No new activations",
    "read_only_ms": "Read-only",
    "stop_ms": "Service stops",
    "retrieval_end_ms": "Retrieval ends",
    "backups_end_ms": "Backups expire",
    "forwarding_end_ms": "Forwarding ends",
}


def page(figures: Figures, stand: Snapshot, policy: str) -> bytes:
    """The page's bytes; `policy` is the trust policy's text."""
    shown = figures.directives[-limits.MAX_REPORT_CARDS :]
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(
            figures=figures,
            stand=stand,
            policy=parse_policy(policy),
            style=Markup(_file("style.css")),  # noqa: S704 - a file of this package
            content_security=content_security(),
            outcomes=OUTCOMES,
            kinds=_KINDS,
            reasons=_REASONS,
            steps=_STEPS,
            dates=_DATES,
            charts=_charts(figures),
            directives=list(reversed(shown)),
            left_out=len(figures.directives) - len(shown),
        )
    )
    return text.encode()


@cache
def content_security() -> str:
    """The Content-Security-Policy of the page, for its header and for the page itself."""
    digest = base64.b64encode(hashlib.sha256(_file("style.css").encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def country_name(code: str) -> str:
    """The English name of a country's code, or the code."""
    if code == NOT_STATED:
        return "Not stated"
    found = pycountry.countries.get(alpha_2=code)
    return code if found is None else str(getattr(found, "common_name", found.name))


def _charts(figures: Figures) -> dict[str, Chart]:
    totals = figures.totals
    outcomes = [
        (text, getattr(totals, name), [(_OUTCOME_STYLES.get(name, "other"), getattr(totals, name))])
        for name, text in OUTCOMES.items()
    ]
    countries = [
        (country_name(code), counts.received, _parts(counts))
        for code, counts in figures.by_country.items()
    ]
    halves = [
        (row["period"], row["received"], [("other", row["received"])]) for row in figures.half_years
    ]
    return {
        "outcomes": chart("outcomes", "What became of them", outcomes),
        "countries": chart("countries", "Received, by country", countries),
        "halves": chart("halves", "Received, by half year", halves),
    }


_OUTCOME_STYLES: Final = {"complied_in_whole": "given", "complied_in_part": "given"}


def _parts(counts: Counts) -> list[tuple[str, int]]:
    given = counts.complied_in_whole + counts.complied_in_part
    return [("given", given), ("other", counts.received - given)]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(day=_day, hours=_hours, number=_number, country=country_name)
    return environment


@cache
def _file(name: str) -> str:
    return resources.files("blackthorn.report").joinpath(name).read_text("utf-8")


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms // 1000, UTC)


def _day(unix_ms: int) -> Markup:
    """A date in words, with the time for machines."""
    moment = _moment(unix_ms)
    machine = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    words = f"{moment.day}\u00a0{_MONTHS[moment.month - 1]}\u00a0{moment.year}"
    return Markup('<time datetime="{}">{}</time>').format(machine, words)


_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _hours(hours: int | None) -> str:
    """A duration in the unit that people use for its size."""
    if hours is None:
        return "–"
    if hours == 0:
        return "under an hour"
    unit, count = ("hour", hours) if hours < 48 else ("day", hours // 24)
    return f"{count:,}\u00a0{unit}{'' if count == 1 else 's'}"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:,}"
