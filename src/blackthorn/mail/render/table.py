"""A table of an HTML mail as lines: cells stay apart, so that no amount runs into another.

Mails use tables for data and for layout. A table of data keeps its empty cells, since a number's
column says what it means; in a table for layout they are left out.
"""

from dataclasses import dataclass, field
from typing import Final

_BETWEEN: Final = " | "
_MAX_CELL_LINES: Final = 3
_MAX_CELL_CHARS: Final = 200
"""A cell of data; what is longer is laid out by itself."""


@dataclass(slots=True)
class Cell:
    lines: list[str]
    span: int = 1
    heading: bool = False


@dataclass(slots=True)
class Table:
    """Rows of cells as they are read."""

    rows: list[list[Cell]] = field(default_factory=list)

    def add_row(self) -> None:
        self.rows.append([])

    def add_cell(self, cell: Cell) -> None:
        if not self.rows:
            self.add_row()
        self.rows[-1].append(cell)

    def lines(self) -> list[str]:
        """The table as text."""
        data = self._is_data()
        found: list[str] = []
        for row in self.rows:
            found += _row(row, data=data)
        return found

    def _is_data(self) -> bool:
        if any(cell.heading and cell.lines for row in self.rows for cell in row):
            return True
        return sum(_is_row_of_data(row) for row in self.rows) >= 2


def _is_row_of_data(row: list[Cell]) -> bool:
    full = [cell for cell in row if cell.lines]
    return len(full) >= 2 and all(_is_short(cell) and len(cell.lines) == 1 for cell in full)


def _is_short(cell: Cell) -> bool:
    return len(cell.lines) <= _MAX_CELL_LINES and sum(map(len, cell.lines)) <= _MAX_CELL_CHARS


def _row(row: list[Cell], *, data: bool) -> list[str]:
    full = [cell for cell in row if cell.lines]
    if len(full) == 1 and not data:
        return full[0].lines
    if not all(_is_short(cell) for cell in full):
        return [line for cell in full for line in cell.lines]
    texts: list[str] = []
    for cell in row if data else full:
        texts.append(" / ".join(line.strip() for line in cell.lines if line))
        texts += [""] * (cell.span - 1 if data else 0)
    while texts and not texts[-1]:
        texts.pop()
    line = _BETWEEN.join(texts)
    return [line.strip() if not texts or texts[0] else line.lstrip()] if texts else []
