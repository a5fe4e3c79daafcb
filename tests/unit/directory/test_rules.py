"""Each rule of the directory is checked in its code and has a test that breaks exactly it."""

import re
from pathlib import Path

from blackthorn.directory.rules import RULES
from tests.support.numbered_rules import NumberedRules

ROOT = Path(__file__).parents[3]
CODE = list((ROOT / "src/blackthorn/directory").rglob("*.py"))
TESTS = list((ROOT / "tests/unit/directory").glob("test_*.py"))
NUMBER = r"D[1-9][0-9]*"
CHECKED = NumberedRules(RULES, CODE, TESTS, NUMBER)


def test_numbers_have_no_gaps() -> None:
    assert sorted(int(rule[1:]) for rule in RULES) == list(range(1, len(RULES) + 1))
    CHECKED.check_texts()


def test_each_rule_is_checked_in_the_code_and_no_other() -> None:
    CHECKED.check_code()


def test_each_rule_has_a_test_that_breaks_it() -> None:
    CHECKED.check_tests()


def test_a_test_named_after_a_rule_expects_that_rule() -> None:
    CHECKED.check_expectations()


def test_the_functions_say_which_rules_they_raise() -> None:
    """Whoever calls `verify_…` reads there what it must expect."""
    for path in CODE:
        for name, said in re.findall(r'def (verify_\w+)\(.*?"""(.*?)"""', path.read_text(), re.S):
            assert re.search(rf"Raises .*{NUMBER}|VerificationError", said, re.S), name
