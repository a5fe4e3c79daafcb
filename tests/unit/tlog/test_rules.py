"""Each rule of the log is checked in the code and has a test that breaks exactly it."""

from pathlib import Path

from blackthorn.tlog.rules import RULES
from tests.support.numbered_rules import NumberedRules

ROOT = Path(__file__).parents[3]
CODE = [ROOT / "src/blackthorn/wire/note.py", *(ROOT / "src/blackthorn/tlog").glob("*.py")]
TESTS = [ROOT / "tests/unit/wire/test_note.py", *(ROOT / "tests/unit/tlog").glob("test_*.py")]
NUMBER = r"[NTW][1-9][0-9]*"
CHECKED = NumberedRules(RULES, CODE, TESTS, NUMBER)


def test_numbers_have_no_gaps() -> None:
    for letter in "NTW":
        numbers = [int(rule[1:]) for rule in RULES if rule[0] == letter]
        assert numbers == list(range(1, len(numbers) + 1))
    CHECKED.check_texts()


def test_each_rule_is_checked_in_the_code_and_no_other() -> None:
    CHECKED.check_code()


def test_each_rule_has_a_test_that_breaks_it() -> None:
    CHECKED.check_tests()


def test_a_test_named_after_a_rule_expects_that_rule() -> None:
    CHECKED.check_expectations()
