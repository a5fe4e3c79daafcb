"""Differences between a published file and the recomputed one."""

import csv
import json
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any, Final

MOST: Final = 64
"""Differences shown of one file."""

_SHOWN: Final = 80
"""Characters shown of a value."""

_ABSENT: Final = object()


def differences(ending: str, published: bytes, made: bytes) -> list[str]:
    """One line for each difference; empty only for equal bytes."""
    if published == made:
        return []
    found: list[str] = []
    if ending == ".json":
        found = list(islice(_json(published, made), MOST))
    elif ending.endswith(".csv"):
        found = list(islice(_tables(published, made), MOST))
    return found or [_first_line(published, made)]


def _json(published: bytes, made: bytes) -> Iterator[str]:
    try:
        value = json.loads(published)
    except (ValueError, RecursionError):
        return iter(())
    return _values("", value, json.loads(made))


def _values(path: str, actual: Any, expected: Any) -> Iterator[str]:
    if isinstance(actual, dict) and isinstance(expected, dict):
        for name in (*expected, *(name for name in actual if name not in expected)):
            where = f"{path}.{_plain(name)}" if path else _plain(name)
            yield from _values(where, actual.get(name, _ABSENT), expected.get(name, _ABSENT))
    elif isinstance(actual, list) and isinstance(expected, list):
        pairs: Iterator[tuple[Any, Any]] = zip_longest(actual, expected, fillvalue=_ABSENT)
        for at, (one, other) in enumerate(pairs):
            yield from _values(f"{path}[{_label(other, at)}]", one, other)
    elif type(actual) is not type(expected) or actual != expected:
        yield f"{path}: the report says {_show(actual)}, the ledger gives {_show(expected)}"


def _label(value: Any, at: int) -> str:
    """The country and kind of a row, the id of a case."""
    match value:
        case {"country": str(country), "kind": str(kind), "received": _}:
            return f"{country} {kind}"
        case {"id": str(name)} | {"period": str(name)} | {"name": str(name)}:
            return name
    return str(at)


def _tables(published: bytes, made: bytes) -> Iterator[str]:
    actual, expected = _lines(published), _lines(made)
    columns = expected[0]
    nothing: list[str] = []
    for number, (one, other) in enumerate(zip_longest(actual, expected, fillvalue=nothing), 1):
        row = " ".join(other[3:5])
        cells: Iterator[tuple[str | None, str | None]] = zip_longest(one, other)
        for at, (cell, right) in enumerate(cells):
            if cell != right:
                column = columns[at] if at < len(columns) else f"column {at + 1}"
                yield (
                    f"line {number} ({row}), {column}: the report says {_show(cell)}, "
                    f"the ledger gives {_show(right)}"
                )


def _lines(data: bytes) -> list[list[str]]:
    text = data.decode("utf-8", "replace")
    try:
        return list(csv.reader(text.splitlines(keepends=True)))
    except csv.Error:
        return []


def _first_line(published: bytes, made: bytes) -> str:
    lines = zip_longest(published.split(b"\n"), made.split(b"\n"), fillvalue=b"")
    for number, (actual, expected) in enumerate(lines, 1):
        if actual != expected:
            return (
                f"line {number}: the report says {_show(_text(actual))}, "
                f"the ledger gives {_show(_text(expected))}"
            )
    return "the line endings differ"


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()


def _show(value: Any) -> str:
    if value is None or value is _ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value)
    return _plain(text)


def _plain(text: str) -> str:
    """The text without control characters."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in cut)
