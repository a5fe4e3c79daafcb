"""Each validation rule of MLS is checked in the code and broken by a forged message."""

import re

from blackthorn.mls.rules import Rule
from tools import mls_rules


def test_numbers_name_one_rule_each() -> None:
    numbers = [rule.number for rule in Rule]
    assert numbers == sorted(set(numbers))
    assert len(Rule.__members__) == len(numbers)
    assert all(re.fullmatch(r"\d+(\.\d+)*", rule.section) for rule in Rule)


def test_no_rule_without_its_check() -> None:
    checked = mls_rules.checked_in()
    assert [rule for rule in Rule if not checked[rule]] == []


def test_no_rule_without_its_forged_message() -> None:
    forged = mls_rules.forged_in()
    assert [rule for rule in Rule if not forged[rule]] == []
