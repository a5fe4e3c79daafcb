"""Finds RFC 9420's published test vectors, and says plainly when they are not there.

`BLACKTHORN_MLS_VECTORS` names their folder; without it, `.vectors/mls` in the repository
(`make vectors` fetches them). A set variable that names no such folder is a failure.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "BLACKTHORN_MLS_VECTORS"
DEFAULT = Path(__file__).parents[2] / ".vectors" / "mls"
MARK = "crypto-basics.json"


def folder() -> Path | None:
    """Where the vectors are; None when nobody has said and none were fetched."""
    named = os.environ.get(VARIABLE)
    if named:
        if not (Path(named) / MARK).is_file():
            pytest.fail(f"{VARIABLE} is set to {named}, which does not hold the MLS vectors")
        return Path(named)
    return DEFAULT if (DEFAULT / MARK).is_file() else None


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], list[Any]]:
    """A function from a vector file's name (without `.json`) to its cases."""
    found = folder()
    if found is None:
        pytest.skip(f"the MLS vectors are absent: run `make vectors`, or set {VARIABLE}")

    def load(name: str) -> list[Any]:
        cases: list[Any] = json.loads((found / f"{name}.json").read_text())
        return cases

    return load


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not os.environ.get(VARIABLE) and not (DEFAULT / MARK).is_file():
        terminalreporter.section("MLS vectors")
        terminalreporter.write_line(
            f"ABSENT: RFC 9420's vectors were NOT run. `make vectors` fetches them to {DEFAULT}, "
            f"or set {VARIABLE}."
        )
