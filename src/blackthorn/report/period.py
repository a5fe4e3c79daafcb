"""Reporting periods: a year, a half or a quarter, in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from blackthorn.errors import InputError

_PERIOD: Final = re.compile(r"([0-9]{4})(?:H([12])|Q([1-4]))?")
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From `start_ms` until before `end_ms`, Unix milliseconds."""

    start_ms: int
    end_ms: int
    name: str

    def __contains__(self, unix_ms: int) -> bool:
        return self.start_ms <= unix_ms < self.end_ms

    @property
    def words(self) -> str:
        """Such as `second half of 2015`."""
        part = self.name[4:]
        if not part:
            return f"the year {self.name}"
        names = {"H": ("first", "second"), "Q": ("first", "second", "third", "fourth")}
        what = {"H": "half", "Q": "quarter"}[part[0]]
        return f"{names[part[0]][int(part[1]) - 1]} {what} of {self.name[:4]}"


def parse_period(text: str) -> Period:
    """A period from `2015`, `2015H2` or `2015Q3`. Raises InputError."""
    found = _PERIOD.fullmatch(text)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        raise InputError("a period is a year, a half or a quarter: 2015, 2015H2 or 2015Q3")
    year, half, quarter = int(found[1]), found[2], found[3]
    months = 6 if half else 3 if quarter else 12
    first = (int(half or quarter or 1) - 1) * months
    return Period(_month(year, first), _month(year, first + months), text)


def _month(year: int, months: int) -> int:
    moment = datetime(year + months // 12, months % 12 + 1, 1, tzinfo=UTC)
    return int(moment.timestamp()) * 1000


def half_year(unix_ms: int) -> Period:
    moment = datetime.fromtimestamp(unix_ms // 1000, UTC)
    year = min(max(moment.year, _FIRST_YEAR), _LAST_YEAR)
    return parse_period(f"{year}H{1 if moment.month <= 6 else 2}")


def half_years(first_ms: int, last_ms: int) -> list[Period]:
    """All half years from `first_ms` to `last_ms`."""
    found = [half_year(first_ms)]
    while found[-1].end_ms <= last_ms:
        found.append(half_year(found[-1].end_ms))
    return found
