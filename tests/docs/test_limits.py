"""Every bound has a reason, stands once in its folder's file, and is used."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, named
from tools.limits_table import SOURCE, limit_files, limits_of, shown


@cache
def words() -> Counter[str]:
    """How often each word stands in the source."""
    texts = (file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.py"))
    return Counter(word for text in texts for word in re.findall(r"\w+", text))


@pytest.mark.parametrize("path", limit_files(), ids=named)
def test_every_limit_has_a_reason(path: Path) -> None:
    limits = limits_of(path)
    assert limits, f"{named(path)} holds no bound: delete it"
    without = [limit.name for limit in limits if not limit.reason]
    assert not without, f"{named(path)}: no docstring below {', '.join(without)}"


@pytest.mark.parametrize("path", limit_files(), ids=named)
def test_every_limit_is_named_once_and_used(path: Path) -> None:
    names = [limit.name for limit in limits_of(path)]
    assert len(names) == len(set(names)), f"{named(path)} names a bound twice"
    unused = [name for name in names if words()[name] < 2]
    assert not unused, f"{named(path)}: nothing uses {', '.join(unused)}"


def test_the_page_names_every_limit() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    for path in limit_files():
        for limit in limits_of(path):
            assert f"| `{limit.name}` | {shown(limit.name, limit.value)} |" in page


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("MAX_FRAME_BYTES", 8 * 1024 * 1024, "8 MiB"),
        ("MAX_NAME_BYTES", 255, "255 bytes"),
        ("LOOKUP_FRESH_SECONDS", 3600, "1 hour"),
        ("MAX_GAG_MS", 366 * 24 * 3_600_000, "366 days"),
        ("RETRY_SECONDS", 0.25, "0.25 seconds"),
        ("MAX_TREE_SIZE", 2**63 - 1, "2^63 - 1"),
        ("MAX_FANOUTS", 100_000, "100,000"),
    ],
)
def test_a_value_is_shown_in_the_unit_of_its_name(name: str, value: int | float, text: str) -> None:
    assert shown(name, value) == text
