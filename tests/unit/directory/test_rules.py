"""Each rule of the directory is checked in its code and has a test that breaks exactly it."""

import re
from pathlib import Path

from blackthorn.directory.rules import RULES

ROOT = Path(__file__).parents[3]
CODE = list((ROOT / "src/blackthorn/directory").rglob("*.py"))
TESTS = list((ROOT / "tests/unit/directory").glob("test_*.py"))
NUMBER = r"D[1-9][0-9]*"


def found(pattern: str, paths: list[Path]) -> set[str]:
    """The numbers in all places of some files that fit a pattern."""
    return {number for path in paths for number in re.findall(pattern, path.read_text())}


def test_numbers_have_no_gaps() -> None:
    assert sorted(int(rule[1:]) for rule in RULES) == list(range(1, len(RULES) + 1))
    assert all(re.fullmatch(NUMBER, rule) for rule in RULES)
    assert all(text.endswith(".") and "\n" not in text for text in RULES.values())
    assert len(set(RULES.values())) == len(RULES)


def test_each_rule_is_checked_in_the_code_and_no_other() -> None:
    paths = [path for path in CODE if path.name != "rules.py"]
    assert found(rf'"({NUMBER})"', paths) == set(RULES)


def test_each_rule_has_a_test_that_breaks_it() -> None:
    assert found(rf"def test_({NUMBER})_", TESTS) == set(RULES)


def test_a_test_named_after_a_rule_expects_that_rule() -> None:
    for path in TESTS:
        for body in re.split(r"\n(?=def |@)", path.read_text()):
            match = re.match(rf"def test_({NUMBER})_", body)
            if match is not None:
                expected = set(re.findall(rf'"({NUMBER})"', body))
                assert match[1] in expected, f"{path.name}: {match[0]} expects {expected}"


def test_the_functions_say_which_rules_they_raise() -> None:
    """Whoever calls `verify_…` reads there what it must expect."""
    for path in CODE:
        for name, said in re.findall(r'def (verify_\w+)\(.*?"""(.*?)"""', path.read_text(), re.S):
            assert re.search(rf"Raises .*{NUMBER}|VerificationError", said, re.S), name
