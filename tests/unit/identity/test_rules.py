"""Each rule of a chain is checked in the code and has a test that breaks exactly it."""

import re
from pathlib import Path

from blackthorn.identity.rules import RULES

ROOT = Path(__file__).parents[3]
CODE = [path for path in (ROOT / "src/blackthorn/identity").glob("*.py") if path.name != "rules.py"]
TESTS = [
    *(ROOT / "tests/unit/identity").glob("test_*.py"),
    *(ROOT / "tests/forge").glob("test_identity_*.py"),
]
NUMBER = r"I[1-9][0-9]*"


def found(pattern: str, paths: list[Path]) -> set[str]:
    """The numbers in all places of some files that fit a pattern."""
    return {number for path in paths for number in re.findall(pattern, path.read_text())}


def test_numbers_have_no_gaps() -> None:
    assert list(RULES) == [f"I{number}" for number in range(1, len(RULES) + 1)]
    assert all(text.endswith(".") and "\n" not in text for text in RULES.values())
    assert len(set(RULES.values())) == len(RULES)


def test_each_rule_is_checked_in_the_code_and_no_other() -> None:
    assert found(rf'"({NUMBER})"', CODE) == set(RULES)


def test_each_rule_has_a_test_that_breaks_it() -> None:
    assert found(rf"def test_({NUMBER})_", TESTS) == set(RULES)


def test_a_test_named_after_a_rule_expects_that_rule() -> None:
    for path in TESTS:
        for body in re.split(r"\n(?=def |@)", path.read_text()):
            match = re.search(rf"def test_({NUMBER})_", body)
            if match is not None:
                expected = set(re.findall(rf'"({NUMBER})"', body))
                assert match[1] in expected, f"{path.name}: {match[0]} expects {expected}"
