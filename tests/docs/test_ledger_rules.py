"""Each rule of the ledger is checked in the code and broken by a test that carries its number."""

import re

from tools import ledger_rules


def test_numbers_have_one_form() -> None:
    assert all(re.fullmatch(r"[NTWDI]\d+", rule) for rule in ledger_rules.RULES)


def test_no_rule_without_its_check() -> None:
    assert [rule for rule in ledger_rules.RULES if not ledger_rules.checked_in()[rule]] == []


def test_no_rule_without_a_test_that_breaks_it() -> None:
    assert [rule for rule in ledger_rules.RULES if not ledger_rules.broken_by()[rule]] == []
