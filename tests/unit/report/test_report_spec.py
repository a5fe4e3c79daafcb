"""The specification names every field that there is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blackthorn.report.counting import NUMBERS, OUTCOMES
from blackthorn.report.document import SCHEMA, schema
from blackthorn.report.files import ENDINGS, FEED
from blackthorn.report.tables import (
    COUNTS_COLUMNS,
    COUNTS_SCHEMA,
    DIRECTIVES_COLUMNS,
    DIRECTIVES_SCHEMA,
)

SPEC = (Path(__file__).resolve().parents[3] / "docs" / "specs" / "report.md").read_text("utf-8")


def fields(value: Any) -> Iterator[str]:
    """Every property that a JSON Schema names, but for those of dates and structural facts."""
    if isinstance(value, dict):
        for name, inner in value.get("properties", {}).items():
            yield name
            if name not in ("structural", "dates", "counts", "by_kind"):
                yield from fields(inner)
        for name, inner in value.items():
            if name not in ("properties", "oneOf"):
                yield from fields(inner)


def test_every_field_is_documented() -> None:
    names = {*fields(schema()), *NUMBERS, *OUTCOMES, *COUNTS_COLUMNS, *DIRECTIVES_COLUMNS}
    assert len(names) > 80
    assert [name for name in sorted(names) if f"`{name}`" not in SPEC] == []


def test_every_schema_and_file_is_documented() -> None:
    for name in (SCHEMA, COUNTS_SCHEMA, DIRECTIVES_SCHEMA, FEED):
        assert f"`{name}`" in SPEC
    for ending in ENDINGS:
        assert f"`2015H2{ending}`" in SPEC


def test_the_schema_has_the_numbers_of_the_program() -> None:
    assert tuple(schema()["$defs"]["counts"]["required"]) == NUMBERS
