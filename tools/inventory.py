"""The inventory: everything the server stores, read from the migrations themselves.

The tables and columns are those that SQLite makes of the migrations, so that none can be
missed; what each is for stands in a comment behind it: `-- purpose | retention | producible:
yes` (or `no`: whether it can be produced to an authority in a form that says anything).
Anything stored and not classified is an error. Data only; no database in service is read.
"""

import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from blackthorn.errors import BlackthornError

_TABLE = re.compile(r"^\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?\"?(\w+)\"?", re.IGNORECASE)
_ALTER = re.compile(r"^\s*ALTER\s+TABLE\s+\"?(\w+)\"?\s+ADD\s+COLUMN\s+(.*)$", re.IGNORECASE)
_COLUMN = re.compile(
    r"^\s*\"?(\w+)\"?\s.*?--\s*([^|]+?)\s*\|\s*([^|]+?)\s*\|\s*producible:\s*(yes|no)\s*$"
)
_NOTE = re.compile(r"^--\s?(.*)$")


class UnclassifiedError(BlackthornError):
    """A stored column has no comment that says its purpose, retention and producibility."""


@dataclass(frozen=True, slots=True)
class Column:
    """One stored column and its classification."""

    table: str
    name: str
    type: str
    purpose: str
    retention: str
    producible: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One table: the comment above it, and its columns in order."""

    name: str
    note: str
    columns: tuple[Column, ...]


def migrations() -> list[tuple[str, str]]:
    """The migrations of this program, in order: file name and SQL."""
    folder = resources.files("blackthorn.storage.sqlite") / "migrations"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=str)
    return [(each.name, each.read_text(encoding="utf-8")) for each in files]


def _comments(
    scripts: Iterable[str],
) -> tuple[dict[tuple[str, str], re.Match[str]], dict[str, str]]:
    """The classification of each column, and the comment that stands above each table."""
    columns: dict[tuple[str, str], re.Match[str]] = {}
    notes: dict[str, str] = {}
    for script in scripts:
        table, above = "", list[str]()
        for line in script.splitlines():
            if opening := _TABLE.match(line):
                table = opening[1]
                notes[table] = " ".join(above)
            if alteration := _ALTER.match(line):
                table, line = alteration[1], alteration[2]
            if found := _COLUMN.match(line):
                columns[table, found[1]] = found
            note = _NOTE.match(line)
            above = [*above, note[1].strip()] if note else []
    return columns, notes


def read_inventory(scripts: Iterable[str]) -> list[Table]:
    """Every table that the SQL `scripts` make, in order, each column with its classification.

    Raises UnclassifiedError naming all columns that have none.
    """
    sources = list(scripts)
    columns, notes = _comments(sources)
    database = sqlite3.connect(":memory:")
    for source in sources:
        database.executescript(source)
    tables: list[Table] = []
    missing: list[str] = []
    names = database.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (table,) in names:
        stored: list[Column] = []
        for _, name, kind, *_ in database.execute(f'PRAGMA table_xinfo("{table}")'):
            match = columns.get((table, name))
            if match is None:
                missing.append(f"{table}.{name}")
                continue
            stored.append(Column(table, name, kind, match[2], match[3], match[4] == "yes"))
        tables.append(Table(table, notes.get(table, ""), tuple(stored)))
    database.close()
    if missing:
        raise UnclassifiedError(
            f"not classified: {', '.join(missing)}; "
            "add `-- purpose | retention | producible: yes/no` behind the column"
        )
    return tables


def render_inventory(tables: Iterable[Table]) -> str:
    """The tables of docs/what-the-server-holds.md, in Markdown."""
    parts: list[str] = []
    for table in tables:
        lines = [f"### `{table.name}`", ""]
        if table.note:
            lines += [table.note, ""]
        lines += ["| column | purpose | kept | can be produced |", "|---|---|---|---|"]
        lines += [
            f"| `{column.name}` | {column.purpose} | {column.retention} "
            f"| {'yes' if column.producible else 'no'} |"
            for column in table.columns
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
