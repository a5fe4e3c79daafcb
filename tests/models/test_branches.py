"""Branches and rejoining: faults end and all meet; a guest gets nothing (H6, H8, H10-H12, H37)."""

import pytest

from tests.models.branches import Branches, Rules
from tests.models.explore import search, walk
from tests.support import runs


@pytest.mark.parametrize("users", [2, 3])
def test_H12_one_branch_remains_and_no_text_for_a_guest(users: int) -> None:
    found = search(Branches(users=users), depth=12, limit=runs.pick(2_000, 60_000))
    print(found)
    assert not found.broken, found
    assert found.states >= 2_000


def test_H12_longer_histories_by_samples() -> None:
    found = walk(Branches(users=3, hostile=4), runs.seed(), walks=runs.many(60), depth=12)
    print(found)
    assert not found.broken, found
    assert found.states > 200


SIMPLER = {
    "who was removed is told by nobody": (Rules(told=False), 3, "apart"),
    "nobody is noted after a rejoin": (Rules(noted=False), 3, "leak: x"),
    "any device confirms a rejoin": (Rules(confirmed_by="any"), 2, "leak: x"),
    "the answerer confirms": (Rules(answerer=True), 2, "leak: x"),
    "authors of a fork count": (Rules(authors=False), 2, "apart"),
    "who is behind on a branch counts for none": (Rules(behind=False), 3, "apart"),
    "no way back from a rejoin": (Rules(keeps=False), 3, "apart"),
}


@pytest.mark.parametrize("name", SIMPLER)
def test_H12_a_simpler_rule_fails(name: str) -> None:
    rules, users, broken = SIMPLER[name]
    found = search(Branches(rules, users), depth=12, limit=10_000)
    print(f"{name}: {found}")
    assert found.broken.startswith(broken), found
