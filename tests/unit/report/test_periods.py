"""Periods: their bounds in UTC, and which there are."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from blackthorn.cli import main
from blackthorn.errors import InputError, UserError
from blackthorn.report.period import half_year, half_years, parse_period


def ms(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("name", "start", "end", "words"),
    [
        ("2015", ms(2015, 1, 1), ms(2016, 1, 1), "the year 2015"),
        ("2015H1", ms(2015, 1, 1), ms(2015, 7, 1), "first half of 2015"),
        ("2015H2", ms(2015, 7, 1), ms(2016, 1, 1), "second half of 2015"),
        ("2016Q1", ms(2016, 1, 1), ms(2016, 4, 1), "first quarter of 2016"),
        ("2015Q3", ms(2015, 7, 1), ms(2015, 10, 1), "third quarter of 2015"),
        ("2015Q4", ms(2015, 10, 1), ms(2016, 1, 1), "fourth quarter of 2015"),
    ],
)
def test_a_period_has_its_bounds(name: str, start: int, end: int, words: str) -> None:
    period = parse_period(name)
    assert (period.start_ms, period.end_ms, period.words) == (start, end, words)
    assert start in period and end - 1 in period
    assert start - 1 not in period and end not in period


@pytest.mark.parametrize(
    "text",
    ["", "15", "2015H3", "2015Q5", "2015h2", "2015H2 ", "2015-07", "1969", "9999", "２０１５"],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="2015H2"):
        parse_period(text)


def test_half_years_follow_each_other_without_a_gap() -> None:
    found = half_years(ms(2015, 6, 30), ms(2017, 1, 1))
    assert [each.name for each in found] == ["2015H1", "2015H2", "2016H1", "2016H2", "2017H1"]
    assert half_year(ms(2015, 7, 1) - 1).name == "2015H1"
    assert half_year(253_402_300_799_000).name == "9998H2"


def test_a_period_that_a_person_mistyped_is_theirs_to_change() -> None:
    done = CliRunner().invoke(main.app, ["report", "--period", "2026h9", "--from", "x"])
    assert isinstance(done.exception, UserError)
    assert "--period" in str(done.exception) and "2015H2" in str(done.exception)
