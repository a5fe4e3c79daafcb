"""What was read of a device's database, until its table is written.

A turn of the device asks for the same few rows again and again, and mostly nothing has changed
since the turn before. What another connection has committed is noticed when a transaction begins,
by SQLite's `data_version`; what this one has written by other statements, by `total_changes`.
"""

import re
from collections.abc import Callable, Hashable
from functools import cache, wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

import apsw

P = ParamSpec("P")
R = TypeVar("R")

MAX_READS: Final = 256
"""Reads of one kind of a table that are remembered; a chain is 10 to 30 kB."""

_NAMED: Final = re.compile(r"\b(?:INTO|UPDATE|FROM|JOIN)\s+([a-z_]+)")
_CHILDREN: Final = (
    'SELECT child.name, key."table" FROM sqlite_schema AS child'
    " JOIN pragma_foreign_key_list(child.name) AS key WHERE child.type = 'table'"
)

Reads = dict[Hashable, Any]


class Remembered:
    """The reads of one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._reads: dict[tuple[str, ...], Reads] = {}
        self._of_table: dict[str, list[Reads]] = {}
        self._children: dict[str, set[str]] | None = None
        self._seen: tuple[int, int] | None = None

    def begin(self) -> None:
        """A transaction has begun: forget what may have changed since the last one."""
        ((version,),) = self._connection.execute("PRAGMA data_version")
        if self._seen != (version, self._connection.total_changes()):
            self.forget()
        self._seen = None
        self._version = version

    def end(self) -> None:
        """The transaction is durable."""
        self._seen = self._version, self._connection.total_changes()

    def forget(self) -> None:
        """Forget everything, as after a part was undone."""
        for reads in self._reads.values():
            reads.clear()

    def reads(self, tables: tuple[str, ...]) -> Reads:
        """What was read of these tables together."""
        found = self._reads.get(tables)
        if found is None:
            found = self._reads[tables] = {}
            for table in tables:
                self._of_table.setdefault(table, []).append(found)
        return found

    def written(self, sql: str) -> None:
        """A statement is to change rows."""
        tables, deletes = _written(sql)
        for table in tables:
            for one in self._family(table) if deletes else (table,):
                for reads in self._of_table.get(one, ()):
                    reads.clear()

    def _family(self, table: str) -> set[str]:
        """A table and those whose rows are deleted with its own."""
        if self._children is None:
            self._children = {}
            for child, parent in self._connection.execute(_CHILDREN):
                self._children.setdefault(str(parent), set()).add(str(child))
        found, new = set[str](), {table}
        while new:
            found |= new
            new = {child for one in new for child in self._children.get(one, ())} - found
        return found


@cache
def _written(sql: str) -> tuple[frozenset[str], bool]:
    """The tables that a statement may change, and whether it may delete rows there."""
    return frozenset(_NAMED.findall(sql)), "DELETE" in sql or "REPLACE" in sql


class Remembers(Protocol):
    """A table that remembers what was read of it."""

    @property
    def memory(self) -> Remembered:
        """Of its connection."""


T = TypeVar("T", bound=Remembers)


def remembered(
    *tables: str,
) -> Callable[[Callable[Concatenate[T, P], R]], Callable[Concatenate[T, P], R]]:
    """A method that reads of these tables alone; its arguments can be hashed."""

    def decorate(method: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R]:
        name = method.__qualname__

        @wraps(method)
        def read(self: T, /, *args: P.args, **kwargs: P.kwargs) -> R:
            reads, key = self.memory.reads(tables), (name, args)
            if kwargs:
                return method(self, *args, **kwargs)
            if key in reads:
                found = reads[key]
            else:
                found = method(self, *args, **kwargs)
                if len(reads) >= MAX_READS:
                    reads.clear()
                reads[key] = found
            return cast(R, found.copy()) if type(found) is list else cast(R, found)

        return read

    return decorate
