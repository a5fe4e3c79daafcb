"""Each rule of the log is checked in the code and has a test that breaks exactly it."""

import re
from pathlib import Path

from blackthorn.tlog.rules import RULES

ROOT = Path(__file__).parents[3]
CODE = [ROOT / "src/blackthorn/wire/note.py", *(ROOT / "src/blackthorn/tlog").glob("*.py")]
TESTS = [ROOT / "tests/unit/wire/test_note.py", *(ROOT / "tests/unit/tlog").glob("test_*.py")]
NUMBER = r"[NTW][1-9][0-9]*"


def found(pattern: str, paths: list[Path]) -> set[str]:
    """The numbers in all places of some files that fit a pattern."""
    return {number for path in paths for number in re.findall(pattern, path.read_text())}


def test_numbers_have_no_gaps() -> None:
    for letter in "NTW":
        numbers = [int(rule[1:]) for rule in RULES if rule[0] == letter]
        assert numbers == list(range(1, len(numbers) + 1))
    assert all(re.fullmatch(NUMBER, rule) for rule in RULES)
    assert all(text.endswith(".") and "\n" not in text for text in RULES.values())
    assert len(set(RULES.values())) == len(RULES)


def test_each_rule_is_checked_in_the_code_and_no_other() -> None:
    paths = [path for path in CODE if path.name != "rules.py"]
    assert found(rf'"({NUMBER})"', paths) == set(RULES)


def test_each_rule_has_a_test_that_breaks_it() -> None:
    named = found(rf"def test_({NUMBER})_", TESTS)
    assert named == set(RULES)


def test_a_test_named_after_a_rule_expects_that_rule() -> None:
    for path in TESTS:
        for body in re.split(r"\n(?=def |@)", path.read_text()):
            match = re.match(rf"def test_({NUMBER})_", body)
            if match is not None:
                expected = set(re.findall(rf'"({NUMBER})"', body))
                assert match[1] in expected, f"{path.name}: {match[0]} expects {expected}"
