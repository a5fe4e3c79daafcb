"""What members' answers decide, and when own texts wait."""

import pytest

from blackthorn.device.healing import limits
from blackthorn.device.healing.decisions import held, in_order, verdict
from blackthorn.device.healing.notes import Healing, Rejoin, Reply
from blackthorn.device.healing.states import Event, State

DAY_MS = limits.TEXTS_HELD_SECONDS * 1000
MOVED = Rejoin(["bob", "carol", "dan"], "dan", [], 0)
WITH_STRANGER = Rejoin(["bob", "carol", "dan"], "dan", ["eve"], 0)


def said(*words: str) -> list[Reply]:
    """Replies as "user kind", of the own devices as "own kind", sure unless it ends in a "?"."""
    pairs = [word.split() for word in words]
    return [
        Reply(user, user == "own", kind.rstrip("?"), 9, not kind.endswith("?"))
        for user, kind in pairs
    ]


@pytest.mark.parametrize(
    ("state", "signal", "others", "words", "event"),
    [
        (State.SUSPECT, Event.MISSED, 3, ["bob same"], None),
        (State.SUSPECT, Event.MISSED, 3, ["bob same", "carol same"], Event.SAME),
        (State.SUSPECT, Event.MISSED, 1, ["bob same"], Event.SAME),
        (State.SUSPECT, Event.MISSED, 3, ["own same"], Event.SAME),
        (State.SUSPECT, Event.MISSED, 3, ["bob same", "carol ahead"], Event.ONE_AHEAD),
        (State.SUSPECT, Event.WELCOMED, 3, ["bob same", "carol other"], Event.ONE_AHEAD),
        (State.SUSPECT, Event.FORKED, 3, ["carol other"], None),
        (State.SUSPECT, Event.FORKED, 3, ["carol other", "bob ahead"], Event.AHEAD),
        (State.SUSPECT, Event.FORKED, 3, ["own ahead"], Event.AHEAD),
        (State.SUSPECT, Event.MISSED, 3, ["bob removed"], None),
        (State.SUSPECT, Event.MISSED, 3, ["bob removed", "carol removed"], Event.SAID_REMOVED),
        (State.ASKING, Event.ASKED, 3, ["bob same", "carol same"], Event.SAME),
        (State.ASKING, Event.ASKED, 1, ["bob removed"], Event.SAID_REMOVED),
        (State.FOLLOWING, Event.MERGED, 3, ["bob ahead"], None),
        (State.FOLLOWING, Event.MERGED, 3, ["bob ahead", "carol ahead"], Event.AHEAD),
        (State.FOLLOWING, Event.MERGED, 3, ["bob removed", "carol removed"], None),
        (State.SUSPECT, Event.MISSED, 0, [], None),
    ],
)
def test_one_own_device_or_two_users_decide(
    state: State, signal: Event, others: int, words: list[str], event: Event | None
) -> None:
    healing = Healing(signal=signal.name, replies=said(*words))
    assert verdict(state, healing, others) is event


@pytest.mark.parametrize(
    ("rejoin", "words", "event"),
    [
        (MOVED, ["bob same", "carol same"], Event.SAME),
        (MOVED, ["bob same?", "carol same?"], Event.SAME),
        (MOVED, ["own same", "bob same"], None),
        (WITH_STRANGER, ["bob same?", "carol same?"], None),
        (WITH_STRANGER, ["bob same", "carol same"], Event.SAME),
    ],
)
@pytest.mark.parametrize("state", [State.UNCONFIRMED, State.SUSPECT])
def test_a_rejoin_is_confirmed_by_users_and_with_strangers_by_those_who_are_sure(
    state: State, rejoin: Rejoin, words: list[str], event: Event | None
) -> None:
    healing = Healing(replies=said(*words), rejoin=rejoin)
    assert verdict(state, healing, 2) is event


@pytest.mark.parametrize("state", [State.UNCONFIRMED, State.SUSPECT])
def test_a_rejoin_of_which_nobody_is_left_to_ask_is_confirmed_unless_somebody_is_new(state) -> None:
    assert verdict(state, Healing(rejoin=MOVED), 0) is Event.SAME
    assert verdict(state, Healing(rejoin=WITH_STRANGER), 0) is None


@pytest.mark.parametrize(
    ("state", "signal", "age_ms", "waits"),
    [
        (State.FOLLOWING, Event.MERGED, 0, False),
        (State.SUSPECT, Event.MISSED, 0, True),
        (State.SUSPECT, Event.MISSED, DAY_MS, False),
        (State.SUSPECT, Event.WELCOMED, 0, False),
        (State.SUSPECT, Event.SILENT, 0, False),
        (State.BEHIND, Event.FAILED, DAY_MS, True),
        (State.ASKING, Event.ASKED, DAY_MS, True),
    ],
)
def test_own_texts_wait_where_they_would_not_be_read(
    state: State, signal: Event, age_ms: int, waits: bool
) -> None:
    healing = Healing(signal=signal.name, since_ms=1)
    assert bool(held(state, healing, 1 + age_ms)) is waits


@pytest.mark.parametrize("state", [State.UNCONFIRMED, State.SUSPECT, State.BEHIND, State.ASKING])
@pytest.mark.parametrize("signal", Event)
def test_until_a_rejoin_is_confirmed_no_signal_lets_texts_go(state: State, signal: Event) -> None:
    healing = Healing(signal=signal.name, since_ms=1, rejoin=MOVED)
    assert held(state, healing, 1 + 9 * DAY_MS)


def test_all_who_ask_in_an_hour_ask_in_the_same_order() -> None:
    users = [f"user{number}" for number in range(20)]
    first = in_order(b"c" * 32, users, 3_600_000)
    assert first == in_order(b"c" * 32, reversed(users), 7_199_999)
    assert first != in_order(b"c" * 32, users, 7_200_000)
    assert first != in_order(b"d" * 32, users, 3_600_000)
