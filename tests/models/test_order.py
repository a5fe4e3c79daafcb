"""An insider's void, failing and unordered Commits: one branch remains and goes on (H7)."""

import pytest

from tests.models.explore import search
from tests.models.order import Order, Rules
from tests.support import runs


def test_H7_one_branch_and_no_end() -> None:
    found = search(Order(hostile=runs.pick(2, 3)), depth=12, limit=runs.pick(30_000, 1_000_000))
    print(found)
    assert not found.broken, found
    assert found.states >= 30_000


SIMPLER = {
    "the next handle of a void Commit without order": (Rules(next_by="seen"), "two branches"),
    "the digest is not the server's": (Rules(next_by="taken"), "two branches"),
    "void is what looks void at the time": (Rules(frozen=False), "two branches"),
    "given up by one's own clock": (Rules(lost="alone"), "two branches"),
    "a handle of its own for what is given up": (Rules(lost_by="lost"), "two branches"),
    "who was removed never returns": (Rules(left_returns=False), "a member is out for ever"),
}


@pytest.mark.parametrize("name", SIMPLER)
def test_H7_a_simpler_rule_fails(name: str) -> None:
    rules, broken = SIMPLER[name]
    found = search(Order(rules), depth=12, limit=30_000)
    print(f"{name}: {found}")
    assert found.broken.startswith(broken), found
