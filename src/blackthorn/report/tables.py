"""The report as CSV: RFC 4180, UTF-8, one header row; new columns need a new schema.

An apostrophe precedes a cell that a spreadsheet would take for a formula.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from blackthorn.report import counting, history
from blackthorn.report.figures import Figures
from blackthorn.wire.dates import rfc3339

COUNTS_SCHEMA: Final = "blackthorn-transparency-counts/1"
DIRECTIVES_SCHEMA: Final = "blackthorn-transparency-directives/1"

_STATED: Final = ("schema", "period", "ledger_size")
COUNTS_COLUMNS: Final = (*_STATED, "country", "kind", *counting.NUMBERS)
DIRECTIVES_COLUMNS: Final = (
    *(*_STATED, "id", "country", "kind", "authority", "process", "basis", "received", "state"),
    *("outcome", "reason", "court", "accounts_named", "accounts_with_data", "categories_asked"),
    *("categories_approved", "hours_to_decision", "gag_until", "corrections", "ledger_entry"),
)


def counts_csv(figures: Figures, stand: history.Snapshot) -> bytes:
    """One line for each country and kind; they add up to those received."""
    start = (COUNTS_SCHEMA, figures.period.name, stand.size)
    return _csv(
        COUNTS_COLUMNS,
        ((*start, row.country, row.kind, *asdict(row.counts).values()) for row in figures.rows),
    )


def directives_csv(figures: Figures, stand: history.Snapshot) -> bytes:
    """One line for each disclosed directive."""
    start = (DIRECTIVES_SCHEMA, figures.period.name, stand.size)
    return _csv(DIRECTIVES_COLUMNS, ((*start, *_line(row)) for row in figures.directives))


def _line(directive: dict[str, Any]) -> Iterable[Any]:
    gag = directive["gag_until_ms"]
    shown = {
        **directive,
        "received": rfc3339(directive["received_ms"]),
        "categories_asked": " ".join(directive["categories_asked"]),
        "categories_approved": " ".join(directive["categories_approved"]),
        "gag_until": rfc3339(gag) if gag else None,
        "corrections": len(directive["corrections"]),
        "ledger_entry": directive["steps"][0]["entry"],
    }
    return (shown[name] for name in DIRECTIVES_COLUMNS[len(_STATED) :])


def _csv(columns: tuple[str, ...], lines: Iterable[Iterable[Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@"):
        return f"'{value}"
    return "" if value is None else value
