"""Each state of directives and exits with each action: taken as the table says, or refused (G4)."""

import pytest

from blackthorn.errors import VerificationError
from blackthorn.governance import directives, exits
from tests.support.walks import NOT_FROM, Walk, directive, leaving, states

KINDS = {"directive": (directive, directives.TRANSITIONS), "exit": (leaving, exits.TRANSITIONS)}
CASES = [(kind, state) for kind, (_, moves) in KINDS.items() for state in states(moves)]

BEFORE = {"release": "hold"}
"""What must have been decided before, whatever the state."""


def begun(kind: str, state: str) -> Walk:
    make, _ = KINDS[kind]
    return make().to(state)


@pytest.mark.parametrize(("kind", "state"), CASES)
def test_every_action_in_every_state(kind: str, state: str) -> None:
    _, moves = KINDS[kind]
    for move in moves:
        walk = begun(kind, state)
        held = move.action in BEFORE and state in move.sources
        if held:
            walk.take(BEFORE[move.action])
        allowed = state in move.sources and (move.action, state) not in NOT_FROM
        if allowed:
            before = walk.case.seq
            walk.take(move.action)
            assert walk.case.state in move.targets(state)
            assert walk.case.seq == before + 1
            assert walk.case.held == (move.action == "hold")
        else:
            with pytest.raises(VerificationError) as refused:
                walk.take(move.action)
            assert refused.value.rule == "G4"
            assert walk.case.state == state


def test_every_choice_leads_where_the_table_says() -> None:
    assert directive().to("forged").case.state == "forged"
    assert directive().to("verified").case.state == "verified"


def test_an_exit_without_notice_stops_at_once() -> None:
    for state in ("announced", "draining"):
        walk = leaving()
        now = walk.world.now_ms
        dates = dict.fromkeys(("announce_ms", "activations_ms", "read_only_ms"), now + 1)
        walk.take("plan", **dates, stop_ms=now + 1, no_notice=1, compelled=bytes(32))
        walk.take("approve")
        walk.take("announce")
        if state == "draining":
            walk.take("drain")
        assert walk.case.state == state
        walk.take("stop")
        assert walk.case.state == "stopped"
