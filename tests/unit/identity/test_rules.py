"""Each rule of a chain is checked in the code and has a test that breaks exactly it."""

from pathlib import Path

from blackthorn.identity.rules import RULES
from tests.support.numbered_rules import NumberedRules

ROOT = Path(__file__).parents[3]
CODE = [path for path in (ROOT / "src/blackthorn/identity").glob("*.py") if path.name != "rules.py"]
TESTS = [
    *(ROOT / "tests/unit/identity").glob("test_*.py"),
    *(ROOT / "tests/forge").glob("test_identity_*.py"),
]
NUMBER = r"I[1-9][0-9]*"
CHECKED = NumberedRules(RULES, CODE, TESTS, NUMBER)


def test_numbers_have_no_gaps() -> None:
    assert list(RULES) == [f"I{number}" for number in range(1, len(RULES) + 1)]
    CHECKED.check_texts()


def test_each_rule_is_checked_in_the_code_and_no_other() -> None:
    CHECKED.check_code()


def test_each_rule_has_a_test_that_breaks_it() -> None:
    CHECKED.check_tests()


def test_a_test_named_after_a_rule_expects_that_rule() -> None:
    CHECKED.check_expectations()
