"""The table of states: what is stored, which exits there are, and that no state is a trap."""

import pytest

from blackthorn.device.healing.states import (
    MEMBER,
    TABLE,
    Answer,
    Event,
    State,
    Texts,
    after,
    answers,
    is_member,
)

SIGNALS = [
    Event.FAILED,
    Event.TAKEN,
    Event.MISSED,
    Event.AHEAD,
    Event.SILENT,
    Event.FORKED,
    Event.DOUBTFUL_REMOVAL,
]


@pytest.mark.parametrize(
    ("stored", "state"),
    [("active", State.FOLLOWING), ("removed", State.LEFT), ("stale", State.STALE)],
)
def test_the_standings_of_earlier_vaults_are_states(stored: str, state: State) -> None:
    assert State(stored) is state


def test_every_state_has_a_row_and_every_event_an_exit() -> None:
    assert set(TABLE) == set(State)
    assert {event for row in TABLE.values() for event in row.exits} == set(Event)


@pytest.mark.parametrize("state", [State.FOLLOWING, State.UNCONFIRMED])
@pytest.mark.parametrize("event", SIGNALS)
def test_a_signal_ends_the_trust_in_a_conversation(state: State, event: Event) -> None:
    certain = event in (Event.FAILED, Event.AHEAD)
    assert after(state, event) is (State.BEHIND if certain else State.SUSPECT)


@pytest.mark.parametrize("state", [State.BEHIND, State.ASKING, State.STALE])
@pytest.mark.parametrize("event", SIGNALS)
def test_a_signal_changes_nothing_where_the_way_back_has_begun(state: State, event: Event) -> None:
    assert after(state, event) is state


@pytest.mark.parametrize("state", sorted(MEMBER))
def test_a_way_leads_from_every_state_to_following_and_out(state: State) -> None:
    reached = {state}
    for _ in State:
        reached |= {after(one, event) for one in reached for event in Event}
    assert {State.FOLLOWING, State.LEFT} <= reached


@pytest.mark.parametrize("event", Event)
def test_a_replaced_conversation_stays_replaced(event: Event) -> None:
    assert after(State.STALE, event) is State.STALE


def test_only_a_welcome_or_another_branch_leads_back_in() -> None:
    back = {event for event in Event if after(State.LEFT, event) is not State.LEFT}
    assert back == {Event.WELCOME, Event.WELCOME_KNOWN, Event.FORKED}
    assert not is_member(State.LEFT)


def test_who_is_unsure_only_compares_and_adds_nobody_again() -> None:
    assert TABLE[State.UNCONFIRMED].answers == {Answer.SAME}
    unsure = {State.SUSPECT, State.BEHIND, State.ASKING}
    where = {Answer.SAME, Answer.PARTED}
    assert {state for state in State if TABLE[state].answers == where} == unsure
    assert answers(State.FOLLOWING, Answer.ADD_AGAIN)
    assert not any(answers(State.LEFT, answer) for answer in Answer)


def test_own_texts_go_where_the_others_follow() -> None:
    assert {state for state, row in TABLE.items() if row.texts is Texts.GO} == {State.FOLLOWING}
    assert TABLE[State.BEHIND].texts is TABLE[State.ASKING].texts is Texts.WAIT
