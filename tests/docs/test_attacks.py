"""docs/attacks.md explains every attack, and what it names exists."""

from tests.docs.pages import ROOT
from tests.support.attacks import ATTACKS
from tools import attack_table


def test_attacks_are_numbered_without_a_gap() -> None:
    assert [each.number for each in ATTACKS] == list(range(1, len(ATTACKS) + 1))


def test_no_attack_is_unexplained() -> None:
    assert attack_table.unexplained() == []


def test_trials_are_of_attacks_that_exist() -> None:
    assert set(attack_table.trials()) <= {each.number for each in ATTACKS}


def test_what_is_tried_elsewhere_is_there() -> None:
    for each in ATTACKS:
        for name in each.elsewhere:
            path, _, test = name.partition("::")
            assert (ROOT / path).exists(), name
            assert f"def {test}" in (ROOT / path).read_text(encoding="utf-8"), name
