"""The report as HTML without script and external files.

The template escapes officers' text. The policy allows only the embedded style, by its hash.
"""

import base64
import hashlib
import tomllib
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final

import pycountry
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from blackthorn.report import charts, counting, history, limits
from blackthorn.report.figures import Figures
from blackthorn.tlog.policy import parse_policy
from blackthorn.wire.dates import rfc3339


def page(figures: Figures, stand: history.Snapshot, policy: str) -> bytes:
    """The page; `policy` is the trust policy's text."""
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
            outcomes=counting.OUTCOMES,
            **_words(),
            charts=_charts(figures),
            directives=list(reversed(shown)),
            left_out=len(figures.directives) - len(shown),
        )
    )
    return text.encode()


@cache
def content_security() -> str:
    """The Content-Security-Policy for the header and the page."""
    digest = base64.b64encode(hashlib.sha256(_file("style.css").encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def country_name(code: str) -> str:
    """The English name of a country, or the code."""
    if code == counting.NOT_STATED:
        return "Not stated"
    found = pycountry.countries.get(alpha_2=code)
    return code if found is None else str(getattr(found, "common_name", found.name))


def _charts(figures: Figures) -> dict[str, charts.Chart]:
    totals = figures.totals
    outcomes = [
        (text, getattr(totals, name), [(_OUTCOME_STYLES.get(name, "other"), getattr(totals, name))])
        for name, text in counting.OUTCOMES.items()
    ]
    countries = [
        (country_name(code), counts.received, _parts(counts))
        for code, counts in figures.by_country.items()
    ]
    halves = [
        (row["period"], row["received"], [("other", row["received"])]) for row in figures.half_years
    ]
    return {
        "outcomes": charts.chart("outcomes", "What became of them", outcomes),
        "countries": charts.chart("countries", "Received, by country", countries),
        "halves": charts.chart("halves", "Received, by half year", halves),
    }


_OUTCOME_STYLES: Final = {"complied_in_whole": "given", "complied_in_part": "given"}


def _parts(counts: counting.Counts) -> list[tuple[str, int]]:
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


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads(_file("words.toml"))


def _day(unix_ms: int) -> Markup:
    moment = datetime.fromtimestamp(unix_ms // 1000, UTC)
    words = f"{moment.day}\u00a0{_words()['months'][moment.month - 1]}\u00a0{moment.year}"
    return Markup('<time datetime="{}">{}</time>').format(rfc3339(unix_ms), words)


def _hours(hours: int | None) -> str:
    if hours is None:
        return "–"
    if hours == 0:
        return "under an hour"
    unit, count = ("hour", hours) if hours < 48 else ("day", hours // 24)
    return f"{count:,}\u00a0{unit}{'' if count == 1 else 's'}"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:,}"
