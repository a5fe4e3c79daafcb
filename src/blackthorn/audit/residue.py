"""Looks in every file of a copied server's folder for parcels that wait no more.

A row of a parcel has a form, by which it is found wherever its bytes lie. What the database of the
copy still lists is waiting; any other row is residue: its device has acknowledged it, or it was
removed. The search proves nothing unless it finds each row that is listed.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blackthorn.errors import UserError, system_error
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.carving import Listed, Row, carve, listed


@dataclass(frozen=True, slots=True)
class FileFindings:
    """Rows found in one file that wait no more; `pairs` say which device received."""

    name: str
    bytes: int
    waiting: int
    parcels: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome: `waiting` rows are listed, of which `seen` were found, by the same search."""

    files: tuple[FileFindings, ...]
    waiting: int
    seen: int
    parcels: int
    pairs: int

    @property
    def sees(self) -> bool:
        """Whether every waiting row was found, and there was one."""
        return 0 < self.waiting == self.seen

    @property
    def clean(self) -> bool:
        return self.sees and not self.parcels and not self.pairs


def audit(folder: Path, earlier: Path | None = None) -> Report:
    """Search the copy. With an `earlier` copy only rows count that were residue in it already.

    Raises UserError, StorageError.
    """
    known, found = _search(folder)
    counted: set[Row] = set().union(*(rows for _, _, rows in found)) - known.rows
    if earlier is not None:
        before, old = _search(earlier)
        counted &= set().union(*(rows for _, _, rows in old)) - before.rows
    seen = {row for _, _, rows in found for row in rows & known.rows}
    files = tuple(
        FileFindings(name, size, len(rows & known.rows), *_count(rows & counted))
        for name, size, rows in found
    )
    return Report(files, len(known.rows), len(seen), *_count(counted))


def _count(rows: set[Row]) -> tuple[int, int]:
    """Parcels and pairs among the rows."""
    return sum(bool(row.mark) for row in rows), sum(bool(row.device) for row in rows)


Found = list[tuple[str, int, set[Row]]]
"""Name, size and rows of each file."""


def _search(folder: Path) -> tuple[Listed, Found]:
    database = ServerFolder(folder).database
    if not database.is_file():
        raise UserError(f"{folder} is no copy of a server's folder: it has no {database.name}")
    known = listed(database)
    with system_error(UserError, f"{folder} cannot be read"):
        return known, list(_files(folder, known))


def _files(folder: Path, known: Listed) -> Iterator[tuple[str, int, set[Row]]]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        with path.open("rb") as file:
            size = path.stat().st_size
            rows: set[Row] = set()
            if size:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                    rows = set(carve(data, known))
        yield str(path.relative_to(folder)), size, rows
